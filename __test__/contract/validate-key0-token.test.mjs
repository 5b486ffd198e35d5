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
    it(`refuses ${inspect(header).slice(0, 30)}`, async () => {
      assert.equal((await refused(header, HEADER)).code, "ERR_KEY0_AUTHORIZATION");
    });
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
  /** The service's own fault: the same whatever the token. */
  const misconfigured = async (
    /** @type {unknown} */ header,
    /** @type {string | RegExp} */ message,
    /** @type {any} */ config,
  ) => {
    const error = await refused(header, message, config);
    assert.equal(error.code, "ERR_KEY0_CONFIG");
    return error;
  };

  for (const secret of [undefined, null, ""]) {
    it(`refuses a secret of ${inspect(secret)}, even where the empty key signed`, async () => {
      for (const token of [hs256(CLAIMS, { secret: "" }), "no token"]) {
        await misconfigured(`Bearer ${token}`, "HS256 algorithm requires secret", { secret });
      }
    });
  }

  for (const publicKey of [undefined, null, ""]) {
    it(`refuses a publicKey of ${inspect(publicKey)}`, async () => {
      const config = { algorithm: "RS256", publicKey, secret: SECRET };
      for (const token of [rs256(CLAIMS, RSA.pkcs8), hs256(CLAIMS), "no token"]) {
        await misconfigured(`Bearer ${token}`, "RS256 algorithm requires publicKey", config);
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
      const { message } = await misconfigured(
        `Bearer ${token}`,
        /^publicKey is not usable: .+/,
        config,
      );
      assert.match(message, found);
    });
  }

  const everyoneKnows = [RSA_PUBLIC.spki, RSA_PUBLIC.pkcs1, CERTIFICATE];
  for (const secret of everyoneKnows) {
    it(`does not verify with what everyone may know: ${secret.slice(11, 31)}`, async () => {
      const token = hs256(CLAIMS, { secret });
      await misconfigured(`Bearer ${token}`, /^secret is not usable: .+/, { secret });
    });
  }

  for (const algorithm of ["none", "HS512", "ES256", "hs256", ""]) {
    it(`refuses an algorithm of ${JSON.stringify(algorithm)} in the configuration`, async () => {
      const config = { ...HS256, ...RS256, algorithm };
      for (const token of [
        hs256(CLAIMS, { header: { alg: algorithm } }),
        `${hs256(CLAIMS, { header: { alg: algorithm } }).replace(/[^.]+$/, "")}`,
      ]) {
        await misconfigured(`Bearer ${token}`, /^algorithm must be HS256 or RS256$/, config);
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

describe("validateKey0Token says that a signature is invalid", () => {
  it("of another key", async () => {
    const forged = rs256(payload(), RSA.pkcs8).replace(/.{20}$/, "A".repeat(20));
    const error = await refused(`Bearer ${forged}`, FORGED, RS256);
    assert.equal(error.code, "ERR_JWS_SIGNATURE_VERIFICATION_FAILED");
  });

  it("and shows the token nowhere", async () => {
    const token = hs256(payload(), { secret: "x" });
    const error = await refused(`Bearer ${token}`, FORGED);
    assert.ok(error.cause instanceof Error, inspect(error));
    assert.ok(!inspect(error, { depth: 12, showHidden: true }).includes(token));
  });
});
