// @ts-check
/** oauthClientCredentialsAuth: callers that arrive during a fetch share it. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { describe, it } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { issueTimedOut, rejection, rejectsWith } from "../support/errors.mjs";
import { oauthFailed } from "../support/exchanges.mjs";
import { gate } from "../support/gate.mjs";
import { oauth, oauthOf } from "../support/oauth-server.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { closedPort, httpServer, reply } from "../support/server.mjs";

const BEARER = { Authorization: "Bearer t" };

/**
 * A provider whose endpoint answers once it is told to.
 *
 * @param {import("../support/server.mjs").Test} t
 * @param {unknown} [body]
 * @param {number} [status]
 */
async function held(t, body = { access_token: "t", expires_in: 3600 }, status = 200) {
  const asked = gate();
  const release = gate();
  const { auth, server } = await oauth(t, async (_, response) => {
    asked.open();
    await release.opened;
    reply(response, body, status);
  });
  return { auth, server, asked: asked.opened, release: release.open };
}

describe("callers on a cold cache", () => {
  it("make one request, 1,000 of them", async (t) => {
    const { auth, server } = await oauth(t, { access_token: "t", expires_in: 3600 });
    const given = await Promise.all(Array.from({ length: 1_000 }, () => auth()));
    assert.equal(server.requests.length, 1);
    assert.equal(server.connections(), 1);
    for (const headers of given) assert.deepEqual(headers, BEARER);
    assert.equal(new Set(given).size, 1_000);
  });

  it("share a token that will not be kept, and the next one fetches its own", async (t) => {
    const { auth, server, release, asked } = await held(t, { access_token: "t", expires_in: 10 });
    const waiting = Array.from({ length: 20 }, () => auth());
    await asked;
    const late = auth();
    release();
    for (const headers of await Promise.all([...waiting, late])) assert.deepEqual(headers, BEARER);
    assert.equal(server.requests.length, 1);
    await auth();
    assert.equal(server.requests.length, 2);
  });

  it("share it with the issuers that use the provider", async (t) => {
    const { auth, server, release, asked } = await held(t);
    const backend = await httpServer(t);
    const issue = createRemoteTokenIssuer({ url: backend.url, auth });
    const calls = [auth(), ...Array.from({ length: 10 }, () => issue(PAYMENT)), auth()];
    await asked;
    release();
    await Promise.all(calls);
    assert.equal(server.requests.length, 1);
    assert.equal(backend.requests.length, 10);
    for (const { headers } of backend.requests) assert.equal(headers.authorization, "Bearer t");
  });

  // B45
  it("keep their own async context, whoever began the fetch", async (t) => {
    const als = new AsyncLocalStorage();
    const { auth, release, asked } = await held(t);
    const tenants = ["a", "b", "c"];
    const calls = tenants.map((tenant) =>
      als.run(tenant, async () => {
        try {
          await auth();
          return als.getStore();
        } finally {
          assert.equal(als.getStore(), tenant);
        }
      }),
    );
    await asked;
    release();
    assert.deepEqual(await Promise.all(calls), tenants);
  });

  it("keep it where the fetch fails", async (t) => {
    const als = new AsyncLocalStorage();
    const { auth, release, asked } = await held(t, "busy", 503);
    const calls = ["a", "b"].map((tenant) =>
      als.run(tenant, () => auth().catch(() => als.getStore())),
    );
    await asked;
    release();
    assert.deepEqual(await Promise.all(calls), ["a", "b"]);
  });
});

describe("a failed fetch", () => {
  it("is shared by all who waited, each with an error of its own", async (t) => {
    const { auth, server, release, asked } = await held(t, "busy", 503);
    const waiting = Array.from({ length: 1_000 }, () => rejection(auth()));
    await asked;
    release();
    const errors = await Promise.all(waiting);
    assert.equal(server.requests.length, 1);
    assert.equal(new Set(errors).size, 1_000);
    assert.equal(new Set(errors.map((error) => error.cause)).size, 1_000);
    for (const error of errors) {
      await rejectsWith(Promise.reject(error), oauthFailed("OAuth token request failed: 503"));
    }
  });

  it("shows each waiter's own async caller in its stack", async (t) => {
    const { auth, release, asked } = await held(t, "busy", 503);
    async function payForPhoto() {
      return await auth();
    }
    async function payForSong() {
      return await auth();
    }
    const waiting = [rejection(payForPhoto()), rejection(payForSong())];
    await asked;
    release();
    const [photo, song] = await Promise.all(waiting);
    assert.match(photo.stack, /\n.*payForPhoto/);
    assert.match(song.stack, /\n.*payForSong/);
    assert.doesNotMatch(photo.stack, /payForSong/);
  });

  it("leaves nothing behind: the next call asks again", async () => {
    const port = await closedPort();
    const auth = oauthOf(`http://127.0.0.1:${port}/token`);
    for (let i = 0; i < 2; i++) {
      const refused = { ...oauthFailed(""), message: /^Failed to authenticate via OAuth: ./ };
      const cause = { code: "ECONNREFUSED", sent: false };
      await rejectsWith(auth(), { ...refused, cause });
    }
  });
});

describe("a waiter with a shorter deadline", () => {
  /** An issuer that gives up after a second. */
  const hasty = (/** @type {any} */ auth, /** @type {string} */ url) =>
    createRemoteTokenIssuer({ url, auth, timeoutMs: 1_000 });

  it("gives up alone", async (t) => {
    const { auth, server, release, asked } = await held(t);
    const backend = await httpServer(t);
    const patient = auth();
    await asked;
    const call = hasty(auth, backend.url)(PAYMENT);
    await rejectsWith(call, issueTimedOut({ sent: false }));
    release();
    assert.deepEqual(await patient, BEARER);
    assert.equal(server.requests.length, 1);
    assert.equal(backend.connections(), 0);
  });

  it("does not take the fetch along, though it began it", async (t) => {
    const { auth, server, release, asked } = await held(t);
    const backend = await httpServer(t);
    const first = rejectsWith(hasty(auth, backend.url)(PAYMENT), issueTimedOut({ sent: false }));
    await asked;
    const second = auth();
    await first;
    release();
    assert.deepEqual(await second, BEARER);
    assert.deepEqual(await auth(), BEARER);
    assert.equal(server.requests.length, 1);
  });

  it("does not end the fetch where nobody else waits: its token is kept", async (t) => {
    const { auth, server, release, asked } = await held(t);
    const backend = await httpServer(t);
    const first = rejectsWith(hasty(auth, backend.url)(PAYMENT), issueTimedOut({ sent: false }));
    await asked;
    await first;
    release();
    assert.deepEqual(await auth(), BEARER);
    assert.equal(server.requests.length, 1);
  });
});
