// @ts-check
/** Secrets that rotate: functions that are asked at each use, in the caller's context, and no more. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { describe, it } from "node:test";
import { createRemoteTokenIssuer, sharedSecretAuth } from "../../index.mjs";
import { issueFailed, rejection, rejectsWith } from "../support/errors.mjs";
import { oauthFailed } from "../support/exchanges.mjs";
import { oauth } from "../support/oauth-server.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { httpServer, reply } from "../support/server.mjs";

const SHORT = { access_token: "t", expires_in: 1 };

/** The secret that a token request had. @param {import("../support/server.mjs").Seen} request */
const secretOf = ({ body }) => new URLSearchParams(String(body)).get("client_secret");

describe("a clientSecret that is a function", () => {
  it("is asked at each token request, and what it gave before is not kept", async (t) => {
    let version = 0;
    const ask = async () => `secret-${++version}`;
    const { auth, server } = await oauth(t, SHORT, { clientSecret: ask });
    await auth();
    await auth();
    assert.deepEqual(server.requests.map(secretOf), ["secret-1", "secret-2"]);
  });

  it("is asked once for all who share a fetch, and not at all for a kept token", async (t) => {
    let asked = 0;
    const clientSecret = () => `secret-${++asked}`;
    const { auth, server } = await oauth(t, undefined, { clientSecret });
    await Promise.all(Array.from({ length: 200 }, () => auth()));
    await auth();
    assert.equal(asked, 1);
    assert.equal(server.requests.length, 1);
  });

  it("is asked in the async context of the call that began the fetch", async (t) => {
    const als = new AsyncLocalStorage();
    /** @type {unknown[]} */
    const seen = [];
    const clientSecret = async () => {
      seen.push(als.getStore());
      return "s3cr3t";
    };
    const { auth } = await oauth(t, SHORT, { clientSecret });
    const backend = await httpServer(t);
    const issue = createRemoteTokenIssuer({ url: backend.url, auth });
    await als.run("a", () => auth());
    await als.run("b", () => issue(PAYMENT));
    await auth();
    assert.deepEqual(seen, ["a", "b", undefined]);
  });

  it("is asked again for the token that replaces a rejected one", async (t) => {
    const als = new AsyncLocalStorage();
    /** @type {unknown[]} */
    const seen = [];
    const clientSecret = () => {
      seen.push(als.getStore());
      return "s3cr3t";
    };
    let last = 0;
    const { auth } = await oauth(
      t,
      (_, response) => reply(response, { access_token: `t${++last}`, expires_in: 3600 }),
      { clientSecret },
    );
    const backend = await httpServer(t, ({ headers }, response) =>
      reply(response, { token: "t" }, headers.authorization === "Bearer t2" ? 200 : 401),
    );
    const issue = createRemoteTokenIssuer({ url: backend.url, auth });
    await auth();
    assert.deepEqual(await als.run("call", () => issue(PAYMENT)), {
      token: "t",
      tokenType: "Bearer",
    });
    assert.deepEqual(seen, [undefined, "call"]);
  });

  for (const [what, ask, why] of /** @type {[string, () => any, string][]} */ ([
    [
      "throws",
      () => {
        throw new Error("vault sealed");
      },
      "clientSecret failed: vault sealed",
    ],
    [
      "rejects",
      async () => {
        throw new Error("vault sealed");
      },
      "clientSecret failed: vault sealed",
    ],
    ["gives nothing", () => undefined, "clientSecret gave no string"],
    ["gives an empty one", () => "", "clientSecret must be a non-empty string"],
  ])) {
    it(`that ${what} sends nothing, and only the cause says why`, async (t) => {
      const { auth, server } = await oauth(t, undefined, { clientSecret: ask });
      const failed = oauthFailed("clientSecret could not be had", { message: why, sent: false });
      const [first, second] = await Promise.all([rejection(auth()), rejection(auth())]);
      for (const error of [first, second]) await rejectsWith(Promise.reject(error), failed);
      assert.notEqual(first, second);
      const issue = createRemoteTokenIssuer({ url: server.url, auth });
      await rejectsWith(issue(PAYMENT), failed);
      assert.equal(server.requests.length, 0);
    });
  }

  it("does not hold a call longer than its deadline where it never answers", async (t) => {
    const { auth, server } = await oauth(t, undefined, {
      clientSecret: () => new Promise(() => {}),
    });
    const issue = createRemoteTokenIssuer({ url: server.url, auth, timeoutMs: 50 });
    const error = await rejection(issue(PAYMENT));
    assert.equal(error.code, "TOKEN_ISSUE_TIMEOUT");
    assert.equal(error.cause.sent, false);
    assert.equal(server.requests.length, 0);
  });

  it("is scrubbed from what a server answers", async (t) => {
    const { auth } = await oauth(t, (_, response) => reply(response, "no: s3cr3t-of-today", 400), {
      clientSecret: () => "s3cr3t-of-today",
    });
    const error = await rejection(auth());
    assert.equal(error.cause.body, "no: [redacted]");
  });
});

