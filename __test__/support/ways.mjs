// @ts-check
/** The ways in which a project with the SDK's engine is run: runtimes, module formats, SDKs. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { runtime } from "../../scripts/tools.mjs";
import { program } from "./apps.mjs";

const require = createRequire(import.meta.url);
const TSX = join(dirname(require.resolve("tsx/package.json")), "dist/cli.mjs");

/**
 * @typedef {object} Way
 * @property {string} named
 * @property {string[]} command
 * @property {boolean} isTsx
 * @property {"typescript" | "built" | "built as ESM"} sdk
 * @property {"esm" | "cjs"} format Of the project.
 */

/** @type {Way[]} */
export const WAYS = [
  ...["node-20", "node-24"].flatMap((name) => [
    way(name, "built", "cjs"),
    way(name, "built", "esm"),
    way(name, "built as ESM", "esm"),
  ]),
  way("node-24", "built as ESM", "cjs"),
  way("bun", "typescript", "esm"),
  way("bun", "typescript", "cjs"),
  way("tsx", "typescript", "esm"),
  way("tsx", "typescript", "cjs"),
];

/**
 * @param {string} name
 * @param {Way["sdk"]} sdk
 * @param {Way["format"]} format
 * @returns {Way}
 */
function way(name, sdk, format) {
  const isTsx = name === "tsx";
  const command = isTsx ? [process.execPath, TSX] : [runtime(/** @type {any} */ (name))];
  const named = `${name}, the SDK ${sdk === "typescript" ? "in TypeScript" : sdk}, ${format}`;
  return { named, command, isTsx, sdk, format };
}

/**
 * The files of a project whose engine issues for one payment, and its main one.
 * @param {Way} way
 */
export function paymentProject({ sdk, format }) {
  const type = format === "esm" ? "module" : "commonjs";
  const manifest = { "package.json": JSON.stringify({ private: true, type }) };
  return sdk === "typescript"
    ? { main: "main.ts", files: { ...manifest, "main.ts": program("payment") } }
    : { main: "main.js", files: { ...manifest, "main.js": program("payment", format) } };
}
