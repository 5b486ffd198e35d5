// @ts-check
/** signedJwtAuth: a new token for each request, by our issuer or by any object that signs. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { describe, it } from "node:test";
import { AccessTokenIssuer, signedJwtAuth } from "../../index.mjs";
import { rejection } from "../support/errors.mjs";
import { RSA, RSA_PUBLIC } from "../support/keys.mjs";
import { readHs256, readRs256, SECRET } from "../support/tokens.mjs";

const UUID_V4 = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
const AUDIENCE = "https://backend.internal";

/** The five claims, the `jti` apart. @param {string} audience */
const claimsFor = (audience) => ({
  sub: "key0-service",
  resourceId: audience,
  planId: "system",
  txHash: "system-auth",
});

/** The token of a Bearer header that stands alone. @param {Record<string, string>} headers */
function bearer(headers) {
  assert.deepEqual(Object.keys(headers), ["Authorization"]);
  assert.match(headers.Authorization, /^Bearer \S+$/);
  return headers.Authorization.slice("Bearer ".length);
}

/** An issuer that is not ours. @param {(...args: any[]) => any} sign */
const foreign = (sign) => /** @type {any} */ ({ sign });

it("a replaced JSON.stringify that gives no string is told by the field", async () => {
  const issuer = new AccessTokenIssuer(SECRET);
  const { stringify } = JSON;
  JSON.stringify = /** @type {any} */ (() => Buffer.from("{}"));
  /** @type {any} */
  let refused;
  const signed = issuer.sign(/** @type {any} */ ({}), 60);
  try {
    signedJwtAuth(issuer, AUDIENCE);
  } catch (error) {
    refused = error;
  }
  JSON.stringify = stringify;
  const problem = "cannot be read: JSON.stringify gave no string";
  assert.deepEqual([refused.name, refused.message], ["TypeError", `audience ${problem}`]);
  assert.equal((await rejection(signed)).message, `claims ${problem}`);
});

describe("signedJwtAuth with our AccessTokenIssuer", () => {
  it("signs the five claims, iat and exp with HS256", async (t) => {
    t.mock.method(Date, "now", () => 1_700_000_000_999);
    const token = bearer(await signedJwtAuth(new AccessTokenIssuer(SECRET), AUDIENCE, 30)());
    const { header, payload } = readHs256(token);
    assert.equal(header, '{"alg":"HS256"}');
    const { jti, ...claims } = JSON.parse(payload);
    assert.match(jti, UUID_V4);
    assert.deepEqual(claims, { ...claimsFor(AUDIENCE), iat: 1_700_000_000, exp: 1_700_000_030 });
  });

  it("signs the same with RS256", async (t) => {
    t.mock.method(Date, "now", () => 1_700_000_000_000);
    const issuer = new AccessTokenIssuer({ algorithm: "RS256", privateKey: RSA.pkcs8 });
    const token = bearer(await signedJwtAuth(issuer, AUDIENCE, 30)());
    const { header, payload } = readRs256(token, RSA_PUBLIC.spki);
    assert.equal(header, '{"alg":"RS256"}');
    const { jti, ...claims } = JSON.parse(payload);
    assert.match(jti, UUID_V4);
    assert.deepEqual(claims, { ...claimsFor(AUDIENCE), iat: 1_700_000_000, exp: 1_700_000_030 });
  });

  it("gives a real promise", async () => {
    const headers = signedJwtAuth(new AccessTokenIssuer(SECRET), AUDIENCE)();
    assert.ok(headers instanceof Promise);
    await headers;
  });

  it("signs a new token at every call", async () => {
    const auth = signedJwtAuth(new AccessTokenIssuer(SECRET), AUDIENCE);
    const calls = await Promise.all(Array.from({ length: 100 }, () => auth()));
    const ids = calls.map((headers) => JSON.parse(readHs256(bearer(headers)).payload).jti);
    assert.equal(new Set(ids).size, 100);
  });

  // B27: undefined means 60 here
  for (const ttl of [[], [undefined]]) {
    it(`lives 60 s where ${ttl.length === 0 ? "no lifetime" : "undefined"} is given`, async () => {
      const auth = signedJwtAuth(new AccessTokenIssuer(SECRET), AUDIENCE, ...ttl);
      const { iat, exp } = JSON.parse(readHs256(bearer(await auth())).payload);
      assert.equal(exp - iat, 60);
    });
  }

  for (const ttl of [0, -60, 0.5]) {
    it(`lives ${ttl} s where that is asked for`, async (t) => {
      t.mock.method(Date, "now", () => 1_700_000_000_000);
      const auth = signedJwtAuth(new AccessTokenIssuer(SECRET), AUDIENCE, ttl);
      const { iat, exp } = JSON.parse(readHs256(bearer(await auth())).payload);
      assert.deepEqual({ iat, exp }, { iat: 1_700_000_000, exp: 1_700_000_000 + ttl });
    });
  }

  // B36
  for (const audience of ["", 'quotes " and \\', "é\u2028\u{1f600}", "nul\0", "\ud800"]) {
    it(`has the audience ${JSON.stringify(audience)} as resourceId`, async () => {
      const auth = signedJwtAuth(new AccessTokenIssuer(SECRET), audience);
      assert.equal(JSON.parse(readHs256(bearer(await auth())).payload).resourceId, audience);
    });
  }
});

