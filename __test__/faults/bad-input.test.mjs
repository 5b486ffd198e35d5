// @ts-check
/** Bad input: one clear error each that names the field or argument and shows no secret. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import vm from "node:vm";
import * as key0 from "../../index.mjs";
import { CANARY, issueFailed, rejection, rejectsWith, showsNoCanary } from "../support/errors.mjs";
import { RSA, RSA_PUBLIC } from "../support/keys.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { jsonOf } from "../support/process.mjs";
import { httpServer } from "../support/server.mjs";
import { CLAIMS, hs256, rs256, SECRET } from "../support/tokens.mjs";

const { AccessTokenIssuer, Key0Error } = key0;
const HEADER = `Bearer ${hs256(CLAIMS)}`;
const RS_HEADER = `Bearer ${rs256(CLAIMS, RSA.pkcs8)}`;

/** For arguments that TypeScript would refuse. @type {any} */
const untyped = key0;

/** @param {any} config */
const issuerOf = (config) => new AccessTokenIssuer(config);

/** Every function that takes a configuration, a good one, and a call of what it makes. */
/** @type {Record<string, { fields: Record<string, unknown>, call: (config: any) => unknown }>} */
const CONFIGURED = {
  oauthClientCredentialsAuth: {
    fields: {
      tokenUrl: "http://127.0.0.1:1/",
      clientId: "id",
      clientSecret: CANARY,
      scopes: ["read"],
      audience: "b",
    },
    call: (config) => key0.oauthClientCredentialsAuth(config),
  },
  createRemoteTokenIssuer: {
    fields: {
      url: "http://127.0.0.1:1/",
      timeoutMs: 100,
      idempotencyKey: true,
      auth: undefined,
      secret: CANARY,
      headerName: "X-A",
    },
    call: (config) => key0.createRemoteTokenIssuer(config),
  },
  "new AccessTokenIssuer, HS256": {
    fields: { secret: SECRET, algorithm: "HS256" },
    call: issuerOf,
  },
  "new AccessTokenIssuer, RS256": {
    fields: { privateKey: RSA.pkcs8, algorithm: "RS256" },
    call: issuerOf,
  },
  "validateKey0Token, HS256": {
    fields: { secret: SECRET, algorithm: "HS256" },
    call: (config) => key0.validateKey0Token(HEADER, config),
  },
  "validateKey0Token, RS256": {
    fields: { publicKey: RSA_PUBLIC.spki, algorithm: "RS256" },
    call: (config) => key0.validateKey0Token(RS_HEADER, config),
  },
  validateToken: {
    fields: { secret: SECRET },
    call: (config) => key0.validateToken(HEADER, config),
  },
};

/**
 * What `call` throws, or rejects with.
 *
 * @param {() => unknown} call
 * @returns {Promise<any>}
 */
const failureOf = (call) => rejection((async () => call())());

