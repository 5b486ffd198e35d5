// @ts-check
"use strict";

/**
 * Tokens: the issuer, which keeps its key parsed, and the validators of backends.
 *
 * @import * as Types from "../index.js"
 * @import { Issuer } from "../binding"
 */

const binding = require("./load.js");
const { failed, fromCaller, isRecord, readable, refused, unwrap } = require("./errors.js");
const { copied, json, read } = require("./fields.js");

/** Where an issuer keeps its native half: visible through proxies, unlike a private field. */
const NATIVE = Symbol("native");

/**
 * All of them, and which sign slowly. Their class does not tell: where the package is loaded again,
 * or from a second link to its file, the binary makes instances of the class that was made last.
 * @type {WeakMap<object, boolean>}
 */
const natives = new WeakMap();

class AccessTokenIssuer {
  /** @param {string | Types.AccessTokenIssuerConfig} config */
  constructor(config) {
    const isBare = typeof config === "string";
    const { secret, privateKey, algorithm } = isBare
      ? read()
      : read(config, "secret", "privateKey", "algorithm");
    const bare = isBare ? config : undefined;
    const value = unwrap(binding.accessTokenIssuer(bare, secret, privateKey, algorithm));
    natives.set(value, value.signsSlowly);
    Object.defineProperty(this, NATIVE, { value });
  }

  /**
   * @param {Types.TokenClaims} claims
   * @param {number} ttlSeconds
   */
  async sign(claims, ttlSeconds) {
    const issuer = issuerOf(this);
    const text = readable("claims", () => json(claims));
    const signed = natives.get(issuer)
      ? await issuer.signLater(text, ttlSeconds, Date.now())
      : issuer.sign(text, ttlSeconds, Date.now());
    return { token: isRecord(signed) ? await failed(signed) : signed };
  }

  /** @param {string} token */
  async verify(token) {
    const verified = issuerOf(this).verify(token, Date.now());
    return isRecord(verified) ? failed(verified) : JSON.parse(verified);
  }

  /**
   * @param {string} token
   * @param {string[]} fallbackSecrets
   */
  async verifyWithFallback(token, fallbackSecrets) {
    const secrets = readable("fallbackSecrets", () => copied(fallbackSecrets));
    const verified = issuerOf(this).verifyWithFallback(token, secrets, Date.now());
    return isRecord(verified) ? failed(verified) : JSON.parse(verified);
  }
}

const { sign } = AccessTokenIssuer.prototype;

/** @type {typeof Types.validateKey0Token} */
async function validateKey0Token(authHeader, config) {
  // Each by its own name: V8 keeps no place for a name that changes.
  const secret = readable("secret", () => config?.secret);
  const publicKey = readable("publicKey", () => config?.publicKey);
  const algorithm = readable("algorithm", () => config?.algorithm);
  const now = Date.now();
  const valid = binding.validateKey0Token(authHeader, secret, publicKey, algorithm, now);
  return isRecord(valid) ? failed(valid) : JSON.parse(valid);
}

/** @type {typeof Types.validateToken} */
async function validateToken(authHeader, config) {
  const secret = readable("secret", () => config?.secret);
  const valid = binding.validateToken(authHeader, secret, Date.now());
  return isRecord(valid) ? refused(valid) : JSON.parse(valid);
}

/**
 * The native half of an issuer of this package; a mock that has every property has none.
 * @param {any} issuer
 * @returns {Issuer | undefined}
 */
function nativeHalf(issuer) {
  const native = issuer?.[NATIVE];
  return natives.has(native) ? native : undefined;
}

/** @param {unknown} receiver */
function issuerOf(receiver) {
  const issuer = readable("the receiver of this method", () => nativeHalf(receiver));
  if (issuer) return issuer;
  throw fromCaller(new TypeError("the receiver of this method must be an AccessTokenIssuer"));
}

module.exports = { AccessTokenIssuer, nativeHalf, sign, validateKey0Token, validateToken };
