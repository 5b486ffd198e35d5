// @ts-check
"use strict";

/**
 * The strategy that loads tokens from an authorization server.
 *
 * @import * as Types from "../index.js"
 * @import { Auth } from "../binding"
 * @import { Watch } from "./diagnostics.js"
 * @import { Route } from "./route.js"
 */

const binding = require("./load.js");
const { isWatched, told, tokens } = require("./diagnostics.js");
const { done, handsOf, hasErrands, methodsOf } = require("./errands.js");
const { failed, isRecord, readable, unwrap } = require("./errors.js");
const { address, pairs, read } = require("./fields.js");
const { partOf } = require("./part.js");
const { provider } = require("./providers.js");
const { routeTo } = require("./route.js");
const { environment, tlsOption, variable } = require("./tls.js");

/** @type {typeof Types.oauthClientCredentialsAuth} */
function oauthClientCredentialsAuth(config) {
  const fields = read(config, ...FIELDS);
  fields.tokenUrl = address("tokenUrl", fields.tokenUrl);
  for (const name of ["headers", "extraParams"]) {
    const value = fields[name];
    fields[name] = readable(name, () => (Array.isArray(value) ? value.flat() : pairs(value)));
  }
  const { cache, clientAuthentication, retry } = fields;
  const bounds = read(retry, "attempts", "minDelayMs", "maxDelayMs");
  for (const [name, value] of Object.entries(bounds)) fields[`retry.${name}`] = value;
  fields.cache = readable("cache", () => methodsOf(cache));
  const { parts, renew } = tlsOption(fields.tls);
  fields.tls = parts;
  const strategy = unwrap(binding.clientCredentials(fields, Date.now()));
  const route = routeTo(fields.tokenUrl, fields);
  const secret = fields[clientAuthentication === "private_key_jwt" ? "privateKey" : "clientSecret"];
  handsOf.set(strategy, { secret, cache });
  strategy.prepare(environment());
  return providerOf(strategy, route, renew);
}

/**
 * @param {Auth} strategy
 * @param {Route} route
 * @param {((strategy: Auth) => void) | undefined} renew What has to be looked at before each call.
 */
function providerOf(strategy, route, renew) {
  const { peek } = strategy;
  /** @param {Watch} [watch] */
  const obtain = async (watch) => {
    renew?.(strategy);
    const now = Date.now();
    const ready = peek(now, variable("NODE_TLS_REJECT_UNAUTHORIZED"));
    if (ready) watch?.hit();
    return { Authorization: ready ?? (await load(strategy, route, now, watch)) };
  };
  const headers = () => (isWatched(tokens) ? told(tokens, route.url, obtain) : obtain());
  /** @param {Record<string, string>} [rejected] */
  const invalidate = (rejected) => strategy.invalidate(rejected?.Authorization);
  const standsIn = () => {
    // Requests that are watched, or not the native client's, are made in the caller's async context.
    if (isWatched(tokens) || route.sender()) return undefined;
    renew?.(strategy);
    return strategy;
  };
  return provider(Object.assign(headers, { invalidate }), standsIn, strategy, route);
}

/**
 * The header's value, waited for.
 * @param {Auth} strategy
 * @param {Route} route
 * @param {number} now
 * @param {Watch} [watch]
 */
async function load(strategy, route, now, watch) {
  const variables = environment();
  // Once more where the server's TLS is not spoken natively.
  for (let elapsedMs = 0, again = 1; ; again -= 1) {
    const sender = route.sender();
    const part = partOf(sender, elapsedMs, watch);
    let value = await strategy.load(now, variables, part);
    if (hasErrands(value)) {
      const sending = sender && { sender, url: route.url, keeper: route };
      value = await done(value, { ...handsOf.get(strategy), sending });
    }
    if (!isRecord(value)) return value;
    if (again === 0 || !route.takesOver(value)) return failed(value, route.thrown);
    elapsedMs = value.cause?.dialect ?? 0;
  }
}

const FIELDS = [
  "tokenUrl",
  "clientId",
  "clientSecret",
  "scopes",
  "audience",
  "resource",
  "extraParams",
  "headers",
  "clientAuthentication",
  "privateKey",
  "algorithm",
  "kid",
  "certificate",
  "assertionAudience",
  "grantType",
  "subject",
  "defaultExpiresInSeconds",
  "expiryBufferSeconds",
  "tokenType",
  "cache",
  "refreshAhead",
  "retry",
  "coolDownMs",
  "tls",
  "fetch",
];

module.exports = { oauthClientCredentialsAuth };
