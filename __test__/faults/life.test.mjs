// @ts-check
/**
 * Memory, sockets, threads and the end: a process that runs for months, and one that ends at any
 * moment. The full counts take minutes:
 *
 *     TIMES=100 node --test __test__/faults/life.test.mjs
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { jsonOf, runScript } from "../support/process.mjs";
import { httpServer, rawServer, reply } from "../support/server.mjs";
import { random } from "./support/values.mjs";

/** How many times over what takes long is done. */
const TIMES = Number(process.env.TIMES ?? 1);

const SETUP = `
  import { readdirSync } from "node:fs";
  import { Worker } from "node:worker_threads";
  import { setTimeout as after } from "node:timers/promises";
  import { AccessTokenIssuer, createRemoteTokenIssuer, oauthClientCredentialsAuth, signedJwtAuth,
    validateKey0Token } from "./index.mjs";
  const [, url, times] = process.argv;
  const secret = "s".repeat(32);
  const issuer = new AccessTokenIssuer(secret);
  const claims = { sub: "s", jti: "j", resourceId: "r", planId: "p", txHash: "x" };
  const sockets = () => readdirSync("/proc/self/fd").length;
  const memory = () => { globalThis.gc(); globalThis.gc(); return process.memoryUsage().rss / 2 ** 20; };
  const say = (result) => console.log(JSON.stringify(result));
`;

/** What such a script says. @param {string} source @param {string[]} args */
const said = (source, ...args) =>
  jsonOf(SETUP + source, { args, nodeArgs: ["--expose-gc"], limitMs: 600_000 });

const onLinux = process.platform === "linux" ? {} : { skip: "reads /proc" };

describe("a process that goes on", onLinux, () => {
  it("has its sockets back from 2,000 calls that hung", async (t) => {
    const server = await rawServer(t, () => {});
    const result = await said(
      `
      const before = sockets();
      const issue = createRemoteTokenIssuer({ url, timeoutMs: 5_000 });
      const calls = Array.from({ length: 2_000 }, () => issue({}).catch(({ code }) => code));
      let most = 0;
      const watch = setInterval(() => { most = Math.max(most, sockets()); }, 50);
      const codes = new Set(await Promise.all(calls));
      clearInterval(watch);
      for (let i = 0; sockets() > before + 40 && i < 600; i += 1) await after(50);
      say({ codes: [...codes], held: most - before, left: sockets() - before });`,
      server.url,
    );
    assert.deepEqual(result.codes, ["TOKEN_ISSUE_TIMEOUT"]);
    assert.ok(result.held > 500, `only ${result.held} sockets were in use`);
    assert.ok(result.left <= 40, `${result.left} descriptors are left`);
    // On the other side, too.
    const open = () => server.connections.filter(({ socket }) => !socket.destroyed).length;
    for (let i = 0; open() > 0 && i < 600; i += 1) await new Promise((go) => setTimeout(go, 50));
    assert.equal(open(), 0);
  });

  it("does not grow with headers, signatures and checks", async (t) => {
    const calls = 10_000 * TIMES;
    const { first, last } = await said(
      `
      const auth = signedJwtAuth(issuer, "b");
      async function work(count) {
        for (let i = 0; i < count; i += 1) {
          const { Authorization } = await auth();
          const { token } = await issuer.sign(claims, 60);
          await validateKey0Token("Bearer " + token, { secret });
          await issuer.verify(Authorization.slice(7)).catch(() => {});
        }
      }
      await work(5_000);
      const first = memory();
      await work(${calls});
      say({ first, last: memory() });`,
    );
    t.diagnostic(`${first.toFixed(1)} MiB, after ${calls} rounds ${last.toFixed(1)} MiB`);
    assert.ok(last < first + 8, `from ${first} to ${last} MiB`);
  });

  it("does not grow with issues and their failures", async (t) => {
    const server = await httpServer(t);
    const rounds = 50 * TIMES;
    const { first, last } = await said(
      `
      const issue = createRemoteTokenIssuer({ url, auth: signedJwtAuth(issuer, "b") });
      const fail = createRemoteTokenIssuer({ url: "http://127.0.0.1:1/" });
      async function work(rounds) {
        for (let round = 0; round < rounds; round += 1) {
          const calls = Array.from({ length: 20 }, () => [issue({}), fail({}).catch(() => {})]);
          await Promise.all(calls.flat());
        }
      }
      await work(100);
      const first = memory();
      await work(${rounds});
      say({ first, last: memory() });`,
      server.url,
    );
    t.diagnostic(`${first.toFixed(1)} MiB, after ${rounds * 40} ${last.toFixed(1)} MiB`);
    assert.ok(last < first + 8, `from ${first} to ${last} MiB`);
  });

  it("starts and ends 200 workers in the middle of their calls", async (t) => {
    /** @type {Set<import("node:http").ServerResponse>} */
    const held = new Set();
    const server = await httpServer(t, ({ target }, response) => {
      if (target === "/end") for (const answer of held) reply(answer, "no", 500);
      else held.add(response);
      if (target === "/end") reply(response);
    });
    const { first, last, left, code } = await said(
      `
      const source = \`
        const { workerData: url, parentPort } = require("node:worker_threads");
        const { createRemoteTokenIssuer } = require("./index.js");
        for (let i = 0; i < 5; i += 1) createRemoteTokenIssuer({ url })({}).catch(() => {});
        parentPort.postMessage("calling");\`;
      async function work(count) {
        for (let i = 0; i < count; i += 4) {
          await Promise.all(Array.from({ length: 4 }, async (_, j) => {
            const worker = new Worker(source, { eval: true, execArgv: [], workerData: url });
            await new Promise((go) => worker.once("message", go));
            await after((i + j) % 7);
            await worker.terminate();
          }));
        }
      }
      const before = sockets();
      const hung = createRemoteTokenIssuer({ url, timeoutMs: 600_000 })({}).catch(({ code }) => code);
      await work(40);
      const first = memory();
      await work(160);
      for (let i = 0; sockets() > before + 8 && i < 600; i += 1) await after(50);
      const last = memory();
      await fetch(new URL("/end", url));
      say({ first, last, left: sockets() - before, code: await hung });`,
      server.url,
    );
    t.diagnostic(`${first.toFixed(1)} MiB after 40 workers, ${last.toFixed(1)} MiB after 200`);
    // The call of the main thread went on all the while.
    assert.equal(code, "TOKEN_ISSUE_FAILED");
    assert.ok(left <= 8, `${left} descriptors are left`);
    assert.ok(last < first + 32, `from ${first} to ${last} MiB`);
  });
});

