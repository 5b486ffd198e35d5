// @ts-check
// The platforms that have a package of their own, and what that package's package.json says.

/**
 * @typedef {object} Platform
 * @property {string} name Ends the name of the package, `@key0ai/native-<name>`.
 * @property {string} triple Rust's name for it.
 * @property {string} title For people.
 * @property {string} os
 * @property {string} cpu
 * @property {string} [libc]
 */

/** @type {Platform[]} */
export const PLATFORMS = [
  linux("x64", "glibc", "x86_64-unknown-linux-gnu"),
  linux("x64", "musl", "x86_64-unknown-linux-musl"),
  linux("arm64", "glibc", "aarch64-unknown-linux-gnu"),
  linux("arm64", "musl", "aarch64-unknown-linux-musl"),
  mac("x64", "x86_64-apple-darwin"),
  mac("arm64", "aarch64-apple-darwin"),
  windows("x64", "x86_64-pc-windows-msvc"),
  windows("arm64", "aarch64-pc-windows-msvc"),
];

/** @param {Platform} platform */
export const packageName = ({ name }) => `@key0ai/native-${name}`;

/** @param {Platform} platform */
export const binaryName = ({ name }) => `key0-native.${name}.node`;

/** What every platform package holds besides its package.json, in npm's order. */
export const THIRD_PARTY = "THIRD-PARTY-LICENSES.txt";

/**
 * A platform package's package.json.
 * @param {Platform} platform
 * @param {Record<string, any>} main The main package's.
 */
export function manifest(platform, main) {
  const { os, cpu, libc, title } = platform;
  return {
    name: packageName(platform),
    version: main.version,
    description: `The binary of ${main.name} for ${title}`,
    license: main.license,
    author: main.author,
    ...(main.repository && { repository: main.repository }),
    engines: main.engines,
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    main: binaryName(platform),
    files: [binaryName(platform), THIRD_PARTY],
    // A binary cannot be loaded out of Yarn's zip archives.
    preferUnplugged: true,
    publishConfig: { access: "public" },
  };
}

/**
 * A platform package's README.
 * @param {Platform} platform
 * @param {Record<string, any>} main
 */
export function readme(platform, main) {
  return `# ${packageName(platform)}

The binary of \`${main.name}\` for ${platform.title}.
Install \`${main.name}\` itself: it brings this package along where it fits.

\`${THIRD_PARTY}\` has the licences of everything that is linked into the binary.
`;
}

/** @param {string} cpu @param {"glibc" | "musl"} libc @param {string} triple @returns {Platform} */
function linux(cpu, libc, triple) {
  const name = `linux-${cpu}-${libc === "glibc" ? "gnu" : "musl"}`;
  const title = libc === "glibc" ? "glibc 2.28 or newer" : "musl";
  return { name, triple, title: `Linux ${cpu} (${title})`, os: "linux", cpu, libc };
}

/** @param {string} cpu @param {string} triple @returns {Platform} */
function mac(cpu, triple) {
  return { name: `darwin-${cpu}`, triple, title: `macOS ${cpu}`, os: "darwin", cpu };
}

/** @param {string} cpu @param {string} triple @returns {Platform} */
function windows(cpu, triple) {
  return { name: `win32-${cpu}-msvc`, triple, title: `Windows ${cpu}`, os: "win32", cpu };
}