describe("a privateKey that is a function", () => {
  it("is checked at each request, not at creation", async (t) => {
    const { auth, server } = await oauth(t, undefined, {
      clientAuthentication: "private_key_jwt",
      privateKey: () => "no key",
    });
    const failed = oauthFailed("privateKey could not be had", {
      message: /^privateKey /,
      sent: false,
    });
    await rejectsWith(auth(), failed);
    assert.equal(server.requests.length, 0);
  });

  it("signs with the key of the day", async (t) => {
    const { generateKeyPairSync, createPublicKey, verify } = await import("node:crypto");
    const keys = [1, 2].map(() => generateKeyPairSync("ed25519").privateKey);
    let asked = 0;
    const { auth, server } = await oauth(t, SHORT, {
      clientAuthentication: "private_key_jwt",
      privateKey: async () => keys[asked++].export({ type: "pkcs8", format: "pem" }),
    });
    await auth();
    await auth();
    for (const [i, { body }] of server.requests.entries()) {
      const jwt = new URLSearchParams(String(body)).get("client_assertion") ?? "";
      const [header, payload, signature] = jwt.split(".");
      const signed = Buffer.from(`${header}.${payload}`);
      const bytes = Buffer.from(signature, "base64url");
      assert.ok(verify(null, signed, createPublicKey(keys[i]), bytes), `request ${i + 1}`);
    }
  });
});

describe("a shared secret that is a function", () => {
  it("is asked at each call, synchronously, in the caller's context", async () => {
    const als = new AsyncLocalStorage();
    let version = 0;
    const auth = sharedSecretAuth("X-Internal-Auth", () => `${als.getStore()}-${++version}`);
    const first = als.run("a", () => auth());
    assert.equal(version, 1);
    assert.deepEqual(await first, { "X-Internal-Auth": "a-1" });
    assert.deepEqual(await als.run("b", () => auth()), { "X-Internal-Auth": "b-2" });
  });

  it("goes out with the issue that asked for it", async (t) => {
    const backend = await httpServer(t);
    let version = 0;
    const auth = sharedSecretAuth("X-Internal-Auth", async () => `secret-${++version}`);
    const issue = createRemoteTokenIssuer({ url: backend.url, auth });
    await issue(PAYMENT);
    await issue(PAYMENT);
    const sent = backend.requests.map(({ headers }) => headers["x-internal-auth"]);
    assert.deepEqual(sent, ["secret-1", "secret-2"]);
  });

  it("that no header can hold is refused by name, and not shown", async (t) => {
    const backend = await httpServer(t);
    for (const [value, problem] of [
      ["s3cr3t\ninside", "has a line break or another control character inside"],
      [undefined, "must be a string, not undefined"],
    ]) {
      const auth = sharedSecretAuth("X-A", /** @type {any} */ (async () => value));
      const error = await rejection(auth());
      assert.ok(error instanceof TypeError);
      assert.match(error.message, new RegExp(`^secret ${problem}`));
      const issue = createRemoteTokenIssuer({ url: backend.url, auth });
      await rejectsWith(issue(PAYMENT), issueFailed(/^Network error: secret /, { sent: false }));
    }
    assert.equal(backend.requests.length, 0);
  });

  for (const name of ["Error", "AbortError", "Key0Error"]) {
    it(`and fails is told to the seller in its words, to the buyer in ours: ${name}`, async (t) => {
      const backend = await httpServer(t);
      const message = "connect ECONNREFUSED vault.internal:8200";
      const thrown = Object.assign(new Error(message), { name, code: "ECONNREFUSED" });
      for (const ask of [
        () => Promise.reject(thrown),
        () => {
          throw thrown;
        },
      ]) {
        const auth = sharedSecretAuth("X-A", ask);
        const issue = createRemoteTokenIssuer({ url: backend.url, auth });
        for (const call of [auth(), issue(PAYMENT)]) {
          const error = await rejectsWith(call, {
            code: "INTERNAL_ERROR",
            httpStatus: 500,
            message: "secret could not be had",
            cause: { message, code: "ECONNREFUSED", sent: false },
          });
          assert.equal(error.cause.name, name);
          assert.ok(!JSON.stringify(error).includes("vault"));
        }
      }
      assert.equal(backend.requests.length, 0);
    });
  }

  it("has its header's name checked at creation", () => {
    assert.throws(() => sharedSecretAuth("X A", () => "s"), /^TypeError: headerName /);
  });
});
