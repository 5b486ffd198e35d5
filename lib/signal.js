// @ts-check
"use strict";

/**
 * An `AbortSignal` that ends a call.
 * @import { Call } from "../binding"
 */

const { fromCaller, readable } = require("./errors.js");

/**
 * That of a call's second argument, which others than the SDK's engine may have put there: the
 * index of an array's `map`, for one.
 *
 * @param {any} options
 * @returns {AbortSignal | undefined}
 */
function signalOf(options) {
  const signal = readable("signal", () => options?.signal);
  if (signal === undefined || signal === null) return undefined;
  if (typeof signal.aborted === "boolean" && typeof signal.addEventListener === "function") {
    return signal;
  }
  throw fromCaller(new TypeError("signal must be an AbortSignal"));
}

/**
 * The calls that a signal ends, while it has any. Each has one listener, since Node warns of a leak
 * where a signal has more than ten.
 *
 * @type {WeakMap<AbortSignal, { calls: Set<Call>, stop: () => void }>}
 */
const listening = new WeakMap();

/**
 * Has `signal` end `call`. What it gives ends that, and tells whether it happened.
 *
 * @param {AbortSignal} signal
 * @param {Call} call
 */
function listen(signal, call) {
  const { calls, stop } = listening.get(signal) ?? listener(signal);
  calls.add(call);
  return () => {
    calls.delete(call);
    if (calls.size === 0) {
      signal.removeEventListener("abort", stop);
      listening.delete(signal);
    }
    return signal.aborted;
  };
}

/** @param {AbortSignal} signal */
function listener(signal) {
  /** @type {Set<Call>} */
  const calls = new Set();
  const stop = () => {
    for (const call of calls) call.stop();
  };
  signal.addEventListener("abort", stop, { once: true });
  const made = { calls, stop };
  listening.set(signal, made);
  return made;
}

module.exports = { listen, signalOf };
