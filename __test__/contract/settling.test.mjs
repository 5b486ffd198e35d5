// @ts-check
/** Results of calls arrive one by one, as callbacks do, however many are ready. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { authority } from "../support/certificates.mjs";
import { jsonOf } from "../support/process.mjs";
import { httpServer, rawServer } from "../support/server.mjs";

// Deno calls back for all that is ready before it runs microtasks.
const inTurns = { skip: "deno" in process.versions };

it("between two results that are ready, what awaits the first goes on", inTurns, async (t) => {
  const answered = new Int32Array(new SharedArrayBuffer(4));
  const body = '{"token":"t"}';
  const head = `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`;
  const server = await rawServer(t, async (connection) => {
    while (await connection.request()) {
      await connection.write(head + body);
      Atomics.add(answered, 0, 1);
      Atomics.notify(answered, 0);
    }
  });
  const worker = new Worker(
    `
    const { workerData, parentPort } = require("node:worker_threads");
    const { createRemoteTokenIssuer } = require(workerData.addon);
    const issue = createRemoteTokenIssuer({ url: workerData.url });
    const order = [];
    const call = async (name) => {
      await issue({});
      order.push(name);
      await null;
      order.push(name);
      await new Promise((go) => process.nextTick(go));
      order.push(name);
    };
    const calls = Promise.all([call("a"), call("b")]);
    // This thread is busy until both have their answers, and a little longer.
    for (let count = 0; count < 2; count = Atomics.load(workerData.answered, 0)) {
      Atomics.wait(workerData.answered, 0, count);
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    calls.then(() => parentPort.postMessage(order));`,
    {
      eval: true,
      execArgv: [],
      workerData: {
        url: server.url,
        addon: fileURLToPath(new URL("../../index.js", import.meta.url)),
        answered,
      },
    },
  );
  const order = await new Promise((resolve, reject) => {
    worker.once("message", resolve).once("error", reject);
  });
  await worker.terminate();
  const [first, second] = order[0] === "a" ? ["a", "b"] : ["b", "a"];
  assert.deepEqual(order, [first, first, first, second, second, second]);
});

const hooked = {
  skip: process.versions.bun || process.versions.deno ? "no promise has a hook here" : false,
};

it("a hook of the runtime's own may call while a call begins", hooked, async (t) => {
  const server = await httpServer(t, { token: "t" });
  const source = `
    import { createHook } from "node:async_hooks";
    import { createRemoteTokenIssuer } from "./index.mjs";
    const issue = createRemoteTokenIssuer({ url: process.argv[1] });
    const within = [];
    let depth = 0;
    const hook = createHook({
      init() {
        depth += 1;
        if (depth === 1) within.push(issue({}));
        depth -= 1;
      },
    });
    hook.enable();
    const call = issue({});
    hook.disable();
    const all = await Promise.all([call, ...within]);
    console.log(JSON.stringify({ calls: within.length, tokens: all.map(({ token }) => token) }));
  `;
  const { calls, tokens } = await jsonOf(source, { args: [server.url] });
  // Each call makes promises of its own, too; at least one is made by the addon.
  assert.ok(calls > 1, String(calls));
  assert.deepEqual(tokens, Array(calls + 1).fill("t"));
});

it("certificates may be replaced by such a hook while a call begins", hooked, async (t) => {
  const server = await httpServer(t, { token: "t" });
  const source = `
    import { createHook } from "node:async_hooks";
    import { createRemoteTokenIssuer } from "./index.mjs";
    const [url, pem] = process.argv.slice(1);
    const warnings = [];
    process.on("warning", ({ message }) => warnings.push(message));
    let reads = 0;
    const ca = () => pem + "\\n".repeat(++reads);
    const issue = createRemoteTokenIssuer({ url, tls: { ca } });
    let depth = 0;
    let within = 0;
    const hook = createHook({
      init() {
        depth += 1;
        if (depth === 1) {
          within += 1;
          issue({}).catch(() => {});
        }
        depth -= 1;
      },
    });
    hook.enable();
    const call = issue({});
    hook.disable();
    const { token } = await call;
    console.log(JSON.stringify({ replaced: within > 1 && reads > within, token, warnings }));
  `;
  const { pem } = authority("a CA");
  const { replaced, token, warnings } = await jsonOf(source, { args: [server.url, pem] });
  assert.deepEqual({ replaced, token, warnings }, { replaced: true, token: "t", warnings: [] });
});
