// @ts-check
"use strict";

/**
 * Finds this platform's binary and loads it: one that the environment names, one that was built
 * beside this package, or that of the platform's own package. Where none can be loaded, one error
 * says why and what to do; a file that would end the process by a signal never reaches the dynamic
 * linker.
 */

const {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
} = require("node:fs");
const { basename, dirname, join, resolve } = require("node:path");
const { folderOf } = require("./resolve.js");

const PLATFORMS = [
  "linux-x64-gnu",
  "linux-x64-musl",
  "linux-arm64-gnu",
  "linux-arm64-musl",
  "darwin-x64",
  "darwin-arm64",
  "win32-x64-msvc",
  "win32-arm64-msvc",
];

/** Of this module; none in a bundle, while `__filename` is what a bundler makes of it. */
const { filename } = /** @type {NodeJS.Module} */ (/** @type {unknown} */ (module));

/** A bundler has put this text into a file of its own. */
const isBundled = basename(filename ?? "") !== "load.js";

/** `e_machine` of an ELF file. @type {Record<string, number>} */
const MACHINES = { x64: 62, arm64: 183 };

/** @returns {typeof import("../binding")} */
function load() {
  const { NAPI_RS_NATIVE_LIBRARY_PATH: named } = process.env;
  if (named) return loadNamed(resolve(named));
  const platform = platformName();
  /** @type {any[]} */
  const attempts = [];
  for (const find of [builtHere, installed]) {
    try {
      const file = find(platform);
      if (file !== undefined) return loadFile(file);
    } catch (error) {
      attempts.push(error);
    }
  }
  const copied = isBundled
    ? (packageCopy(platform, attempts) ?? ownCopy(platform, attempts))
    : undefined;
  if (copied) return copied;
  throw notLoaded(platform, attempts);
}

/**
 * The one that napi-rs's own variable names, for a build that lies elsewhere, and no other: whoever
 * set it would not notice.
 * @param {string} file
 */
function loadNamed(file) {
  try {
    return loadFile(file);
  } catch (cause) {
    const problem = `NAPI_RS_NATIVE_LIBRARY_PATH names ${file}, which cannot be loaded`;
    const error = new Error(`${problem}: ${firstLine(cause)}`, { cause });
    throw Object.assign(error, { code: "ERR_KEY0_NO_BINARY" });
  }
}

/** @param {string} file */
function loadFile(file) {
  if (process.platform === "linux") checkElf(file);
  return require(file);
}

/**
 * In a bundle: the copy that the bundler has made of a platform package's binary. Its names are of
 * `imports` in `package.json`: where no copy was made, Bun asks no registry for such a name.
 * @param {string} platform
 * @param {any[]} attempts
 */
function packageCopy(platform, attempts) {
  try {
    switch (platform) {
      case "linux-x64-gnu":
        return require("#native-linux-x64-gnu");
      case "linux-x64-musl":
        return require("#native-linux-x64-musl");
      case "linux-arm64-gnu":
        return require("#native-linux-arm64-gnu");
      case "linux-arm64-musl":
        return require("#native-linux-arm64-musl");
      case "darwin-x64":
        return require("#native-darwin-x64");
      case "darwin-arm64":
        return require("#native-darwin-arm64");
      case "win32-x64-msvc":
        return require("#native-win32-x64-msvc");
      case "win32-arm64-msvc":
        return require("#native-win32-arm64-msvc");
      default:
        return undefined;
    }
  } catch (/** @type {any} */ error) {
    // The others say only that there is no copy.
    if (error.code === "ERR_DLOPEN_FAILED") attempts.push(error);
    return undefined;
  }
}

/**
 * The same of one that was built beside this package.
 * @param {string} platform
 * @param {any[]} attempts
 */
function ownCopy(platform, attempts) {
  try {
    switch (platform) {
      case "linux-x64-gnu":
        return require("../key0-native.linux-x64-gnu.node");
      case "linux-x64-musl":
        return require("../key0-native.linux-x64-musl.node");
      case "linux-arm64-gnu":
        return require("../key0-native.linux-arm64-gnu.node");
      case "linux-arm64-musl":
        return require("../key0-native.linux-arm64-musl.node");
      case "darwin-x64":
        return require("../key0-native.darwin-x64.node");
      case "darwin-arm64":
        return require("../key0-native.darwin-arm64.node");
      case "win32-x64-msvc":
        return require("../key0-native.win32-x64-msvc.node");
      case "win32-arm64-msvc":
        return require("../key0-native.win32-arm64-msvc.node");
      default:
        return undefined;
    }
  } catch (/** @type {any} */ error) {
    // The others say only that there is no copy.
    if (error.code === "ERR_DLOPEN_FAILED") attempts.push(error);
    return undefined;
  }
}

