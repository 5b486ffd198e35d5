// @ts-check
/** HTTP, for both: how an answer's head, framing, coding and text are read. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import zlib from "node:zlib";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { absence } from "../../scripts/system.mjs";
import { issueFailed, rejectsWith } from "../support/errors.mjs";
import { EXCHANGES, ISSUER } from "../support/exchanges.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { needing } from "../support/programs.mjs";
import { answer, answerAndClose, rawServer } from "../support/server.mjs";
import { authority } from "../support/tls.mjs";

/**
 * The token that comes of these bytes, after which the connection is closed.
 *
 * @param {any} t
 * @param {string | Buffer} bytes
 */
async function tokenOf(t, bytes) {
  const server = await rawServer(t, answerAndClose(bytes));
  const { token } = await createRemoteTokenIssuer({ url: server.url })(PAYMENT);
  assert.equal(server.requests.length, 1);
  return token;
}

/**
 * Asserts that these bytes are a network error.
 *
 * @param {any} t
 * @param {string | Buffer} bytes
 * @param {RegExp} [message]
 */
async function refuses(t, bytes, message = /^Network error: ./) {
  const server = await rawServer(t, answerAndClose(bytes));
  const call = createRemoteTokenIssuer({ url: server.url })(PAYMENT);
  await rejectsWith(call, issueFailed(message, { sent: true }));
  assert.equal(server.requests.length, 1);
}

const GOOD = ISSUER.good;
const OK = `HTTP/1.1 200 OK\r\nContent-Length: ${GOOD.length}\r\n\r\n${GOOD}`;
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const withLines = (/** @type {string} */ lines) => OK.replace("\r\n", `\r\n${lines}`);

describe("an answer's head", () => {
  // What `fetch` takes, tried on Node 20.
  /** @type {[string, string | Buffer][]} */
  const heads = [
    ["2,000 header lines", withLines("A: b\r\n".repeat(1_999))],
    ["12,000 header lines in 60 KB", withLines("A: \r\n".repeat(12_000))],
    ["a folded line", withLines("X-A: a\r\n b\r\n\tc\r\n")],
    ["a blank before the colon", withLines("X-A : a\r\n")],
    ["a value of 15,000 bytes", withLines(`X-A: ${"a".repeat(15_000)}\r\n`)],
    ["an empty value", withLines("X-A:\r\n")],
    ["an empty name", withLines(": a\r\n")],
    ["Latin-1 in a value", withLines("X-A: \xe9\x80\xff\r\n")],
    ["UTF-8 in a value", Buffer.from(withLines("X-A: é密\r\n"))],
    ["no reason", OK.replace(" OK", "")],
    ["another version, HTTP/2.0", OK.replace("1.1", "2.0")],
    ["Latin-1 in the reason", OK.replace("OK", "\xe9")],
    ["an empty line before it", `\r\n${OK}`],
    ["another content type", withLines("Content-Type: text/html; charset=utf-16\r\n")],
  ];
  for (const [name, bytes] of heads) {
    it(`may have ${name}`, async (t) => {
      assert.equal(await tokenOf(t, bytes), "t");
    });
  }

  it("may have 2,000 header lines on a connection that is used again", async (t) => {
    const server = await rawServer(t, withLines("A: b\r\n".repeat(1_999)));
    const issue = createRemoteTokenIssuer({ url: server.url });
    for (let i = 0; i < 3; i += 1) assert.equal((await issue(PAYMENT)).token, "t");
    assert.equal(server.connections.length, 1);
  });

  it("may have 2,000 header lines behind interim ones", async (t) => {
    const interim = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(3);
    assert.equal(await tokenOf(t, interim + withLines("A: b\r\n".repeat(1_999))), "t");
  });

  it("that is no HTTP is a network error", async (t) => {
    await refuses(t, "SSH-2.0-OpenSSH_9.6\r\n");
    await refuses(t, "\x15\x03\x01\x00\x02\x02\x46");
  });
});

