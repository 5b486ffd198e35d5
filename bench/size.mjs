// @ts-check
// What each crate takes of the Linux binary, by the sizes of its symbols: a release build that
// keeps them, in a folder of its own. What is generic counts where it was written.
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";

const FOLDER = "target/size";
const FEWEST = 16 * 1024;
/** Rust's own, with what reads a panic's place. */
const STD = new Set(["core", "alloc", "std", "hashbrown", "gimli", "addr2line", "rustc_demangle"]);

execFileSync("cargo", ["build", "--release", "--lib", "--locked"], {
  stdio: "inherit",
  env: { ...process.env, CARGO_PROFILE_RELEASE_STRIP: "false", CARGO_TARGET_DIR: FOLDER },
});
const library = `${FOLDER}/release/libkey0_native.so`;
const lines = execFileSync("nm", ["--print-size", "--demangle", "--defined-only", library], {
  encoding: "utf8",
  maxBuffer: 2 ** 28,
});

/** In bytes, by crate. @type {Map<string, number>} */
const sizes = new Map();
/** Two names of one place count once. */
const seen = new Set();
for (const [, address, size, name] of lines.matchAll(/^(\w+) (\w+) \w (.*)$/gm)) {
  if (seen.has(address)) continue;
  seen.add(address);
  const crate = crateOf(name);
  sizes.set(crate, (sizes.get(crate) ?? 0) + Number.parseInt(size, 16));
}

/** @param {string} name */
function crateOf(name) {
  if (/^(\.L|anon\.|switch\.table)/.test(name)) return "constants";
  // What is linked that is not Rust's is AWS-LC.
  if (!name.includes("::"))
    return /^(napi_|_?_?rust_|_R)/.test(name) ? "key0-native" : "aws-lc-sys";
  const [, crate] = /^[<&*([]*(?:dyn |mut |const |impl )*([a-z]\w*)(?:\[\w+\])?::/.exec(name) ?? [];
  return !crate || STD.has(crate) ? "std" : crate.replaceAll("_", "-");
}

const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
const rows = [...sizes].sort(([, a], [, b]) => b - a).filter(([, size]) => size >= FEWEST);
for (const [crate, size] of rows) {
  console.log(`${crate.padEnd(20)} ${(size / 1024).toFixed(0).padStart(5)} KiB`);
}
const rest = total - rows.reduce((sum, [, size]) => sum + size, 0);
console.log(`${"smaller ones".padEnd(20)} ${(rest / 1024).toFixed(0).padStart(5)} KiB`);
const file = statSync(library).size;
console.log(`symbols ${(total / 1024).toFixed(0)} KiB; the file with them ${file} bytes`);
