// @ts-check
"use strict";

/**
 * What is exported. The shell, which is this and lib/, has what needs the caller's synchronous
 * context: `auth()`, `issuer.sign` and `JSON.stringify` run there. Rules, limits, defaults and
 * sentences are in Rust.
 *
 * @import * as Types from "./index.js"
 */

const { AccessTokenIssuer, validateKey0Token, validateToken } = require("./lib/access-token.js");
const { isSdkKnown, Key0Error, setKey0ErrorClass } = require("./lib/errors.js");

/** @type {typeof Types.createRemoteTokenIssuer} */
function createRemoteTokenIssuer(config) {
  return issuing().createRemoteTokenIssuer(config);
}

/** @type {typeof Types.noAuth} */
function noAuth() {
  return issuing().noAuth();
}

/** @type {typeof Types.oauthClientCredentialsAuth} */
function oauthClientCredentialsAuth(config) {
  return issuing().oauthClientCredentialsAuth(config);
}

/** @type {typeof Types.redisTokenCache} */
function redisTokenCache(client) {
  return issuing().redisTokenCache(client);
}

/** @type {typeof Types.sharedSecretAuth} */
function sharedSecretAuth(headerName, secret) {
  return issuing().sharedSecretAuth(headerName, secret);
}

/** @type {typeof Types.signedJwtAuth} */
function signedJwtAuth(issuer, audience, ttlSeconds) {
  return issuing().signedJwtAuth(issuer, audience, ttlSeconds);
}

/** @type {ReturnType<typeof half> | undefined} */
let loaded;

/**
 * The half of lib/ that issuers and strategies need, loaded with the first of them: who only
 * validates tokens needs none of it. No call loads anything: a release's folder may be gone by then.
 */
function issuing() {
  if (loaded === undefined) {
    loaded = half();
    // Where a test runner has forgotten modules since, it has a class of its own.
    const theirs = loaded.Key0Error;
    const isOurs = theirs === Key0Error || theirs.prototype instanceof Key0Error;
    if (!isOurs && !isSdkKnown()) setKey0ErrorClass(theirs);
  }
  return loaded;
}

function half() {
  return {
    ...require("./lib/auth.js"),
    ...require("./lib/oauth.js"),
    ...require("./lib/redis-token-cache.js"),
    ...require("./lib/remote-token-issuer.js"),
    Key0Error: require("./lib/errors.js").Key0Error,
  };
}

// Node's permission model lets a process give up reading files once it has begun.
if (process.permission !== undefined) issuing();

module.exports = {
  AccessTokenIssuer,
  createRemoteTokenIssuer,
  Key0Error,
  noAuth,
  oauthClientCredentialsAuth,
  redisTokenCache,
  setKey0ErrorClass,
  sharedSecretAuth,
  signedJwtAuth,
  validateKey0Token,
  validateToken,
};
