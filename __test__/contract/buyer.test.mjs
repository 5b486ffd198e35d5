// @ts-check
/**
 * What a buyer reads. Every failure of both exchanges is met at a peer that sends all it got back,
 * wherever an answer has room for it: `message` and `toJSON()` are sentences of this list.
 */
import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import zlib from "node:zlib";
import { createRemoteTokenIssuer, oauthClientCredentialsAuth } from "../../index.mjs";
import { absence } from "../../scripts/system.mjs";
import { rejection } from "../support/errors.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { needing } from "../support/programs.mjs";
import { answer, closedPort, rawServer } from "../support/server.mjs";
import { authority } from "../support/tls.mjs";

const it = needing("openssl");

/** Reasons, each with Node's name for it where it has one. */
const REASONS = [
  "connection refused (ECONNREFUSED)",
  "connection reset (ECONNRESET)",
  "connection closed too early (ECONNRESET)",
  "connection closed while the request was sent (EPIPE)",
  "host name not found (ENOTFOUND)",
  "host name cannot be looked up now (EAI_AGAIN)",
  "redirected to another origin",
  "redirected to a URL with credentials",
  "redirected to what is not a URL",
  "more than 5 redirects",
  "the answer is not HTTP",
  "the answer is not JSON",
  "the answer is not valid gzip",
  "fetch calls no server at this port",
  "the answer is longer than 1 MiB",
  "the answer has more than 5 content codings",
  "wrong version number (ERR_SSL_WRONG_VERSION_NUMBER)",
  "certificate has expired (CERT_HAS_EXPIRED)",
  "Hostname/IP does not match certificate's altnames (ERR_TLS_CERT_ALTNAME_INVALID)",
  "self-signed certificate (DEPTH_ZERO_SELF_SIGNED_CERT)",
];

const OAUTH = "Failed to authenticate via OAuth: ";
const SENTENCES = new Set([
  "Backend response missing 'token' field",
  "Remote token issuance timed out",
  ...REASONS.map((reason) => `Network error: ${reason}`),
  ...REASONS.map((reason) => OAUTH + reason),
  `${OAUTH}Invalid OAuth response: missing access_token or expires_in`,
  `${OAUTH}Invalid OAuth response: missing access_token or expires_in (invalid_grant)`,
  `${OAUTH}clientSecret could not be had`,
  `${OAUTH}privateKey could not be had`,
  "secret could not be had",
  `${OAUTH}Invalid OAuth response: access_token has a line break or another control character inside`,
  `${OAUTH}Invalid OAuth response: token_type is not Bearer`,
]);
/** With the status that was answered, and a registered code where there was one. */
const STATUSES = [
  /^Backend failed to issue token: [1-5]\d\d$/,
  /^Failed to authenticate via OAuth: OAuth token request failed: [1-5]\d\d( invalid_grant)?$/,
];

/** Asserts that a buyer reads a sentence of the lists, and nothing beside it. @param {any} error */
function speaksToTheBuyer(error) {
  const { message } = error;
  const isKnown = SENTENCES.has(message) || STATUSES.some((status) => status.test(message));
  assert.ok(isKnown, message);
  assert.deepEqual(JSON.parse(JSON.stringify(error)), { type: "Error", code: error.code, message });
  // And the seller's log has one line more, which says more.
  const { cause } = error;
  assert.equal(cause.stack, `Error: ${cause.message}`);
  assert.doesNotMatch(cause.stack, /[\r\n]/);
  assert.ok(!cause.stack.includes(message), cause.stack);
}

/** A request as it came: its line, every header, its body. @param {any} seen */
function echoed({ method, target, lines, body }) {
  const head = lines.map((/** @type {string[]} */ line) => line.join(": "));
  return [`${method} ${target} HTTP/1.1`, ...head, "", body.toString()].join("\r\n");
}

/** The same where line breaks cannot stand. @param {any} seen */
const inLine = (seen) => echoed(seen).replace(/[\r\n]+/g, " ");

/** Headers that have it all as values, and names too. @param {any} seen */
const headers = (seen) => [
  ...["Content-Type", "Server", "WWW-Authenticate", "Set-Cookie", "X-Echo"].map(
    (name) => `${name}: ${inLine(seen)}`,
  ),
  ...seen.lines.map((/** @type {string[]} */ [name, value]) => `${name}-Echo: ${value}`),
];

const json = (/** @type {any} */ seen, /** @type {object} */ extra = {}) =>
  JSON.stringify({ error: inLine(seen), error_description: echoed(seen), ...extra });

/** An answer with an echo in every place. */
function echo(/** @type {any} */ seen, /** @type {number} */ status, /** @type {any} */ body) {
  return answer(body, { status: `${status} ${inLine(seen)}`, headers: headers(seen) });
}