for (const { name, good, call, gives, refused } of EXCHANGES) {
  // B22
  describe(`answers before the answer, to ${name}`, () => {
    const early =
      "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" +
      "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";

    it("are skipped in one write with it", async (t) => {
      const server = await rawServer(t, Buffer.concat([Buffer.from(early), answer(good)]));
      assert.deepEqual(await call(server.url), gives);
      assert.equal(server.requests.length, 1);
    });

    it("are skipped some time before it", async (t) => {
      const server = await rawServer(t, async (connection) => {
        await connection.request();
        await connection.write(early);
        setTimeout(() => connection.write(answer(good)), 50);
      });
      assert.deepEqual(await call(server.url), gives);
      assert.equal(server.requests.length, 1);
    });

    it("are a failure by 101 alone, at once", async (t) => {
      const server = await rawServer(t, "HTTP/1.1 101 Switching Protocols\r\n\r\n");
      await rejectsWith(call(server.url), refused(101));
    });
  });
}

describe("an answer without end", () => {
  // None of it counts towards the 1 MiB of an answer, so nothing else would stop it.
  const floods = {
    "interim answers": ["", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"],
    "zeros in a chunk's size": ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "0"],
  };

  for (const [kind, [begin, piece]] of Object.entries(floods)) {
    it(`of ${kind} is stopped after 8 MiB`, async (t) => {
      const block = Buffer.from(piece.repeat(2 ** 16));
      let written = 0;
      const server = await rawServer(t, async (connection) => {
        await connection.request();
        await connection.write(begin);
        while (!connection.socket.destroyed && written < 2 ** 26) {
          written += block.length;
          await connection.write(block);
        }
      });
      const message = `reading the answer of ${server.origin}: the answer does not end`;
      const issue = createRemoteTokenIssuer({ url: server.url });
      const expected = issueFailed("Network error: the answer does not end", {
        message,
        sent: true,
      });
      await rejectsWith(issue(PAYMENT), expected);
      assert.ok(written < 2 ** 25, `${written} bytes`);
    });
  }
});

describe("an answer's length", () => {
  // B24
  it("may be told by the connection's end, call by call", async (t) => {
    for (const head of ["HTTP/1.0 200 OK", "HTTP/1.1 200 OK\r\nConnection: close"]) {
      const server = await rawServer(t, answerAndClose(`${head}\r\n\r\n${GOOD}`));
      const issue = createRemoteTokenIssuer({ url: server.url });
      for (let i = 0; i < 3; i += 1) assert.equal((await issue(PAYMENT)).token, "t");
      assert.equal(server.requests.length, 3);
      assert.equal(server.connections.length, 3);
    }
  });

  // A server that closes with bytes unread sends a reset in place of its end.
  it("may be told by the connection's reset, where its JSON is whole", async (t) => {
    for (const head of ["HTTP/1.0 200 OK", "HTTP/1.1 200 OK\r\nConnection: close"]) {
      for (const body of [GOOD, GOOD.slice(0, -1), "12", ""]) {
        const server = await rawServer(t, async (connection) => {
          await connection.request();
          await connection.write(`${head}\r\n\r\n${body}`);
          connection.reset();
        });
        const call = createRemoteTokenIssuer({ url: server.url })(PAYMENT);
        const expected = issueFailed(/^Network error: ./, { code: "ECONNRESET", sent: true });
        if (body === GOOD) assert.equal((await call).token, "t");
        else await rejectsWith(call, expected);
        assert.equal(server.requests.length, 1);
      }
    }
  });

  it("told by chunks is read from HTTP/1.0 too, whose connection is not used again", async (t) => {
    const bytes = `${CHUNKED.replace("1.1", "1.0")}d\r\n${GOOD}\r\n0\r\n\r\n`;
    const server = await rawServer(t, bytes);
    const issue = createRemoteTokenIssuer({ url: server.url });
    for (let i = 0; i < 3; i += 1) assert.equal((await issue(PAYMENT)).token, "t");
    assert.equal(server.connections.length, 3);
  });

  /** @type {[string, string][]} */
  const chunked = [
    ["", `d\r\n${GOOD}\r\n0\r\n\r\n`],
    [", in pieces", `5\r\n${GOOD.slice(0, 5)}\r\n8\r\n${GOOD.slice(5)}\r\n0\r\n\r\n`],
    [", with extensions and trailers", `D;a=b;c="d"\r\n${GOOD}\r\n0\r\nX-Trailer: a\r\n\r\n`],
  ];
  for (const [name, body] of chunked) {
    it(`may be told by chunks${name}`, async (t) => {
      assert.equal(await tokenOf(t, CHUNKED + body), "t");
    });
  }

  // Each came with whole JSON: what is missing may have been the other half of a failure.
  /** @type {[string, string][]} */
  const cut = [
    ["before its announced length", OK.replace(/Length: \d+/, "Length: 100")],
    ["before its last chunk", `${CHUNKED}d\r\n${GOOD}\r\n`],
    ["inside its last chunk", `${CHUNKED}d\r\n${GOOD}\r\n0\r\n`],
    ["inside a chunk", `${CHUNKED}ff\r\n${GOOD}`],
    ["in its head", "HTTP/1.1 200 OK\r\nContent-Le"],
  ];
  for (const [name, bytes] of cut) {
    it(`is kept to: an answer that ends ${name} is a network error`, async (t) => {
      await refuses(t, bytes);
    });
  }
});

