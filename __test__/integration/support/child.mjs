// @ts-check
/** Programs beside the tests: started, and ended by their own process id. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/**
 * Starts a Python script of this folder, whose first line of output is JSON, and gives that and the
 * process. A process that ends before its test fails the test, with what it said on stderr.
 *
 * @param {import("../../support/server.mjs").Test} t
 * @param {string} script
 * @param {string[]} [args]
 * @returns {Promise<{ first: any, child: import("node:child_process").ChildProcess }>}
 */
export async function python(t, script, args = []) {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn("python3", [path, ...args], { stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
  /** @type {Promise<Error>} */
  const ended = new Promise((resolve) => {
    child.once("error", ({ message }) => resolve(new Error(`${message}: ${MISSING}`)));
    child.once("close", (code, signal) => {
      resolve(new Error(`${script} ended early (${code ?? signal}): ${said.trim()}`));
    });
  });
  const line = new Promise((resolve) => {
    createInterface(child.stdout).once("line", resolve);
  });
  const first = await Promise.race([line, ended]);
  if (first instanceof Error) throw first;
  t.after(async () => {
    const ranTillNow = child.kill("SIGTERM");
    const end = await ended;
    if (!ranTillNow) throw end;
  });
  return { first: JSON.parse(first), child };
}

const MISSING = "python3 is not installed; `.ci/run system` installs it";
