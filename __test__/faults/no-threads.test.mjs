// @ts-check
/** D30: the system has no more threads to give (RLIMIT_NPROC) when RS256 needs its first. */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { RSA } from "../support/keys.mjs";
import { evaluation, ROOT } from "../support/process.mjs";
import { httpServer } from "../support/server.mjs";

// The limit is none for root. Who may not read the addon cannot call it.
const user = process.getuid?.() === 0 ? ["--reuid=65534", "--regid=65534", "--clear-groups"] : [];
const reads = ["test", "-r", join(ROOT, "index.mjs")];
const may = spawnSync("setpriv", [...user, "prlimit", "--nproc=1000:", ...reads]).status === 0;
const skip = may || process.env.CI ? false : "another user than root has no limit or no addon here";

/** Answers each line, which is the name of a call, by a line of what became of it. */
const SOURCE = `
  import { createInterface } from "node:readline";
  import { AccessTokenIssuer, createRemoteTokenIssuer, signedJwtAuth } from "./index.mjs";
  const [url, privateKey] = process.argv.slice(1);
  const issuer = new AccessTokenIssuer({ algorithm: "RS256", privateKey });
  const auth = signedJwtAuth(issuer, "b");
  const calls = {
    plain: createRemoteTokenIssuer({ url }),
    sign: () => issuer.sign({ sub: "s", jti: "j" }, 60),
    header: auth,
    issue: createRemoteTokenIssuer({ url, auth }),
  };
  const told = ({ name, code, httpStatus, cause }) =>
    [name, code, httpStatus, cause?.message].join(" ");
  for await (const name of createInterface({ input: process.stdin })) {
    console.log(await calls[name]({}).then(() => "given", told));
  }
`;

/**
 * A process that makes calls by their names, and its limit.
 *
 * @param {import("node:test").TestContext} t
 */
async function caller(t) {
  const { url } = await httpServer(t, { token: "t" });
  const program = [process.execPath, ...evaluation(SOURCE, [url, RSA.pkcs8])];
  const child = spawn("setpriv", [...user, ...program], {
    cwd: ROOT,
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => child.kill());
  const lines = createInterface({ input: child.stdout });
  return {
    /** What becomes of a call. */
    async call(/** @type {"plain" | "sign" | "header" | "issue"} */ name) {
      const line = once(lines, "line");
      child.stdin.write(`${name}\n`);
      return (await line)[0];
    },
    /** How many threads its user may have: the next one fails, or none does. */
    limit(/** @type {1 | 1000} */ threads) {
      const args = ["prlimit", "--pid", `${child.pid}`, `--nproc=${threads}:`];
      execFileSync("setpriv", [...user, ...args]);
    },
  };
}

const NO_THREAD =
  "Key0Error INTERNAL_ERROR 500 internal: no thread to sign on: " +
  "Resource temporarily unavailable (os error 11)";

describe("RS256 without a thread to be had", { skip, timeout: 20_000 }, () => {
  for (const name of /** @type {const} */ (["sign", "header", "issue"])) {
    it(`rejects ${name}, each time, and recovers`, async (t) => {
      const { call, limit } = await caller(t);
      // The thread for what waits is there before.
      assert.equal(await call("plain"), "given");
      limit(1);
      assert.deepEqual([await call(name), await call(name)], [NO_THREAD, NO_THREAD]);
      limit(1000);
      assert.equal(await call(name), "given");
      limit(1);
      assert.equal(await call(name), "given");
    });
  }
});
