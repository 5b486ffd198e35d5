// @ts-check
/** validateKey0Token: a backend reads the token of a request. Every sentence, and their order. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { Key0Error, validateKey0Token } from "../../index.mjs";
import { BLEMISHED, MALFORMED } from "../support/authorization.mjs";
import { rejection } from "../support/errors.mjs";
import { CERTIFICATE, EC, RSA, RSA_PUBLIC, SHORT_RSA } from "../support/keys.mjs";
import { CLAIMS, FAR, hs256, now, rs256, SECRET } from "../support/tokens.mjs";

const HEADER = "Missing or malformed Authorization header";
const FORGED = "Invalid token signature";
const EXPIRED = "Token expired";
const HS256 = { secret: SECRET };
const RS256 = { algorithm: "RS256", publicKey: RSA_PUBLIC.spki };

/** As JavaScript callers call it, whatever the types say. */
const validate = (/** @type {any} */ header, /** @type {any} */ config = HS256) =>
  validateKey0Token(header, config);

/** A good token's payload, changed. @param {object} [change] */
const payload = (change = {}) => ({ ...CLAIMS, iat: now(), exp: FAR, ...change });

/**
 * Asserts a plain `Error` with this whole sentence, or one that fits, and gives it.
 *
 * @param {unknown} header
 * @param {string | RegExp} message
 * @param {any} [config]
 */
async function refused(header, message, config) {
  const error = await rejection(validate(header, config));
  assert.equal(error.constructor, Error, inspect(error));
  assert.ok(!(error instanceof Key0Error));
  if (message instanceof RegExp) assert.match(error.message, message);
  else assert.equal(error.message, message);
  return error;
}

describe("validateKey0Token gives", () => {
  const extra = { iss: "key0", aud: ["a", "b"], nbf: 0.5, nested: { deep: [null] }, text: "é\0" };
  it("the claims of an HS256 token", async () => {
    const claims = payload(extra);
    assert.deepEqual(await validate(`Bearer ${hs256(claims)}`), claims);
    assert.deepEqual(
      await validate(`Bearer ${hs256(claims)}`, { ...HS256, algorithm: "HS256" }),
      claims,
    );
  });

  it("the claims of an RS256 token", async () => {
    const claims = payload(extra);
    assert.deepEqual(await validate(`Bearer ${rs256(claims, RSA.pkcs8)}`, RS256), claims);
  });

  it("the claims of a token without exp and iat", async () => {
    assert.deepEqual(await validate(`Bearer ${hs256(CLAIMS)}`), CLAIMS);
  });

  // B28
  it("an iat of the future as it is", async () => {
    const claims = payload({ iat: now() + 120 });
    assert.deepEqual(await validate(`Bearer ${hs256(claims)}`), claims);
  });

  // B29
  for (const exp of ["4102444800.25", "4.1024448e9", "1e400"]) {
    it(`an exp of ${exp}`, async () => {
      const text = JSON.stringify(CLAIMS).replace("{", `{"exp":${exp},`);
      assert.equal((await validate(`Bearer ${hs256(text)}`)).exp, Number(exp));
    });
  }

  it("a claim named __proto__ as data", async () => {
    const text = JSON.stringify(CLAIMS).replace("{", '{"__proto__":{"admin":true},');
    const claims = await validate(`Bearer ${hs256(text)}`);
    assert.ok(Object.hasOwn(claims, "__proto__"));
    assert.equal(claims.admin, undefined);
  });

  it("what a short secret signed, as the SDK does", async () => {
    const token = hs256(CLAIMS, { secret: "short" });
    assert.deepEqual(await validate(`Bearer ${token}`, { secret: "short" }), CLAIMS);
  });

  it("a token's claims whatever the fields of the other algorithm hold", async () => {
    const other = { ...HS256, publicKey: "no PEM" };
    assert.deepEqual(await validate(`Bearer ${hs256(CLAIMS)}`, other), CLAIMS);
    const token = rs256(CLAIMS, RSA.pkcs8);
    assert.deepEqual(await validate(`Bearer ${token}`, { ...RS256, secret: 42 }), CLAIMS);
  });
});

