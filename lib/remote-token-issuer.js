// @ts-check
"use strict";

/**
 * The issuer of a backend's tokens.
 *
 * @import * as Types from "../index.js"
 * @import { Auth, ErrorRecord, RemoteIssuer } from "../binding"
 * @import { Watch } from "./diagnostics.js"
 * @import { Route } from "./route.js"
 */

const binding = require("./load.js");
const { issues, isWatched, told } = require("./diagnostics.js");
const { done, handsOf, hasErrands } = require("./errands.js");
const { failed, isRecord, known, nameAndMessage, seekSdkClass, unwrap } = require("./errors.js");
const { address, json, pairs, read } = require("./fields.js");
const { listen, partOf, signalOf } = require("./part.js");
const { askedBy, strategyOf, tokenRouteOf } = require("./providers.js");
const { routeTo } = require("./route.js");
const { environment, tlsOption } = require("./tls.js");

/**
 * @typedef {object} Remote
 * @property {RemoteIssuer} issuer
 * @property {Auth | null | undefined} strategy The one of the last call.
 * @property {ReturnType<RemoteIssuer["issue"]> | undefined} by Issues with that.
 * @property {boolean} asks Whether `auth` is asked at each call.
 * @property {Types.AuthHeaderProvider} auth
 * @property {Route} route
 * @property {((issuer: RemoteIssuer) => void) | undefined} renew What has to be looked at before
 *   each call.
 *
 * What the caller's own code gave a call, asked once each, or threw in it: of an error only the name
 * and the message cross into Rust.
 *
 * @typedef {object} Callers
 * @property {Promise<unknown> | undefined} headers What `auth` gives.
 * @property {{ text?: string } | undefined} body
 * @property {unknown} thrown
 */

/** @type {typeof Types.createRemoteTokenIssuer} */
function createRemoteTokenIssuer(config) {
  const fields = read(config, ...FIELDS);
  const { auth } = fields;
  fields.url = address("url", fields.url);
  const { parts, renew } = tlsOption(fields.tls);
  fields.tls = parts;
  const issuer = unwrap(binding.remoteTokenIssuer(fields, Date.now()));
  const route = routeTo(fields.url, fields);
  issuer.prepare(environment());
  seekSdkClass();
  const remote = { issuer, strategy: null, by: undefined, asks: issuer.asks, auth, route, renew };
  return (params, options) =>
    isWatched(issues)
      ? told(issues, route.url, (watch) => issue(remote, params, options, watch))
      : issue(remote, params, options);
}

/**
 * @param {Remote} remote
 * @param {unknown} params
 * @param {unknown} options
 * @param {Watch} [watch]
 */
async function issue(remote, params, options, watch) {
  const { issuer, asks, auth, route, renew } = remote;
  const signal = signalOf(options);
  if (signal?.aborted) throw signal.reason;
  /** @type {Callers} */
  const callers = { headers: undefined, body: undefined, thrown: undefined };
  // Once more for each of its two servers whose TLS is not spoken natively.
  for (let elapsedMs = 0, again = 2; ; again -= 1) {
    const sender = route.sender();
    let strategy = asks ? strategyOf(auth) : null;
    let given;
    if (strategy === undefined) {
      // The executor runs at once, in the caller's context; what it throws is a rejection.
      callers.headers ??= new Promise((resolve) => resolve(auth()));
      given = handedOver(callers);
      strategy = askedBy(auth);
    }
    try {
      callers.body ??= { text: json(params) };
    } catch (error) {
      return failed(binding.unsendable(), error);
    }
    const { text } = callers.body;
    const part = partOf(sender, elapsedMs, watch, signal);
    const variables = environment();
    // Who aborts it in the turn that it is made in has nothing sent, as by `fetch`.
    if (signal) await undefined;
    renew?.(issuer);
    // Since the first look the caller's code has run, and the first of two servers was asked.
    if (signal?.aborted) throw signal.reason;
    const leave = part && signal && listen(signal, part);
    if (remote.strategy !== strategy || !remote.by) {
      remote.by = issuer.issue(strategy);
      remote.strategy = strategy;
    }
    const { by } = remote;
    // napi asks twice for what a function was given where that is more than four values.
    let outcome = await (given
      ? by(text, Date.now(), variables, part, given)
      : by(text, Date.now(), variables, part));
    if (hasErrands(outcome)) {
      const sending = sender && { sender, url: route.url, keeper: callers };
      const own = handsOf.get(/** @type {Auth} */ (strategy));
      outcome = await done(outcome, { ...own, auth, sending });
    }
    leave?.();
    if (!isRecord(outcome)) return JSON.parse(outcome);
    if (again > 0 && failing(outcome, route, auth)?.takesOver(outcome)) {
      elapsedMs = outcome.cause?.dialect ?? 0;
      continue;
    }
    if (outcome.error !== "CallersOwn") return failed(outcome, callers.thrown);
    if (signal?.aborted) throw signal.reason;
    await known(callers.thrown);
    throw callers.thrown;
  }
}

/** Hands what `auth` gives to a call that waits for it. @param {Callers} callers */
function handedOver(callers) {
  const given = new binding.Given();
  callers.headers
    ?.then((headers) => {
      const list = pairs(headers);
      // The border judges each value.
      if (Array.isArray(list)) given.headers(list);
      else given.other(headers);
    })
    .catch((error) => {
      callers.thrown = error;
      given.rejected(...nameAndMessage(error));
    });
  return given;
}

/**
 * The route of the request that failed: a token's failure keeps its own code.
 * @param {ErrorRecord} outcome
 * @param {Route} route
 * @param {Types.AuthHeaderProvider} auth
 */
function failing({ code }, route, auth) {
  return code === "TOKEN_ISSUE_FAILED" ? route : tokenRouteOf(auth);
}

const FIELDS = [
  "url",
  "timeoutMs",
  "idempotencyKey",
  "auth",
  "secret",
  "headerName",
  "tls",
  "fetch",
];

module.exports = { createRemoteTokenIssuer };
