// @ts-check
/** HTTP, for both: which connections are used again. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { issueFailed, issueTimedOut, rejectsWith } from "../support/errors.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { answer, httpServer, rawServer } from "../support/server.mjs";

const token = (/** @type {string} */ text) => JSON.stringify({ token: text });

/**
 * How many connections two calls make whose first answer has these header lines.
 *
 * @param {any} t
 * @param {string[]} headers
 */
async function connectionsOfTwo(t, headers) {
  const server = await rawServer(t, answer(token("t"), { headers }));
  const issue = createRemoteTokenIssuer({ url: server.url });
  await issue(PAYMENT);
  await issue(PAYMENT);
  assert.equal(server.requests.length, 2);
  return server.connections.length;
}

/**
 * Asserts for how long the client keeps a connection whose answer has these header lines: until it
 * closes it.
 *
 * @param {any} t
 * @param {string[]} headers
 * @param {number} limitMs
 */
async function isKeptFor(t, headers, limitMs) {
  const server = await rawServer(t, answer(token("t"), { headers }));
  const began = performance.now();
  await createRemoteTokenIssuer({ url: server.url })(PAYMENT);
  const answered = performance.now();
  await server.connections[0].closed;
  const closed = performance.now();
  const [atMost, atLeast] = [closed - began, closed - answered];
  assert.ok(atMost >= limitMs && atLeast < limitMs + 900, `${atLeast} to ${atMost} ms`);
}

describe("an idle connection", { concurrency: true }, () => {
  it("is used again where the server says nothing", async (t) => {
    assert.equal(await connectionsOfTwo(t, []), 1);
  });

  it("is used again within the server's hint", async (t) => {
    assert.equal(await connectionsOfTwo(t, ["Keep-Alive: timeout=5"]), 1);
    assert.equal(await connectionsOfTwo(t, ["keep-alive: max=9, Timeout=5"]), 1);
    assert.equal(
      await connectionsOfTwo(t, ["Connection: keep-alive", "Keep-Alive: timeout=60"]),
      1,
    );
  });

  it("is kept for 4 s with a hint of 5 s", (t) => isKeptFor(t, ["Keep-Alive: timeout=5"], 4_000));

  for (const hint of ["timeout=1", "timeout=0", "timeout=-5", "timeout=1, max=100"]) {
    it(`is not kept with a hint of ${hint}: less 1 s it is not positive`, async (t) => {
      assert.equal(await connectionsOfTwo(t, [`Keep-Alive: ${hint}`]), 2);
    });
  }

  it("is kept for 2 s with a hint of 3 s", (t) => isKeptFor(t, ["Keep-Alive: timeout=3"], 2_000));

  it("is kept for 1.5 s where the server says nothing", (t) => isKeptFor(t, [], 1_500));

  it("is not kept after Connection: close", async (t) => {
    assert.equal(await connectionsOfTwo(t, ["Connection: close"]), 2);
    assert.equal(await connectionsOfTwo(t, ["Connection: Close", "Keep-Alive: timeout=5"]), 2);
  });

  it("is not kept to a Node server whose keepAliveTimeout is 1 s", async (t) => {
    const server = await httpServer(t, { token: "t" }, { keepAliveTimeout: 1_000 });
    const issue = createRemoteTokenIssuer({ url: server.url });
    for (let i = 0; i < 5; i += 1) await issue(PAYMENT);
    assert.equal(server.connections(), 5);
  });

  it("is used again to a Node server with its own default", async (t) => {
    const server = await httpServer(t);
    const issue = createRemoteTokenIssuer({ url: server.url });
    for (let i = 0; i < 5; i += 1) await issue(PAYMENT);
    assert.equal(server.connections(), 1);
  });

  it("is used again after an answer beyond 2xx", async (t) => {
    const server = await rawServer(t, answer("no", { status: "500 Oops" }));
    const issue = createRemoteTokenIssuer({ url: server.url });
    for (let i = 0; i < 2; i += 1) {
      await rejectsWith(issue(PAYMENT), issueFailed("Backend failed to issue token: 500"));
    }
    assert.equal(server.connections.length, 1);
  });
});

// Alone: what becomes of other connections has all of them looked at.
it("an idle connection is closed at once when its server closes it", {
  timeout: 60_000,
}, async (t) => {
  const headers = ["Keep-Alive: timeout=600"];
  const server = await rawServer(t, answer(token("t"), { headers }));
  await createRemoteTokenIssuer({ url: server.url })(PAYMENT);
  const [first] = server.connections;
  first.end();
  await first.closed;
});

describe("a connection that carried bytes nobody asked for", () => {
  const poison = answer(token("poison"));
  const KEPT = { headers: ["Keep-Alive: timeout=600"] };

  it("is not used again: a second answer behind the first", async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      const first = answer(token(`t${connection.number}`));
      await connection.write(connection.number === 1 ? Buffer.concat([first, poison]) : first);
    });
    const issue = createRemoteTokenIssuer({ url: server.url });
    assert.equal((await issue(PAYMENT)).token, "t1");
    assert.equal((await issue(PAYMENT)).token, "t2");
    assert.equal(server.requests[1].connection, 2);
  });

  it("is closed: an answer while it is idle", { timeout: 60_000 }, async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      await connection.write(answer(token(`t${connection.number}`), KEPT));
    });
    const issue = createRemoteTokenIssuer({ url: server.url });
    assert.equal((await issue(PAYMENT)).token, "t1");
    const [first] = server.connections;
    await first.write(poison);
    await first.closed;
    assert.equal((await issue(PAYMENT)).token, "t2");
    assert.equal(server.requests[1].connection, 2);
  });
});

describe("a connection whose call was given up", { concurrency: true }, () => {
  /** @type {[string, string][]} */
  const stages = [
    ["before its answer began", ""],
    ["in its head", "HTTP/1.1 200 OK\r\nContent-"],
    ["in its body", 'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"tok'],
    ["in the body of a refusal", "HTTP/1.1 500 Oops\r\nContent-Length: 13\r\n\r\nno"],
  ];
  for (const [stage, bytes] of stages) {
    it(`${stage} is closed, and the next call has its own`, { timeout: 60_000 }, async (t) => {
      const server = await rawServer(t, async (connection) => {
        await connection.request();
        if (connection.number > 1) return connection.write(answer(token("second")));
        await connection.write(bytes);
        if (await connection.request()) await connection.write(answer(token("first, late")));
      });
      const hasty = createRemoteTokenIssuer({ url: server.url, timeoutMs: 1_500 });
      await rejectsWith(hasty(PAYMENT), issueTimedOut({ sent: true }));
      const issue = createRemoteTokenIssuer({ url: server.url });
      assert.equal((await issue(PAYMENT)).token, "second");
      assert.equal(server.requests[1].connection, 2);
      await server.connections[0].closed;
    });
  }
});
