// @ts-check
/** AsyncLocalStorage is the caller's own at every place. B45 */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { describe, it } from "node:test";
import {
  createRemoteTokenIssuer,
  oauthClientCredentialsAuth,
  signedJwtAuth,
} from "../../index.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { closedPort, httpServer } from "../support/server.mjs";

/** Makes the call as two tenants at once: what each saw after it, in catch and in finally. */
async function seenByTwo(/** @type {() => Promise<unknown>} */ call) {
  const tenant = new AsyncLocalStorage();
  const places = async () => {
    /** @type {Record<string, unknown>} */
    const seen = {};
    try {
      await call().then(() => {
        seen.then = tenant.getStore();
      });
      seen.await = tenant.getStore();
    } catch {
      seen.catch = tenant.getStore();
    } finally {
      seen.finally = tenant.getStore();
    }
    return seen;
  };
  return Promise.all(["a", "b"].map((name) => tenant.run(name, places)));
}

describe("the async context", () => {
  it("is kept by two who wait for one token", async (t) => {
    const idp = await httpServer(t, { access_token: "t", expires_in: 3600 });
    const provider = oauthClientCredentialsAuth({
      tokenUrl: idp.url,
      clientId: "id",
      clientSecret: "secret",
    });
    assert.deepEqual(await seenByTwo(provider), [
      { then: "a", await: "a", finally: "a" },
      { then: "b", await: "b", finally: "b" },
    ]);
    assert.equal(idp.requests.length, 1);
  });

  it("is kept by two whom one failure meets", async () => {
    const provider = oauthClientCredentialsAuth({
      tokenUrl: `http://127.0.0.1:${await closedPort()}/`,
      clientId: "id",
      clientSecret: "secret",
    });
    assert.deepEqual(await seenByTwo(provider), [
      { catch: "a", finally: "a" },
      { catch: "b", finally: "b" },
    ]);
  });

  it("is kept by an issuer's call, with a shared token too", async (t) => {
    const idp = await httpServer(t, { access_token: "t", expires_in: 3600 });
    const server = await httpServer(t);
    const auth = oauthClientCredentialsAuth({
      tokenUrl: idp.url,
      clientId: "id",
      clientSecret: "secret",
    });
    const issue = createRemoteTokenIssuer({ url: server.url, auth });
    assert.deepEqual(await seenByTwo(() => issue(PAYMENT)), [
      { then: "a", await: "a", finally: "a" },
      { then: "b", await: "b", finally: "b" },
    ]);
  });

  it("is the caller's inside auth, and inside the sign of a signedJwtAuth", async (t) => {
    const server = await httpServer(t);
    const tenant = new AsyncLocalStorage();
    /** @type {unknown[]} */
    const seen = [];
    const issuer = {
      async sign() {
        seen.push(tenant.getStore());
        await null;
        seen.push(tenant.getStore());
        return { token: "jwt" };
      },
    };
    const signed = createRemoteTokenIssuer({ url: server.url, auth: signedJwtAuth(issuer, "b") });
    await tenant.run("a", () => signed(PAYMENT));
    assert.deepEqual(seen, ["a", "a"]);

    const own = createRemoteTokenIssuer({
      url: server.url,
      auth: async () => {
        await null;
        return { "X-Tenant": String(tenant.getStore()) };
      },
    });
    await tenant.run("b", () => own(PAYMENT));
    assert.equal(server.requests[1].headers["x-tenant"], "b");
  });
});
