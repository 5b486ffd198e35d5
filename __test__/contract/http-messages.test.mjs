// @ts-check
/** HTTP, for both: what a cause quotes of an answer, and what it hides. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import zlib from "node:zlib";
import { createRemoteTokenIssuer, oauthClientCredentialsAuth } from "../../index.mjs";
import {
  CANARY,
  issueFailed,
  issueTimedOut,
  rejection,
  rejectsWith,
  spellings,
} from "../support/errors.mjs";
import { EXCHANGES, oauthFailed } from "../support/exchanges.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { answer, answerAndClose, httpServer, rawServer, reply } from "../support/server.mjs";

/** A status line that says no. */
const NO = { status: "500 Oops" };
const refused = (/** @type {string | RegExp} */ body) =>
  issueFailed("Backend failed to issue token: 500", { status: 500, body, sent: true });
/** Of a client of an OAuth server. */
const unauthorized = (/** @type {string} */ body) =>
  oauthFailed("OAuth token request failed: 401", { status: 401, body, sent: true });

/**
 * The call's promise, against a server that refuses with this body.
 *
 * @param {any} t
 * @param {string | Buffer} body
 * @param {object} [config]
 */
async function issued(t, body, config = {}) {
  const server = await rawServer(t, answer(body, NO));
  return createRemoteTokenIssuer({ url: server.url, ...config })(PAYMENT);
}

/** @param {string} value */
const authOf = (value) => ({ auth: async () => ({ Authorization: value, "X-Other": "1" }) });

describe("a cause hides", () => {
  for (const [spelling, text] of Object.entries(spellings(CANARY))) {
    it(`a header's value, ${spelling}`, async (t) => {
      const body = `you sent ${text}, twice: ${text}`;
      const expected = refused("you sent [redacted], twice: [redacted]");
      await rejectsWith(issued(t, body, { secret: CANARY }), expected);
      await rejectsWith(issued(t, body, authOf(CANARY)), expected);
    });

    for (const scheme of ["Bearer", "Basic"]) {
      it(`what stands behind ${scheme}, ${spelling}`, async (t) => {
        const call = issued(t, `you sent ${text}.`, authOf(`${scheme} ${CANARY}`));
        await rejectsWith(call, refused("you sent [redacted]."));
      });
    }

    it(`a URL's password, ${spelling}`, async (t) => {
      const server = await rawServer(t, answer(`you are ${text}.`, NO));
      const url = server.url.replace("//", `//user:${encodeURIComponent(CANARY)}@`);
      const call = createRemoteTokenIssuer({ url })(PAYMENT);
      await rejectsWith(call, refused("you are [redacted]."));
    });

    it(`clientSecret, ${spelling}`, async (t) => {
      const server = await rawServer(t, answer(`bad ${text}.`, { status: "401 No" }));
      const provider = oauth(server.url);
      await rejectsWith(provider(), unauthorized("bad [redacted]."));
    });

    it(`the access token, ${spelling}`, async (t) => {
      const idp = await rawServer(
        t,
        answer(JSON.stringify({ access_token: CANARY, expires_in: 9e9 })),
      );
      await rejectsWith(
        issued(t, `you sent ${text}.`, { auth: oauth(idp.url) }),
        refused("you sent [redacted]."),
      );
    });
  }

  for (const encoding of /** @type {const} */ (["base64", "base64url"])) {
    it(`id:secret as ${encoding}: a URL's credentials`, async (t) => {
      const pair = Buffer.from(`user:${CANARY}`).toString(encoding);
      const server = await rawServer(t, answer(`you sent Basic ${pair}.`, NO));
      const url = server.url.replace("//", `//user:${encodeURIComponent(CANARY)}@`);
      const call = createRemoteTokenIssuer({ url })(PAYMENT);
      const error = await rejectsWith(call, refused(/^you sent .*\[redacted\]\.$/));
      assert.ok(!error.cause.body.includes(pair.slice(0, 12)));
    });

    it(`id:secret as ${encoding}: a client's`, async (t) => {
      const pair = Buffer.from(`id:${CANARY}`).toString(encoding);
      const server = await rawServer(t, answer(`not ${pair}.`, { status: "401 No" }));
      await rejectsWith(oauth(server.url)(), unauthorized("not [redacted]."));
    });
  }

  it("a value whose line break was dropped on sending", async (t) => {
    const call = issued(t, `you sent ${CANARY}.`, { secret: `${CANARY}\n` });
    await rejectsWith(call, refused("you sent [redacted]."));
  });

  it("all headers of an echo server", async (t) => {
    const server = await httpServer(t, ({ headers }, response) => {
      reply(response, headers, 500);
    });
    const auth = async () => ({ Authorization: `Bearer ${CANARY}`, "X-Key": CANARY });
    const call = createRemoteTokenIssuer({ url: server.url, auth })(PAYMENT);
    await rejectsWith(call, refused(/^\{.*"x-key":"\[redacted\]".*\}$/));
  });

  it("6 characters and more, not 5: they would hide ordinary words", async (t) => {
    await rejectsWith(issued(t, "abcdef", { secret: "abcdef" }), refused("[redacted]"));
    await rejectsWith(issued(t, "abcde", { secret: "abcde" }), refused("abcde"));
  });

  it("a secret that stands across the cut: it is scrubbed first", async (t) => {
    for (const before of [8_180, 8_185, 8_191, 8_192, 8_200]) {
      const whole = `${"x".repeat(before)}[redacted]`;
      const quoted = whole.length > 8_192 ? `${whole.slice(0, 8_192)}…` : whole;
      const call = issued(t, `${"x".repeat(before)}${CANARY}`, { secret: CANARY });
      await rejectsWith(call, refused(quoted));
    }
  });

  it("a secret that the answer's end cuts", async (t) => {
    const bytes = `HTTP/1.1 500 Oops\r\nContent-Length: 99\r\n\r\nyou sent ${CANARY.slice(0, -3)}`;
    const server = await rawServer(t, answerAndClose(bytes));
    const call = createRemoteTokenIssuer({ url: server.url, secret: CANARY })(PAYMENT);
    const error = await rejectsWith(call, refused(/^you sent /));
    assert.ok(!error.cause.body.includes("canary"));
  });
});

