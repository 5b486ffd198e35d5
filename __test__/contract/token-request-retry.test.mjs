// @ts-check
/** Token requests that are repeated, and refusals that are remembered: both only where asked for. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { issueTimedOut, rejection, rejectsWith } from "../support/errors.mjs";
import { oauthFailed } from "../support/exchanges.mjs";
import { GRANT, oauth, oauthOf } from "../support/oauth-server.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { closedPort, httpServer, reply } from "../support/server.mjs";

const RETRY = { attempts: 3, minDelayMs: 1, maxDelayMs: 5 };
const BEARER = { Authorization: `Bearer ${GRANT.access_token}` };

/**
 * A provider whose endpoint answers so many times with a failure, then with a token.
 *
 * @param {import("../support/server.mjs").Test} t
 * @param {number} failures
 * @param {(response: import("node:http").ServerResponse) => unknown} fail
 * @param {Record<string, unknown>} config
 */
function failing(t, failures, fail, config) {
  let left = failures;
  return oauth(t, (_, response) => (left-- > 0 ? fail(response) : reply(response, GRANT)), config);
}

describe("retry", () => {
  for (const status of [429, 500, 502, 503, 504, 599]) {
    it(`repeats a request that was answered ${status}`, async (t) => {
      const busy = (/** @type {any} */ response) => reply(response, "busy", status);
      const { auth, server } = await failing(t, 2, busy, { retry: RETRY });
      assert.deepEqual(await auth(), BEARER);
      assert.equal(server.requests.length, 3);
    });
  }

  for (const status of [302, 400, 401, 403, 404]) {
    it(`does not repeat one that was answered ${status}`, async (t) => {
      const no = (/** @type {any} */ response) => reply(response, "no", status);
      const { auth, server } = await failing(t, 1, no, { retry: RETRY });
      await rejectsWith(auth(), oauthFailed(`OAuth token request failed: ${status}`));
      assert.equal(server.requests.length, 1);
    });
  }

  it("gives up after so many requests, with the last failure", async (t) => {
    const { auth, server } = await failing(t, 9, (response) => reply(response, "busy", 503), {
      retry: RETRY,
    });
    const waiting = Array.from({ length: 20 }, () => rejection(auth()));
    for (const error of await Promise.all(waiting)) {
      await rejectsWith(Promise.reject(error), oauthFailed("OAuth token request failed: 503"));
    }
    assert.equal(server.requests.length, 3);
  });

  it("repeats one whose connection broke, beyond the repetition that every one has", async (t) => {
    const { auth, server } = await failing(t, 3, (response) => response.socket?.destroy(), {
      retry: RETRY,
    });
    assert.deepEqual(await auth(), BEARER);
    assert.equal(server.requests.length, 4);
  });

  it("waits for a server that is not there yet", async (t) => {
    const port = await closedPort();
    const auth = oauthOf(`http://127.0.0.1:${port}/token`, {
      retry: { attempts: 20, minDelayMs: 50, maxDelayMs: 200 },
    });
    const call = auth();
    const { createServer } = await import("node:http");
    const server = createServer((_, response) => reply(response, GRANT));
    t.after(() => server.close());
    server.listen(port, "127.0.0.1");
    assert.deepEqual(await call, BEARER);
    server.closeAllConnections();
  });

  it("waits for as long as Retry-After says, and no longer than maxDelayMs", async (t) => {
    const later = (/** @type {any} */ response) => reply(response, "", 429, { "retry-after": "1" });
    const { auth } = await failing(t, 1, later, { retry: { minDelayMs: 0, maxDelayMs: 60_000 } });
    const begun = performance.now();
    await auth();
    assert.ok(performance.now() - begun >= 990);
    const much = (/** @type {any} */ response) =>
      reply(response, "", 429, { "retry-after": "3600" });
    const capped = await failing(t, 1, much, { retry: RETRY });
    assert.deepEqual(await capped.auth(), BEARER);
  });

  it("gives the failure at once where the pause would go past the deadline", async (t) => {
    const later = (/** @type {any} */ response) =>
      reply(response, "", 503, { "retry-after": "60" });
    const retry = { minDelayMs: 0, maxDelayMs: 60_000 };
    const { auth, server } = await failing(t, 1, later, { retry });
    await rejectsWith(auth(), oauthFailed("OAuth token request failed: 503"));
    assert.equal(server.requests.length, 1);
  });

  it("is bounded by the issuer's deadline, too", async (t) => {
    const { auth } = await failing(t, 99, (response) => reply(response, "busy", 503), {
      retry: { attempts: 20, minDelayMs: 60_000 / 100, maxDelayMs: 60_000 / 100 },
    });
    const backend = await httpServer(t);
    const issue = createRemoteTokenIssuer({ url: backend.url, auth, timeoutMs: 100 });
    await rejectsWith(issue(PAYMENT), issueTimedOut({ sent: false }));
    assert.equal(backend.requests.length, 0);
  });

  it("is off unless asked for", async (t) => {
    const { auth, server } = await failing(t, 1, (response) => reply(response, "busy", 503), {});
    await rejectsWith(auth(), oauthFailed("OAuth token request failed: 503"));
    assert.equal(server.requests.length, 1);
  });
});

