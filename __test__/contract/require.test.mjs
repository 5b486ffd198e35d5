// @ts-check
/** When the package's own files are read: half of them at its load, the rest with a first issuer. */
import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, it } from "node:test";
import { folderOfCopy } from "../support/copies.mjs";
import { endedWell, runScript } from "../support/process.mjs";
import { closedPort, httpServer } from "../support/server.mjs";

/** @typedef {typeof import("../../index.js")} Copy */

const params = /** @type {any} */ ({});

/** A copy, how it is loaded, and how its modules are forgotten. @param {any} t */
function copy(t) {
  const folder = folderOfCopy(t);
  const require = createRequire(join(folder, "x.js"));
  const forget = () => {
    for (const file of Object.keys(require.cache)) {
      if (file.startsWith(folder)) delete require.cache[file];
    }
  };
  return { folder, forget, load: () => /** @type {Copy} */ (require("./index.js")) };
}

/** @param {Copy} copy @param {string} url */
const failure = ({ createRemoteTokenIssuer, noAuth }, url) =>
  createRemoteTokenIssuer({ url, auth: noAuth() })(params).catch((error) => error);

const { bun, deno, node } = process.versions;
const droppable = {
  skip: bun || deno || Number.parseInt(node, 10) < 24 ? "no permission can be dropped here" : false,
};

describe("the package's own files", () => {
  it("are all read at its load where a process may not read later", droppable, async (t) => {
    const server = await httpServer(t, { token: "t" });
    const source = `
      import { createRemoteTokenIssuer, sharedSecretAuth } from "./index.mjs";
      process.permission.drop("fs.read");
      const auth = sharedSecretAuth("x-a", "s");
      const issue = createRemoteTokenIssuer({ url: process.argv[1], auth });
      console.log(JSON.stringify(await issue({})));
    `;
    const nodeArgs = ["--permission", "--allow-addons", "--allow-fs-read=*"];
    const ended = await runScript(source, { args: [server.url], nodeArgs });
    endedWell(ended);
    assert.deepEqual(JSON.parse(ended.stdout), { token: "t", tokenType: "Bearer" });
  });

  it("are needed by no call, once an issuer was made", async (t) => {
    const url = `http://127.0.0.1:${await closedPort()}/`;
    const { folder, load } = copy(t);
    const { createRemoteTokenIssuer, Key0Error, noAuth, validateToken } = load();
    const natively = createRemoteTokenIssuer({ url, auth: noAuth() });
    const fetch = () => Promise.reject(new TypeError("no route"));
    const byFetch = createRemoteTokenIssuer({ url, auth: noAuth(), fetch });
    rmSync(join(folder, "lib"), { recursive: true });
    for (const issue of [natively, byFetch]) {
      const error = await issue(params).catch((reason) => reason);
      assert.ok(error instanceof Key0Error);
      assert.equal(error.code, "TOKEN_ISSUE_FAILED");
    }
    const refused = await validateToken("Bearer a.b.c", { secret: "s".repeat(32) }).catch((e) => e);
    assert.ok(refused instanceof Key0Error);
  });

  it("may be forgotten before the first issuer: its errors are still of the copy's class", async (t) => {
    const url = `http://127.0.0.1:${await closedPort()}/`;
    const { forget, load } = copy(t);
    const old = load();
    forget();
    const error = await failure(old, url);
    assert.ok(error instanceof old.Key0Error);
    assert.equal(error.code, "TOKEN_ISSUE_FAILED");
  });

  it("may be so where another copy was pointed at this one, and beside the SDK", async (t) => {
    const url = `http://127.0.0.1:${await closedPort()}/`;
    class Sdk extends Error {
      code = "";
      httpStatus = 0;
    }
    const { forget, load } = copy(t);
    const old = load();
    forget();
    const beside = load();
    beside.setKey0ErrorClass(Sdk);
    forget();
    load().setKey0ErrorClass(old.Key0Error);
    assert.ok((await failure(old, url)) instanceof old.Key0Error);
    assert.equal((await failure(beside, url)).code, "TOKEN_ISSUE_FAILED");
    assert.ok(new beside.Key0Error("INTERNAL_ERROR", "m") instanceof Sdk);
  });

  it("find the fetch and the clock of its load, not what a test has put there since", async (t) => {
    const server = await httpServer(t);
    const { createRemoteTokenIssuer, noAuth } = copy(t).load();
    const { fetch } = globalThis;
    const { hrtime } = process;
    t.after(() => Object.assign(globalThis, { fetch }) && Object.assign(process, { hrtime }));
    const stopped = Object.assign(() => [0, 0], { bigint: () => 0n });
    Object.assign(process, { hrtime: stopped });
    Object.assign(globalThis, { fetch: async () => Response.json({ token: "mocked" }) });
    const durations = /** @type {number[]} */ ([]);
    const ended = channel("tracing:key0:issue:asyncEnd");
    const listener = (/** @type {any} */ event) => durations.push(event.durationMs);
    ended.subscribe(listener);
    t.after(() => ended.unsubscribe(listener));

    const issue = createRemoteTokenIssuer({ url: server.url, auth: noAuth() });
    assert.equal((await issue(params)).token, "mocked");
    Object.assign(globalThis, { fetch });
    assert.equal((await issue(params)).token, "t");
    assert.match(server.requests[0].headers["user-agent"] ?? "", /^key0-native/);
    assert.ok(durations.length === 2 && durations.every((it) => it > 0), `${durations}`);
  });
});