/** @param {string} platform */
function builtHere(platform) {
  if (isBundled) return undefined;
  const file = join(__dirname, "..", `key0-native.${platform}.node`);
  return existsSync(file) ? file : undefined;
}

/**
 * Where the platform's own package has its binary, or why it is not found. Written out, so that
 * tools that trace files find the packages; inside `try`, so that bundlers know that most are
 * absent.
 * @param {string} platform
 * @returns {string | Error | undefined}
 */
function resolved(platform) {
  try {
    if (process.versions.bun) checkInstalled(`@key0ai/native-${platform}`);
    switch (platform) {
      case "linux-x64-gnu":
        return require.resolve("@key0ai/native-linux-x64-gnu");
      case "linux-x64-musl":
        return require.resolve("@key0ai/native-linux-x64-musl");
      case "linux-arm64-gnu":
        return require.resolve("@key0ai/native-linux-arm64-gnu");
      case "linux-arm64-musl":
        return require.resolve("@key0ai/native-linux-arm64-musl");
      case "darwin-x64":
        return require.resolve("@key0ai/native-darwin-x64");
      case "darwin-arm64":
        return require.resolve("@key0ai/native-darwin-arm64");
      case "win32-x64-msvc":
        return require.resolve("@key0ai/native-win32-x64-msvc");
      case "win32-arm64-msvc":
        return require.resolve("@key0ai/native-win32-arm64-msvc");
      default:
        return undefined;
    }
  } catch (error) {
    return /** @type {Error} */ (error);
  }
}

/** For Bun, which asks a registry for a name that it does not find. @param {string} name */
function checkInstalled(name) {
  const { createRequire } = require("node:module");
  if (folderOf(name, createRequire(filename ?? process.argv[1]))) return;
  throw Object.assign(new Error(`Cannot find module '${name}'`), { code: "MODULE_NOT_FOUND" });
}

/** @param {string} platform */
function installed(platform) {
  const file = resolved(platform);
  if (file === undefined) return undefined;
  if (typeof file !== "string") throw file;
  const found = manifestIn(dirname(file));
  if (found.version !== version()) {
    throw new Error(`${found.name} is of version ${found.version}, not ${version()}`);
  }
  return file;
}

function platformName() {
  const { platform, arch } = process;
  if (platform === "linux") return `${platform}-${arch}-${usesMusl() ? "musl" : "gnu"}`;
  return platform === "win32" ? `${platform}-${arch}-msvc` : `${platform}-${arch}`;
}

/** Asks about this very process: a system may have both libraries. */
function usesMusl() {
  const ways = [
    // The program's dynamic linker is named at its beginning.
    () => start(process.execPath, 4096).text,
    // Where the linker was the command, the program is its argument.
    () => readFileSync("/proc/self/maps", "latin1"),
  ];
  for (const way of ways) {
    try {
      const [libc] = way().match(/\/ld-(musl|linux)-|\/libc\.(musl-|so$|so\.6)/m) ?? [];
      if (libc) return !/ld-linux|so\.6/.test(libc);
    } catch {
      // Not readable here.
    }
  }
  // The last resort, being slow. Its part about the network asks name servers.
  /** @type {any} */ (process.report).excludeNetwork = true;
  const { header } = /** @type {any} */ (process.report.getReport());
  return header.glibcVersionRuntime === undefined;
}

/**
 * Refuses a file that the dynamic linker would map and then fault on, or name as missing.
 * @param {string} file
 */
function checkElf(file) {
  const { bytes, size } = start(file, 64);
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2) {
    throw new Error(`${file} is no 64-bit ELF file`);
  }
  if (bytes.readUInt16LE(18) !== MACHINES[process.arch]) {
    throw new Error(`${file} is for another CPU than ${process.arch}`);
  }
  // The section headers are what an ELF file ends with.
  const end = Number(bytes.readBigUInt64LE(40)) + bytes.readUInt16LE(58) * bytes.readUInt16LE(60);
  if (size < end) throw new Error(`${file} is cut off: it has ${size} of ${end} bytes`);
}

/**
 * How a file begins, and how long it is.
 * @param {string} file
 * @param {number} length
 */
function start(file, length) {
  const descriptor = openSync(file, "r");
  try {
    const buffer = Buffer.alloc(length);
    const bytes = buffer.subarray(0, readSync(descriptor, buffer, 0, length, 0));
    return { bytes, text: bytes.toString("latin1"), size: fstatSync(descriptor).size };
  } finally {
    closeSync(descriptor);
  }
}

