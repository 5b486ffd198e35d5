// @ts-check
"use strict";

/**
 * What is exported. The shell, which is this and lib/, has what needs the caller's synchronous
 * context: `auth()`, `issuer.sign` and `JSON.stringify` run there. Rules, limits, defaults and
 * sentences are in Rust.
 */

const { AccessTokenIssuer, validateKey0Token, validateToken } = require("./lib/access-token.js");
const { noAuth, sharedSecretAuth, signedJwtAuth } = require("./lib/auth.js");
const { Key0Error, setKey0ErrorClass } = require("./lib/errors.js");
const { oauthClientCredentialsAuth } = require("./lib/oauth.js");
const { redisTokenCache } = require("./lib/redis-token-cache.js");
const { createRemoteTokenIssuer } = require("./lib/remote-token-issuer.js");

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
