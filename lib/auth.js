// @ts-check
"use strict";

/**
 * The strategies that make no requests.
 *
 * @import * as Types from "../index.js"
 * @import { ErrorRecord } from "../binding"
 */

const binding = require("./load.js");
const { nativeHalf, sign } = require("./access-token.js");
const { failed, isRecord, readable, unwrap } = require("./errors.js");
const { json } = require("./fields.js");
const { provider } = require("./providers.js");

/** @type {typeof Types.noAuth} */
function noAuth() {
  const strategy = binding.Auth.none();
  return provider(
    async () => ({}),
    () => strategy,
  );
}

/** @type {typeof Types.sharedSecretAuth} */
function sharedSecretAuth(headerName, secret) {
  if (typeof secret === "function") return rotatingSecretAuth(headerName, secret);
  const strategy = unwrap(binding.sharedSecret(headerName, secret));
  return provider(
    async () => ({ [headerName]: secret }),
    () => strategy,
  );
}

/**
 * The secret is asked for at each call, in the caller's context, and never kept.
 * @param {string} headerName
 * @param {() => string | PromiseLike<string>} ask
 */
function rotatingSecretAuth(headerName, ask) {
  // Checks the name; an empty secret would be warned of.
  unwrap(binding.sharedSecret(headerName, "-"));
  return async () => {
    let secret;
    try {
      secret = await ask();
    } catch (error) {
      return failed(binding.secretNotHad(), error);
    }
    const checked = binding.sharedSecret(headerName, secret);
    return isRecord(checked) ? failed(checked) : { [headerName]: secret };
  };
}

/** @type {typeof Types.signedJwtAuth} */
function signedJwtAuth(issuer, audience, ttlSeconds) {
  const signs = typeof readable("issuer", () => issuer?.sign) === "function";
  const native = readable("issuer", () => nativeHalf(issuer));
  // An issuer of another package checks the lifetime itself.
  const checked = native ? ttlSeconds : undefined;
  const text =
    typeof audience === "string" ? readable("audience", () => json(audience)) : undefined;
  const claims = unwrap(binding.signedJwt(signs, audience, text, checked));
  const lifetime = ttlSeconds === undefined ? claims.ttlSeconds : ttlSeconds;
  const strategy = native && claims.signedBy(native);
  const peek = strategy?.peek;
  // A `sign` that somebody put in place of ours, a spy's or a subclass's, is always called.
  const own = () => (strategy && issuer.sign === sign ? strategy : undefined);
  const headers = async () => {
    const ours = own();
    if (ours && peek) {
      const now = Date.now();
      // It makes no requests: so it has no errands, and asks for no environment.
      const value = peek(now) ?? /** @type {string | ErrorRecord} */ (await ours.load(now));
      return { Authorization: isRecord(value) ? await failed(value) : value };
    }
    const signed = await issuer.sign(JSON.parse(unwrap(claims.json())), lifetime);
    const bearer = binding.bearer(readable("token of issuer.sign", () => signed?.token));
    return { Authorization: isRecord(bearer) ? await failed(bearer) : bearer };
  };
  return provider(headers, own);
}

module.exports = { noAuth, sharedSecretAuth, signedJwtAuth };
