// @ts-check
// Programs of others that only some tests need, installed from npm at their first use into
// `target/tools`: each a folder of its own, so that no two meet and `npm ci` stays small.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const TOOLS = fileURLToPath(new URL("../target/tools/", import.meta.url));

/**
 * The folder in which these packages are installed, `node_modules` in it.
 *
 * @param {string} name of the folder
 * @param {Record<string, string>} packages versions by name
 */
export function installed(name, packages) {
  const wanted = JSON.stringify({ private: true, dependencies: packages }, null, 2);
  const version = createHash("sha256").update(wanted).digest("hex").slice(0, 8);
  const folder = join(TOOLS, `${name}-${version}`);
  if (existsSync(folder)) return folder;
  mkdirSync(TOOLS, { recursive: true });
  const draft = mkdtempSync(join(TOOLS, "draft-"));
  writeFileSync(join(draft, "package.json"), wanted);
  const args = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
  execFileSync("npm", args, { cwd: draft, stdio: ["ignore", "ignore", "inherit"] });
  try {
    renameSync(draft, folder);
  } catch {
    // Another test was quicker.
    rmSync(draft, { recursive: true });
  }
  return folder;
}

/** Where the program of a runtime is. @param {Runtime} name */
export function runtime(name) {
  const [alias, version = "latest"] = name.split("-");
  const [packageName, path] = PROGRAMS[alias];
  const folder = installed(name, { [packageName]: version });
  return join(folder, "node_modules", packageName, path);
}

const { platform, arch } = process;
/** @type {Record<string, [packageName: string, path: string]>} */
const PROGRAMS = {
  node: [`node-${platform}-${arch}`, "bin/node"],
  bun: [`@oven/bun-${platform}-${arch === "arm64" ? "aarch64" : arch}`, "bin/bun"],
  deno: [`@deno/${platform}-${arch}${platform === "linux" ? "-glibc" : ""}`, "deno"],
};

/** @typedef {"node-20" | "node-22" | "node-24" | "node-26" | "bun" | "deno"} Runtime */
