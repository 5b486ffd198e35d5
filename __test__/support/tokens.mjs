// @ts-check
/** JWTs made and read by hand with `node:crypto`: the product is never its own witness. */
import assert from "node:assert/strict";
import { createHmac, sign as signBytes, timingSafeEqual, verify as verifyBytes } from "node:crypto";

/** An HMAC secret of 32 characters, the fewest that an issuer takes. */
export const SECRET = "0123456789abcdef0123456789abcdef";

/** The five claims of an access token. */
export const CLAIMS = Object.freeze({
  sub: "request-1",
  jti: "challenge-1",
  resourceId: "photo-1",
  planId: "basic",
  txHash: `0x${"ab".repeat(32)}`,
});

/** A moment that no test waits for: seconds since 1970 in 2100. */
export const FAR = 4_102_444_800;

/** Now, as tokens count: whole seconds since 1970. */
export const now = () => Math.floor(Date.now() / 1000);

/**
 * A signed token. Header and payload are values, or JSON's text as it is to be signed.
 *
 * @param {unknown} payload
 * @param {{ header?: unknown, secret?: string | Buffer, hash?: string }} [options]
 */
export function hs256(
  payload,
  { header = { alg: "HS256" }, secret = SECRET, hash = "sha256" } = {},
) {
  return hs256Of(`${encode(header)}.${encode(payload)}`, { secret, hash });
}

/**
 * A text and its signature.
 *
 * @param {string} signed
 * @param {{ secret?: string | Buffer, hash?: string }} [options]
 */
export function hs256Of(signed, { secret = SECRET, hash = "sha256" } = {}) {
  return `${signed}.${createHmac(hash, secret).update(signed).digest("base64url")}`;
}

/**
 * As {@link hs256}, signed by RSA.
 *
 * @param {unknown} payload
 * @param {string} privateKey PEM
 * @param {unknown} [header]
 */
export function rs256(payload, privateKey, header = { alg: "RS256" }) {
  const signed = `${encode(header)}.${encode(payload)}`;
  return `${signed}.${signBytes("sha256", Buffer.from(signed), privateKey).toString("base64url")}`;
}

/**
 * The texts of header and payload, of a token whose HMAC was found right.
 *
 * @param {string} token
 * @param {string | Buffer} [secret]
 */
export function readHs256(token, secret = SECRET) {
  const { header, payload, signed, signature } = parts(token);
  assert.ok(timingSafeEqual(createHmac("sha256", secret).update(signed).digest(), signature));
  return { header, payload };
}

/**
 * The texts of header and payload, of a token whose RSA signature was found right.
 *
 * @param {string} token
 * @param {string} publicKey PEM
 */
export function readRs256(token, publicKey) {
  const { header, payload, signed, signature } = parts(token);
  assert.ok(verifyBytes("sha256", Buffer.from(signed), publicKey, signature));
  return { header, payload };
}

/** @param {string} token */
function parts(token) {
  assert.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/);
  const [header, payload, signature] = token.split(".");
  return {
    header: Buffer.from(header, "base64url").toString(),
    payload: Buffer.from(payload, "base64url").toString(),
    signed: `${header}.${payload}`,
    signature: Buffer.from(signature, "base64url"),
  };
}

/** @param {unknown} part */
function encode(part) {
  return Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url");
}
