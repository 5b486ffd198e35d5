// @ts-check
// What work costs in other commits, counted as `npm run guard` counts it, so that a busy machine says
// the same as a quiet one:
//
//   node bench/before.mjs 6056fad 87a02fa HEAD
//
// Each is built below `target/before`, from what git has, with this tree's `node_modules`.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const HOME = join(ROOT, "target/before");

/** @param {string} revision */
function counted(revision) {
  const git = (/** @type {string[]} */ ...args) =>
    execFileSync("git", args, { cwd: ROOT, maxBuffer: 2 ** 28 });
  const commit = git("rev-parse", "--short", revision).toString().trim();
  const folder = join(HOME, commit);
  if (!existsSync(folder)) {
    mkdirSync(folder, { recursive: true });
    execFileSync("tar", ["-x", "-C", folder], { input: git("archive", commit) });
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  }
  // All are counted by the same guard.
  for (const name of ["guard", "guard.mjs", "guard.json"]) {
    rmSync(join(folder, "bench", name), { recursive: true, force: true });
    cpSync(join(ROOT, "bench", name), join(folder, "bench", name), { recursive: true });
  }
  execFileSync(process.execPath, ["bench/guard.mjs", "--renew"], {
    cwd: folder,
    env: { ...process.env, CARGO_TARGET_DIR: join(HOME, "cargo") },
    stdio: "inherit",
  });
  const { instructions, systemCalls } = JSON.parse(
    readFileSync(join(folder, "bench/guard.json"), "utf8"),
  );
  return { commit, ...instructions, ...systemCalls };
}

console.table(process.argv.slice(2).map(counted));
