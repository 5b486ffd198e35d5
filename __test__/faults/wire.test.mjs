// @ts-check
/**
 * Answers at the wire, byte by byte: the contract's error, bounded memory, and the next call is
 * right. What a whole answer may look like is held in `contract/http-*.test.mjs`.
 */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import zlib from "node:zlib";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { issueFailed, rejection, rejectsWith } from "../support/errors.mjs";
import { EXCHANGES, ISSUER } from "../support/exchanges.mjs";
import { gate } from "../support/gate.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { jsonOf } from "../support/process.mjs";
import { answer, rawServer } from "../support/server.mjs";

const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/**
 * One call to a server whose first connection does `first` and whose others answer well; then one
 * more, which must be right.
 *
 * @param {any} t
 * @param {(connection: import("../support/server.mjs").Connection) => unknown} first
 */
async function spoilt(t, first) {
  const server = await rawServer(t, async (connection) => {
    if (!(await connection.request())) return;
    if (connection.number === 1) await first(connection);
    else await connection.write(answer(ISSUER.good));
  });
  const issue = createRemoteTokenIssuer({ url: server.url });
  const error = await rejection(issue(PAYMENT));
  assert.equal(server.requests.length, 1, "written once");
  assert.equal((await issue(PAYMENT)).token, "t");
  return { error, server };
}

describe("an answer that is cut", () => {
  for (const { name, good, call, gives } of EXCHANGES) {
    for (const fault of /** @type {const} */ (["end", "reset"])) {
      it(`at any byte by ${fault} is an error of ${name}`, async (t) => {
        const whole = answer(good);
        let cut = 0;
        const server = await rawServer(t, async (connection) => {
          if (!(await connection.request())) return;
          await connection.write(whole.subarray(0, cut));
          connection[fault]();
        });
        for (cut = 1; cut < whole.length; cut += 1) {
          const before = server.requests.length;
          const error = await rejection(call(server.url));
          assert.match(error.cause.message, /^(reading|waiting for) the answer/, `${cut} bytes`);
          assert.equal(error.cause.sent, true);
          assert.equal(server.requests.length - before, 1, `${cut} bytes: written once`);
        }
        cut = whole.length;
        // A reset may overtake the last bytes.
        if (fault === "end") assert.deepEqual(await call(server.url), gives);
      });
    }
  }

  it("at any byte of its chunks is an error", async (t) => {
    const whole = Buffer.from(`${CHUNKED}5\r\n{"tok\r\n8\r\nen":"t"}\r\n0\r\nX-T: 1\r\n\r\n`);
    let cut = 0;
    const server = await rawServer(t, async (connection) => {
      if (!(await connection.request())) return;
      await connection.write(whole.subarray(0, cut));
      connection.end();
    });
    const issue = createRemoteTokenIssuer({ url: server.url });
    for (cut = 1; cut < whole.length; cut += 1) {
      const error = await rejection(issue(PAYMENT));
      assert.equal(error.code, "TOKEN_ISSUE_FAILED", `${cut} bytes`);
    }
    assert.equal((await issue(PAYMENT)).token, "t");
    assert.equal(server.requests.length, whole.length);
  });
});

describe("an answer of the wrong length", () => {
  it("that is shorter is an error, and the next call is right", async (t) => {
    const { error, server } = await spoilt(t, async (connection) => {
      await connection.write("HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n");
      await connection.write(ISSUER.good);
      connection.end();
    });
    const closed = "connection closed too early (ECONNRESET)";
    assert.equal(error.message, `Network error: ${closed}`);
    assert.equal(error.cause.message, `reading the answer of ${server.origin}: ${closed}`);
  });

  for (const length of ["-1", "13, 14", "1e1", "0x0d", "99999999999999999999999", ""]) {
    it(`that is told as ${JSON.stringify(length)} is an error`, async (t) => {
      const { error } = await spoilt(t, async (connection) => {
        await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
        await connection.write(ISSUER.good);
        connection.end();
      });
      assert.match(error.message, /^Network error: ./);
    });
  }

  it("that is two belongs to one call", async (t) => {
    const server = await rawServer(t, async (connection) => {
      while (await connection.request()) {
        const second = answer('{"token":"second"}');
        await connection.write(Buffer.concat([answer(ISSUER.good), second]));
      }
    });
    const issue = createRemoteTokenIssuer({ url: server.url });
    for (let i = 0; i < 5; i += 1) assert.equal((await issue(PAYMENT)).token, "t");
    assert.equal(server.requests.length, 5);
  });

  it("that is longer belongs to no later call", async (t) => {
    const server = await rawServer(t, async (connection) => {
      while (await connection.request()) {
        await connection.write(Buffer.concat([answer(ISSUER.good), Buffer.from("HTTP/1.1 500 x")]));
      }
    });
    const issue = createRemoteTokenIssuer({ url: server.url });
    for (let i = 0; i < 5; i += 1) assert.equal((await issue(PAYMENT)).token, "t");
    assert.equal(server.requests.length, 5);
    assert.equal(server.connections.length, 5);
  });
});

