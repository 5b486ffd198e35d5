// @ts-check
"use strict";

/**
 * What a call tells those who watch: events of `node:diagnostics_channel`, the lines that
 * `NODE_DEBUG=key0` asks for, and the `traceparent` of an active span of OpenTelemetry. Nothing is
 * built where nobody watches, and nothing told has a secret, a header's value or a query.
 *
 * @import { Call, StepRecord } from "../binding"
 */

const diagnostics = require("node:diagnostics_channel");
const { debuglog } = require("node:util");
const { now } = require("./at-load.js");

const log = debuglog("key0");
const isLogged = log.enabled === true;

const EVENTS = /** @type {const} */ (["start", "end", "asyncStart", "asyncEnd", "error"]);

/** @typedef {ReturnType<typeof channelsOf>} Channels */

/**
 * Those of a `TracingChannel` of this name, also where a runtime has none.
 * @param {string} name
 */
function channelsOf(name) {
  const channel = (/** @type {string} */ event) => diagnostics.channel(`tracing:${name}:${event}`);
  const [start, end, asyncStart, asyncEnd, error] = EVENTS.map(channel);
  return { start, end, asyncStart, asyncEnd, error };
}

const issues = channelsOf("key0:issue");
const tokens = channelsOf("key0:token");

/** @param {Channels} channels */
function isWatched({ start, end, asyncStart, asyncEnd, error }) {
  return (
    isLogged ||
    start.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    error.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers
  );
}

/**
 * A watched call, and what its events say.
 *
 * @typedef {object} Watch
 * @property {Record<string, unknown>} headers Those that subscribers of `start` have added.
 * @property {(call: Call | undefined, transport: "native" | "fetch") => void} by Who sends.
 * @property {() => void} hit The token was at hand.
 */

/**
 * Makes a call, and tells of it. Its promise is the call's own.
 *
 * @template T
 * @param {Channels} channels
 * @param {unknown} url
 * @param {(watch: Watch) => Promise<T>} make
 * @returns {Promise<T>}
 */
function told(channels, url, make) {
  const isToken = channels === tokens;
  /** @type {any} */
  const event = { target: targetOf(url), transport: "native", headers: {} };
  if (isToken) event.cache = "miss";
  /** @type {Call | undefined} */
  let call;
  const begun = now();
  /** What a subscriber has frozen stays as it is. @param {string} name @param {unknown} value */
  const tell = (name, value) => Reflect.set(event, name, value);
  /** @type {Watch} */
  const watch = {
    headers: event.headers,
    by(its, transport) {
      call = its;
      tell("transport", transport);
    },
    hit() {
      tell("cache", "hit");
    },
  };
  /** @param {any} [error] */
  const settled = (error) => {
    const durationMs = now() - begun;
    tell("durationMs", durationMs);
    const steps = call?.steps() ?? [];
    const status = steps.map((step) => step.status).findLast((it) => it !== undefined);
    if (status !== undefined) tell("status", status);
    if (isLogged) {
      const end = error === undefined ? "done" : `failed: ${nameOf(error)}`;
      const cached = isToken && event.cache === "hit" ? " (cached)" : "";
      logCall(isToken ? "token" : "issue", steps, originOf(url), durationMs, end + cached);
    }
    if (error !== undefined) {
      tell("error", error);
      channels.error.publish(event);
    }
    channels.asyncStart.publish(event);
    channels.asyncEnd.publish(event);
  };
  const made = () => {
    const promise = make(watch);
    promise.then(() => settled(), settled);
    channels.end.publish(event);
    return promise;
  };
  return channels.start.runStores ? channels.start.runStores(event, made) : published();

  function published() {
    channels.start.publish(event);
    return made();
  }
}

/**
 * @param {string} kind
 * @param {StepRecord[]} steps
 * @param {string} origin
 * @param {number} durationMs
 * @param {string} end
 */
function logCall(kind, steps, origin, durationMs, end) {
  for (const step of steps) {
    log("%s %s +%s ms %s", kind, step.origin, step.afterMs.toFixed(1), step.what);
  }
  log("%s %s %s ms %s", kind, origin, durationMs.toFixed(1), end);
}

/**
 * The headers that go along with a request, names and values in turn: those of subscribers, and the
 * active span's. What reads the runtime's own requests puts that span's there itself.
 *
 * @param {Watch | undefined} watch
 * @param {boolean} isFetch
 * @returns {{ lines: string[], traced: number } | undefined} The last so many headers are the
 *   span's; nothing where nothing goes along and nobody watches.
 */
function along(watch, isFetch) {
  const context = realm[OTEL]?.context;
  if (watch === undefined && context === undefined) return undefined;
  const lines = Object.entries(watch?.headers ?? {}).flatMap(line);
  const others = lines.length;
  const isTraced = isFetch && diagnostics.channel("undici:request:create").hasSubscribers;
  if (!isTraced) lines.push(...spanOf(context));
  if (watch === undefined && lines.length === 0) return undefined;
  return { lines, traced: (lines.length - others) / 2 };
}

/** A subscriber's header; none where it cannot be text. @param {[string, unknown]} entry */
function line([name, value]) {
  try {
    return [name, `${value}`];
  } catch {
    return [];
  }
}

/**
 * The headers of the active span, names and values in turn; none where there is none, or only a part
 * of one.
 *
 * @param {any} context
 */
function spanOf(context) {
  try {
    const span = context?.active().getValue(ACTIVE_SPAN)?.spanContext();
    if (!/^(?!0+$)[\da-f]{32}$/.test(span?.traceId)) return [];
    const flags = span.traceFlags.toString(16).padStart(2, "0");
    const parent = ["traceparent", `00-${span.traceId}-${span.spanId}-${flags}`];
    const state = span.traceState?.serialize();
    return state ? [...parent, "tracestate", `${state}`] : parent;
  } catch {
    return [];
  }
}

/** An error's code or name, as text. @param {any} error */
function nameOf(error) {
  try {
    return String(error?.code ?? error?.name);
  } catch {
    return "an error that cannot be read";
  }
}

/**
 * An address without credentials, query and fragment, nor what may be a key in its path: a segment
 * that is hidden in what causes quote, too.
 *
 * @param {unknown} url
 */
function targetOf(url) {
  try {
    const { origin, pathname } = new URL(String(url));
    return origin + pathname.replace(/[^/]{20,}/g, "[redacted]");
  } catch {
    return "";
  }
}

/** @param {unknown} url */
function originOf(url) {
  try {
    return new URL(String(url)).origin;
  } catch {
    return "";
  }
}

/** @type {any} */
const realm = globalThis;
/** Where version 1 of its API is, whoever loaded it. */
const OTEL = Symbol.for("opentelemetry.js.api.1");
const ACTIVE_SPAN = Symbol.for("OpenTelemetry Context Key SPAN");

module.exports = { along, issues, isWatched, told, tokens };
