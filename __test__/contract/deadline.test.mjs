// @ts-check
/** createRemoteTokenIssuer: `timeoutMs` covers everything, in real time. */
import assert from "node:assert/strict";
import net from "node:net";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { createRemoteTokenIssuer, oauthClientCredentialsAuth } from "../../index.mjs";
import { CANARY, issueTimedOut, rejectsWith } from "../support/errors.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { httpServer, rawServer, reply } from "../support/server.mjs";

/** Enough for a busy machine to send a request in a half of it. */
const LIMIT = 1_000;

/**
 * Asserts that a call ends at its deadline, not before and not long after.
 *
 * @param {import("../../index.js").RemoteTokenIssuerConfig} config
 * @param {boolean} sent
 */
async function timesOut(config, sent) {
  const started = performance.now();
  const call = createRemoteTokenIssuer({ timeoutMs: LIMIT, ...config })(PAYMENT);
  await rejectsWith(call, issueTimedOut({ sent }));
  const took = performance.now() - started;
  assert.ok(took >= LIMIT - 1 && took < 10_000, `took ${took} ms`);
}

describe("the deadline", { concurrency: true }, () => {
  it("covers auth: a promise that never settles", async (t) => {
    const server = await httpServer(t);
    await timesOut({ url: server.url, auth: () => new Promise(() => {}) }, false);
    assert.equal(server.connections(), 0);
  });

  it("covers auth: a strategy whose server is silent", async (t) => {
    const silent = await httpServer(t, () => {});
    const server = await httpServer(t);
    const auth = oauthClientCredentialsAuth({
      tokenUrl: silent.url,
      clientId: "id",
      clientSecret: CANARY,
    });
    await timesOut({ url: server.url, auth }, false);
    assert.equal(silent.requests.length, 1);
    assert.equal(server.connections(), 0);
  });

  it("counts auth's time: what is left is for the request", async (t) => {
    const server = await httpServer(t, (_, response) => {
      setTimeout(reply, LIMIT * 0.75, response);
    });
    const auth = () => new Promise((resolve) => setTimeout(resolve, LIMIT / 2, {}));
    await timesOut({ url: server.url, auth }, true);
  });

  it("covers connecting", async (t) => {
    await timesOut({ url: `http://127.0.0.1:${await fullPort(t)}/` }, false);
  });

  it("covers the TLS handshake", async (t) => {
    const server = await rawServer(t, () => {});
    await timesOut({ url: server.url.replace("http:", "https:") }, false);
    assert.equal(server.connections.length, 1);
  });

  it("covers sending: a server that reads nothing", async (t) => {
    const server = await rawServer(t, (connection) => {
      connection.socket.pause();
    });
    const params = /** @type {any} */ ({ ...PAYMENT, blob: "x".repeat(2e7) });
    const issue = createRemoteTokenIssuer({ url: server.url, timeoutMs: 2_000 });
    await rejectsWith(issue(params), issueTimedOut({ sent: true }));
  });

  it("covers the wait for an answer", async (t) => {
    const server = await httpServer(t, () => {});
    await timesOut({ url: server.url }, true);
    assert.equal(server.requests.length, 1);
  });

  for (const [part, bytes] of [
    ["head", "HTTP/1.1 200 OK\r\nContent-"],
    ["answers before the answer", "HTTP/1.1 100 Continue\r\n\r\n"],
    ["body", 'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"token":"t'],
    ["chunks", 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n{"token":"t"}\r\n'],
  ]) {
    it(`covers the answer's ${part}`, async (t) => {
      const server = await rawServer(t, bytes);
      await timesOut({ url: server.url }, true);
      assert.equal(server.requests.length, 1);
    });
  }

  it("is not put off by an answer that comes byte by byte", async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      await connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
      const drip = setInterval(() => connection.write(" "), 20);
      await connection.closed;
      clearInterval(drip);
    });
    await timesOut({ url: server.url }, true);
    await server.connections[0].closed;
  });
});

/**
 * A port that takes no connection and refuses none: its queue is full, and nobody accepts.
 *
 * @param {any} t
 */
async function fullPort(t) {
  const worker = new Worker(
    `const { parentPort } = require("node:worker_threads");
     const server = require("node:net").createServer();
     server.listen(0, "127.0.0.1", 1, () => {
       parentPort.postMessage(server.address().port);
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
     });`,
    { eval: true },
  );
  t.after(() => worker.terminate());
  const port = await new Promise((resolve) => worker.once("message", resolve));
  // How long the queue is, each runtime decides: it is full when a connection has to wait.
  for (let isFull = false; !isFull; ) {
    const socket = net.connect(port, "127.0.0.1").on("error", () => {});
    t.after(() => socket.destroy());
    isFull = await Promise.race([
      new Promise((resolve) => socket.once("connect", () => resolve(false))),
      new Promise((resolve) => setTimeout(resolve, 1_000, true)),
    ]);
  }
  return port;
}