describe("a head that is too large", () => {
  /** @type {Record<string, string>} */
  const heads = {
    "100,000 headers": `${"X-A: 1\r\n".repeat(100_000)}`,
    "a header of 1 MB": `X-A: ${"x".repeat(1e6)}\r\n`,
    "a name of 300,000 bytes": `${"X".repeat(300_000)}: 1\r\n`,
  };
  for (const [what, lines] of Object.entries(heads)) {
    it(`with ${what} is an error, and the next call is right`, async (t) => {
      const { error } = await spoilt(t, async (connection) => {
        await connection.write(`HTTP/1.1 200 OK\r\n${lines}Content-Length: 13\r\n\r\n`);
        await connection.write(ISSUER.good);
      });
      assert.equal(error.message, "Network error: the head of the answer is too long");
      assert.match(error.cause.message, /^reading the answer of /);
      assert.equal(error.cause.sent, true);
    });
  }

  it("with 2,000 lines that are read is an error, and the next call is right", async (t) => {
    const { error } = await spoilt(t, async (connection) => {
      const lines = "Keep-Alive: 1\r\n".repeat(2_000);
      await connection.write(`HTTP/1.1 200 OK\r\n${lines}Content-Length: 13\r\n\r\n`);
      await connection.write(ISSUER.good);
    });
    assert.match(error.cause.message, /^reading the answer of /);
  });
});

describe("an answer out of its turn", () => {
  it("that comes after its call's deadline is nobody's", async (t) => {
    const [isOver, areAnswered] = [gate(), gate()];
    let answered = 0;
    const server = await rawServer(t, async (connection) => {
      for (;;) {
        const request = await connection.request();
        if (!request) return;
        const late = request.headers["x-late"] === "1";
        if (late) await isOver.opened;
        const token = late ? "late" : "t";
        await connection.write(answer(JSON.stringify({ token })));
        if (late && ++answered === 3) areAnswered.open();
      }
    });
    const late = { auth: async () => ({ "X-Late": "1" }), timeoutMs: 200 };
    const hasty = createRemoteTokenIssuer({ url: server.url, ...late });
    const issue = createRemoteTokenIssuer({ url: server.url });
    const gone = Promise.all([1, 2, 3].map(() => rejection(hasty(PAYMENT))));
    for (let i = 0; i < 3; i += 1) assert.equal((await issue(PAYMENT)).token, "t");
    for (const { code } of await gone) assert.equal(code, "TOKEN_ISSUE_TIMEOUT");
    isOver.open();
    await areAnswered.opened;
    for (let i = 0; i < 3; i += 1) assert.equal((await issue(PAYMENT)).token, "t");
  });

  it("that comes before its request was sent is none", async (t) => {
    const server = await rawServer(t, async (connection) => {
      if (connection.number === 1) await connection.write(answer('{"token":"early"}'));
      while (await connection.request()) await connection.write(answer(ISSUER.good));
    });
    const issue = createRemoteTokenIssuer({ url: server.url });
    const first = await issue(PAYMENT).then(
      ({ token }) => token,
      (error) => error.code,
    );
    assert.ok(first === "early" || first === "TOKEN_ISSUE_FAILED", first);
    assert.equal((await issue(PAYMENT)).token, "t");
  });
});