/** @typedef {import("../support/server.mjs").Connection} Connection */

/** Answers each request with what `bytes` makes of it. */
const answering =
  (/** @type {(seen: any) => Buffer | string} */ bytes) =>
  async (/** @type {Connection} */ connection) => {
    for (;;) {
      const seen = await connection.request();
      if (!seen) return;
      await connection.write(bytes(seen));
    }
  };

/** Answers, and then breaks the connection. */
const breaking =
  (
    /** @type {"end" | "reset" | "cut"} */ how,
    /** @type {(seen: any) => Buffer | string} */ bytes,
  ) =>
  async (/** @type {Connection} */ connection) => {
    const seen = await connection.request();
    if (seen) await connection.write(bytes(seen));
    connection[how]();
  };

const redirect = (/** @type {(seen: any) => string} */ location) =>
  answering((seen) => {
    const lines = [...headers(seen), `Location: ${location(seen)}`];
    return answer(echoed(seen), { status: `307 ${inLine(seen)}`, headers: lines });
  });

const coded = (/** @type {string} */ coding, /** @type {(text: string) => any} */ body) =>
  answering((seen) => {
    const lines = [...headers(seen), `Content-Encoding: ${coding}`];
    return answer(body(echoed(seen)), { headers: lines });
  });

const TOO_LONG = " ".repeat(2 ** 20 + 1);
const HALF = (/** @type {any} */ seen, status = 200) =>
  `HTTP/1.1 ${status} ${inLine(seen)}\r\nContent-Length: 99999\r\n\r\n${echoed(seen)}`;

/** What peers do, by what it is called. @type {Record<string, (connection: Connection) => unknown>} */
const PEERS = {
  ...Object.fromEntries(
    [300, 302, 400, 401, 403, 404, 413, 429, 500, 502, 503, 599].map((status) => [
      `answers ${status} in text`,
      answering((seen) => echo(seen, status, echoed(seen))),
    ]),
  ),
  "answers 101": answering(
    (seen) => `HTTP/1.1 101 ${inLine(seen)}\r\nX-Echo: ${inLine(seen)}\r\n\r\n`,
  ),
  "answers 400 in JSON": answering((seen) => echo(seen, 400, json(seen))),
  "answers 400 with a registered error": answering((seen) =>
    echo(seen, 400, json(seen, { error: "invalid_grant" })),
  ),
  "answers 500, cut short": breaking("end", (seen) => HALF(seen, 500)),
  "answers 500, reset": breaking("reset", (seen) => HALF(seen, 500)),
  "answers 500 in what is no gzip": answering((seen) =>
    answer(echoed(seen), {
      status: `500 ${inLine(seen)}`,
      headers: [...headers(seen), "Content-Encoding: gzip"],
    }),
  ),
  "answers 200 in text": answering((seen) => echo(seen, 200, echoed(seen))),
  "answers 200 with a token of another name": answering((seen) => echo(seen, 200, json(seen))),
  "answers 200 with a registered error": answering((seen) =>
    echo(seen, 200, json(seen, { error: "invalid_grant" })),
  ),
  "answers 200 with a token that no header can hold": answering((seen) =>
    echo(seen, 200, json(seen, { access_token: echoed(seen), expires_in: 60 })),
  ),
  "answers 200 with a token of another type": answering((seen) =>
    echo(seen, 200, json(seen, { access_token: "t", expires_in: 60, token_type: echoed(seen) })),
  ),
  "answers 204": answering(
    (seen) => `HTTP/1.1 204 ${inLine(seen)}\r\nX-Echo: ${inLine(seen)}\r\n\r\n`,
  ),
  "answers 200, cut short": breaking("end", HALF),
  "answers 200, reset": breaking("reset", HALF),
  "answers 200 in a broken chunk": breaking(
    "end",
    (seen) => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${inLine(seen)}\r\n`,
  ),
  "answers 200 and trailers, cut short": breaking(
    "end",
    (seen) =>
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;${inLine(seen)}\r\n{}\r\n0\r\nX: ${inLine(seen)}`,
  ),
  "answers more than 1 MiB": answering((seen) => echo(seen, 200, echoed(seen) + TOO_LONG)),
  "answers in what is no gzip": coded("gzip", (text) => text),
  "answers gzip of too much": coded("gzip", (text) => zlib.gzipSync(text + TOO_LONG)),
  "answers with seven codings": coded(Array(7).fill("gzip").join(), (text) => text),
  "answers what is no HTTP": breaking("end", echoed),
  "closes before an answer": breaking("end", () => ""),
  "resets before an answer": breaking("reset", () => ""),
  "closes after a byte": breaking("end", () => "H"),
  "redirects to itself for ever": redirect(({ target }) => target),
  "redirects to another origin": redirect((seen) => `http://${encodeURIComponent(inLine(seen))}/`),
  "redirects to another host": redirect(({ target }) => `http://10.1.2.3:81${target}`),
  "redirects to another scheme": redirect((seen) => `data:,${inLine(seen)}`),
  "redirects to credentials": redirect(({ headers }) => `//user:pass@${headers.host}/`),
  "redirects to no URL": redirect((seen) => `http://[${inLine(seen)}`),
};