// D04
describe("an answer over TLS whose connection ends without close_notify", () => {
  const it = needing("openssl");
  const ca = absence("openssl") ? /** @type {any} */ ({}) : authority({ after });
  before(() => {
    process.env.NODE_EXTRA_CA_CERTS = ca.file;
  });
  after(() => {
    delete process.env.NODE_EXTRA_CA_CERTS;
  });
  /**
   * A server that cuts its connection behind these bytes.
   *
   * @param {any} t
   * @param {string} bytes
   * @param {import("node:tls").SecureVersion} [maxVersion]
   */
  const cutting = (t, bytes, maxVersion) => {
    const script = async (/** @type {import("../support/server.mjs").Connection} */ connection) => {
      if (await connection.request()) await connection.write(bytes);
      connection.cut();
    };
    return rawServer(t, script, { ...ca.issue(), maxVersion });
  };

  for (const { name, good, call, gives } of EXCHANGES) {
    for (const version of /** @type {const} */ (["TLSv1.2", "TLSv1.3"])) {
      it(`is taken where nothing else tells its length: ${version}, ${name}`, async (t) => {
        const server = await cutting(t, `HTTP/1.1 200 OK\r\n\r\n${good}`, version);
        for (let i = 0; i < 3; i += 1) assert.deepEqual(await call(server.url), gives);
        assert.equal(server.requests.length, 3);
      });
    }
  }

  /** @type {[string, string, string?][]} */
  const cut = [
    ["before its announced length", OK.replace(/Length: \d+/, "Length: 100"), "ECONNRESET"],
    ["before its last chunk", `${CHUNKED}d\r\n${GOOD}\r\n`, "ECONNRESET"],
    ["inside its JSON", `HTTP/1.1 200 OK\r\n\r\n${GOOD.slice(0, -1)}`],
    ["in its head", "HTTP/1.1 200 OK\r\nContent-Le", "ECONNRESET"],
    ["before its first byte", "", "ECONNRESET"],
  ];
  for (const [name, bytes, code] of cut) {
    // Deno's TLS closes no TCP below it before it has written something.
    const skip = Boolean(process.versions.deno) && bytes === "";
    it(`is a network error where that is ${name}`, { skip }, async (t) => {
      const server = await cutting(t, bytes);
      const cause = code ? { code, sent: true } : { sent: true };
      const call = createRemoteTokenIssuer({ url: server.url })(PAYMENT);
      await rejectsWith(call, issueFailed(/^Network error: ./, cause));
      assert.equal(server.requests.length, 1);
    });
  }
});

