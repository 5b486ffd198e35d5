// @ts-check
/** A process that makes calls by their names, and whose limits are set from outside. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { evaluation, ROOT } from "../../support/process.mjs";

// There is no limit to root's threads, and threads are counted by user: one of this process's own,
// since the same tests may run beside these. Who may not read the addon cannot call it.
const id = 60_000 + (process.pid % 5_000);
const user = process.getuid?.() === 0 ? [`--reuid=${id}`, `--regid=${id}`, "--clear-groups"] : [];
const reads = ["test", "-r", join(ROOT, "index.mjs")];
const may = spawnSync("setpriv", [...user, "prlimit", "--nproc=1000:", ...reads]).status === 0;

/** Why such tests cannot run here; on a machine of CI they fail then. */
export const skip =
  may || process.env.CI ? false : "another user than root has no limit or no addon here";

/**
 * Starts such a process.
 *
 * @param {import("node:test").TestContext} t
 * @param {string} calls an ES module that declares `calls`, functions by name
 * @param {string[]} args its `process.argv.slice(1)`
 * @param {Record<string, string>} [env]
 */
export async function limited(t, calls, args, env = {}) {
  // The runtime's own memory is there from the beginning: it ends where it can have no more.
  const nodeArgs = process.versions.bun ? [] : ["--min-semi-space-size=16", "--no-opt"];
  const source = `
    import { createInterface } from "node:readline";
    ${calls}
    const told = ({ name, code, httpStatus, message, cause }) =>
      JSON.stringify({
        name, code, httpStatus, message, reason: cause?.message, cause: { ...cause },
      });
    const lines = createInterface({ input: process.stdin });
    console.log("ready");
    for await (const name of lines) console.log(await calls[name]({}).then(() => '"given"', told));
  `;
  const child = spawn(
    "setpriv",
    [...user, process.execPath, ...evaluation(source, args, nodeArgs)],
    {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  t.after(() => child.kill());
  const lines = createInterface({ input: child.stdout });
  const ended = new Promise((_, reject) => {
    child.once("close", (...status) => reject(new Error(`it ended: ${status}`)));
  });
  ended.catch(() => {});
  /** Its next line: a test fails where it has ended, for not every runtime has a limit for tests. */
  const line = async () => (await Promise.race([once(lines, "line"), ended]))[0];
  await line();
  const limit = (/** @type {string} */ option) =>
    execFileSync("setpriv", [...user, "prlimit", "--pid", `${child.pid}`, option]);
  return {
    /** What becomes of a call: the word "given", or what its error says. */
    async call(/** @type {string} */ name) {
      const answer = line();
      child.stdin.write(`${name}\n`);
      return JSON.parse(await answer);
    },
    /** Its user gets no more threads, or enough of them. */
    threads(/** @type {"none" | "enough"} */ count) {
      limit(`--nproc=${count === "none" ? 1 : 1000}:`);
    },
    /** It gets no more memory maps of a thread's size, or enough of them. */
    memory(/** @type {"none" | "enough"} */ size) {
      const [, kib] =
        /VmSize:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8")) ?? [];
      limit(`--as=${size === "none" ? (Number(kib) + 1800) * 1024 : "unlimited"}:`);
    },
    /** It gets no more descriptors, or enough of them. */
    descriptors(/** @type {"none" | "enough"} */ count) {
      const open = new Set(readdirSync(`/proc/${child.pid}/fd`).map(Number));
      let lowest = 0;
      while (open.has(lowest)) lowest += 1;
      limit(`--nofile=${count === "none" ? lowest : 1000}:`);
    },
  };
}
