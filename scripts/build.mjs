// @ts-check
// Builds the addon for this machine, with binding.d.ts; arguments go to `napi build`.
import "./prepare.mjs";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";

if (!readdirSync(".").some((name) => name.endsWith(".node"))) {
  console.log("Building the addon; the first time takes some minutes …");
}
const flags = ["--platform", "--no-js", "--dts", "binding.d.ts"];
const args = ["node_modules/@napi-rs/cli/dist/cli.js", "build", ...flags, ...process.argv.slice(2)];
process.exit(spawnSync(process.execPath, args, { stdio: "inherit" }).status ?? 1);