/**
 * @param {string} platform
 * @param {any[]} attempts
 */
function notLoaded(platform, attempts) {
  const wanted = PLATFORMS.includes(platform) ? `@key0ai/native-${platform}` : undefined;
  const lines = [
    `@key0ai/native ${version()} has no binary that it can load on ${platform}.`,
    ...(wanted ? [`It looked for the package ${wanted}, version ${version()}:`] : []),
    ...attempts.map((error) => `  ${firstLine(error)}`),
    ...(wanted ? causes(platform, attempts) : [none()]),
    "To build it from source, in a clone of its repository: npm run build && npm pack",
  ];
  const cause = new AggregateError(attempts, "what each attempt failed with");
  return Object.assign(new Error(lines.join("\n"), { cause }), { code: "ERR_KEY0_NO_BINARY" });
}

/**
 * What may have led to this, each with its cure.
 * @param {string} platform
 * @param {any[]} attempts
 */
function causes(platform, attempts) {
  if (attempts.some(({ code }) => code === "ERR_DLOPEN_DISABLED")) {
    return [
      "This process may load no addon: start Node.js with --allow-addons beside --permission," +
        " and without --no-addons.",
    ];
  }
  const mount = attempts.map(noexecMount).find((found) => found !== undefined);
  if (mount !== undefined) {
    return [
      `The file is on ${mount}, which is mounted noexec: nothing there may be run or loaded.` +
        " Install on another mount, or mount it without noexec.",
    ];
  }
  const [os, cpu, abi] = platform.split("-");
  const libc = { gnu: " --libc=glibc", musl: " --libc=musl" }[abi] ?? "";
  const others = PLATFORMS.filter((name) => name !== platform && has(name));
  const found = others.map((name) => `@key0ai/native-${name}`).join(", ");
  const absent = attempts.every(({ code }) => code === "MODULE_NOT_FOUND");
  const old = attempts.some(({ message }) => /GLIBC_/.test(message));
  return [
    "Likely causes, and their cures:",
    ...(old ? ["- this system's glibc is older than 2.28: a newer system"] : []),
    ...(found
      ? [
          `- node_modules is another platform's (it has ${found}), copied from another image or` +
            ` stage: install where it runs, or with npm install --os=${os} --cpu=${cpu}${libc}`,
        ]
      : []),
    ...(absent
      ? [
          "- optional dependencies were left out (--omit=optional, --no-optional): install them",
          "- the lock file is another platform's, or npm's optional-dependency bug (npm/cli#4828):" +
            " remove node_modules and package-lock.json, then npm install",
          "- the package was bundled: leave it external (Next.js:" +
            ' serverExternalPackages: ["@key0ai/native"])',
        ]
      : [
          "- a file that was cut off, or files of two versions or platforms mixed:" +
            " remove node_modules, then npm install",
        ]),
  ];
}

/**
 * Where the file of this error is, if that is mounted so that nothing on it may be loaded.
 * @param {any} error
 */
function noexecMount(error) {
  try {
    const [file = ""] = String(error.message).match(/\/.*?\.node(?=:)/) ?? [];
    const place = realpathSync(file);
    const mounts = readFileSync("/proc/self/mounts", "utf8").matchAll(/^\S+ (\S+) \S+ (\S+)/gm);
    const all = [...mounts].map(([, folder, options]) => ({
      folder: folder.replaceAll("\\040", " "),
      isNoexec: options.split(",").includes("noexec"),
    }));
    const around = all.filter(({ folder }) => place.startsWith(join(folder, "/")));
    // The innermost; of two at one place the later one covers the other.
    const mount = around.reduce((a, b) => (b.folder.length >= a.folder.length ? b : a));
    return mount.isNoexec ? mount.folder : undefined;
  } catch {
    return undefined;
  }
}

function none() {
  const isWasm = process.arch.startsWith("wasm") || "webcontainer" in process.versions;
  return isWasm
    ? "There is none for WebAssembly (StackBlitz): addons cannot be loaded there."
    : `There is none for this platform; there are for ${PLATFORMS.join(", ")}.`;
}

/** Of this package. @returns {string} */
function version() {
  // Which a bundler puts in; to `require` it takes five times as long.
  const { version } = isBundled ? require("../package.json") : manifestIn(join(__dirname, ".."));
  return version;
}

/** @param {string} folder */
function manifestIn(folder) {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

/** @param {string} platform */
function has(platform) {
  const file = resolved(platform);
  return typeof file === "string" && existsSync(file);
}

/** @param {any} error */
function firstLine(error) {
  return String(error?.message ?? error).split("\n", 1)[0];
}

module.exports = load();
