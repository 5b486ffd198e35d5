// @ts-check
/** Scripts in a process of their own, for what ends, warns or reads the environment. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The folder of the package: scripts run there and import `./index.mjs`. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * @typedef {object} Ended
 * @property {number | null} code
 * @property {NodeJS.Signals | null} signal
 * @property {string} stdout
 * @property {string} stderr
 * @property {number} ms From its start to its end.
 */

/**
 * Runs an ES module's text in the package's folder, with `./index.mjs` there to import; ended by
 * SIGKILL after `limitMs`, which none but one that hangs needs.
 *
 * @typedef {object} Options
 * @property {Record<string, string>} [env]
 * @property {string[]} [args] The script's `process.argv.slice(1)`.
 * @property {string[]} [nodeArgs]
 * @property {number} [limitMs]
 *
 * @param {string} source
 * @param {Options} [options]
 * @returns {Promise<Ended>}
 */
export async function runScript(source, options = {}) {
  const { args, nodeArgs, ...rest } = options;
  return run(process.execPath, evaluation(source, args, nodeArgs), rest);
}

/**
 * How this runtime is told to run an ES module's text.
 *
 * @param {string} source
 * @param {string[]} [args]
 * @param {string[]} [nodeArgs]
 */
export function evaluation(source, args = [], nodeArgs = []) {
  if (!process.versions.deno) {
    return [...nodeArgs, "--input-type=module", "--eval", source, "--", ...args];
  }
  // The text's own name comes first there.
  const text = `process.argv.splice(1, 1);${source}`;
  return ["eval", ...nodeArgs.map((flag) => `--v8-flags=${flag}`), text, "--", ...args];
}

/**
 * Runs a program in the package's folder, or in `cwd`; ended by SIGKILL after `limitMs`.
 *
 * @param {string} file
 * @param {string[]} args
 * @param {{ cwd?: string, env?: Record<string, string>, limitMs?: number }} [options]
 * @returns {Promise<Ended>}
 */
export async function run(file, args, { cwd = ROOT, env = {}, limitMs = 120_000 } = {}) {
  const started = performance.now();
  const child = spawn(file, args, {
    cwd,
    env: { ...cleanEnv(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const limit = setTimeout(() => child.kill("SIGKILL"), limitMs);
  const [code, signal] = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (...ended) => resolve(ended));
  });
  clearTimeout(limit);
  const ms = performance.now() - started;
  return { code, signal, stdout: await stdout, stderr: await stderr, ms };
}

/**
 * As {@link runScript}; asserts that the process ended by itself with status 0 and said nothing on
 * stderr, and gives what it printed, read as JSON.
 *
 * @param {string} source
 * @param {Options} [options]
 * @returns {Promise<any>}
 */
export async function jsonOf(source, options) {
  const ended = await runScript(source, options);
  endedWell(ended);
  assert.equal(ended.stderr, "");
  return JSON.parse(ended.stdout);
}

/** Asserts that a process ended by itself with status 0. @param {Ended} ended */
export function endedWell({ code, signal, stdout, stderr }) {
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, `${stdout}\n${stderr}`);
}

/** The environment without what would change how the child's network or test runner behaves. */
function cleanEnv() {
  const unwanted = /^(NODE_|SSL_CERT_|(https?|all|no)_proxy$)/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !unwanted.test(name)));
}

/** @param {import("node:stream").Readable} stream */
async function collect(stream) {
  let text = "";
  for await (const chunk of stream.setEncoding("utf8")) text += chunk;
  return text;
}
