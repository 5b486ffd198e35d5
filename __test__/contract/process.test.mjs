// @ts-check
/** The process: when it ends, when it stays, and what never ends it. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { endedWell, jsonOf, runScript } from "../support/process.mjs";
import { answer, httpServer, rawServer, reply } from "../support/server.mjs";

const IMPORT =
  'import { createRemoteTokenIssuer } from "./index.mjs"; const [, url] = process.argv;';

/** Every strategy, a signature and a failure at the servers' URLs in `urls`. */
const WORK = `
  async function work({ AccessTokenIssuer, createRemoteTokenIssuer, oauthClientCredentialsAuth,
    signedJwtAuth, Key0Error }, { backend, idp, refusing }) {
    const issuer = new AccessTokenIssuer("s".repeat(32));
    const oauth = { tokenUrl: idp, clientId: "id", clientSecret: "secret" };
    for (const auth of [signedJwtAuth(issuer, "b"), oauthClientCredentialsAuth(oauth)]) {
      const { token } = await createRemoteTokenIssuer({ url: backend, auth })({});
      if (token !== "t") throw new Error("wrong token");
    }
    const error = await createRemoteTokenIssuer({ url: refusing })({}).catch((error) => error);
    if (!(error instanceof Key0Error)) throw error;
  }
`;

/** The servers that {@link WORK} needs. */
async function servers(/** @type {any} */ t) {
  const [backend, idp, refusing] = await Promise.all([
    httpServer(t),
    httpServer(t, { access_token: "a", expires_in: 3600 }),
    httpServer(t, (_, response) => reply(response, "no", 500)),
  ]);
  const urls = JSON.stringify({ backend: backend.url, idp: idp.url, refusing: refusing.url });
  return { backend, idp, refusing, urls };
}

describe("the process", { concurrency: 2 }, () => {
  it("ends by itself when only idle connections are left", async (t) => {
    const server = await rawServer(
      t,
      answer('{"token":"t"}', { headers: ["Keep-Alive: timeout=600"] }),
    );
    const ended = await runScript(
      `${IMPORT} console.log((await createRemoteTokenIssuer({ url })({})).token);`,
      { args: [server.url] },
    );
    endedWell(ended);
    assert.equal(ended.stdout, "t\n");
    assert.equal(ended.stderr, "");
  });

  it("stays while a call is under way", async (t) => {
    const server = await httpServer(t, (_, response) => {
      setTimeout(reply, 500, response);
    });
    // Not awaited: a pending top-level await would end the process with status 13.
    const source = `${IMPORT} createRemoteTokenIssuer({ url })({}).then(({ token }) => {
      console.log(JSON.stringify(token));
    });`;
    assert.equal(await jsonOf(source, { args: [server.url] }), "t");
  });

  it("stays until the deadline of a call without an answer", async (t) => {
    const server = await httpServer(t, () => {});
    const source = `${IMPORT}
      createRemoteTokenIssuer({ url, timeoutMs: 400 })({}).catch((error) => {
        console.log(JSON.stringify(error.code));
      });`;
    assert.equal(await jsonOf(source, { args: [server.url] }), "TOKEN_ISSUE_TIMEOUT");
  });

  it("stays until the deadline of a call whose auth never answers", async () => {
    const source = `${IMPORT}
      const auth = () => new Promise(() => {});
      createRemoteTokenIssuer({ url, auth, timeoutMs: 400 })({}).catch((error) => {
        console.log(JSON.stringify(error.code));
      });`;
    assert.equal(await jsonOf(source, { args: ["http://127.0.0.1:1/"] }), "TOKEN_ISSUE_TIMEOUT");
  });

  it("ends by process.exit with 50 calls under way", async (t) => {
    let arrived = 0;
    const server = await httpServer(t, (request, response) => {
      if (request.target === "/count") reply(response, { token: String(arrived) });
      else arrived += 1;
    });
    const source = `${IMPORT}
      for (let i = 0; i < 50; i += 1) createRemoteTokenIssuer({ url, timeoutMs: 600_000 })({});
      while ((await (await fetch(new URL("/count", url))).json()).token !== "50");
      process.exit(7);`;
    const ended = await runScript(source, { args: [server.url] });
    assert.deepEqual({ ...ended, ms: 0 }, { code: 7, signal: null, stdout: "", stderr: "", ms: 0 });
  });

  it("ends by an uncaught error with calls under way", async (t) => {
    const server = await httpServer(t, () => {});
    const source = `${IMPORT}
      createRemoteTokenIssuer({ url, timeoutMs: 600_000 })({});
      setTimeout(() => { throw new Error("on purpose"); }, 100);`;
    const ended = await runScript(source, { args: [server.url] });
    assert.deepEqual([ended.code, ended.signal], [1, null]);
    assert.match(ended.stderr, /error: on purpose/i);
  });

  // B43
  it("settles 2,000 calls that nobody awaits, and ends", async (t) => {
    const { urls } = await servers(t);
    const source = `
      import { AccessTokenIssuer, createRemoteTokenIssuer } from "./index.mjs";
      const { backend, refusing } = JSON.parse(process.argv[1]);
      const issuer = new AccessTokenIssuer("s".repeat(32));
      const claims = { sub: "s", jti: "j", resourceId: "r", planId: "p", txHash: "x" };
      const settled = { fulfilled: 0, rejected: 0 };
      const count = (promise) => promise.then(
        () => { settled.fulfilled += 1; },
        () => { settled.rejected += 1; },
      );
      const [good, bad] = [backend, refusing].map((url) => createRemoteTokenIssuer({ url }));
      for (let i = 0; i < 500; i += 1) {
        count(good({}));
        count(bad({}));
        count(issuer.sign(claims, 60));
        count(createRemoteTokenIssuer({ url: backend, auth: () => Promise.reject(i) })({}));
      }
      process.on("exit", () => console.log(JSON.stringify(settled)));`;
    const settled = await jsonOf(source, { args: [urls] });
    assert.deepEqual(settled, { fulfilled: 1_000, rejected: 1_000 });
  });

  it("sees no unhandled rejection of a call that was given up", async (t) => {
    const server = await httpServer(t, () => {});
    const source = `${IMPORT}
      const soon = new Promise((resolve) => setTimeout(resolve, 50));
      const late = () => new Promise((_, reject) => setTimeout(reject, 300, new Error("late")));
      const throwing = { toJSON() { throw new Error("no JSON"); } };
      const refused = createRemoteTokenIssuer({ url, auth: () => Promise.reject(new Error("no")) });
      await Promise.allSettled([
        // The caller leaves before the call settles.
        Promise.race([createRemoteTokenIssuer({ url, timeoutMs: 150 })({}), soon]),
        // The call settles before its auth does.
        createRemoteTokenIssuer({ url, auth: late, timeoutMs: 100 })({}),
        // The call fails before anybody looks at its auth.
        refused(throwing),
      ]);
      setTimeout(() => console.log(JSON.stringify("alive")), 500);`;
    assert.equal(await jsonOf(source, { args: [server.url] }), "alive");
  });
});

