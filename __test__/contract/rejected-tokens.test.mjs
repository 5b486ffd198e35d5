// @ts-check
/** Access tokens that a server rejects: replaced once, and never a second issue for anything else. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { issueFailed, issueTimedOut, rejectsWith } from "../support/errors.mjs";
import { gate } from "../support/gate.mjs";
import { CLIENT, oauth, oauthOf } from "../support/oauth-server.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { httpServer, reply } from "../support/server.mjs";

const REFUSED = '{"error":"invalid_token"}';

/**
 * A provider whose tokens are numbered, by an endpoint that counts them.
 *
 * @param {import("../support/server.mjs").Test} t
 */
async function numbered(t) {
  let last = 0;
  return oauth(t, (_, response) => {
    last += 1;
    reply(response, { access_token: `token-${last}`, expires_in: 3600 });
  });
}

/**
 * A backend that takes these tokens alone, and answers `refusal` for others.
 *
 * @param {import("../support/server.mjs").Test} t
 * @param {Set<string>} good
 */
function backendThatTakes(t, good, refusal = /** @type {[string, number]} */ ([REFUSED, 401])) {
  return httpServer(t, ({ headers }, response) => {
    if (good.has(headers.authorization.replace("Bearer ", ""))) return reply(response);
    return reply(response, ...refusal);
  });
}

/** What arrived for one payment, over and over. @param {import("../support/server.mjs").Seen[]} requests */
function sameIssue(requests) {
  for (const { method, body, headers } of requests) {
    assert.equal(method, "POST");
    assert.deepEqual(JSON.parse(String(body)), PAYMENT);
    assert.equal(headers["idempotency-key"], PAYMENT.challengeId);
  }
}

