// @ts-check
/** HTTP, for both: a POST is written at most once, counted at the server. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { issueFailed, rejectsWith } from "../support/errors.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { answer, httpServer, rawServer } from "../support/server.mjs";

/** @typedef {import("../support/server.mjs").Connection} Connection */

const GOOD = answer('{"token":"t"}');

/** @type {[string, (connection: Connection) => unknown, string | undefined][]} */
const FAULTS = [
  ["closed before an answer", (connection) => connection.end(), "ECONNRESET"],
  ["reset before an answer", (connection) => connection.reset(), "ECONNRESET"],
  ["closed after the first byte of an answer", writeThen("H", "end"), undefined],
  ["reset after the first byte of an answer", writeThen("H", "reset"), "ECONNRESET"],
  ["closed in the head", writeThen("HTTP/1.1 200 OK\r\nContent-", "end"), undefined],
  ["reset in the head", writeThen("HTTP/1.1 200 OK\r\nContent-", "reset"), "ECONNRESET"],
  ["closed before the announced length", writeThen(cut("Content-Length: 99"), "end"), undefined],
  [
    "reset before the announced length",
    writeThen(cut("Content-Length: 99"), "reset"),
    "ECONNRESET",
  ],
  ["closed in a chunk", writeThen(cut("Transfer-Encoding: chunked", "ff\r\n"), "end"), undefined],
  [
    "reset in a chunk",
    writeThen(cut("Transfer-Encoding: chunked", "ff\r\n"), "reset"),
    "ECONNRESET",
  ],
  ["answered with what is no HTTP", writeThen("220 ready\r\n\r\n", "end"), undefined],
  [
    "answered with a broken chunk",
    writeThen(cut("Transfer-Encoding: chunked", "xyz\r\n"), "end"),
    undefined,
  ],
];

describe("a POST on a new connection", () => {
  for (const [fault, act, code] of FAULTS) {
    it(`that is ${fault} is written once`, async (t) => {
      const server = await rawServer(t, async (connection) => {
        await connection.request();
        await act(connection);
      });
      const call = createRemoteTokenIssuer({ url: server.url })(PAYMENT);
      const cause = code ? { code, sent: true } : { sent: true };
      await rejectsWith(call, issueFailed(/^Network error: ./, cause));
      assert.equal(server.requests.length, 1);
      assert.equal(server.connections.length, 1);
    });
  }
});

describe("a POST on a connection that was kept", () => {
  for (const [fault, act, code] of FAULTS) {
    it(`that is ${fault} is written once`, async (t) => {
      const server = await rawServer(t, async (connection) => {
        await connection.request();
        await connection.write(GOOD);
        if (await connection.request()) await act(connection);
      });
      const issue = createRemoteTokenIssuer({ url: server.url });
      await issue(PAYMENT);
      const cause = code ? { code, sent: true } : { sent: true };
      await rejectsWith(issue(PAYMENT), issueFailed(/^Network error: ./, cause));
      assert.equal(server.requests.length, 2);
      assert.equal(server.connections.length, 1);
    });
  }

  it("goes to another connection where the server had closed that one", {
    timeout: 60_000,
  }, async (t) => {
    const server = await rawServer(t, async (connection) => {
      if (!(await connection.request())) return;
      await connection.write(GOOD);
      connection.end();
    });
    const issue = createRemoteTokenIssuer({ url: server.url });
    await issue(PAYMENT);
    // The client has seen the close: its own end has arrived.
    await server.connections[0].closed;
    assert.equal((await issue(PAYMENT)).token, "t");
    assert.equal(server.requests.length, 2);
  });

  it("is written once to a server that closes unannounced after each answer", async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      await connection.write(GOOD);
      connection.end();
    });
    const issue = createRemoteTokenIssuer({ url: server.url });
    let wasLost = true;
    for (let i = 0; i < 100; i += 1) {
      const call = issue({ ...PAYMENT, requestId: `r-${i}` });
      // The first one has a fresh connection, as has one after a call that was lost.
      wasLost = await (wasLost ? isGiven(call) : call.then(() => false, isLost));
    }
    const ids = server.requests.map(({ body }) => JSON.parse(body.toString()).requestId);
    assert.equal(new Set(ids).size, ids.length, "no request came twice");
    assert.ok(ids.length >= 50);
  });

  it("is written once to a Node server that closes unannounced, 20 at a time", async (t) => {
    const server = await httpServer(t, (_, response) => {
      response.setHeader("Connection", "keep-alive");
      response.setHeader("Keep-Alive", "timeout=60");
      response.end('{"token":"t"}', () => response.socket?.end());
    });
    const issue = createRemoteTokenIssuer({ url: server.url });
    let given = 0;
    for (let round = 0; round < 10; round += 1) {
      const calls = Array.from({ length: 20 }, (_, i) => ({
        ...PAYMENT,
        requestId: `${round}.${i}`,
      }));
      const lost = await Promise.all(calls.map((call) => issue(call).then(() => false, isLost)));
      given += lost.filter((wasLost) => !wasLost).length;
    }
    // A connection that loses a call has given an answer before.
    assert.ok(given >= 100, `${given} of 200`);
    const ids = server.requests.map(({ body }) => JSON.parse(body.toString()).requestId);
    assert.equal(new Set(ids).size, ids.length, "no request came twice");
  });
});

describe("a large POST", () => {
  // B23
  it("that is refused after its head gets that answer, and is written once", async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.head();
      connection.socket.pause();
      await connection.write(answer("too large", { status: "413 Payload Too Large" }));
      setTimeout(() => connection.socket.destroy(), 100);
    });
    const params = /** @type {any} */ ({ challengeId: "c", blob: "x".repeat(8e6) });
    const call = createRemoteTokenIssuer({ url: server.url })(params);
    const cause = { status: 413, body: "too large", sent: true };
    await rejectsWith(call, issueFailed("Backend failed to issue token: 413", cause));
    assert.equal(server.connections.length, 1);
  });

  it("that is reset in its middle is written once", async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.head();
      connection.reset();
    });
    const params = /** @type {any} */ ({ challengeId: "c", blob: "x".repeat(8e6) });
    const call = createRemoteTokenIssuer({ url: server.url })(params);
    await rejectsWith(call, issueFailed(/^Network error: ./, { sent: true }));
    assert.equal(server.connections.length, 1);
  });
});

/** Asserts that a call was answered: false, it was not lost. @param {Promise<any>} call */
async function isGiven(call) {
  assert.equal((await call).token, "t");
  return false;
}

/** Asserts that a call was lost with its connection. @param {any} error */
function isLost(error) {
  assert.equal(error.code, "TOKEN_ISSUE_FAILED", error);
  assert.match(error.cause.code, /^(ECONNRESET|EPIPE)$/);
  assert.equal(error.cause.sent, true);
  return true;
}

/**
 * @param {string} bytes
 * @param {"end" | "reset"} close
 */
function writeThen(bytes, close) {
  return async (/** @type {Connection} */ connection) => {
    await connection.write(bytes);
    connection[close]();
  };
}

/**
 * An answer that is not whole.
 *
 * @param {string} framing
 * @param {string} [before]
 */
function cut(framing, before = "") {
  return `HTTP/1.1 200 OK\r\n${framing}\r\n\r\n${before}{"token":"t"}`;
}
