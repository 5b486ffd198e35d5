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
 * Has `signal` end `call`. What it gives ends that, and tells whether it happened.
 *
 * @param {AbortSignal} signal
 * @param {Call} call
 */
function listen(signal, call) {
  const stop = () => call.stop();
  signal.addEventListener("abort", stop, { once: true });
  return () => {
    signal.removeEventListener("abort", stop);
    return signal.aborted;
  };
}

module.exports = { listen, signalOf };
