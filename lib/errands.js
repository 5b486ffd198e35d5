// @ts-check
"use strict";

/**
 * What only JavaScript can do for a call or a load of a token: ask a function for a secret, a store
 * for what it keeps, a strategy for another token, a `fetch` for an answer. It happens in the async
 * context of the call; when, and what becomes of a failure, is Rust's to say.
 *
 * @import { Auth, Errand, ErrorRecord, Errands } from "../binding"
 * @import { AuthHeaderProvider, TokenCache } from "../index.js"
 * @import { Sending } from "./fetch.js"
 */

const { channel } = require("node:diagnostics_channel");
const { isRecord, nameAndMessage } = require("./errors.js");
const { send } = require("./fetch.js");

/**
 * Who does each kind; those that cannot come up in a call are left out.
 *
 * @typedef {object} Hands
 * @property {(() => unknown) | undefined} [secret]
 * @property {TokenCache | undefined} [cache]
 * @property {AuthHeaderProvider} [auth] Which is asked for another token.
 * @property {Sending} [sending] By whom requests are sent.
 */

/** The hands of strategies that need any. @type {WeakMap<Auth, Hands>} */
const handsOf = new WeakMap();

/** Whoever listens hears of a store that failed: `{ operation, error }`. */
const cacheErrors = channel("key0:cache:error");

/**
 * @template {string | ErrorRecord} T
 * @param {T | Errands} outcome
 * @returns {outcome is Errands}
 */
function hasErrands(outcome) {
  return typeof outcome === "object" && !isRecord(outcome);
}

/**
 * Does the errands, for as long as there are any, and gives the outcome of the call.
 * @param {Errands} errands
 * @param {Hands} [hands]
 */
function done(errands, hands) {
  serve(errands, hands);
  return errands.outcome();
}

/** @param {Errands} errands @param {Hands} [hands] */
async function serve(errands, hands) {
  for (let errand = await errands.next(); errand !== null; errand = await errands.next()) {
    // Not awaited: one that takes long holds up no other.
    perform(errand, hands);
  }
}

/** @param {Errand} errand @param {any} hands */
async function perform(errand, hands) {
  if (errand.kind === "report") return report(errand.operation, new Error(errand.problem ?? ""));
  const outgoing = errand.outgoing();
  if (outgoing) return send(outgoing, hands.sending);
  try {
    errand.done(read(errand.kind, await started(errand, hands)));
  } catch (error) {
    errand.failed(nameAndMessage(reasonOf(errand, error))[1]);
    if (errand.kind !== "secret" && errand.kind !== "token") report(errand.kind, error);
  }
}

/** @param {any} errand @param {any} hands */
function started({ kind, key, value, owner, ttlMs }, { secret, cache, auth }) {
  switch (kind) {
    case "secret":
      return secret();
    case "token":
      return auth().then(authorizationOf);
    case "get":
      return cache.get(key);
    case "set":
      return cache.set(key, value, ttlMs);
    case "lock":
      return cache.lock(key, owner, ttlMs);
    default:
      return cache.unlock(key, owner);
  }
}

/**
 * What a store gave, as Rust takes it: bytes that are a text, and of a lock whether it was taken,
 * however its client says so.
 *
 * @param {string} kind
 * @param {unknown} value
 */
function read(kind, value) {
  if (kind === "lock") return Boolean(value);
  if (kind !== "get" || !require("node:util").types.isUint8Array(value)) return value;
  const { buffer, byteOffset, byteLength } = value;
  return Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
}

/** @param {Record<string, string>} headers */
function authorizationOf({ Authorization }) {
  return Authorization;
}

/** The message of our own errors is for the buyer. @param {Errand} errand @param {any} error */
function reasonOf({ kind }, error) {
  return kind === "token" ? (error?.cause ?? error) : error;
}

/**
 * Listeners read `error.message`; what throws there would end the process.
 *
 * @param {string | undefined} operation
 * @param {unknown} error
 */
function report(operation, error) {
  if (!cacheErrors.hasSubscribers) return;
  const { isNativeError } = require("node:util").types;
  const told = isNativeError(error) ? error : new Error(nameAndMessage(error)[1]);
  cacheErrors.publish({ operation, error: told });
}

/** The methods of a store that are used, by name. @param {any} cache */
function methodsOf(cache) {
  if (cache === undefined || cache === null) return undefined;
  return ["get", "set", "lock", "unlock"].filter((name) => typeof cache[name] === "function");
}

module.exports = { done, handsOf, hasErrands, methodsOf };
