// @ts-check
// Brings what a fresh clone lacks: says in one line that Rust is missing, and installs the
// development dependencies where the lock file is newer than what is installed.
import { execSync, spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

if (spawnSync("cargo", ["--version"]).status !== 0) {
  console.error(
    "No Rust toolchain on the PATH: install Rust (https://rustup.rs) and a C compiler.",
  );
  process.exit(1);
}

/** @param {string} file */
const changed = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

if (changed("node_modules/.package-lock.json") < changed("package-lock.json")) {
  console.log("Installing the development dependencies …");
  execSync("npm ci --include=dev --no-audit --no-fund", { stdio: "inherit" });
}
