// @ts-check
/** A token that the backend answers with 401 is replaced, whoever sends the requests and watches. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { afterEach, describe, it } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { CANARY, issueFailed, issueTimedOut, rejection, rejectsWith } from "../support/errors.mjs";
import { watcher } from "../support/events.mjs";
import { CLIENT, oauthOf } from "../support/oauth-server.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { httpServer, reply } from "../support/server.mjs";

const REFUSED = '{"error":"invalid_token"}';
const { fetch: own } = globalThis;
/** A caller's own, which sends what it is given. @type {typeof fetch} */
const sends = (url, init) => own(url, init);

/** @type {(() => void)[]} */
const ends = [];

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const watch = watcher(ends);

/** @typedef {{ auth?: Record<string, unknown>, issuer?: object, begin?: () => void }} Path */

/** Who sends the token request and the issue, and who watches. @type {[name: string, path: Path][]} */
const PATHS = [
  ["by the native client", {}],
  ["by a fetch", { auth: { fetch: sends }, issuer: { fetch: sends } }],
  ["by a fetch for tokens alone", { auth: { fetch: sends } }],
  ["by a fetch for issues alone", { issuer: { fetch: sends } }],
  [
    "by a fetch that somebody has put in place of the runtime's",
    {
      begin() {
        globalThis.fetch = sends;
        ends.push(() => {
          globalThis.fetch = own;
        });
      },
    },
  ],
  ["while issues are watched", { begin: () => void watch("issue") }],
  ["while tokens are watched", { begin: () => void watch("token") }],
  [
    "by a fetch while both are watched",
    {
      issuer: { fetch: sends },
      auth: { fetch: sends },
      begin() {
        watch("issue");
        watch("token");
      },
    },
  ],
];

/**
 * A provider whose tokens are numbered, and a backend that takes some of them.
 *
 * @param {import("../support/server.mjs").Test} t
 * @param {Path} path
 * @param {object} [options]
 * @param {string[]} [options.good] Those that the backend takes.
 * @param {number} [options.status] What it answers for others.
 * @param {number} [options.granted] How many tokens there are.
 * @param {number} [options.answered] How many of the backend's answers ever come.
 * @param {object} [options.config] Of the issuer.
 */
async function parties(t, path, options = {}) {
  const { good = ["token-2"], status = 401, config } = options;
  const { granted = Number.POSITIVE_INFINITY, answered = Number.POSITIVE_INFINITY } = options;
  let last = 0;
  const idp = await httpServer(t, (_, response) => {
    last += 1;
    if (last > granted) return reply(response, "busy", 503);
    return reply(response, { access_token: `token-${last}`, expires_in: 3600 });
  });
  const backend = await httpServer(t, ({ headers }, response) => {
    if (backend.requests.length > answered) return undefined;
    const isGood = good.some((token) => headers.authorization === `Bearer ${token}`);
    return isGood ? reply(response) : reply(response, REFUSED, status);
  });
  path.begin?.();
  const auth = oauthOf(idp.url, path.auth);
  const issue = createRemoteTokenIssuer({ url: backend.url, auth, ...path.issuer, ...config });
  return { idp, backend, auth, issue };
}

for (const [name, path] of PATHS) {
  describe(`a token that the backend answers with 401, ${name}`, () => {
    it("is replaced by a fresh one, with which the same issue is sent once more", async (t) => {
      const { idp, backend, auth, issue } = await parties(t, path);
      assert.deepEqual(await issue(PAYMENT), { token: "t", tokenType: "Bearer" });
      const sent = backend.requests.map(({ method, headers, body }) => [
        method,
        headers.authorization,
        headers["idempotency-key"],
        JSON.parse(String(body)),
      ]);
      assert.deepEqual(sent, [
        ["POST", "Bearer token-1", PAYMENT.challengeId, PAYMENT],
        ["POST", "Bearer token-2", PAYMENT.challengeId, PAYMENT],
      ]);
      assert.deepEqual(await auth(), { Authorization: "Bearer token-2" });
      assert.equal(idp.requests.length, 2);
    });

    it("is replaced once for all calls that had it", async (t) => {
      const { idp, backend, issue } = await parties(t, path);
      await Promise.all(Array.from({ length: 20 }, () => issue(PAYMENT)));
      assert.deepEqual([idp.requests.length, backend.requests.length], [2, 40]);
    });

    it("is refused for good at the second 401", async (t) => {
      const { idp, backend, issue } = await parties(t, path, { good: [] });
      const cause = { status: 401, body: REFUSED, sent: true };
      await rejectsWith(issue(PAYMENT), issueFailed("Backend failed to issue token: 401", cause));
      assert.deepEqual([idp.requests.length, backend.requests.length], [2, 2]);
    });

    it("is the call's error where no fresh one can be had, and the cause says why", async (t) => {
      const { backend, issue } = await parties(t, path, { granted: 1 });
      await rejectsWith(
        issue(PAYMENT),
        issueFailed("Backend failed to issue token: 401", {
          message: /^http:\S+ answered 401 .*; no fresh token: http:\S+ answered 503 /,
          status: 401,
          body: REFUSED,
          sent: true,
        }),
      );
      assert.equal(backend.requests.length, 1);
    });

    it("gives the second answer no more than what is left of the deadline", async (t) => {
      const config = { timeoutMs: 3_000 };
      const { backend, issue } = await parties(t, path, { answered: 1, config });
      await rejectsWith(issue(PAYMENT), issueTimedOut({ sent: true }));
      assert.equal(backend.requests.length, 2);
    });

    it("is kept where the answer is any other, which is never asked for twice", async (t) => {
      const { idp, backend, issue } = await parties(t, path, { status: 403 });
      for (const sent of [1, 2]) {
        await rejectsWith(issue(PAYMENT), issueFailed("Backend failed to issue token: 403"));
        assert.deepEqual([idp.requests.length, backend.requests.length], [1, sent]);
      }
    });
  });
}

