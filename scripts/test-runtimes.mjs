// @ts-check
// Runs the contract's tests on each Node.js that is supported (from npm's registry), in turn:
//
//   npm run test:runtimes                 on all of them but the one that runs npm test
//   npm run test:runtimes -- node-24      on one
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runtime } from "./tools.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

/** @type {import("./tools.mjs").Runtime[]} */
const ALL = ["node-20", "node-22", "node-24", "node-26"];
const wanted = process.argv.slice(2);
const files = readdirSync("__test__/contract").filter((name) => name.endsWith(".test.mjs"));
const tests = files.map((name) => `__test__/contract/${name}`);

let failed = false;
const own = `node-${process.versions.node.split(".")[0]}`;
const chosen = ALL.filter((name) => (wanted.length === 0 ? name !== own : wanted.includes(name)));
for (const name of chosen) {
  const program = runtime(name);
  const version = spawnSync(program, ["--version"], { encoding: "utf8" }).stdout.trim();
  console.log(`\n── Node.js ${version}`);
  // What tests start as `process.execPath` is this one, too.
  const args = ["--test", "--test-reporter=dot", ...tests];
  const { status } = spawnSync(program, args, { stdio: "inherit" });
  console.log(status === 0 ? `\nNode.js ${version}: ok` : `\nNode.js ${version}: FAILED`);
  failed ||= status !== 0;
}
process.exit(failed ? 1 : 0);
