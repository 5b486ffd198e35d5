// @ts-check
/** AccessTokenIssuer.verify and verifyWithFallback: codes that users of the SDK branch on. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { AccessTokenIssuer, Key0Error } from "../../index.mjs";
import { rejection } from "../support/errors.mjs";
import { RSA, RSA_PUBLIC } from "../support/keys.mjs";
import { CLAIMS, FAR, hs256, now, rs256, SECRET } from "../support/tokens.mjs";

const issuer = new AccessTokenIssuer(SECRET);
const rsaIssuer = new AccessTokenIssuer({ algorithm: "RS256", privateKey: RSA.pkcs8 });
/** `verify` as JavaScript callers call it, whatever the types say. */
const verify = (/** @type {any} */ token) => issuer.verify(token);

/** A good token's payload, changed. @param {object} [change] */
const payload = (change = {}) => ({ ...CLAIMS, iat: now(), exp: FAR, ...change });

/**
 * Asserts that a token is refused with this code, by a plain error.
 *
 * @param {unknown} token
 * @param {string} code
 * @param {string} [claim]
 */
async function refused(token, code, claim) {
  const error = await rejection(verify(token));
  assert.ok(error instanceof Error && !(error instanceof Key0Error));
  const { code: actual, claim: failed } = /** @type {any} */ (error);
  assert.equal(actual, code, inspect(error));
  assert.equal(failed, claim);
  assert.ok(error.message.length > 0);
}

describe("verify", () => {
  it("gives the claims of a token, extra ones too", async () => {
    const claims = payload({ nested: { deep: [1.5, null] }, text: "é\u0000\u{1f600}" });
    assert.deepEqual(await verify(hs256(claims)), claims);
  });

  it("verifies what sign made", async () => {
    const { token } = await issuer.sign(CLAIMS, 60);
    const { iat, exp, ...claims } = await verify(token);
    assert.deepEqual(claims, CLAIMS);
    assert.equal(exp - iat, 60);
  });

  it("gives a real promise, and rejects in place of throwing", async () => {
    for (const token of [undefined, null, 42, {}, Symbol("s")]) {
      await refused(token, "ERR_JWS_INVALID");
    }
  });

  it("does not look at other members of the header", async () => {
    const claims = payload();
    const header = { typ: "JWT", alg: "HS256", kid: "1", cty: "x" };
    assert.deepEqual(await verify(hs256(claims, { header })), claims);
  });

  it("takes a claim named __proto__ for data", async () => {
    const text = JSON.stringify(payload()).replace("{", '{"__proto__":{"admin":true},');
    const claims = /** @type {any} */ (await verify(hs256(text)));
    assert.ok(Object.hasOwn(claims, "__proto__"));
    assert.equal(claims.admin, undefined);
    assert.deepEqual(Object.getOwnPropertyDescriptor(claims, "__proto__")?.value, { admin: true });
  });

  it("refuses everything on an RS256 issuer", async () => {
    for (const token of [rs256(payload(), RSA.pkcs8), hs256(payload()), "no token"]) {
      const error = await rejection(rsaIssuer.verify(token));
      assert.equal(
        error.message,
        "RS256 verification requires public key, use validateKey0Token instead",
      );
    }
  });
});

describe("verify refuses the shape of", () => {
  const good = hs256(payload());
  const [header, body, signature] = good.split(".");
  const shapes = {
    "an empty text": "",
    "no token": "no token",
    "two parts": `${header}.${body}`,
    "four parts": `${good}.x`,
    "five parts": `${good}.x.y`,
    // B33
    "a line break at the end": `${good}\n`,
    "a blank before": ` ${good}`,
    "a blank inside": `${header}. ${body}.${signature}`,
    padding: `${good}=`,
    "base64 in place of base64url": `${header}.${body}.+/${signature.slice(2)}`,
    "an empty header": `.${body}.${signature}`,
    "a header that is no JSON": hs256(payload(), { header: "{alg:HS256}" }),
    "a header that is no object": hs256(payload(), { header: '["HS256"]' }),
    "a header without alg": hs256(payload(), { header: {} }),
  };
  for (const [name, token] of Object.entries(shapes)) {
    it(name, () => refused(token, "ERR_JWS_INVALID"));
  }

  for (const text of ["", "claims", "[]", "null", '"claims"', "{", "42"]) {
    it(`a payload of ${JSON.stringify(text)}, which is no object`, () =>
      refused(hs256(text), "ERR_JWT_INVALID"));
  }
});