describe("signedJwtAuth and a sign that was replaced", () => {
  const replaced = async () => ({ token: "replaced" });

  it("calls a subclass's", async () => {
    class Audited extends AccessTokenIssuer {
      sign = replaced;
    }
    const auth = signedJwtAuth(new Audited(SECRET), AUDIENCE);
    assert.deepEqual(await auth(), { Authorization: "Bearer replaced" });
  });

  it("lets a subclass's call ours by super", async () => {
    class Marked extends AccessTokenIssuer {
      /** @param {any} claims @param {number} ttlSeconds */
      async sign(claims, ttlSeconds) {
        return super.sign({ ...claims, marked: true }, ttlSeconds);
      }
    }
    const auth = signedJwtAuth(new Marked(SECRET), AUDIENCE);
    assert.equal(JSON.parse(readHs256(bearer(await auth())).payload).marked, true);
  });

  it("calls a spy that was there before", async (t) => {
    const issuer = new AccessTokenIssuer(SECRET);
    const spy = t.mock.method(issuer, "sign");
    await signedJwtAuth(issuer, AUDIENCE)();
    assert.equal(spy.mock.callCount(), 1);
  });

  it("calls a spy that came after the strategy, and no longer once it is gone", async (t) => {
    const issuer = new AccessTokenIssuer(SECRET);
    const auth = signedJwtAuth(issuer, AUDIENCE);
    await auth();
    const spy = t.mock.method(issuer, "sign", replaced);
    assert.deepEqual(await auth(), { Authorization: "Bearer replaced" });
    spy.mock.restore();
    readHs256(bearer(await auth()));
    assert.equal(spy.mock.callCount(), 1);
  });

  it("calls one that replaced the class's", async (t) => {
    const auth = signedJwtAuth(new AccessTokenIssuer(SECRET), AUDIENCE);
    const spy = t.mock.method(AccessTokenIssuer.prototype, "sign", replaced);
    assert.deepEqual(await auth(), { Authorization: "Bearer replaced" });
    assert.equal(spy.mock.callCount(), 1);
  });
});