describe("an answer's coding", () => {
  /** @type {[string, string, (raw: Buffer) => Buffer][]} */
  const codings = [
    ["gzip", "gzip", zlib.gzipSync],
    ["x-gzip", "x-gzip", zlib.gzipSync],
    ["GZip, in any case", "GZip", zlib.gzipSync],
    ["deflate, as zlib", "deflate", zlib.deflateSync],
    ["deflate, raw", "deflate", zlib.deflateRawSync],
    ["br", "br", zlib.brotliCompressSync],
    ["br, then gzip", "br, gzip", (raw) => zlib.gzipSync(zlib.brotliCompressSync(raw))],
    ["five of them", Array(5).fill("gzip").join(), (raw) => nested(raw, 5)],
    [
      "gzip in two members",
      "gzip",
      (raw) => {
        const members = [raw.subarray(0, 5), raw.subarray(5)];
        return Buffer.concat(members.map((member) => zlib.gzipSync(member)));
      },
    ],
    // D05
    ...["identity", "UTF-8", "none", "binary", "aws-chunked", "8bit", "json"].map(
      (word) => /** @type {typeof codings[0]} */ ([`${word}, which is none`, word, (raw) => raw]),
    ),
    ["a word beside gzip", "aws-chunked, gzip", zlib.gzipSync],
    ["gzip in name alone", "gzip", (raw) => raw],
    ["deflate in name alone", "deflate", (raw) => raw],
    ["br in name alone, and a word", "br, none", (raw) => raw],
    ["six words", "a, b, c, d, e, f", (raw) => raw],
  ];
  for (const { name, good, call, gives } of EXCHANGES) {
    for (const [coding, value, encode] of codings) {
      it(`may be ${coding}, unasked, for ${name}`, async (t) => {
        const body = encode(Buffer.from(good));
        const server = await rawServer(
          t,
          answer(body, { headers: [`Content-Encoding: ${value}`] }),
        );
        assert.deepEqual(await call(server.url), gives);
        assert.ok(!("accept-encoding" in server.requests[0].headers));
      });
    }
  }

  // D14
  it("may not be more than five", async (t) => {
    for (const times of [6, 700]) {
      const headers = [`Content-Encoding: ${Array(times).fill("gzip").join()}`];
      const body = answer(nested(Buffer.from(GOOD), 6), { headers });
      await refuses(t, body, /^Network error: .*more than 5 content codings$/);
    }
  });

  /** @type {[string, string, Buffer][]} */
  const broken = [
    ["gzip that is none", "gzip", Buffer.from("\x07no")],
    ["gzip that is cut", "gzip", zlib.gzipSync(GOOD).subarray(0, 15)],
    ["gzip with a wrong checksum", "gzip", withWrongByte(zlib.gzipSync(GOOD), -8)],
    ["deflate that is none", "deflate", Buffer.from("\x07no")],
    ["deflate that is cut", "deflate", zlib.deflateSync(GOOD).subarray(0, 8)],
    ["br that is none", "br", Buffer.from("\x07no")],
    ["br that is cut", "br", zlib.brotliCompressSync(GOOD).subarray(0, 8)],
    ["an empty gzip", "gzip", Buffer.alloc(0)],
  ];
  for (const [name, coding, body] of broken) {
    it(`that is broken is a network error: ${name}`, async (t) => {
      await refuses(t, answer(body, { headers: [`Content-Encoding: ${coding}`] }));
    });
  }

  it("does not hide the status of a failure, whatever is wrong with it", async (t) => {
    for (const coding of ["gzip", "br", Array(6).fill("gzip").join()]) {
      const headers = [`Content-Encoding: ${coding}`];
      const server = await rawServer(t, answer("no", { status: "503 x", headers }));
      const call = createRemoteTokenIssuer({ url: server.url })(PAYMENT);
      await rejectsWith(call, issueFailed("Backend failed to issue token: 503", { status: 503 }));
    }
  });

  /** @param {Buffer} body @param {number} times */
  function nested(body, times) {
    let coded = body;
    for (let i = 0; i < times; i += 1) coded = zlib.gzipSync(coded);
    return coded;
  }

  /** @param {Buffer} bytes @param {number} at */
  function withWrongByte(bytes, at) {
    const copy = Buffer.from(bytes);
    copy[copy.length + at] ^= 0xff;
    return copy;
  }
});