describe("verify refuses the algorithm", () => {
  const hashes = /** @type {const} */ ({ HS384: "sha384", HS512: "sha512" });
  for (const [alg, hash] of Object.entries(hashes)) {
    it(alg, () => refused(hs256(payload(), { header: { alg }, hash }), "ERR_JOSE_ALG_NOT_ALLOWED"));
  }

  for (const alg of ["none", "None", "hs256", "RS256", "ES256", "x"]) {
    it(`${JSON.stringify(alg)}, with our secret's HMAC behind it`, () =>
      refused(hs256(payload(), { header: { alg } }), "ERR_JOSE_ALG_NOT_ALLOWED"));
  }

  it("none, without a signature", async () => {
    const [header, body] = hs256(payload(), { header: { alg: "none" } }).split(".");
    const error = await rejection(verify(`${header}.${body}.`));
    assert.match(error.code, /^ERR_(JOSE_ALG_NOT_ALLOWED|JWS_INVALID)$/);
  });
});

describe("verify refuses", () => {
  for (const crit of [["exp"], ["b64"], [], "exp", null, {}]) {
    it(`a header with crit ${JSON.stringify(crit)}`, () =>
      refused(
        hs256(payload(), { header: { alg: "HS256", crit, exp: 1, b64: true } }),
        "ERR_JWS_INVALID",
      ));
  }

  const FORGED = "ERR_JWS_SIGNATURE_VERIFICATION_FAILED";
  it("another secret's signature", () =>
    refused(hs256(payload(), { secret: `${SECRET}x` }), FORGED));

  it("the empty secret's signature", () => refused(hs256(payload(), { secret: "" }), FORGED));

  it("a signature of another length, or none", async () => {
    const token = hs256(payload());
    const dot = token.lastIndexOf(".") + 1;
    const bytes = Buffer.from(token.slice(dot), "base64url");
    const lengths = [bytes.subarray(0, 31), bytes.subarray(0, 1), Buffer.alloc(0)];
    for (const other of [...lengths, Buffer.concat([bytes, Buffer.of(0)])]) {
      await refused(token.slice(0, dot) + other.toString("base64url"), FORGED);
    }
  });

  it("a payload that was changed", async () => {
    const [header, , signature] = hs256(payload()).split(".");
    const [, body] = hs256(payload({ resourceId: "another" })).split(".");
    await refused(`${header}.${body}.${signature}`, FORGED);
  });

  it("every single bit flipped in the signature", async () => {
    const token = hs256(payload());
    const dot = token.lastIndexOf(".");
    const bytes = Buffer.from(token.slice(dot + 1), "base64url");
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] ^= 1 << (bit & 7);
      await refused(`${token.slice(0, dot)}.${flipped.toString("base64url")}`, FORGED);
    }
  });
});

describe("verify and time", () => {
  const NOW = 1_700_000_000;
  const EXPIRED = "ERR_JWT_EXPIRED";
  const CLAIM = "ERR_JWT_CLAIM_VALIDATION_FAILED";
  /** @param {import("node:test").TestContext} t @param {number} ms */
  const at = (t, ms) => t.mock.method(Date, "now", () => ms);

  it("exp has come when the second has", async (t) => {
    const token = hs256(payload({ exp: NOW }));
    const clock = at(t, NOW * 1000 - 1);
    assert.equal((await verify(token)).exp, NOW);
    clock.mock.mockImplementation(() => NOW * 1000);
    await refused(token, EXPIRED, "exp");
  });

  it("exp is compared with whole seconds", async (t) => {
    const token = hs256(payload({ exp: NOW + 0.5 }));
    const clock = at(t, NOW * 1000 + 999);
    assert.equal((await verify(token)).exp, NOW + 0.5);
    clock.mock.mockImplementation(() => NOW * 1000 + 1000);
    await refused(token, EXPIRED, "exp");
  });

  it("nbf has come when the second has", async (t) => {
    const token = hs256(payload({ nbf: NOW }));
    const clock = at(t, NOW * 1000 - 1);
    await refused(token, CLAIM, "nbf");
    clock.mock.mockImplementation(() => NOW * 1000);
    assert.equal((await verify(token)).sub, CLAIMS.sub);
  });

  it("a token without exp never ends", async () => {
    assert.deepEqual(await verify(hs256(CLAIMS)), CLAIMS);
  });

  // B28
  it("iat is not compared with the clock, and given back as it is", async () => {
    const claims = payload({ iat: now() + 120 });
    assert.deepEqual(await verify(hs256(claims)), claims);
  });

  // B29
  for (const [name, text, value] of /** @type {[string, string, number][]} */ ([
    ["exp", "4102444800.25", 4_102_444_800.25],
    ["exp", "4.1024448e9", FAR],
    ["exp", "1e400", Infinity],
    ["nbf", "0.5", 0.5],
    ["nbf", "-1e400", -Infinity],
    ["iat", "1e400", Infinity],
  ])) {
    it(`${name} may be ${text}`, async () => {
      const claims = hs256(JSON.stringify(CLAIMS).replace("{", `{"${name}":${text},`));
      assert.equal(/** @type {any} */ (await verify(claims))[name], value);
    });
  }

  for (const name of ["exp", "nbf", "iat"]) {
    for (const value of ["4102444800", "0", null, true, {}, [FAR]]) {
      it(`${name} may not be ${JSON.stringify(value)}`, () =>
        refused(hs256({ ...CLAIMS, [name]: value }), CLAIM, name));
    }
  }

  it("of two claims with one name the last counts", async () => {
    const text = JSON.stringify(CLAIMS).replace("{", '{"exp":1,').replace("}", `,"exp":${FAR}}`);
    assert.equal((await verify(hs256(text))).exp, FAR);
    await refused(hs256(text.replace(`${FAR}`, "2")), EXPIRED, "exp");
  });

  it("sign's own nbf is respected", async () => {
    const { token } = await issuer.sign({ ...CLAIMS, nbf: FAR }, 60);
    await refused(token, CLAIM, "nbf");
  });
});

