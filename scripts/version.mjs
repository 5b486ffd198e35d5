// @ts-check
// Sets the version everywhere: `node scripts/version.mjs 1.2.3`. `--check` says instead whether all
// files agree with package.json, and with a release's tag where one is named after it.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { manifest, PLATFORMS, readme } from "./platforms.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const [argument, tag] = process.argv.slice(2);

if (argument === "--check") {
  const { version } = json("package.json");
  const wrong = [...files(version)].filter(([path, text]) => read(path) !== text);
  for (const [path] of wrong) console.error(`${path} does not fit version ${version}`);
  if (wrong.length > 0) console.error(`Run: node scripts/version.mjs ${version}`);
  const untold = !read("CHANGELOG.md")?.includes(`\n## ${version}`);
  if (untold) console.error(`CHANGELOG.md has no heading "## ${version}"`);
  const otherTag = Boolean(tag) && tag !== `v${version}`;
  if (otherTag) console.error(`The tag is ${tag}, the version ${version}`);
  process.exit(wrong.length > 0 || untold || otherTag ? 1 : 0);
}

if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(argument ?? "")) {
  console.error("Usage: node scripts/version.mjs <x.y.z> | --check [<tag>]");
  process.exit(1);
}
for (const [path, text] of files(argument)) {
  mkdirSync(dirname(path), { recursive: true });
  if (read(path) !== text) console.log(path);
  writeFileSync(path, text);
}

/**
 * Each file that says the version, as it must be.
 * @param {string} version
 * @returns {Map<string, string>}
 */
function files(version) {
  const main = { ...json("package.json"), version };
  const lock = json("package-lock.json");
  lock.packages[""] = { ...lock.packages[""], version };
  const texts = new Map([
    ["package.json", pretty(main)],
    ["package-lock.json", pretty({ ...lock, version })],
    ["Cargo.toml", replaced("Cargo.toml", /^(version = ").*(")/m, version)],
    ["Cargo.lock", replaced("Cargo.lock", /^(name = "key0-native"\nversion = ").*(")/m, version)],
  ]);
  for (const platform of PLATFORMS) {
    texts.set(`npm/${platform.name}/package.json`, pretty(manifest(platform, main)));
    texts.set(`npm/${platform.name}/README.md`, readme(platform, main));
  }
  return texts;
}

/** @param {string} path @param {RegExp} pattern @param {string} version */
function replaced(path, pattern, version) {
  return readFileSync(path, "utf8").replace(pattern, `$1${version}$2`);
}

/** @param {string} path */
function json(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}

/** @param {unknown} value */
function pretty(value) {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