// B33
describe("validateKey0Token and the header", () => {
  for (const header of MALFORMED) {
    it(`refuses ${inspect(header).slice(0, 30)}`, () => refused(header, HEADER));
  }

  for (const header of BLEMISHED) {
    it(`refuses ${JSON.stringify(header.replace(/[\w-]{16,}/g, "…"))}`, () =>
      refused(header, FORGED));
  }

  it("looks at it first", async () => {
    await refused("Basic x", HEADER, {});
    await refused(undefined, HEADER, { algorithm: "RS256", publicKey: "no PEM" });
  });
});

describe("validateKey0Token and the key", () => {
  for (const secret of [undefined, null, ""]) {
    it(`refuses a secret of ${inspect(secret)}, even where the empty key signed`, async () => {
      for (const token of [hs256(CLAIMS, { secret: "" }), "no token"]) {
        await refused(`Bearer ${token}`, "HS256 algorithm requires secret", { secret });
      }
    });
  }

  for (const publicKey of [undefined, null, ""]) {
    it(`refuses a publicKey of ${inspect(publicKey)}`, async () => {
      const config = { algorithm: "RS256", publicKey, secret: SECRET };
      for (const token of [rs256(CLAIMS, RSA.pkcs8), hs256(CLAIMS), "no token"]) {
        await refused(`Bearer ${token}`, "RS256 algorithm requires publicKey", config);
      }
    });
  }

  // B31: the backend's fault, never the buyer's
  const unusable = /** @type {[string, string, RegExp][]} */ ([
    ["a private key", RSA.pkcs8, /private key/],
    ["a PKCS#1 private key", RSA.pkcs1, /private key/],
    ["a certificate", CERTIFICATE, /certificate/],
    ["an EC key", EC.spki, /EC key/],
    ["1024 bits", SHORT_RSA.spki, /1024 bits/],
    ["no PEM", "no PEM", /no PEM/],
    ["an HMAC secret", SECRET, /no PEM/],
    ["a damaged PEM", RSA_PUBLIC.spki.replace(/\n.{60}/, "\n"), /./],
  ]);
  for (const [name, publicKey, found] of unusable) {
    it(`says what stands in the place of a public key: ${name}`, async () => {
      const token = rs256(CLAIMS, RSA.pkcs8);
      const config = { algorithm: "RS256", publicKey };
      const { message } = await refused(`Bearer ${token}`, /^publicKey is not usable: .+/, config);
      assert.match(message, found);
    });
  }

  const everyoneKnows = [RSA_PUBLIC.spki, RSA_PUBLIC.pkcs1, CERTIFICATE];
  for (const secret of everyoneKnows) {
    it(`does not verify with what everyone may know: ${secret.slice(11, 31)}`, async () => {
      const token = hs256(CLAIMS, { secret });
      await refused(`Bearer ${token}`, /^secret is not usable: .+/, { secret });
    });
  }

  for (const algorithm of ["none", "HS512", "ES256", "hs256", ""]) {
    it(`refuses an algorithm of ${JSON.stringify(algorithm)} in the configuration`, async () => {
      const config = { ...HS256, ...RS256, algorithm };
      for (const token of [
        hs256(CLAIMS, { header: { alg: algorithm } }),
        `${hs256(CLAIMS, { header: { alg: algorithm } }).replace(/[^.]+$/, "")}`,
      ]) {
        assert.match((await rejection(validate(`Bearer ${token}`, config))).message, /algorithm/);
      }
    });
  }

  for (const config of [undefined, null, 42, "secret"]) {
    it(`rejects ${inspect(config)} in place of a configuration`, async () => {
      const call = validateKey0Token(`Bearer ${hs256(CLAIMS)}`, /** @type {any} */ (config));
      assert.ok((await rejection(call)) instanceof Error);
    });
  }
});

describe("validateKey0Token says that a token expired", () => {
  it("once its second has come", async (t) => {
    const clock = t.mock.method(Date, "now", () => 1_699_999_999_999);
    const header = `Bearer ${hs256({ ...CLAIMS, exp: 1_700_000_000 })}`;
    assert.equal((await validate(header)).exp, 1_700_000_000);
    clock.mock.mockImplementation(() => 1_700_000_000_000);
    await refused(header, EXPIRED);
  });

  it("before it looks at nbf and at missing claims", async () => {
    await refused(`Bearer ${hs256({ exp: 1, nbf: FAR })}`, EXPIRED);
  });
});