describe("verify looks in this order", () => {
  const past = { exp: 1 };
  it("the algorithm before the signature", () =>
    refused(
      hs256(payload(), { header: { alg: "HS384" }, secret: "x" }),
      "ERR_JOSE_ALG_NOT_ALLOWED",
    ));

  it("the algorithm before crit", () =>
    refused(
      hs256(payload(), { header: { alg: "HS384", crit: ["x"] } }),
      "ERR_JOSE_ALG_NOT_ALLOWED",
    ));

  it("crit before the signature", () =>
    refused(
      hs256(payload(), { header: { alg: "HS256", crit: ["x"] }, secret: "x" }),
      "ERR_JWS_INVALID",
    ));

  it("the signature before exp", () =>
    refused(hs256(payload(past), { secret: "x" }), "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"));

  it("the numbers before exp", () =>
    refused(hs256(payload({ ...past, nbf: "0" })), "ERR_JWT_CLAIM_VALIDATION_FAILED", "nbf"));

  it("exp before nbf", () =>
    refused(hs256(payload({ ...past, nbf: FAR })), "ERR_JWT_EXPIRED", "exp"));
});

describe("verifyWithFallback", () => {
  const older = "an older secret, of 32 characters";
  const oldest = "old";
  /** As JavaScript callers call it, whatever the types say. */
  const fallback = (
    /** @type {any} */ own,
    /** @type {string} */ token,
    /** @type {any} */ secrets,
  ) => own.verifyWithFallback(token, secrets);
  const ALL = "Token verification failed with all secrets";

  it("takes the own secret first", async () => {
    assert.deepEqual(await fallback(issuer, hs256(CLAIMS), []), CLAIMS);
    assert.deepEqual(await fallback(issuer, hs256(CLAIMS), [older]), CLAIMS);
  });

  it("takes each of the others, short ones too", async () => {
    for (const secret of [older, oldest]) {
      const token = hs256(CLAIMS, { secret });
      assert.deepEqual(await fallback(issuer, token, [older, oldest]), CLAIMS);
    }
  });

  it("takes the others alone on an RS256 issuer", async () => {
    const token = hs256(CLAIMS, { secret: older });
    assert.deepEqual(await fallback(rsaIssuer, token, [oldest, older]), CLAIMS);
    const own = rs256(CLAIMS, RSA.pkcs8);
    assert.equal((await rejection(fallback(rsaIssuer, own, [older]))).message, ALL);
  });

  it("skips what is empty or no string", async () => {
    const secrets = ["", undefined, null, 42, {}, older];
    const token = hs256(CLAIMS, { secret: older });
    assert.deepEqual(await fallback(issuer, token, secrets), CLAIMS);
    const empty = hs256(CLAIMS, { secret: "" });
    assert.equal((await rejection(fallback(issuer, empty, secrets))).message, ALL);
    assert.equal((await rejection(fallback(rsaIssuer, empty, [""]))).message, ALL);
  });

  it("refuses a token of none of them, and one that has expired", async () => {
    for (const token of [
      hs256(CLAIMS, { secret: "x" }),
      hs256({ ...CLAIMS, exp: 1 }),
      hs256({ ...CLAIMS, exp: 1 }, { secret: older }),
      hs256(CLAIMS, { header: { alg: "none" } }),
      "no token",
    ]) {
      const error = await rejection(fallback(issuer, token, [older]));
      assert.equal(error.message, ALL);
      assert.ok(!(error instanceof Key0Error));
    }
  });

  it("does not verify with what everyone may know", async () => {
    const token = hs256(CLAIMS, { secret: RSA_PUBLIC.spki });
    assert.equal((await rejection(fallback(issuer, token, [RSA_PUBLIC.spki]))).message, ALL);
  });
});