const LINUX = existsSync("/proc/self/task");

describe("loading", { concurrency: 2 }, () => {
  it("starts no thread, the first call that waits does", { skip: !LINUX }, async (t) => {
    const server = await httpServer(t);
    const source = `
      import { readdirSync, readFileSync } from "node:fs";
      import { createRequire } from "node:module";
      const require = createRequire(process.cwd() + "/");
      // Ours have names. The runtime starts and ends its own.
      const isOurs = (task) => {
        try {
          return readFileSync("/proc/self/task/" + task + "/comm", "utf8").startsWith("key0");
        } catch {
          return false;
        }
      };
      const threads = () => readdirSync("/proc/self/task").filter(isOurs).length;
      const before = threads();
      const { createRemoteTokenIssuer, sharedSecretAuth } = require("./index.js");
      const [, url] = process.argv;
      const issue = createRemoteTokenIssuer({ url, auth: sharedSecretAuth("X-A", "s") });
      const created = threads();
      await issue({});
      const called = threads();
      console.log(JSON.stringify({ ofLoading: created - before, ofCalling: called - created }));`;
    const { ofLoading, ofCalling } = await jsonOf(source, { args: [server.url] });
    assert.equal(ofLoading, 0);
    assert.ok(ofCalling > 0, "the count sees threads");
  });

  // B41
  it("30 times anew, its modules forgotten, works each time, older copies too", async (t) => {
    const { backend, urls } = await servers(t);
    const source = `
      import { createRequire } from "node:module";
      const require = createRequire(process.cwd() + "/");
      ${WORK}
      const urls = JSON.parse(process.argv[1]);
      const copies = new Set();
      for (let i = 0; i < 30; i += 1) {
        for (const file of Object.keys(require.cache)) delete require.cache[file];
        const copy = require("./index.js");
        copies.add(copy);
        await work(copy, urls);
      }
      for (const copy of copies) await work(copy, urls);
      console.log(JSON.stringify(new Set([...copies].map((copy) => copy.Key0Error)).size));`;
    assert.equal(await jsonOf(source, { args: [urls] }), 30);
    assert.equal(backend.requests.length, 120);
  });
});

