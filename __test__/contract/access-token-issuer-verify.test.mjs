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
const FORGED = "ERR_JWS_SIGNATURE_VERIFICATION_FAILED";
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

  it("reads a token of any length to its last letter", async () => {
    // Around the length from which the border reads a string another way, and far above it.
    const lengths = Array.from({ length: 30 }, (_, i) => 1_270 + i);
    for (const length of [...lengths, 100_000]) {
      const claims = payload({ text: "x".repeat(length) });
      const token = hs256(claims);
      assert.deepEqual(await verify(token), claims);
      await refused(`${token}.`, "ERR_JWS_INVALID");
      await refused(`${token}é`, "ERR_JWS_INVALID");
    }
  });

  it("gives a real promise, and rejects in place of throwing", async () => {
    for (const token of [undefined, null, 42, {}, Symbol("s")]) {
      await refused(token, "ERR_JWS_INVALID");
    }
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
      assert.equal(error.code, "ERR_KEY0_CONFIG");
    }
  });
});

describe("verify refuses", () => {
  it("an empty text", () => refused("", "ERR_JWS_INVALID"));

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

  const nearest = /** @type {[string, string, string, string?][]} */ ([
    ["signed by none of them", hs256(CLAIMS, { secret: "x" }), FORGED],
    ["of the own secret, expired", hs256({ ...CLAIMS, exp: 1 }), "ERR_JWT_EXPIRED", "exp"],
    [
      "of a secret in the middle, expired",
      hs256({ ...CLAIMS, exp: 1 }, { secret: older }),
      "ERR_JWT_EXPIRED",
      "exp",
    ],
    [
      "of the last, not yet valid",
      hs256({ ...CLAIMS, nbf: FAR }, { secret: oldest }),
      "ERR_JWT_CLAIM_VALIDATION_FAILED",
      "nbf",
    ],
    [
      "of another algorithm",
      hs256(CLAIMS, { header: { alg: "none" } }),
      "ERR_JOSE_ALG_NOT_ALLOWED",
    ],
    ["that is none", "no token", "ERR_JWS_INVALID"],
  ]);
  for (const [name, token, code, claim] of nearest) {
    it(`refuses one ${name}, and says what came nearest`, async () => {
      const error = await rejection(fallback(issuer, token, [older, oldest]));
      assert.equal(error.constructor, Error);
      const { message, cause } = error;
      const facts = [message, error.code, error.claim, cause.code];
      assert.deepEqual(facts, [ALL, code, claim, code]);
    });
  }

  it("calls it the service's fault where there is no secret at all", async () => {
    const error = await rejection(fallback(rsaIssuer, hs256(CLAIMS), ["", null]));
    assert.deepEqual([error.message, error.code], [ALL, "ERR_KEY0_CONFIG"]);
    assert.ok(!("cause" in error));
  });

  it("does not verify with what everyone may know", async () => {
    const token = hs256(CLAIMS, { secret: RSA_PUBLIC.spki });
    assert.equal((await rejection(fallback(issuer, token, [RSA_PUBLIC.spki]))).message, ALL);
  });
});
