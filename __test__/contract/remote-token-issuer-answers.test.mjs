// @ts-check
/** createRemoteTokenIssuer: what an answer gives, and the table of its failures. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, it } from "node:test";
import { createRemoteTokenIssuer, Key0Error, oauthClientCredentialsAuth } from "../../index.mjs";
import { CANARY, issueFailed, rejection, rejectsWith, showsNoCanary } from "../support/errors.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { closedPort, httpServer, reply } from "../support/server.mjs";

/**
 * The call's promise, against a server that answers this text.
 *
 * @param {any} t
 * @param {string} body
 * @param {number} [status]
 */
async function issued(t, body, status = 200) {
  const server = await httpServer(t, (_, response) => {
    reply(response, body, status);
  });
  return createRemoteTokenIssuer({ url: server.url })(PAYMENT);
}

describe("an answer", () => {
  it("gives token and tokenType, and nothing else", async (t) => {
    const body = '{"token":"t","tokenType":"DPoP","expiresIn":60,"planId":"basic"}';
    assert.deepEqual(await issued(t, body), { token: "t", tokenType: "DPoP" });
  });

  for (const status of [200, 201, 202, 206, 226, 299]) {
    it(`counts with status ${status}`, async (t) => {
      assert.equal((await issued(t, '{"token":"t"}', status)).token, "t");
    });
  }

  const tokens = [
    '"t"',
    '" "',
    '"0"',
    // B36
    '"a\\u0000b"',
    '"\\ud83d\\ude00"',
    '"\\/\\u00e9é"',
    '{"apiKey":"k","scopes":["a"],"n":{"deep":null}}',
    '{"__proto__":{"x":1},"constructor":2}',
    "[]",
    "{}",
    '["a"]',
    "1",
    "-1.5e-3",
    "12345678901234567890",
    "1e400",
    "true",
  ];
  for (const token of tokens) {
    it(`passes the token ${token} on as JSON.parse gives it`, async (t) => {
      const body = `{"token":${token}}`;
      const result = await issued(t, body);
      assert.deepEqual(result, { token: JSON.parse(body).token, tokenType: "Bearer" });
    });
  }

  it("passes a token of a megabyte on", async (t) => {
    const token = "é".repeat(500_000);
    assert.equal((await issued(t, JSON.stringify({ token }))).token, token);
  });

  it("passes a token with a lone surrogate on as JSON.parse gives it", async (t) => {
    assert.equal((await issued(t, '{"token":"\\ud800x"}')).token, "\ud800x");
  });

  for (const tokenType of ["null", "false", "0", '""']) {
    it(`with the tokenType ${tokenType} is a Bearer token`, async (t) => {
      const { tokenType: type } = await issued(t, `{"token":"t","tokenType":${tokenType}}`);
      assert.equal(type, "Bearer");
    });
  }

  it("passes any truthy tokenType on unchanged", async (t) => {
    const { tokenType } = await issued(t, '{"token":"t","tokenType":{"scheme":"x"}}');
    assert.deepEqual(tokenType, { scheme: "x" });
  });
});

describe("an answer without a usable token", () => {
  const cause = { status: 200, body: undefined, sent: true };
  const missing = issueFailed("Backend response missing 'token' field", cause);
  const falsy = ["null", "false", "0", "-0", "0.0", "0e9", "1e-400", '""'];
  const without = ["{}", "[]", "null", "true", "42", '"token"', '[{"token":"t"}]', '{"Token":"t"}'];
  const bodies = [...falsy.map((token) => `{"token":${token}}`), ...without];
  for (const body of bodies) {
    it(`${body} is refused, and not quoted`, async (t) => {
      const error = await rejectsWith(issued(t, body), missing);
      const length = `(no content type, ${body.length} bytes): no usable token in it`;
      assert.match(error.cause.message, /^http:\/\/127\.0\.0\.1:\d+ answered 200 /);
      assert.ok(error.cause.message.endsWith(length), error.cause.message);
    });
  }
});

describe("an answer that is not JSON", () => {
  const cause = { message: /: invalid JSON at line \d+ column \d+$/, body: undefined, sent: true };
  const unreadable = issueFailed("Network error: the answer is not JSON", cause);
  const bodies = ["", " ", "t", "<html></html>", '{"token":"t"', '{"token":"t"}x', "{'token':'t'}"];
  for (const body of [
    ...bodies,
    '{"token":NaN}',
    '{"token":01}',
    '{"token":"a\nb"}',
    "undefined",
  ]) {
    it(`${JSON.stringify(body)} is a network error`, async (t) => {
      await rejectsWith(issued(t, body), unreadable);
    });
  }

  it("such as 204, which has none, is a network error", async (t) => {
    await rejectsWith(issued(t, "", 204), unreadable);
  });
});