describe("workers", { concurrency: 2 }, () => {
  /** A worker that loads the addon, works once and says so. It stays until it is told to end. */
  const WORKER = JSON.stringify(`
    const { parentPort, workerData } = require("node:worker_threads");
    ${WORK}
    // (Deno's has no close.)
    parentPort.once("message", () => parentPort.close ? parentPort.close() : process.exit());
    work(require("./index.js"), workerData).then(() => parentPort.postMessage("done"));
  `);
  const START = `
    import { once } from "node:events";
    import { Worker } from "node:worker_threads";
    ${WORK}
    const urls = JSON.parse(process.argv[1]);
    const start = async () => {
      const worker = new Worker(${WORKER}, { eval: true, execArgv: [], workerData: urls });
      await once(worker, "message");
      return worker;
    };
    const end = async (worker) => {
      worker.postMessage("end");
      const [code] = await once(worker, "exit");
      if (code !== 0) throw new Error("worker ended with " + code);
    };`;

  it("end in any order, the main thread not loaded before they did", async (t) => {
    const { backend, urls } = await servers(t);
    const source = `${START}
      const workers = await Promise.all([start(), start(), start(), start()]);
      for (const i of [2, 0, 3, 1]) await end(workers[i]);
      const next = await start();
      const addon = await import("./index.mjs");
      await work(addon, urls);
      await end(next);
      await work(addon, urls);
      console.log("1");`;
    assert.equal(await jsonOf(source, { args: [urls] }), 1);
    assert.equal(backend.requests.length, 14);
  });

  it("one after the other, each the only one that has loaded it", async (t) => {
    const { backend, urls } = await servers(t);
    const source = `${START} for (let i = 0; i < 10; i += 1) await end(await start());
      console.log("1");`;
    assert.equal(await jsonOf(source, { args: [urls] }), 1);
    assert.equal(backend.requests.length, 20);
  });

  it("may be terminated with 50 calls under way, without effect on others", async (t) => {
    const silent = await httpServer(t, () => {});
    const { urls } = await servers(t);
    const source = `${START}
      const [, , silent] = process.argv;
      const addon = await import("./index.mjs");
      const calls = \`
        const { parentPort, workerData } = require("node:worker_threads");
        const { AccessTokenIssuer, createRemoteTokenIssuer, oauthClientCredentialsAuth } =
          require("./index.js");
        const auth = oauthClientCredentialsAuth({ tokenUrl: workerData, clientId: "i",
          clientSecret: "s" });
        const issuer = createRemoteTokenIssuer({ url: workerData });
        const waiting = createRemoteTokenIssuer({ url: workerData, auth });
        for (let i = 0; i < 50; i += 1) (i % 2 ? issuer : waiting)({}).catch(() => {});
        setTimeout(() => parentPort.postMessage("under way"), 5 * Math.random());
      \`;
      for (let i = 0; i < 20; i += 1) {
        const worker = new Worker(calls, { eval: true, execArgv: [], workerData: silent });
        await once(worker, "message");
        const [, code] = await Promise.all([work(addon, urls), worker.terminate()]);
        if (code !== 1) throw new Error("not terminated: " + code);
      }
      console.log("1");`;
    assert.equal(await jsonOf(source, { args: [urls, silent.url] }), 1);
  });

  it("end by process.exit of the main thread with calls under way", async (t) => {
    const silent = await httpServer(t, () => {});
    const source = `
      import { once } from "node:events";
      import { Worker } from "node:worker_threads";
      const worker = new Worker(\`
        const { parentPort, workerData: url } = require("node:worker_threads");
        const { createRemoteTokenIssuer } = require("./index.js");
        for (let i = 0; i < 50; i += 1) createRemoteTokenIssuer({ url, timeoutMs: 600_000 })({});
        parentPort.postMessage("under way");
      \`, { eval: true, execArgv: [], workerData: process.argv[1] });
      await once(worker, "message");
      process.exit(3);`;
    const ended = await runScript(source, { args: [silent.url] });
    assert.deepEqual({ ...ended, ms: 0 }, { code: 3, signal: null, stdout: "", stderr: "", ms: 0 });
  });
});
