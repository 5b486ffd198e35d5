// @ts-check
// Builds a platform's binary into its folder of npm/, and looks at what came out:
//
//   npm run build:platform -- --target <triple>    one, here or crosswise
//   npm run build:linux                            the four of Linux, on one x86-64 Debian
//
// What this takes beyond Rust, Node.js and Python is installed from the registries: a C compiler
// and linker for every Linux (zig), Debian's Rust for targets that the usual one cannot build.
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, realpathSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, parse } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { faults, GLIBC, sizes } from "./binary.mjs";
import { licences } from "./licences.mjs";
import { binaryName, PLATFORMS, THIRD_PARTY } from "./platforms.mjs";

const ZIG = ["cargo-zigbuild==0.24.1", "ziglang==0.17.1"];
const DEBIANS_SOURCE = "/usr/lib/rustlib/src/rust";
/** @type {Record<string, string>} */
const BUILT = {
  linux: "libkey0_native.so",
  darwin: "libkey0_native.dylib",
  win32: "key0_native.dll",
};

const ROOT = fileURLToPath(new URL("..", import.meta.url));
process.chdir(ROOT);

const { target = [], linux } = parseArgs({
  options: { target: { type: "string", multiple: true }, linux: { type: "boolean" } },
}).values;
for (const triple of target) {
  if (!PLATFORMS.some((platform) => platform.triple === triple)) {
    fail(`${triple} is none of ${PLATFORMS.map((platform) => platform.triple).join(", ")}`);
  }
}
if (target.length === 0 && !linux) fail("Name a --target <triple>, or --linux");
for (const platform of PLATFORMS) {
  if (target.includes(platform.triple) || (linux && platform.os === "linux")) build(platform);
}

/** @param {import("./platforms.mjs").Platform} platform */
function build(platform) {
  const { name, triple, os } = platform;
  console.log(`\n${name}: building; some minutes …`);
  const started = performance.now();
  /** @type {NodeJS.ProcessEnv} */
  const env = {
    ...process.env,
    CARGO_TARGET_DIR: "target/prebuilds",
    ...(os === "linux" ? crossEnv(platform) : {}),
    // Microsoft's compiler keeps the paths of AWS-LC's files: not one with somebody's name.
    ...(os === "win32" && { CARGO_HOME: join(parse(ROOT).root, "cargo") }),
    // AWS-LC's assembly for it is written for clang.
    ...(triple === "aarch64-pc-windows-msvc" && { CC_aarch64_pc_windows_msvc: "clang-cl" }),
  };
  const flags = [
    ...remapped(),
    ...(triple.endsWith("musl") ? ["-Ctarget-feature=-crt-static"] : []),
  ];
  const args = ["--release", "--lib", "--locked", "--target"];
  // The usual flags of the machine, target-cpu=native among them, have no say.
  env.CARGO_ENCODED_RUSTFLAGS = flags.join("\x1f");
  delete env.RUSTFLAGS;
  if (os === "linux") {
    const library = env.RUSTC ? ["-Zbuild-std=std,panic_unwind"] : [];
    const wanted = triple.endsWith("gnu") ? `${triple}.${GLIBC}` : triple;
    run("cargo", ["zigbuild", ...args, wanted, ...library], env);
  } else {
    run("cargo", ["build", ...args, triple], env);
  }

  const folder = `npm/${name}`;
  const binary = join(folder, binaryName(platform));
  copyFileSync(join("target/prebuilds", triple, "release", BUILT[os]), binary);
  writeFileSync(join(folder, THIRD_PARTY), licences(triple));
  copyFileSync("LICENSE", join(folder, "LICENSE"));
  const wrong = faults(platform, binary);
  if (wrong.length > 0) fail(`${binary}:\n  ${wrong.join("\n  ")}`);
  const { unpacked, packed } = sizes(binary);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`${binary}: ${unpacked} bytes, ${packed} packed, in ${seconds} s`);
}

/**
 * zig as the C compiler and linker; where the usual Rust has no standard library for the target,
 * Debian's Rust, which has the library's source.
 * @param {import("./platforms.mjs").Platform} platform
 * @returns {NodeJS.ProcessEnv}
 */
function crossEnv({ triple }) {
  const tools = join(ROOT, "target/tools");
  if (!existsSync(join(tools, "bin/cargo-zigbuild"))) {
    run("python3", ["-m", "venv", tools], process.env);
    run(join(tools, "bin/pip"), ["install", "--quiet", ...ZIG], process.env);
  }
  const PATH = `${join(tools, "bin")}:${process.env.PATH}`;
  const libraries = ["--print", "target-libdir", "--target", triple];
  if (existsSync(execFileSync("rustc", libraries, { encoding: "utf8" }).trim())) return { PATH };
  if (!existsSync(DEBIANS_SOURCE)) {
    run("apt-get", ["update", "-q"], process.env);
    run(
      "apt-get",
      ["install", "-q", "-y", "--no-install-recommends", "rustc-web", "rust-web-src"],
      {
        ...process.env,
        DEBIAN_FRONTEND: "noninteractive",
      },
    );
  }
  return { PATH, RUSTC: "/usr/bin/rustc", RUSTC_BOOTSTRAP: "1" };
}

/** No path of this machine in the binary. */
function remapped() {
  const cargo = process.env.CARGO_HOME ?? join(homedir(), ".cargo");
  // The last one that fits wins.
  /** @type {Record<string, string>} */
  const names = { [cargo]: "/cargo", [ROOT.replace(/[/\\]$/, "")]: "/key0-native" };
  if (existsSync(DEBIANS_SOURCE)) names[realpathSync(DEBIANS_SOURCE)] = "/rust";
  return Object.entries(names).map(([from, to]) => `--remap-path-prefix=${from}=${to}`);
}

/** @param {string} command @param {string[]} args @param {NodeJS.ProcessEnv} env */
function run(command, args, env) {
  const { status, error } = spawnSync(command, args, { env, stdio: "inherit" });
  if (error || status !== 0) fail(`${command} ${args.join(" ")}: ${error?.message ?? status}`);
}

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(message);
  process.exit(1);
}
