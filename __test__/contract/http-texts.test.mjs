// @ts-check
/** HTTP, for both: an answer's text, its JSON, and how much of it is read. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import zlib from "node:zlib";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { issueFailed, rejectsWith } from "../support/errors.mjs";
import { EXCHANGES, ISSUER } from "../support/exchanges.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { answer, rawServer } from "../support/server.mjs";

/**
 * The call's promise, against a server that answers this.
 *
 * @param {any} t
 * @param {string | Buffer} body
 * @param {{ status?: string, headers?: string[] }} [options]
 */
async function issued(t, body, options) {
  const server = await rawServer(t, answer(body, options));
  return createRemoteTokenIssuer({ url: server.url })(PAYMENT);
}

const NETWORK_ERROR = issueFailed(/^Network error: ./, { sent: true });
const BOM = "\ufeff";

describe("an answer's text", () => {
  // B49
  for (const { name, good, call, gives } of EXCHANGES) {
    for (const type of ["application/json; charset=iso-8859-1", "text/html", "text/plain", ""]) {
      it(`is read whatever its content type: ${JSON.stringify(type)}, ${name}`, async (t) => {
        const headers = type ? [`Content-Type: ${type}`] : [];
        const server = await rawServer(t, answer(good, { headers }));
        assert.deepEqual(await call(server.url), gives);
      });
    }

    it(`may begin with a byte order mark, ${name}`, async (t) => {
      const server = await rawServer(t, answer(BOM + good));
      assert.deepEqual(await call(server.url), gives);
    });
  }

  // Node's `fetch` drops two.
  it("may begin with two byte order marks, and not with three", async (t) => {
    assert.equal((await issued(t, `${BOM}${BOM}${ISSUER.good}`)).token, "t");
    await rejectsWith(issued(t, `${BOM}${BOM}${BOM}${ISSUER.good}`), NETWORK_ERROR);
  });

  it("is quoted without its byte order mark", async (t) => {
    const call = issued(t, `${BOM}no`, { status: "500 Oops" });
    await rejectsWith(
      call,
      issueFailed("Backend failed to issue token: 500", { status: 500, body: "no" }),
    );
  });

  const malformed = [
    "\xff",
    "a\xc3",
    "\xe2\x82",
    "\xed\xa0\x80",
    "\xf0\x9f\x98",
    "\xc0\xaf",
    "\x80a",
  ];
  for (const bytes of malformed) {
    const hex = Buffer.from(bytes, "latin1").toString("hex");

    it(`that is no UTF-8 (${hex}) has U+FFFD as fetch has it`, async (t) => {
      const body = Buffer.from(`{"token":"${bytes}"}`, "latin1");
      const expected = JSON.parse(new TextDecoder().decode(body)).token;
      assert.equal((await issued(t, body)).token, expected);
    });

    it(`that is no UTF-8 (${hex}) is quoted with U+FFFD`, async (t) => {
      const body = Buffer.from(bytes, "latin1");
      const quoted = new TextDecoder().decode(body);
      const call = issued(t, body, { status: "500 Oops" });
      await rejectsWith(call, issueFailed("Backend failed to issue token: 500", { body: quoted }));
    });
  }
});

describe("an answer's JSON", () => {
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  /** @type {[string, string][]} */
  const texts = [
    ["duplicate keys: the last wins", '{"token":"a","token":"t"}'],
    ["an escaped key", '{"\\u0074oken":"t"}'],
    ["a duplicate of an escaped key", '{"token":"a","\\u0074oken":"t"}'],
    ["blanks of every kind", ' \t\r\n{ "token" :\n"t"\t}\r\n '],
    ["ignored fields 100,000 levels deep", `{"x":${deep},"token":"t","y":${deep}}`],
    ["ignored fields that are huge", `{"x":"${"é".repeat(400_000)}","token":"t"}`],
    ["numbers beyond any type", `{"x":1e999,"y":-${"9".repeat(5_000)}.1e-999,"token":"t"}`],
    ["odd keys", '{"\\ud800":1,"":2,"__proto__":{"token":"a"},"\\u0000":3,"token":"t"}'],
    ["DEL and U+2028 unescaped", '{"x":"\x7f\u2028","token":"t"}'],
  ];
  for (const [name, text] of texts) {
    it(`may have ${name}`, async (t) => {
      assert.deepEqual(await issued(t, text), { token: "t", tokenType: "Bearer" });
    });
  }

  it("may be 10,000 levels deep in token itself", async (t) => {
    let { token } = /** @type {any} */ (
      await issued(t, `{"token":${deep.slice(90_000, 110_000)}}`)
    );
    let levels = 0;
    for (; token !== undefined; token = token[0]) levels += 1;
    assert.equal(levels, 10_000);
  });

  it("does not inherit: a token inside __proto__ is none", async (t) => {
    const expected = issueFailed("Backend response missing 'token' field");
    await rejectsWith(issued(t, '{"__proto__":{"token":"t"}}'), expected);
  });

  // B35
  it("100,000 levels deep and never closed is a network error", async (t) => {
    await rejectsWith(issued(t, "[".repeat(100_000)), NETWORK_ERROR);
    await rejectsWith(issued(t, '{"token":'.repeat(100_000)), NETWORK_ERROR);
  });
});

describe("an answer of more than 1 MiB", () => {
  const MIB = 1_048_576;
  const padded = (/** @type {number} */ size) => ISSUER.good.padEnd(size);
  const gzip = { headers: ["Content-Encoding: gzip"] };

  it("is an error, one of exactly 1 MiB is not", async (t) => {
    assert.equal((await issued(t, padded(MIB))).token, "t");
    await rejectsWith(issued(t, padded(MIB + 1)), NETWORK_ERROR);
  });

  it("is an error where only its decoded form is, not so one of exactly 1 MiB", async (t) => {
    assert.equal((await issued(t, zlib.gzipSync(padded(MIB)), gzip)).token, "t");
    await rejectsWith(issued(t, zlib.gzipSync(padded(MIB + 1)), gzip), NETWORK_ERROR);
    await rejectsWith(issued(t, zlib.gzipSync(Buffer.alloc(200 * MIB)), gzip), NETWORK_ERROR);
    const br = { headers: ["Content-Encoding: br"] };
    assert.equal((await issued(t, zlib.brotliCompressSync(padded(MIB)), br)).token, "t");
    await rejectsWith(issued(t, zlib.brotliCompressSync(padded(MIB + 1)), br), NETWORK_ERROR);
  });

  for (const [name, head] of [
    ["its length announced", `Content-Length: ${4 * MIB}`],
    ["in chunks", "Transfer-Encoding: chunked"],
    ["until the connection ends", "Connection: close"],
  ]) {
    it(`is given up before it ends, ${name}`, { timeout: 60_000 }, async (t) => {
      const server = await rawServer(t, async (connection) => {
        await connection.request();
        await connection.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n`);
        const piece = head.endsWith("chunked")
          ? `10000\r\n${" ".repeat(65_536)}\r\n`
          : " ".repeat(65_536);
        // 1 MiB and 64 KiB, and then no more: who waits for the end waits for ever.
        for (let i = 0; i < 17; i += 1) await connection.write(piece);
      });
      const call = createRemoteTokenIssuer({ url: server.url })(PAYMENT);
      await rejectsWith(call, NETWORK_ERROR);
      await server.connections[0].closed;
    });
  }
});
