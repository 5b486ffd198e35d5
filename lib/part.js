// @ts-check
"use strict";

/**
 * JavaScript's part in a call to a server: it sends the requests, can stop them, or watches.
 *
 * @import { Call } from "../binding"
 * @import { Watch } from "./diagnostics.js"
 * @import { Sender } from "./route.js"
 */

const { along } = require("./diagnostics.js");
const { fromCaller, readable } = require("./errors.js");
const binding = require("./load.js");

/**
 * That in a call which begins now; none where the native client does all of it by itself.
 *
 * @param {Sender | undefined} sender
 * @param {number} elapsedMs How much of the call's time is over.
 * @param {Watch | undefined} watch
 * @param {AbortSignal} [signal]
 */
function partOf(sender, elapsedMs, watch, signal) {
  const isFetch = sender !== undefined;
  const beside = along(watch, isFetch);
  const isNone = !isFetch && beside === undefined && signal === undefined;
  const part = isNone
    ? undefined
    : new binding.Call(isFetch, elapsedMs, beside?.lines, beside?.traced, watch?.kind);
  watch?.by(part, isFetch ? "fetch" : "native");
  return part;
}

/**
 * The signal of a call's second argument, which others than the SDK's engine may have put there: the
 * index of an array's `map`, for one.
 *
 * @param {any} options
 * @returns {AbortSignal | undefined}
 */
function signalOf(options) {
  if (options === undefined) return undefined;
  const signal = readable("signal", () => options?.signal);
  if (signal === undefined || signal === null) return undefined;
  if (typeof signal.aborted === "boolean" && typeof signal.addEventListener === "function") {
    return signal;
  }
  throw fromCaller(new TypeError("signal must be an AbortSignal"));
}

/**
 * The calls that a signal ends, while it has any. They share one listener, since Node warns of a leak
 * where a signal has more than ten.
 *
 * @type {WeakMap<AbortSignal, { calls: Set<Call>, stop: () => void }>}
 */
const listening = new WeakMap();

/**
 * Has `signal` end `call`. What it gives ends that.
 *
 * @param {AbortSignal} signal
 * @param {Call} call
 */
function listen(signal, call) {
  const { calls, stop } = listening.get(signal) ?? listener(signal);
  calls.add(call);
  return () => {
    calls.delete(call);
    if (calls.size > 0) return;
    listening.delete(signal);
    try {
      signal.removeEventListener("abort", stop);
    } catch {
      // What has been issued is not lost for it.
    }
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

module.exports = { listen, partOf, signalOf };
