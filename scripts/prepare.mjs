// @ts-check
// Brings what a fresh clone lacks: Rust and a C compiler, and the development dependencies where the
// lock file is newer than what is installed.
import { execSync } from "node:child_process";
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bring } from "./system.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

bring("building");

/** @param {string} file */
const changed = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

if (changed("node_modules/.package-lock.json") < changed("package-lock.json")) {
  console.log("Installing the development dependencies …");
  // The one that has a script works without it, and npm would warn of it.
  execSync("npm ci --include=dev --no-audit --no-fund --ignore-scripts", { stdio: "inherit" });
}