describe("an answer beyond 2xx", () => {
  for (const status of [300, 304, 400, 401, 404, 409, 418, 429, 500, 502, 503, 599]) {
    it(`${status} is told, its body in the cause`, async (t) => {
      const body = status === 304 ? undefined : "no such plan";
      const message = `Backend failed to issue token: ${status}`;
      const expected = issueFailed(message, { status, body, sent: true });
      await rejectsWith(issued(t, body ?? "", status), expected);
    });
  }

  it("counts even where its body has a token", async (t) => {
    const expected = issueFailed("Backend failed to issue token: 500", { body: '{"token":"t"}' });
    await rejectsWith(issued(t, '{"token":"t"}', 500), expected);
  });
});

describe("a failure of the network", () => {
  it("by a refused connection says so", async () => {
    const port = await closedPort();
    const cause = {
      message: `connecting to http://127.0.0.1:${port}: connection refused (ECONNREFUSED)`,
      code: "ECONNREFUSED",
      syscall: "connect",
      address: "127.0.0.1",
      port,
      sent: false,
    };
    const expected = issueFailed("Network error: connection refused (ECONNREFUSED)", cause);
    const issue = createRemoteTokenIssuer({ url: `http://127.0.0.1:${port}/` });
    await rejectsWith(issue(PAYMENT), expected);
  });

  it("by an unknown host says so", async () => {
    const issue = createRemoteTokenIssuer({ url: "http://nope.invalid/issue" });
    const cause = {
      message: "connecting to http://nope.invalid: host name not found (ENOTFOUND)",
      code: "ENOTFOUND",
      syscall: "getaddrinfo",
      hostname: "nope.invalid",
      sent: false,
    };
    const expected = issueFailed("Network error: host name not found (ENOTFOUND)", cause);
    await rejectsWith(issue(PAYMENT), expected);
  });

  // B37
  it("by port 0 comes at the call, not at creation", async () => {
    const issue = createRemoteTokenIssuer({ url: "http://127.0.0.1:0/issue" });
    await rejectsWith(issue(PAYMENT), issueFailed(/^Network error: ./, { sent: false }));
  });

  it("does not show the URL's password or query", async () => {
    const secret = encodeURIComponent(CANARY);
    const url = `http://u:${secret}@127.0.0.1:${await closedPort()}/?key=${secret}`;
    await rejectsWith(createRemoteTokenIssuer({ url })(PAYMENT), issueFailed(/^Network error: ./));
  });
});

describe("a strategy that fails", () => {
  it("keeps its code, its sentence and its status", async (t) => {
    const backend = await httpServer(t);
    const idp = await httpServer(t, (_, response) => reply(response, "no", 401));
    const auth = oauthClientCredentialsAuth({
      tokenUrl: idp.url,
      clientId: "id",
      clientSecret: CANARY,
    });
    const expected = {
      code: "INTERNAL_ERROR",
      httpStatus: 500,
      message: "Failed to authenticate via OAuth: OAuth token request failed: 401",
    };
    await rejectsWith(createRemoteTokenIssuer({ url: backend.url, auth })(PAYMENT), expected);
    await rejectsWith(auth(), expected);
    assert.equal(backend.connections(), 0);
  });

  // B53
  it("of another copy of the package has its own error passed on", async (t) => {
    const require = createRequire(import.meta.url);
    const first = require("../../index.js");
    for (const file of Object.keys(require.cache)) delete require.cache[file];
    const other = require("../../index.js");
    assert.notEqual(other.Key0Error, first.Key0Error);

    const backend = await httpServer(t);
    const idp = await httpServer(t, (_, response) => reply(response, "no", 401));
    const config = { tokenUrl: idp.url, clientId: "id", clientSecret: CANARY };
    const auth = other.oauthClientCredentialsAuth(config);
    const error = await rejection(
      first.createRemoteTokenIssuer({ url: backend.url, auth })(PAYMENT),
    );
    assert.ok(error instanceof other.Key0Error);
    assert.equal(error.code, "INTERNAL_ERROR");
    assert.equal(error.httpStatus, 500);
    const reason = "OAuth token request failed: 401";
    assert.equal(error.message, `Failed to authenticate via OAuth: ${reason}`);
    showsNoCanary(error);
  });

  it("passes our own Key0Error on as the same object", async (t) => {
    const backend = await httpServer(t);
    const reason = new Key0Error("PAYMENT_FAILED", "their own sentence", 402, { retry: false });
    const issue = createRemoteTokenIssuer({
      url: backend.url,
      auth: () => Promise.reject(reason),
    });
    assert.equal(await rejection(issue(PAYMENT)), reason);
  });
});