describe("a token that the backend answers with 401", () => {
  it("is replaced by a fresh one, with which the same issue is sent once more", async (t) => {
    const { auth, server } = await numbered(t);
    const backend = await backendThatTakes(t, new Set(["token-2"]));
    const issue = createRemoteTokenIssuer({ url: backend.url, auth });
    assert.deepEqual(await issue(PAYMENT), { token: "t", tokenType: "Bearer" });
    const sent = backend.requests.map(({ headers }) => headers.authorization);
    assert.deepEqual(sent, ["Bearer token-1", "Bearer token-2"]);
    sameIssue(backend.requests);
    assert.deepEqual(await auth(), { Authorization: "Bearer token-2" });
    assert.equal(server.requests.length, 2);
  });

  it("is replaced once for all calls that had it", async (t) => {
    const { auth, server } = await numbered(t);
    const backend = await backendThatTakes(t, new Set(["token-2"]));
    const issue = createRemoteTokenIssuer({ url: backend.url, auth });
    await Promise.all(Array.from({ length: 100 }, () => issue(PAYMENT)));
    assert.equal(server.requests.length, 2);
    assert.equal(backend.requests.length, 200);
  });

  it("is left alone where a fresher one is kept by then", async (t) => {
    const { auth, server } = await numbered(t);
    const arrived = gate();
    const release = gate();
    const backend = await httpServer(t, async ({ headers }, response) => {
      if (headers.authorization !== "Bearer token-1") return reply(response);
      arrived.open();
      await release.opened;
      return reply(response, REFUSED, 401);
    });
    const call = createRemoteTokenIssuer({ url: backend.url, auth })(PAYMENT);
    await arrived.opened;
    auth.invalidate();
    assert.deepEqual(await auth(), { Authorization: "Bearer token-2" });
    release.open();
    await call;
    assert.equal(backend.requests[1].headers.authorization, "Bearer token-2");
    assert.equal(server.requests.length, 2);
  });

  it("is refused for good at the second 401", async (t) => {
    const { auth, server } = await numbered(t);
    const backend = await backendThatTakes(t, new Set());
    const issue = createRemoteTokenIssuer({ url: backend.url, auth });
    const cause = { status: 401, body: REFUSED, sent: true };
    await rejectsWith(issue(PAYMENT), issueFailed("Backend failed to issue token: 401", cause));
    assert.equal(backend.requests.length, 2);
    assert.equal(server.requests.length, 2);
  });

  it("is the call's error where no fresh one can be had, and the cause says why", async (t) => {
    let asked = 0;
    const { auth } = await oauth(t, (_, response) => {
      asked += 1;
      if (asked > 1) return reply(response, "busy", 503);
      return reply(response, { access_token: "token-1", expires_in: 3600 });
    });
    const backend = await backendThatTakes(t, new Set());
    const issue = createRemoteTokenIssuer({ url: backend.url, auth });
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

  it("is no timeout where the fresh one does not come in time: nothing is under way", async (t) => {
    let asked = 0;
    const { auth } = await oauth(t, (_, response) => {
      asked += 1;
      if (asked === 1) reply(response, { access_token: "token-1", expires_in: 3600 });
    });
    const backend = await backendThatTakes(t, new Set());
    const issue = createRemoteTokenIssuer({ url: backend.url, auth, timeoutMs: 3_000 });
    await rejectsWith(
      issue(PAYMENT),
      issueFailed("Backend failed to issue token: 401", {
        message: /; no fresh token: none came in time$/,
        status: 401,
      }),
    );
  });

  it("gives the second answer no more than what is left of the deadline", async (t) => {
    const { auth } = await numbered(t);
    const backend = await httpServer(t, ({ headers }, response) => {
      if (headers.authorization === "Bearer token-1") reply(response, REFUSED, 401);
    });
    const issue = createRemoteTokenIssuer({ url: backend.url, auth, timeoutMs: 3_000 });
    await rejectsWith(issue(PAYMENT), issueTimedOut({ sent: true }));
    assert.equal(backend.requests.length, 2);
  });
});

describe("an issue is never sent again", () => {
  for (const status of [400, 402, 403, 409, 500, 503]) {
    it(`for a ${status}, whatever token it had`, async (t) => {
      const { auth, server } = await numbered(t);
      const backend = await backendThatTakes(t, new Set(), [REFUSED, status]);
      const issue = createRemoteTokenIssuer({ url: backend.url, auth });
      await rejectsWith(issue(PAYMENT), issueFailed(`Backend failed to issue token: ${status}`));
      assert.equal(backend.requests.length, 1);
      assert.equal(server.requests.length, 1);
    });
  }

  it("for a 200 without a token, nor for a connection that broke", async (t) => {
    const { auth } = await numbered(t);
    const empty = await httpServer(t, {});
    const broken = await httpServer(t, (_, response) => void response.socket?.destroy());
    for (const { url, requests } of [empty, broken]) {
      await rejectsWith(
        createRemoteTokenIssuer({ url, auth })(PAYMENT),
        issueFailed(/^(Backend response|Network error)/),
      );
      assert.equal(requests.length, 1);
    }
  });

  it("for a 401 behind a 303: the backend has served it", async (t) => {
    const { auth } = await numbered(t);
    const backend = await httpServer(t, ({ method }, response) =>
      method === "POST"
        ? reply(response, "", 303, { location: "/issued/1" })
        : reply(response, REFUSED, 401),
    );
    const issue = createRemoteTokenIssuer({ url: backend.url, auth });
    await rejectsWith(issue(PAYMENT), issueFailed("Backend failed to issue token: 401"));
    assert.deepEqual(
      backend.requests.map(({ method }) => method),
      ["POST", "GET"],
    );
  });

  it("for a 401 where the headers are not those of a token that is kept", async (t) => {
    const { auth } = await numbered(t);
    const backend = await httpServer(t, (_, response) => reply(response, REFUSED, 401));
    for (const config of [{ secret: "s3cr3t" }, { auth: () => auth() }, {}]) {
      const call = createRemoteTokenIssuer({ url: backend.url, ...config })(PAYMENT);
      await rejectsWith(call, issueFailed("Backend failed to issue token: 401"));
    }
    assert.equal(backend.requests.length, 3);
  });
});

describe("invalidate()", () => {
  it("reads the token in whatever its caller has made of the headers", async (t) => {
    const { auth, server } = await numbered(t);
    const old = await auth();
    auth.invalidate(old);
    await auth();
    const { Authorization } = old;
    /** @type {any[]} */
    const forms = [
      { authorization: Authorization },
      { accept: "*/*", AUTHORIZATION: Authorization },
      new Headers({ accept: "*/*", ...old }),
      new Map([["Authorization", Authorization]]),
    ];
    // None of them names the fresh one.
    for (const form of forms) auth.invalidate(form);
    await auth();
    assert.equal(server.requests.length, 2);
    auth.invalidate(/** @type {any} */ (new Headers(await auth())));
    assert.deepEqual(await auth(), { Authorization: "Bearer token-3" });
  });

  it("lets the next call fetch another token", async (t) => {
    const { auth, server } = await numbered(t);
    await auth();
    auth.invalidate();
    assert.deepEqual(await auth(), { Authorization: "Bearer token-2" });
    assert.equal(server.requests.length, 2);
  });

  it("forgets the token of these headers, and not a fresher one", async (t) => {
    const { auth, server } = await numbered(t);
    const old = await auth();
    auth.invalidate(old);
    auth.invalidate(old);
    const fresh = await auth();
    auth.invalidate(old);
    assert.deepEqual(await auth(), fresh);
    assert.equal(server.requests.length, 2);
  });

  it("is harmless without a token, and takes what is no headers for none", async (t) => {
    const { auth } = await numbered(t);
    auth.invalidate();
    await auth();
    for (const odd of [{}, { Authorization: 7 }, null]) {
      auth.invalidate(/** @type {any} */ (odd));
      await auth();
    }
    const unused = oauthOf("http://127.0.0.1:9/token", CLIENT);
    unused.invalidate({ Authorization: "Bearer x" });
  });
});