/** @param {any} target */
function revoked(target) {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

describe("without arguments", () => {
  /** @type {[string, () => unknown, string][]} */
  const rows = [
    [
      "sharedSecretAuth",
      () => untyped.sharedSecretAuth(),
      "headerName must be a string, not undefined",
    ],
    ["signedJwtAuth", () => untyped.signedJwtAuth(), "issuer must have a method sign"],
    [
      "oauthClientCredentialsAuth",
      () => untyped.oauthClientCredentialsAuth(),
      "tokenUrl must be a string, not undefined",
    ],
    [
      "createRemoteTokenIssuer",
      () => untyped.createRemoteTokenIssuer(),
      "url must be a string, not undefined",
    ],
    [
      "new AccessTokenIssuer",
      () => new untyped.AccessTokenIssuer(),
      "HS256 algorithm requires secret",
    ],
    [
      "sign",
      () => /** @type {any} */ (issuerOf(SECRET)).sign(),
      "ttlSeconds must be a finite number, not undefined",
    ],
    ["verify", () => /** @type {any} */ (issuerOf(SECRET)).verify(), "Invalid Compact JWS"],
    [
      "verifyWithFallback",
      () => /** @type {any} */ (issuerOf(SECRET)).verifyWithFallback(),
      "fallbackSecrets must be an array of strings, not undefined",
    ],
    [
      "validateKey0Token",
      () => untyped.validateKey0Token(),
      "Missing or malformed Authorization header",
    ],
    ["validateToken", () => untyped.validateToken(), "Missing or malformed Authorization header"],
    [
      "setKey0ErrorClass",
      () => untyped.setKey0ErrorClass(),
      "Key0Error must be a class that extends Error",
    ],
  ];
  for (const [name, call, sentence] of rows) {
    it(`${name} says: ${sentence}`, async () => {
      assert.equal((await failureOf(call)).message, sentence);
    });
  }
});

describe("an unset environment variable", () => {
  const UNSET = process.env.KEY0_TEST_THAT_IS_NOT_SET;
  for (const [name, { fields, call }] of Object.entries(CONFIGURED)) {
    for (const field of ["tokenUrl", "clientId", "clientSecret", "url"].filter(
      (f) => f in fields,
    )) {
      it(`for ${field} of ${name} is named`, async () => {
        const error = await failureOf(() => call({ ...fields, [field]: UNSET }));
        assert.equal(error.message, `${field} must be a string, not undefined`);
        assert.equal(error.constructor, TypeError);
        showsNoCanary(error);
      });
    }
    for (const field of ["secret", "privateKey", "publicKey"].filter((f) => f in fields)) {
      if (name === "createRemoteTokenIssuer") continue;
      it(`for ${field} of ${name} is named`, async () => {
        const error = await failureOf(() => call({ ...fields, [field]: UNSET }));
        const sentence = `${fields.algorithm} algorithm requires ${field}`;
        if (name === "validateToken") {
          assert.equal(error.message, "secret is not usable: there is none");
          assert.equal(error.cause.message, "HS256 algorithm requires secret");
        } else {
          assert.equal(error.message, sentence);
        }
      });
    }
  }

  it("for the secret of sharedSecretAuth is named", () => {
    assert.throws(() => untyped.sharedSecretAuth("X-A", UNSET), {
      name: "TypeError",
      message: "secret must be a string, not undefined",
    });
  });
});

describe("a field whose getter throws", () => {
  for (const [name, { fields, call }] of Object.entries(CONFIGURED)) {
    for (const field of Object.keys(fields)) {
      it(`is named: ${field} of ${name}`, async () => {
        const own = new Error("the vault is locked");
        const config = Object.defineProperty({ ...fields }, field, {
          get() {
            throw own;
          },
        });
        const error = await failureOf(() => call(config));
        assert.equal(error.message, `${field} cannot be read: the vault is locked`);
        assert.equal(error.constructor, TypeError);
        assert.equal(error.cause, own);
      });
    }
  }

  it("is named: href of url and tokenUrl", async () => {
    const address = {
      get href() {
        throw new Error("no address today");
      },
    };
    for (const [field, name] of [
      ["url", "createRemoteTokenIssuer"],
      ["tokenUrl", "oauthClientCredentialsAuth"],
    ]) {
      const { fields, call } = CONFIGURED[name];
      const error = await failureOf(() => call({ ...fields, [field]: address }));
      assert.equal(error.message, `${field} cannot be read: no address today`);
      assert.equal(error.constructor, TypeError);
    }
  });

  it("is named: sign of issuer", () => {
    const issuer = {
      get sign() {
        throw new Error("no key today");
      },
    };
    assert.throws(() => untyped.signedJwtAuth(issuer, "b"), {
      name: "TypeError",
      message: "issuer cannot be read: no key today",
    });
  });

  it("is read once, whatever it gives the second time", async () => {
    for (const { fields, call } of Object.values(CONFIGURED)) {
      /** @type {Record<string, number>} */
      const reads = {};
      const config = new Proxy(fields, {
        get(target, name) {
          reads[String(name)] = (reads[String(name)] ?? 0) + 1;
          return reads[String(name)] === 1 ? Reflect.get(target, name) : Symbol("another");
        },
      });
      await call(config);
      assert.deepEqual(new Set(Object.values(reads)), new Set([1]));
    }
  });
});

describe("a Proxy", () => {
  it("that was revoked is no configuration: the first field is named", async () => {
    for (const { fields, call } of Object.values(CONFIGURED)) {
      const error = await failureOf(() => call(revoked(fields)));
      assert.match(error.message, /^\w+ cannot be read: ./);
      assert.ok(["tokenUrl", "url", "secret"].includes(error.message.split(" ")[0]));
      assert.equal(error.constructor, TypeError);
    }
  });

  it("that was revoked is no value of any field: the field is named", async () => {
    for (const { fields, call } of Object.values(CONFIGURED)) {
      for (const field of Object.keys(fields)) {
        const error = await failureOf(() => call({ ...fields, [field]: revoked({}) }));
        const how = "(cannot be read: |is not usable: an object|must be HS256 or RS256$)";
        assert.match(error.message, new RegExp(`^${field} ${how}`));
      }
    }
  });

  it("that was revoked is no issuer, claims, secrets or receiver", async () => {
    const gone = revoked({});
    const issuer = /** @type {any} */ (issuerOf(SECRET));
    const { sign, verify, verifyWithFallback } = AccessTokenIssuer.prototype;
    /** @type {[string, () => unknown][]} */
    const rows = [
      ["issuer", () => key0.signedJwtAuth(gone, "b")],
      ["claims", () => issuer.sign(gone, 60)],
      ["fallbackSecrets", () => issuer.verifyWithFallback("x", gone)],
      ["receiver", () => sign.call(gone, CLAIMS, 60)],
      ["receiver", () => verify.call(gone, "x")],
      ["receiver", () => verifyWithFallback.call(gone, "x", [])],
      ["Key0Error", () => key0.setKey0ErrorClass(revoked(class extends Error {}))],
      ["message", () => new Key0Error("INTERNAL_ERROR", gone)],
    ];
    for (const [named, call] of rows) {
      const error = await failureOf(call);
      assert.match(error.message, new RegExp(`\\b${named}\\b.* cannot be read: `));
      assert.equal(error.constructor, TypeError);
    }
  });

  it("that has every property, as mocks have, is an issuer of the caller's", async () => {
    /** @type {any[]} */
    const calls = [];
    const mock = /** @type {any} */ (
      new Proxy(() => {}, {
        get: (_, name) =>
          name === "sign"
            ? async (/** @type {unknown[]} */ ...args) => {
                calls.push(args);
                return { token: "mocked" };
              }
            : mock,
      })
    );
    assert.deepEqual(await key0.signedJwtAuth(mock, "b", 5)(), { Authorization: "Bearer mocked" });
    assert.equal(calls.length, 1);
    assert.equal(calls[0][1], 5);
  });

  it("that has every property is no receiver of our methods", async () => {
    const mock = /** @type {any} */ (new Proxy(() => {}, { get: () => mock }));
    const { sign, verify, verifyWithFallback } = AccessTokenIssuer.prototype;
    for (const method of /** @type {any[]} */ ([sign, verify, verifyWithFallback])) {
      const error = await failureOf(() => method.call(mock, CLAIMS, 60));
      assert.equal(error.message, "the receiver of this method must be an AccessTokenIssuer");
      assert.equal(error.constructor, TypeError);
    }
  });

  it("around our issuer is our issuer", async () => {
    const issuer = new Proxy(issuerOf(SECRET), {});
    const { Authorization } = await key0.signedJwtAuth(issuer, "b")();
    assert.equal((await issuer.verify(Authorization.slice(7))).resourceId, "b");
  });
});

describe("objects of another realm", () => {
  for (const [name, { fields, call }] of Object.entries(CONFIGURED)) {
    it(`are as good: the configuration of ${name}`, async () => {
      const text = JSON.stringify(fields, (_, value) => value ?? null);
      await call(vm.runInNewContext(`(${text})`));
    });
  }

  it("are as good: claims, fallback secrets, params and an issuer", async (t) => {
    const here = /** @type {any} */ ({ secret: SECRET, CLAIMS, PAYMENT });
    const there = (/** @type {string} */ source) =>
      vm.runInNewContext(`const { secret, CLAIMS, PAYMENT } = JSON.parse(text); (${source})`, {
        text: JSON.stringify(here),
      });
    const issuer = issuerOf("another secret of 32 characters!");
    const { token } = await issuerOf(SECRET).sign(there("CLAIMS"), 60);
    assert.equal((await issuer.verifyWithFallback(token, there("[secret]"))).sub, CLAIMS.sub);
    const foreign = there('{ sign: async () => ({ token: "t" }) }');
    assert.deepEqual(await key0.signedJwtAuth(foreign, "b")(), { Authorization: "Bearer t" });
    const server = await httpServer(t);
    await key0.createRemoteTokenIssuer({ url: server.url })(there("PAYMENT"));
    assert.deepEqual(JSON.parse(server.requests[0].body.toString()), PAYMENT);
  });
});

describe("what auth gives", () => {
  /** Asserts that a call fails so, with nothing sent. @param {any} t @param {() => any} auth */
  async function refuses(t, auth, /** @type {string | RegExp} */ message) {
    const server = await httpServer(t);
    const call = key0.createRemoteTokenIssuer({ url: server.url, auth })(PAYMENT);
    await rejectsWith(call, issueFailed(message, { sent: false }));
    assert.equal(server.requests.length, 0);
  }

  const fail = () => {
    throw new Error(CANARY);
  };

  it("names the header whose array cannot become text", async (t) => {
    const sentence =
      'Network error: auth gave the header "X-A" the value an object, which is no string';
    for (const value of [[Symbol("s")], [{ toString: fail }], [Object.create(null)]]) {
      await refuses(t, () => ({ "X-A": value }), sentence);
    }
  });

  it("does not quote a name that is none: it may be a header's value, or a whole line", async (t) => {
    const sentence =
      "Network error: auth gave a header whose name is not a header name (an HTTP token)";
    for (const name of [`Bearer ${CANARY}`, `Authorization: Bearer ${CANARY}`, ""]) {
      for (const value of ["1", null, {}]) await refuses(t, () => ({ [name]: value }), sentence);
    }
  });

  it("may say that it is a Map and be none: its own properties count", async (t) => {
    for (const kind of ["Map", "Headers"]) {
      const server = await httpServer(t);
      const auth = () => ({ [Symbol.toStringTag]: kind, "X-A": "1" });
      await key0.createRemoteTokenIssuer({ url: server.url, auth: /** @type {any} */ (auth) })(
        PAYMENT,
      );
      assert.equal(server.requests[0].headers["x-a"], "1");
    }
  });

  it("may not have entries that are none", async (t) => {
    const sentence =
      "Network error: auth gave a header whose name is not a header name (an HTTP token)";
    for (const entry of [null, undefined, 5, CANARY, {}]) {
      const liar = Object.assign(new Map(), { [Symbol.iterator]: () => [entry].values() });
      await refuses(t, () => liar, sentence);
    }
  });

  it("may not be a revoked Proxy", async (t) => {
    await refuses(t, () => revoked({}), /^Network error: ./);
    await refuses(t, async () => ({ "X-A": revoked([]) }), /^Network error: ./);
  });

  it("is told even where its failure has no words", async (t) => {
    const sentence = "Network error: auth failed and did not say why";
    for (const reason of ["", " ", new Error(""), new Error("\n"), []]) {
      await refuses(t, () => Promise.reject(reason), sentence);
    }
  });
});

describe("process.env", () => {
  it("may be replaced by an object of anything: only strings are variables", async (t) => {
    const server = await httpServer(t);
    const source = `
      import { createRemoteTokenIssuer } from "./index.mjs";
      const issued = [];
      for (const value of [0, null, undefined, false, {}, [], Symbol("s"), 1n, () => {}]) {
        process.env = { NODE_TLS_REJECT_UNAUTHORIZED: value, SSL_CERT_FILE: value };
        const [url] = process.argv.slice(1);
        const auth = async () => ({});
        issued.push((await createRemoteTokenIssuer({ url, auth })({})).token);
      }
      console.log(JSON.stringify(issued));`;
    assert.deepEqual(await jsonOf(source, { args: [server.url] }), Array(9).fill("t"));
  });
});

describe("a Key0Error", () => {
  it("names what cannot be its message", () => {
    for (const message of [Symbol("s"), [Symbol("s")], Object.create(null)]) {
      assert.throws(() => new Key0Error("INTERNAL_ERROR", /** @type {any} */ (message)), {
        name: "TypeError",
        message: /^message cannot be read: ./,
      });
    }
  });

  it("takes the messages that an Error takes", () => {
    for (const message of ["", "text", 5, null, true, [1, 2], { toString: () => "text" }]) {
      const { message: told } = new Key0Error("INTERNAL_ERROR", /** @type {any} */ (message));
      assert.equal(told, new Error(/** @type {any} */ (message)).message);
    }
    const without = new Key0Error("INTERNAL_ERROR", /** @type {any} */ (undefined));
    assert.equal(Object.hasOwn(without, "message"), false);
  });
});
