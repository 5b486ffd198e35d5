// @ts-check
"use strict";

/**
 * What only JavaScript can do for a load of a token: ask a function for a secret, and a store for
 * what it keeps. It happens in the async context of the call that began the load; when, and what
 * becomes of a failure, is Rust's to say.
 *
 * @import { Auth, Errand, ErrorRecord, Errands } from "../binding"
 * @import { TokenCache } from "../index.js"
 */

const { channel } = require("node:diagnostics_channel");
const { types } = require("node:util");
const { isRecord, nameAndMessage } = require("./errors.js");

/**
 * @typedef {object} Hands
 * @property {(() => unknown) | undefined} secret
 * @property {TokenCache | undefined} cache
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
 * @param {Auth} strategy
 */
function done(errands, strategy) {
  serve(errands, handsOf.get(strategy));
  return errands.outcome();
}

/** @param {Errands} errands @param {Hands} [hands] */
async function serve(errands, hands) {
  for (let errand = await errands.next(); errand !== null; errand = await errands.next()) {
    // Not awaited: one that takes long holds up no other.
    perform(errand, hands);
  }
}

/** @param {Errand} errand @param {Hands} [hands] */
async function perform(errand, hands) {
  if (errand.kind === "report") return report(errand.operation, new Error(errand.problem ?? ""));
  try {
    errand.done(read(errand.kind, await started(errand, hands)));
  } catch (error) {
    errand.failed(nameAndMessage(error)[1]);
    if (errand.kind !== "secret") report(errand.kind, error);
  }
}

/** @param {any} errand @param {any} hands */
function started({ kind, key, value, owner, ttlMs }, { secret, cache }) {
  switch (kind) {
    case "secret":
      return secret();
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
  if (kind !== "get" || !types.isUint8Array(value)) return value;
  const { buffer, byteOffset, byteLength } = value;
  return Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
}

/**
 * Listeners read `error.message`; what throws there would end the process.
 *
 * @param {string | undefined} operation
 * @param {unknown} error
 */
function report(operation, error) {
  if (!cacheErrors.hasSubscribers) return;
  const told = types.isNativeError(error) ? error : new Error(nameAndMessage(error)[1]);
  cacheErrors.publish({ operation, error: told });
}

/** The methods of a store that are used, by name. @param {any} cache */
function methodsOf(cache) {
  if (cache === undefined || cache === null) return undefined;
  return ["get", "set", "lock", "unlock"].filter((name) => typeof cache[name] === "function");
}

module.exports = { done, handsOf, hasErrands, methodsOf };