describe("signedJwtAuth with an issuer of the user's", () => {
  it("calls sign as a method, with the five claims and the lifetime", async () => {
    const issuer = {
      /** @type {unknown[][]} */
      calls: [],
      /** @param {unknown[]} args */
      async sign(...args) {
        this.calls.push(args);
        return { token: "t" };
      },
    };
    const auth = signedJwtAuth(issuer, AUDIENCE, 30);
    assert.deepEqual(await auth(), { Authorization: "Bearer t" });
    assert.equal(issuer.calls.length, 1);
    const [claims, ttlSeconds, ...more] = /** @type {any[]} */ (issuer.calls[0]);
    assert.match(claims.jti, UUID_V4);
    assert.deepEqual(claims, { ...claimsFor(AUDIENCE), jti: claims.jti });
    assert.equal(ttlSeconds, 30);
    assert.deepEqual(more, []);
  });

  it("gives it claims of its own at every call", async () => {
    /** @type {any[]} */
    const seen = [];
    const auth = signedJwtAuth(
      foreign((claims) => {
        seen.push(claims.sub, claims.jti);
        claims.sub = "changed";
        return { token: "t" };
      }),
      AUDIENCE,
    );
    await auth();
    await auth();
    assert.deepEqual([seen[0], seen[2]], ["key0-service", "key0-service"]);
    assert.notEqual(seen[1], seen[3]);
  });

  it("gives it 60 s where no lifetime is given", async () => {
    /** @type {any} */
    let given;
    const sign = (/** @type {any} */ _, /** @type {any} */ ttl) => {
      given = ttl;
      return { token: "t" };
    };
    await signedJwtAuth(foreign(sign), AUDIENCE)();
    assert.equal(given, 60);
  });

  // the lifetime's rule is our issuer's: others may read "5m", as jose does
  it("leaves the lifetime to it", async () => {
    /** @type {any} */
    let given;
    const sign = (/** @type {any} */ _, /** @type {any} */ ttl) => {
      given = ttl;
      return { token: "t" };
    };
    await signedJwtAuth(foreign(sign), AUDIENCE, /** @type {any} */ ("5m"))();
    assert.equal(given, "5m");
  });

  // B44
  /** @extends {Promise<any>} */
  class Subclass extends Promise {}
  const awaited = {
    "an object": () => ({ token: "t" }),
    "a promise": async () => ({ token: "t" }),
    "a subclass of Promise": () => Subclass.resolve({ token: "t" }),
    "a thenable": () => ({ then: (/** @type {any} */ ok) => ok({ token: "t" }) }),
    "a thenable that calls back twice": () => ({
      /** @param {any} ok */
      then(ok) {
        ok({ token: "t" });
        ok({ token: "second" });
      },
    }),
  };
  for (const [name, sign] of Object.entries(awaited)) {
    it(`takes ${name} from it`, async () => {
      assert.deepEqual(await signedJwtAuth(foreign(sign), AUDIENCE)(), {
        Authorization: "Bearer t",
      });
    });
  }

  const failure = new Error("the HSM is locked");
  const failing = {
    "an error that it throws": () => {
      throw failure;
    },
    "an error that it rejects with": async () => {
      throw failure;
    },
    "an error of a thenable": () => ({
      then: (/** @type {any} */ _, /** @type {any} */ no) => no(failure),
    }),
  };
  for (const [name, sign] of Object.entries(failing)) {
    it(`passes on ${name}, the same object`, async () => {
      assert.equal(await rejection(signedJwtAuth(foreign(sign), AUDIENCE)()), failure);
    });
  }

  it("passes on a reason that is no error", async () => {
    const auth = signedJwtAuth(
      foreign(() => Promise.reject("locked")),
      AUDIENCE,
    );
    assert.equal(await rejection(auth()), "locked");
  });

  for (const nothing of [undefined, null]) {
    it(`rejects where it gives ${nothing}`, async () => {
      const reason = await rejection(
        signedJwtAuth(
          foreign(async () => nothing),
          AUDIENCE,
        )(),
      );
      assert.ok(reason instanceof Error);
    });
  }

  // B45
  it("calls it in the caller's async context", async () => {
    const als = new AsyncLocalStorage();
    const auth = signedJwtAuth(
      foreign(async () => ({ token: als.getStore() })),
      AUDIENCE,
    );
    const calls = ["a", "b"].map((tenant) =>
      als.run(tenant, async () => {
        const { Authorization } = await auth();
        return [Authorization, als.getStore()];
      }),
    );
    assert.deepEqual(await Promise.all(calls), [
      ["Bearer a", "a"],
      ["Bearer b", "b"],
    ]);
  });
});