// B23
it("a refusal that comes while a large body is still being sent is that answer", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.head();
    connection.socket.pause();
    await connection.write(answer("too large", { status: "413 Content Too Large" }));
    setTimeout(() => connection.end(), 100);
  });
  const issue = createRemoteTokenIssuer({ url: server.url });
  const large = { ...PAYMENT, blob: "x".repeat(8e6) };
  const expected = issueFailed("Backend failed to issue token: 413", { status: 413 });
  for (let i = 0; i < 2; i += 1) await rejectsWith(issue(large), expected);
  assert.equal(server.connections.length, 2);
});

it("a connection whose body is still being sent carries no other request", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.head();
    if (connection.number === 1) connection.socket.pause();
    await connection.write(answer(ISSUER.good));
  });
  const issue = createRemoteTokenIssuer({ url: server.url });
  const large = { ...PAYMENT, blob: "x".repeat(8e6) };
  assert.equal((await issue(large)).token, "t");
  assert.equal((await issue(PAYMENT)).token, "t");
  assert.equal(server.connections.length, 2);
});

describe("memory", () => {
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_LGWIN } = zlib.constants;
  const WIDE = { [BROTLI_PARAM_QUALITY]: 2, [BROTLI_PARAM_LGWIN]: 24 };
  const head = (/** @type {string} */ lines) =>
    Buffer.from(`HTTP/1.1 200 OK\r\n${lines}Content-Length: 13\r\n\r\n${ISSUER.good}`);
  /** @type {Record<string, () => Buffer | Promise<Buffer>>} */
  const answers = {
    "1 GB in 1 MB of gzip": async () =>
      answer(await bomb(zlib.createGzip({ level: 9 })), { headers: ["Content-Encoding: gzip"] }),
    "1 GB in 1 KB of br, its window 16 MiB": async () =>
      answer(await bomb(zlib.createBrotliCompress({ params: WIDE })), {
        headers: ["Content-Encoding: br"],
      }),
    "20 MB as they are": () => answer(Buffer.alloc(20e6, 0x20)),
    "100,000 headers": () => head("X-A: 1\r\n".repeat(100_000)),
    "a header of 1 MB": () => head(`X-A: ${"x".repeat(1e6)}\r\n`),
    "1xx answers without end": () =>
      Buffer.from("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(250_000)),
  };
  for (const [what, bytes] of Object.entries(answers)) {
    it(`stays bounded with 20 answers of ${what} at once, and the next call is right`, async (t) => {
      const bad = await bytes();
      const server = await rawServer(t, async (connection) => {
        for (;;) {
          const request = await connection.request();
          if (!request) return;
          await connection.write(request.target === "/bad" ? bad : answer(ISSUER.good));
        }
      });
      const { grown, messages, next } = await jsonOf(
        `import { createRemoteTokenIssuer } from "./index.mjs";
        const [, origin] = process.argv;
        const bad = createRemoteTokenIssuer({ url: origin + "/bad", timeoutMs: 100_000 });
        const good = createRemoteTokenIssuer({ url: origin + "/good" });
        await good({});
        const before = process.memoryUsage().rss;
        let most = before;
        const watch = setInterval(() => { most = Math.max(most, process.memoryUsage().rss); }, 5);
        const calls = Array.from({ length: 20 }, () => bad({}).catch(({ cause }) => cause.message));
        const messages = [...new Set(await Promise.all(calls))];
        const next = await Promise.all(Array.from({ length: 20 }, () => good({})));
        clearInterval(watch);
        const tokens = next.map(({ token }) => token).join("");
        console.log(JSON.stringify({ grown: (most - before) / 2 ** 20, messages, next: tokens }));`,
        { args: [server.origin] },
      );
      t.diagnostic(`${grown.toFixed(1)} MiB more at the most`);
      assert.equal(messages.length, 1);
      assert.match(messages[0], /^reading the answer of /);
      assert.equal(next, "t".repeat(20));
      // 1 MiB each as it came, and 1 MiB decoded.
      assert.ok(grown < 80, `${grown} MiB`);
    });
  }
});

/**
 * 1 GiB of zeros, coded a part at a time: this process is not the one to be filled.
 *
 * @param {import("node:stream").Transform} coder
 */
async function bomb(coder) {
  const zeros = Buffer.alloc(2 ** 20);
  Readable.from(Array.from({ length: 1_024 }, () => zeros)).pipe(coder);
  return Buffer.concat(await coder.toArray());
}