describe("a process that ends", () => {
  it("by process.exit at 100 random moments ends by nothing else, and soon", async (t) => {
    const seed = Number(process.env.SEED ?? Date.now() % 2 ** 32);
    t.diagnostic(`SEED=${seed} makes these moments again`);
    const next = random(seed);
    const server = await httpServer(t);
    const source = `${SETUP}
      const oauth = oauthClientCredentialsAuth(
        { tokenUrl: url, clientId: "id", clientSecret: "secret" });
      const calls = [undefined, oauth, signedJwtAuth(issuer, "b")].map((auth) =>
        createRemoteTokenIssuer({ url, auth }));
      const go = (call) => { const again = () => go(call); call({}).then(again, again); };
      for (let i = 0; i < 60; i += 1) go(calls[i % 3]);
      const end = performance.now() + Number(times);
      // Between turns of the loop, and in the middle of one.
      setTimeout(() => {
        while (performance.now() < end) ;
        process.exit(7);
      }, Math.floor(Number(times)));`;
    // Most in the first calls and connections, some when all is warm.
    const moments = Array.from({ length: 100 }, () => next() ** 2 * 250);
    let slowest = 0;
    const run = async () => {
      for (let moment = moments.pop(); moment !== undefined; moment = moments.pop()) {
        const ended = await runScript(source, { args: [server.url, String(moment)] });
        const { code, signal, stdout, stderr } = ended;
        assert.deepEqual(
          { code, signal, stdout, stderr },
          { code: 7, signal: null, stdout: "", stderr: "" },
          `after ${moment} ms`,
        );
        slowest = Math.max(slowest, ended.ms);
      }
    };
    await Promise.all([run(), run()]);
    t.diagnostic(`the slowest took ${slowest.toFixed(0)} ms, its start included`);
  });
});