describe("validateKey0Token names a missing claim", () => {
  const names = ["sub", "jti", "resourceId", "planId", "txHash"];
  for (const name of names) {
    it(`${name}, absent or falsy`, async () => {
      for (const value of [undefined, null, "", 0, false]) {
        const header = `Bearer ${hs256(payload({ [name]: value }))}`;
        await refused(header, `Invalid token: missing claim ${name}`);
      }
    });
  }

  it("the first of several, in this order", async () => {
    for (let i = 0; i < names.length; i++) {
      const rest = Object.fromEntries(names.slice(0, i).map((name) => [name, "x"]));
      await refused(`Bearer ${hs256(rest)}`, `Invalid token: missing claim ${names[i]}`);
    }
  });

  it("that stands in __proto__ alone", async () => {
    const text = `{"__proto__":${JSON.stringify(CLAIMS)}}`;
    await refused(`Bearer ${hs256(text)}`, "Invalid token: missing claim sub");
  });
});

describe("validateKey0Token says that a signature is invalid, with the reason in cause", () => {
  const forged = rs256(payload(), RSA.pkcs8).replace(/.{20}$/, "A".repeat(20));
  const SIGNATURE = "ERR_JWS_SIGNATURE_VERIFICATION_FAILED";
  const ALGORITHM = "ERR_JOSE_ALG_NOT_ALLOWED";
  const CLAIM = "ERR_JWT_CLAIM_VALIDATION_FAILED";
  const reasons = /** @type {[string, string, string, RegExp, any?][]} */ ([
    ["another secret", hs256(payload(), { secret: "x" }), SIGNATURE, /signature/],
    ["another key", forged, SIGNATURE, /signature/, RS256],
    ["no token", "no.such.token", "ERR_JWS_INVALID", /JWS/],
    ["a payload that is no object", hs256("[]"), "ERR_JWT_INVALID", /object/],
    ["HS384", hs256(payload(), { header: { alg: "HS384" }, hash: "sha384" }), ALGORITHM, /alg/],
    ["HS512", hs256(payload(), { header: { alg: "HS512" }, hash: "sha512" }), ALGORITHM, /alg/],
    ["none", hs256(payload(), { header: { alg: "none" } }), ALGORITHM, /alg/],
    ["RS256 for HS256", rs256(payload(), RSA.pkcs8), ALGORITHM, /alg/],
    ["HS256 for RS256", hs256(payload(), { secret: RSA_PUBLIC.spki }), ALGORITHM, /alg/, RS256],
    [
      "crit",
      hs256(payload(), { header: { alg: "HS256", crit: ["x"], x: 1 } }),
      "ERR_JWS_INVALID",
      /crit/,
    ],
    ["not yet valid", hs256(payload({ nbf: FAR })), CLAIM, /nbf/],
    // B29
    ["an exp that is no number", hs256(payload({ exp: `${FAR}` })), CLAIM, /exp.*number/],
    ["an nbf that is no number", hs256(payload({ nbf: "0" })), CLAIM, /nbf.*number/],
    ["an iat that is no number", hs256(payload({ iat: null })), CLAIM, /iat.*number/],
  ]);
  for (const [name, token, code, words, config] of reasons) {
    it(name, async () => {
      const error = await refused(`Bearer ${token}`, FORGED, config);
      assert.ok(error.cause instanceof Error, inspect(error));
      const { cause } = /** @type {any} */ (error);
      assert.equal(cause.code, code);
      assert.match(cause.message, words);
      assert.ok(!inspect(error, { depth: 12, showHidden: true }).includes(token));
    });
  }

  it("before it looks at exp", () =>
    refused(`Bearer ${hs256({ exp: 1 }, { secret: "x" })}`, FORGED));

  it("for a claim that is no number before it looks at exp", () =>
    refused(`Bearer ${hs256(payload({ exp: 1, nbf: "0" }))}`, FORGED));

  it("for one not yet valid before it looks at missing claims", () =>
    refused(`Bearer ${hs256({ nbf: FAR })}`, FORGED));
});