/** What calls are made with: each has something of its own in every place that goes out. */
const CALLS = {
  "an issuer": (/** @type {string} */ url, timeoutMs = 10_000) =>
    createRemoteTokenIssuer({
      url: seasoned(url),
      timeoutMs,
      auth: async () => ({ "X-Key": "key-of-the-seller", Cookie: "session=of-the-seller" }),
    })(PAYMENT),
  "an OAuth strategy": (/** @type {string} */ url) => oauth(url)(),
  "an issuer with an OAuth strategy": (/** @type {string} */ url, timeoutMs = 10_000) =>
    createRemoteTokenIssuer({ url: "http://127.0.0.1:1/", timeoutMs, auth: oauth(url) })(PAYMENT),
};

const oauth = (/** @type {string} */ url) =>
  oauthClientCredentialsAuth({
    tokenUrl: seasoned(url),
    clientId: "client-of-the-seller",
    clientSecret: "secret-of-the-seller",
    scopes: ["scope-of-the-seller"],
    audience: "https://audience.of.the.seller",
    tokenType: "Bearer",
  });

/** The same address with a user, a password and a query. @param {string} url */
const seasoned = (url) => `${url.replace("://", "://user:password@")}?code=code-of-the-seller`;

// Deno's TLS servers of one process resume each other's sessions, whatever certificate they have.
const SCHEMES = process.versions.deno ? ["http"] : ["http", "https"];

for (const scheme of SCHEMES) {
  describe(`over ${scheme}, the buyer reads our sentences alone`, { concurrency: 2 }, () => {
    /** @type {import("../support/tls.mjs").Authority} */
    let ca;
    /** @type {import("../support/tls.mjs").Identity | undefined} */
    let identity;
    const { NODE_EXTRA_CA_CERTS } = process.env;
    /** @type {(() => unknown)[]} */
    const ends = [];

    before(() => {
      if (scheme === "http" || absence("openssl")) return;
      ca = authority({ after: (fn) => ends.push(fn) });
      identity = ca.issue();
      process.env.NODE_EXTRA_CA_CERTS = ca.file;
    });

    after(() => {
      if (NODE_EXTRA_CA_CERTS === undefined) delete process.env.NODE_EXTRA_CA_CERTS;
      else process.env.NODE_EXTRA_CA_CERTS = NODE_EXTRA_CA_CERTS;
      for (const end of ends) end();
    });

    for (const [name, call] of Object.entries(CALLS)) {
      for (const [what, peer] of Object.entries(PEERS)) {
        it(`of ${name} whose peer ${what}`, async (t) => {
          const server = await rawServer(t, peer, identity);
          speaksToTheBuyer(await rejection(call(server.url)));
          assert.ok(server.requests.length > 0, "the peer was asked");
        });
      }

      it(`of ${name} whose peer is silent, in its handshake or later`, async (t) => {
        if (name === "an OAuth strategy")
          return t.skip("it takes 10 s; its sentence has a test in Rust");
        const silent = await rawServer(t, () => {}, identity);
        speaksToTheBuyer(await rejection(call(silent.url, 100)));
        const mute = await rawServer(t, () => {});
        speaksToTheBuyer(await rejection(call(mute.url.replace("http:", `${scheme}:`), 100)));
      });

      it(`of ${name} that finds nobody`, async () => {
        speaksToTheBuyer(await rejection(call(`${scheme}://127.0.0.1:${await closedPort()}/`)));
        speaksToTheBuyer(await rejection(call(`${scheme}://backend.of-the-seller.invalid/`)));
      });

      if (scheme === "https") {
        it(`of ${name} whose peer is not trusted, or speaks no TLS`, async (t) => {
          const names = ["DNS:host.of-the-seller.internal"];
          const others = [ca.selfSigned(), ca.issue(names), ca.issue(undefined, { expired: true })];
          for (const other of others) {
            const server = await rawServer(t, PEERS["answers 200 in text"], other);
            speaksToTheBuyer(await rejection(call(server.url)));
            assert.equal(server.requests.length, 0);
          }
          const plain = await rawServer(t, (connection) =>
            connection.write("HTTP/1.1 400 No\r\n\r\n"),
          );
          speaksToTheBuyer(await rejection(call(plain.url.replace("http:", "https:"))));
        });
      }
    }
  });
}
