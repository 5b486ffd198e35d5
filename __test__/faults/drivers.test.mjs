// @ts-check
/**
 * The two drivers of one exchange: what breaks, redirects or goes beyond a limit is the same error
 * where the runtime's `fetch` sends, but for what that keeps to itself. Addresses, names, answers
 * and TLS have differential tests of their own.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { rejection } from "../support/errors.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { rawServer } from "../support/server.mjs";

const MOST = 1 << 20;
const head = (/** @type {number} */ length, more = "") =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n${more}\r\n`;
const moved = (/** @type {string} */ location) =>
  `HTTP/1.1 307 Moved\r\nLocation: ${location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
const CHUNKS = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/** How the server breaks: what it writes behind the request, and what it does then. */
const BREAKS = /** @type {[name: string, bytes: string, then: "end" | "reset" | "stay"][]} */ ([
  ["a connection that ends", "", "end"],
  ["a connection that is reset", "", "reset"],
  ["silence", "", "stay"],
  ["another protocol", "SSH-2.0-x\r\n", "end"],
  ["half a head, then the end", "HTTP/1.1 200 OK\r\nCont", "end"],
  ["half a body, then the end", `${head(20)}{`, "end"],
  ["half a body, then silence", `${head(20)}{`, "stay"],
  ["half a chunk", `${CHUNKS}5\r\n{"to`, "end"],
  ["a chunk of no size", `${CHUNKS}zz\r\n{"to`, "end"],
  ["a body of 1 MiB and a byte", head(MOST + 1) + " ".repeat(MOST + 1), "end"],
  ["a head of 300 KB", head(0, `X: ${"a".repeat(300_000)}\r\n`), "end"],
  ["gzip that is none", `${head(5, "Content-Encoding: gzip\r\n")}hello`, "end"],
  ["no JSON", `${head(5)}hello`, "end"],
  ["nothing", head(0), "end"],
  ["204", "HTTP/1.1 204 No Content\r\n\r\n", "end"],
  ["304", "HTTP/1.1 304 Not Modified\r\n\r\n", "end"],
  ["302 without a Location", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "end"],
  ["503", "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", "end"],
  ["503 and half a body", "HTTP/1.1 503 Busy\r\nContent-Length: 40\r\n\r\nbusy", "end"],
  ["redirects without end", moved("/again"), "end"],
  ["a redirect to another origin", moved("http://elsewhere.test/"), "end"],
  ["a redirect with credentials", moved("http://user:pw@127.0.0.1/"), "end"],
  ["a redirect to no URL", moved("http://["), "end"],
  ["a redirect to another scheme", moved("ftp://127.0.0.1/"), "end"],
  ["a redirect to a port that fetch calls no server at", moved("https://127.0.0.1:1/"), "end"],
]);

/** What fetch keeps to itself, and what is told then. @type {Record<string, Record<string, unknown>>} */
const KEPT = {
  "half a head, then the end": {
    why: "waiting for the answer of ORIGIN: connection closed too early (ECONNRESET)",
  },
  "gzip that is none": {
    message: "Network error: the answer is not valid in its content coding",
    why: "reading the answer of ORIGIN: the answer is not valid in its content coding",
  },
  "a redirect to a port that fetch calls no server at": {
    message: "Network error: fetch calls no server at this port",
    why: "connecting to https://127.0.0.1:1: fetch calls no server at this port",
    code: undefined,
    syscall: undefined,
    address: undefined,
    port: undefined,
  },
};

/** Sentences of ours, one of which tells it on every runtime. */
const OURS =
  /^(Backend failed to issue token: \d+|Remote token issuance timed out|Network error: (the connection failed|connection (reset|closed too early|refused) \(ECONN(RESET|REFUSED)\)|redirected to .*|more than 5 redirects|the answer is .*|the head of the answer is too long|fetch calls no server at this port))$/;

const isNode = !process.versions.bun && !process.versions.deno;

describe("the same server, called natively and through fetch, is the same error:", () => {
  for (const [name, bytes, then] of BREAKS) {
    it(name, async (t) => {
      const server = await rawServer(t, async (connection) => {
        if (!(await connection.request())) return;
        await connection.write(bytes);
        if (then !== "stay") connection[then]();
      });
      const { origin } = new URL(server.url);
      const failure = async (/** @type {any} */ fetch) => {
        const config = { url: server.url, timeoutMs: then === "stay" ? 3_000 : 10_000, fetch };
        const { code, httpStatus, message, cause } = await rejection(
          createRemoteTokenIssuer(config)(PAYMENT),
        );
        const why = cause.message.replaceAll(origin, "ORIGIN");
        const { syscall, address, port, status, body, sent } = cause;
        const facts = { why, code: cause.code, syscall, address, port, status, body, sent };
        return { code, httpStatus, message, facts };
      };
      const [ours, driven] = [await failure(false), await failure(fetch)];
      // Deno has no name for what it cannot undo.
      if (name !== "gzip that is none" || !process.versions.deno) {
        assert.match(driven.message, OURS);
      }
      assert.match(ours.message, OURS);
      const { message = ours.message, ...kept } = KEPT[name] ?? {};
      const told = { ...ours, message, facts: { ...ours.facts, ...kept } };
      // Others tell less: Bun all ends of a connection by one code.
      if (isNode) assert.deepEqual(driven, told);
    });
  }
});