describe("coolDownMs", () => {
  const refused = (/** @type {any} */ response) =>
    reply(response, { error: "invalid_client" }, 401);
  const limited = (/** @type {any} */ response) => reply(response, "slow down", 429);

  for (const [what, fail, reason] of /** @type {[string, any, string][]} */ ([
    ["invalid_client", refused, "OAuth token request failed: 401 invalid_client"],
    ["a 429", limited, "OAuth token request failed: 429"],
  ])) {
    it(`gives ${what} again without asking, each caller an error of its own`, async (t) => {
      const { auth, server } = await failing(t, 1, fail, { coolDownMs: 60_000 });
      const errors = [];
      for (let i = 0; i < 5; i++) errors.push(await rejection(auth()));
      for (const error of errors) await rejectsWith(Promise.reject(error), oauthFailed(reason));
      assert.equal(new Set(errors).size, 5);
      assert.equal(server.requests.length, 1);
    });
  }

  it("asks again when it is over", async (t) => {
    const { auth, server } = await failing(t, 1, refused, { coolDownMs: 1 });
    await rejection(auth());
    const over = performance.now() + 5;
    while (performance.now() < over);
    assert.deepEqual(await auth(), BEARER);
    assert.equal(server.requests.length, 2);
  });

  it("remembers no other failure, and none unless asked for", async (t) => {
    const busy = (/** @type {any} */ response) => reply(response, "busy", 503);
    for (const [fail, config] of /** @type {[any, any][]} */ ([
      [busy, { coolDownMs: 60_000 }],
      [refused, {}],
    ])) {
      const { auth, server } = await failing(t, 1, fail, config);
      await rejection(auth());
      assert.deepEqual(await auth(), BEARER);
      assert.equal(server.requests.length, 2);
    }
  });
});

describe("options that are none", () => {
  for (const [config, sentence] of /** @type {[any, string][]} */ ([
    [{ retry: 3 }, "TypeError: retry must be an object"],
    [{ retry: { attempts: 0 } }, "RangeError: retry.attempts must be a whole number from 1 to 20"],
    [{ retry: { attempts: "3" } }, "TypeError: retry.attempts must be a finite number"],
    [
      { retry: { minDelayMs: -1 } },
      "RangeError: retry.minDelayMs must be from 0 to 60000 milliseconds",
    ],
    [
      { retry: { minDelayMs: 2, maxDelayMs: 1 } },
      "RangeError: retry.maxDelayMs must not be below retry.minDelayMs",
    ],
    [{ coolDownMs: -1 }, "RangeError: coolDownMs must be from 0 to 3600000 milliseconds"],
    [
      { refreshAhead: 0 },
      "RangeError: refreshAhead must be a number of seconds from 1 on, or a fraction between 0 and 1",
    ],
    [{ refreshAhead: true }, "TypeError: refreshAhead must be a finite number"],
    [{ cache: {} }, "TypeError: cache must have the methods get and set"],
    [{ cache: "redis" }, "TypeError: cache must have the methods get and set"],
    [{ cache: { get() {} } }, "TypeError: cache must have the methods get and set"],
  ])) {
    it(`are refused by name: ${JSON.stringify(config)}`, () => {
      assert.throws(
        () => oauthOf("http://127.0.0.1:9/token", config),
        (/** @type {Error} */ error) => String(error).startsWith(sentence),
      );
    });
  }
});
