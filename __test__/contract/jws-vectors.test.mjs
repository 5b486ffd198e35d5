// @ts-check
/** Every token of `tests/fixtures/jws-vectors.json`, at each function that verifies. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { AccessTokenIssuer, validateKey0Token, validateToken } from "../../index.mjs";
import { rejection, rejectsWith } from "../support/errors.mjs";
import { hs256, hs256Of } from "../support/tokens.mjs";

/** @param {string} name */
const fixture = (name) =>
  readFileSync(new URL(`../../tests/fixtures/${name}`, import.meta.url), "utf8");

/**
 * @typedef {object} Vector
 * @property {string} name
 * @property {string} [token]
 * @property {string} [signed]
 * @property {string} [header]
 * @property {string} [payload]
 * @property {string} [secret]
 * @property {string} [hash]
 * @property {string} [publicKey]
 * @property {number} [now]
 * @property {string} [gives]
 * @property {string} [missing]
 * @property {string} [code]
 * @property {string} [claim]
 */

/** @type {{ secret: string, now: number, vectors: Vector[] }} */
const { secret, now, vectors } = JSON.parse(fixture("jws-vectors.json"));

/** @param {Vector} vector */
function tokenOf({ token, signed, header = '{"alg":"HS256"}', payload, ...signer }) {
  const options = { secret, ...signer };
  if (signed !== undefined) return hs256Of(signed, options);
  return token ?? hs256(payload, { ...options, header });
}

/**
 * Asserts that a call gives what the vector says, or rejects with a plain `Error` of this sentence
 * and these facts.
 *
 * @param {Promise<unknown>} call
 * @param {Vector} vector
 * @param {string} [message]
 */
async function isAsSaid(call, { gives, payload, code, claim }, message) {
  if (code === undefined) {
    assert.deepEqual(await call, JSON.parse(/** @type {string} */ (gives ?? payload)));
    return;
  }
  const error = await rejection(call);
  assert.equal(error.constructor, Error, inspect(error));
  assert.deepEqual({ code: error.code, claim: error.claim }, { code, claim });
  if (message === undefined) return;
  assert.equal(error.message, message);
  assert.equal(error.cause.code, code);
}

describe("a vector", () => {
  const issuer = new AccessTokenIssuer(secret);
  for (const vector of vectors) {
    it(vector.name, async (t) => {
      t.mock.method(Date, "now", () => (vector.now ?? now) * 1000);
      const token = tokenOf(vector);
      const { publicKey, missing, code } = vector;

      const config = publicKey
        ? { algorithm: /** @type {const} */ ("RS256"), publicKey: fixture(publicKey) }
        : { secret };
      const call = validateKey0Token(`Bearer ${token}`, config);
      if (missing) {
        const error = await rejection(call);
        assert.equal(error.message, `Invalid token: missing claim ${missing}`);
        assert.deepEqual([error.code, error.claim], ["ERR_JWT_CLAIM_VALIDATION_FAILED", missing]);
      } else {
        const isExpired = code === "ERR_JWT_EXPIRED";
        await isAsSaid(call, vector, isExpired ? "Token expired" : "Invalid token signature");
      }
      if (publicKey) return;

      await isAsSaid(issuer.verify(token), vector);
      const ALL = "Token verification failed with all secrets";
      await isAsSaid(issuer.verifyWithFallback(token, ["one", "two"]), vector, ALL);

      const valid = validateToken(`Bearer ${token}`, { secret });
      if (code === undefined) return isAsSaid(valid, vector);
      await rejectsWith(valid, {
        ...(code === "ERR_JWT_EXPIRED"
          ? { code: "CHALLENGE_EXPIRED", message: "Access token expired" }
          : { code: "INVALID_REQUEST", message: "Invalid access token" }),
        httpStatus: 401,
        cause: { code },
      });
    });
  }
});