// B47
describe("an error hides what a server puts into", () => {
  // A host may have it, and a cut at 40 characters would go through it.
  const secret = "Sekret-0123456789-0123456789-0123456789-0123456789";
  const places = {
    "the host of a redirect": ["307 No", `Location: http://${secret}.example/`],
    "the scheme of a redirect": ["302 No", `Location: ${secret}:x`],
    "another scheme's host": ["307 No", `Location: ftp://${secret}/`],
  };
  const calls = {
    "a remote token issuer": (/** @type {string} */ url) =>
      createRemoteTokenIssuer({ url, secret })(PAYMENT),
    "the OAuth strategy": (/** @type {string} */ tokenUrl) =>
      oauthClientCredentialsAuth({ tokenUrl, clientId: "id", clientSecret: secret })(),
  };
  for (const [place, [status, header]] of Object.entries(places)) {
    for (const [name, call] of Object.entries(calls)) {
      it(`${place}, ${name}`, async (t) => {
        const server = await rawServer(t, answer("x", { status, headers: [header] }));
        const error = await rejection(call(server.url));
        assert.match(error.cause.message, /\[redacted\]/);
        assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /sekret-0123/i);
      });
    }
  }
});

describe("a cause quotes", () => {
  it("8,192 bytes, then …", async (t) => {
    await rejectsWith(issued(t, "x".repeat(8_192)), refused("x".repeat(8_192)));
    await rejectsWith(issued(t, "x".repeat(8_193)), refused(`${"x".repeat(8_192)}…`));
  });

  it("whole characters: the cut is on a boundary", async (t) => {
    await rejectsWith(issued(t, `x${"é".repeat(5_000)}`), refused(`x${"é".repeat(4_095)}…`));
    await rejectsWith(
      issued(t, "\u{1f600}".repeat(3_000)),
      refused(`${"\u{1f600}".repeat(2_048)}…`),
    );
  });
});

for (const { name, call, refused: refusedWith } of EXCHANGES) {
  const start = "HTTP/1.1 500 Oops\r\n";

  describe(`an answer beyond 2xx, to ${name}`, () => {
    /** @type {[string, string][]} */
    const cut = [
      ["cut before its length", `${start}Content-Length: 99\r\n\r\nno plan`],
      ["cut in a chunk", `${start}Transfer-Encoding: chunked\r\n\r\nff\r\nno plan`],
      ["cut between chunks", `${start}Transfer-Encoding: chunked\r\n\r\n7\r\nno plan\r\n`],
      ["of a broken chunk", `${start}Transfer-Encoding: chunked\r\n\r\n7\r\nno plan\r\nxyz\r\n`],
    ];
    for (const [fault, bytes] of cut) {
      it(`is quoted as far as it came: ${fault}`, async (t) => {
        const server = await rawServer(t, answerAndClose(bytes));
        await rejectsWith(call(server.url), refusedWith(500, "no plan"));
      });
    }

    it("is quoted as far as it came: reset", async (t) => {
      const server = await rawServer(t, async (connection) => {
        await connection.request();
        await connection.write(`${start}Content-Length: 99\r\n\r\nno plan`);
        connection.reset();
      });
      await rejectsWith(call(server.url), refusedWith(500, "no plan"));
      assert.equal(server.requests.length, 1);
    });

    it("is decoded where it can be", async (t) => {
      const headers = ["Content-Encoding: gzip"];
      const server = await rawServer(t, answer(zlib.gzipSync("no plan"), { ...NO, headers }));
      await rejectsWith(call(server.url), refusedWith(500, "no plan"));
    });

    for (const coding of ["gzip", "deflate", "br", "utf-8"]) {
      it(`keeps its status where it cannot be decoded: ${coding}`, async (t) => {
        const headers = [`Content-Encoding: ${coding}`];
        const server = await rawServer(t, answer("no plan", { ...NO, headers }));
        const { cause, ...expected } = refusedWith(500);
        await rejectsWith(call(server.url), { ...expected, cause: { status: 500, sent: true } });
      });
    }

    it("is read for 64 KiB, then the connection is dropped", { timeout: 60_000 }, async (t) => {
      const server = await rawServer(t, async (connection) => {
        await connection.request();
        await connection.write(`${start}Content-Length: 9999999\r\n\r\n`);
        // And nothing more: who waits for the rest meets the deadline.
        await connection.write("x".repeat(65_536 + 1));
      });
      await rejectsWith(call(server.url), refusedWith(500, `${"x".repeat(8_192)}…`));
      await server.connections[0].closed;
      assert.equal(server.requests.length, 1);
    });
  });
}

describe("past the deadline", () => {
  it("it is the timeout, whatever came of a refusal", async (t) => {
    const server = await rawServer(t, "HTTP/1.1 500 Oops\r\nContent-Length: 99\r\n\r\nno plan");
    const issue = createRemoteTokenIssuer({ url: server.url, timeoutMs: 1_000 });
    await rejectsWith(issue(PAYMENT), issueTimedOut({ sent: true }));
  });
});

/** @param {string} tokenUrl */
function oauth(tokenUrl) {
  return oauthClientCredentialsAuth({ tokenUrl, clientId: "id", clientSecret: CANARY });
}
