// @ts-check
// npm as a program: by its own file where npm has started this, since Windows has no program `npm`.
import { execFileSync } from "node:child_process";

const { npm_execpath: file } = process.env;
const isNpm = file !== undefined && /npm-cli\.[cm]?js$/.test(file);

/** What is before npm's arguments. */
export const NPM = isNpm ? [process.execPath, file] : ["npm"];

/**
 * What npm prints.
 *
 * @param {string[]} args
 * @param {import("node:child_process").ExecFileSyncOptions} [options]
 */
export function npm(args, options) {
  const [program, ...own] = NPM;
  return String(execFileSync(program, [...own, ...args], options) ?? "");
}
