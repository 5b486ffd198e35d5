// @ts-check
/** Fresh projects in folders of their own, beside the packed addon, that end with their test. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transformSync } from "esbuild";
import { npm } from "../../scripts/npm.mjs";
import { ROOT } from "./process.mjs";

/** @typedef {{ after(fn: () => unknown): void }} Test */

const BESIDE = fileURLToPath(new URL("../beside/", import.meta.url));

/** @type {{ tarball: string, project: string } | undefined} */
let own;

/** The package as `npm pack` makes it, and a project into which `npm install` has put it. */
export function packedPackage() {
  if (own) return own;
  const tarball = packed(ROOT);
  const project = temporary({ after: (remove) => process.once("exit", remove) });
  write(project, { "package.json": JSON.stringify({ private: true }) });
  const offline = ["--offline", "--no-audit", "--no-fund", "--loglevel=error"];
  npm(["install", ...offline, tarball], { cwd: project, stdio: "pipe" });
  own = { tarball, project };
  return own;
}

/** What `npm pack` makes of a folder, until the process ends. @param {string} folder */
export function packed(folder) {
  const to = temporary({ after: (remove) => process.once("exit", remove) });
  const args = ["pack", "--json", "--loglevel=error", "--pack-destination", to];
  const [{ filename }] = JSON.parse(npm(args, { cwd: folder, stdio: "pipe" }));
  return join(to, filename);
}

/**
 * A project with the packed package installed, and with these files.
 *
 * @param {Test} t
 * @param {Record<string, string>} [files]
 */
export function project(t, files = {}) {
  const folder = temporary(t);
  cpSync(packedPackage().project, folder, { recursive: true });
  write(folder, files);
  return folder;
}

/**
 * What the stand-in SDK's package exports: its sources as they are, as the real one does; or what
 * was built of them; or a file of the test's own.
 */
const EXPORTS = {
  typescript: "./src/index.ts",
  built: { import: "./dist/index.mjs", require: "./dist/index.cjs" },
  "built as ESM": "./dist/index.mjs",
  "built for import alone": { import: "./dist/index.mjs" },
};

/**
 * Puts a stand-in SDK where a package manager puts it.
 *
 * @param {string} folder
 * @param {keyof typeof EXPORTS | { entry: string }} kind
 */
export async function addSdk(folder, kind) {
  await writeSdk(join(folder, "node_modules/@key0ai/key0"), kind);
}

/**
 * @param {string} folder
 * @param {keyof typeof EXPORTS | { entry: string }} kind
 */
export async function writeSdk(folder, kind) {
  const own = typeof kind === "object";
  const entry = own ? "./index.js" : EXPORTS[kind];
  const manifest = { name: "@key0ai/key0", version: "0.5.1", type: "module" };
  write(folder, { "package.json": JSON.stringify({ ...manifest, exports: { ".": entry } }) });
  if (own) return write(folder, { "index.js": kind.entry });
  cpSync(join(BESIDE, "sdk"), folder, { recursive: true });
  if (kind === "typescript") return;
  const entryPoints = [join(BESIDE, "sdk/src/index.ts")];
  for (const [format, end] of /** @type {const} */ ([
    ["esm", "mjs"],
    ["cjs", "cjs"],
  ])) {
    await build({ entryPoints, outfile: join(folder, `dist/index.${end}`), bundle: true, format });
  }
}

/**
 * The text of a program of `__test__/beside/app`; as JavaScript where a module format is named.
 *
 * @param {string} name
 * @param {"esm" | "cjs"} [format]
 */
export function program(name, format) {
  const source = readFileSync(join(BESIDE, "app", `${name}.ts`), "utf8");
  return format ? transformSync(source, { loader: "ts", format, platform: "node" }).code : source;
}

/** A folder that ends with the test. @param {Test} t */
export function temporary(t) {
  const folder = mkdtempSync(join(tmpdir(), "key0-app-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * @param {string} folder
 * @param {Record<string, string>} files
 */
export function write(folder, files) {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}
