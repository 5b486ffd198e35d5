// @ts-check
// The platforms that have a package of their own, and what that package's package.json says. Which
// they are stands in the main package.json, as `napi.targets`; where they have to be written out
// once more, __test__/packaging/platforms.test.mjs compares.
import { readFileSync } from "node:fs";

/**
 * @typedef {object} Platform
 * @property {string} name Ends the name of the package, `@key0ai/native-<name>`.
 * @property {string} triple Rust's name for it.
 * @property {string} title For people.
 * @property {string} os
 * @property {string} cpu
 * @property {string} [libc]
 */

/** @type {{ napi: { targets: string[] } }} */
const { napi } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

export const PLATFORMS = napi.targets.map(platform);

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

/** @param {string} triple @returns {Platform} */
function platform(triple) {
  const [architecture, , system, abi] = triple.split("-");
  const cpu = architecture === "aarch64" ? "arm64" : "x64";
  if (system === "darwin") {
    return { name: `darwin-${cpu}`, triple, title: `macOS ${cpu}`, os: "darwin", cpu };
  }
  if (system === "windows") {
    return { name: `win32-${cpu}-${abi}`, triple, title: `Windows ${cpu}`, os: "win32", cpu };
  }
  const libc = abi === "gnu" ? "glibc" : "musl";
  const title = `Linux ${cpu} (${libc === "glibc" ? "glibc 2.28 or newer" : libc})`;
  return { name: `linux-${cpu}-${abi}`, triple, title, os: "linux", cpu, libc };
}