describe("the token that replaces one", () => {
  it("is asked for in the async context of the call, and by its fetch", async (t) => {
    const tenant = new AsyncLocalStorage();
    /** @type {[string, unknown][]} */
    const seen = [];
    /** @param {string} kind */
    const seeing = (kind) => ({
      /** @type {typeof own} */
      fetch(url, init) {
        seen.push([kind, tenant.getStore()]);
        return sends(url, init);
      },
    });
    watch("token", () => seen.push(["event", tenant.getStore()]));
    const { issue } = await parties(t, { auth: seeing("token"), issuer: seeing("issue") });
    await tenant.run("a", () => issue(PAYMENT));
    const once = ["event", "token", "issue"].map((kind) => [kind, "a"]);
    assert.deepEqual(seen, [...once, ...once]);
  });

  it("is asked for by a client whose secret is a function, which is asked again", async (t) => {
    const tenant = new AsyncLocalStorage();
    /** @type {unknown[]} */
    const seen = [];
    const clientSecret = () => {
      seen.push(tenant.getStore());
      return CLIENT.clientSecret;
    };
    for (const fetch of [undefined, sends]) {
      const { issue } = await parties(t, { auth: { clientSecret, fetch }, issuer: { fetch } });
      await tenant.run("a", () => issue(PAYMENT));
    }
    assert.deepEqual(seen, ["a", "a", "a", "a"]);
  });

  it("may be refused by what the caller's fetch throws, which the cause has without its secrets", async (t) => {
    let asked = 0;
    /** @type {typeof own} */
    const fetch = async (url, init) => {
      asked += 1;
      if (asked > 1) throw new Error(`no more for ${CLIENT.clientSecret}`);
      return sends(url, init);
    };
    const { issue, backend } = await parties(t, { auth: { fetch } });
    const { message, cause } = await rejection(issue(PAYMENT));
    assert.equal(message, "Backend failed to issue token: 401");
    assert.match(cause.message, /; no fresh token: no more for \[redacted\]$/);
    assert.equal(backend.requests.length, 1);
  });

  it("that never comes is no timeout: nothing is under way", async (t) => {
    let asked = 0;
    /** @type {typeof own} */
    const fetch = (url, init) => {
      asked += 1;
      return asked > 1 ? new Promise(() => {}) : sends(url, init);
    };
    const config = { timeoutMs: 3_000 };
    const { issue, backend } = await parties(t, { auth: { fetch } }, { config });
    const message = /; no fresh token: none came in time$/;
    const failed = issueFailed("Backend failed to issue token: 401", { message, status: 401 });
    await rejectsWith(issue(PAYMENT), failed);
    assert.equal(backend.requests.length, 1);
  });

  it("is left alone where the call is stopped meanwhile", async (t) => {
    const stopped = new AbortController();
    let asked = 0;
    /** @type {typeof own} */
    const fetch = (url, init) => {
      asked += 1;
      if (asked > 1) stopped.abort(new Error("the buyer has left"));
      return sends(url, init);
    };
    const { issue, auth, backend } = await parties(t, { auth: { fetch } });
    const { message } = await rejection(issue(PAYMENT, { signal: stopped.signal }));
    assert.equal(message, "the buyer has left");
    assert.deepEqual(await auth(), { Authorization: "Bearer token-2" });
    assert.equal(backend.requests.length, 1);
  });
});

describe("those who watch a call whose token is replaced", () => {
  it("are told of both token requests, and of one issue with its last status", async (t) => {
    const [issues, tokens] = [watch("issue"), watch("token")];
    const { idp, backend, issue } = await parties(t, {});
    await issue(PAYMENT);
    const [, , [, issued]] = issues;
    assert.deepEqual([issues.length, issued.target, issued.status], [3, backend.url, 200]);
    const ended = tokens.filter(([name]) => name === "asyncEnd").map(([, event]) => event);
    assert.deepEqual(
      ended.map(({ target, cache, status }) => [target, cache, status]),
      [
        [idp.url, "miss", 200],
        [idp.url, "miss", 200],
      ],
    );
    const inside = ended.reduce((sum, { durationMs }) => sum + durationMs, 0);
    assert.ok(issued.durationMs >= inside, `${issued.durationMs} ms, ${inside} ms inside`);
  });

  it("are told why there is none, and of the issue's 401", async (t) => {
    const [issues, tokens] = [watch("issue"), watch("token")];
    const { issue } = await parties(t, { auth: { clientSecret: CANARY } }, { granted: 1 });
    const reason = await rejection(issue(PAYMENT));
    const errors = [issues, tokens].map((it) => it.filter(([name]) => name === "error"));
    const [[[, issued]], [[, token]]] = errors;
    assert.deepEqual([issued.error, issued.status], [reason, 401]);
    assert.equal(token.status, 503);
    assert.match(token.error.message, /: OAuth token request failed: 503$/);
  });
});
