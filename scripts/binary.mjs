// @ts-check
// What a binary must and must not have before it is packed.
import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** @typedef {import("./platforms.mjs").Platform} Platform */

/**
 * At most, in bytes: as it is, and packed. Half of a megabyte of it is AWS-LC's tables and its RSA
 * for AVX-512 IFMA (.cargo/config.toml), a tenth Linux's allocator.
 */
const LIMITS = { unpacked: 5_950_000, packed: 2_780_000 };

/** RHEL 8, Debian 10 and AWS Lambda have this glibc. */
export const GLIBC = "2.28";

/** The libraries that every system has. A musl system has one library for all of them. */
const LIBRARIES = {
  glibc: /^(lib(c\.so\.6|m\.so\.6|dl\.so\.2|pthread\.so\.0|rt\.so\.1|gcc_s\.so\.1)|ld-linux.*)$/,
  musl: /^(libc\.so|libc\.musl-.*|libgcc_s\.so\.1)$/,
};
const MACHINES = { x64: "Advanced Micro Devices X86-64", arm64: "AArch64" };

/**
 * What is wrong with the binary at `path`, as sentences.
 * @param {Platform} platform
 * @param {string} path
 * @returns {string[]}
 */
export function faults(platform, path) {
  const bytes = readFileSync(path);
  return [
    ...sizeFaults(bytes),
    ...pathFaults(bytes),
    ...(platform.os === "linux" ? elfFaults(platform, path) : []),
  ];
}

/** @param {string} path */
export function sizes(path) {
  return {
    unpacked: statSync(path).size,
    packed: gzipSync(readFileSync(path), { level: 9 }).length,
  };
}

/** @param {Buffer} bytes */
function sizeFaults(bytes) {
  const packed = gzipSync(bytes, { level: 9 }).length;
  return [
    ...(bytes.length > LIMITS.unpacked ? [`${bytes.length} bytes, over ${LIMITS.unpacked}`] : []),
    ...(packed > LIMITS.packed ? [`${packed} bytes packed, over ${LIMITS.packed}`] : []),
  ];
}

/** Paths of the machine that built it. @param {Buffer} bytes */
function pathFaults(bytes) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const places = [root, homedir(), "/home/", "/root/", "/Users/", "C:\\Users\\", "D:\\a\\"];
  return places.filter((place) => bytes.includes(place)).map((place) => `holds a path: ${place}`);
}

/**
 * @param {Platform} platform
 * @param {string} path
 */
function elfFaults({ cpu, libc }, path) {
  const elf = execFileSync("readelf", ["-hdVSW", "--dyn-syms", path], { encoding: "utf8" });
  const machine = elf.match(/Machine: +(.*)/)?.[1];
  const needed = [...elf.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, library]) => library);
  const glibc = [...elf.matchAll(/\bGLIBC_([\d.]+)/g)].map(([, version]) => version);
  const debug = [...elf.matchAll(/ (\.(?:z?debug_\w+|symtab))\b/g)].map(([, section]) => section);
  const allowed = LIBRARIES[/** @type {keyof typeof LIBRARIES} */ (libc)];
  const others = needed.filter((library) => !allowed.test(library));
  const newer = new Set(glibc.filter((version) => libc === "musl" || isNewer(version, GLIBC)));
  return [
    ...(machine === MACHINES[/** @type {keyof typeof MACHINES} */ (cpu)] ? [] : [`for ${machine}`]),
    ...others.map((library) => `needs ${library}`),
    ...[...newer].map((version) => `needs glibc ${version}`),
    ...debug.map((section) => `has the section ${section}`),
    ...(/ napi_register_module_v1\b/.test(elf) ? [] : ["is no addon"]),
  ];
}

/** @param {string} version @param {string} than */
function isNewer(version, than) {
  const [[major, minor], [oldMajor, oldMinor]] = [version, than].map((v) =>
    v.split(".").map(Number),
  );
  return major !== oldMajor ? major > oldMajor : minor > oldMinor;
}
