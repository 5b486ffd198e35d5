// @ts-check
"use strict";

/**
 * What a call tells those who watch: events of `node:diagnostics_channel`, the lines that
 * `NODE_DEBUG=key0` asks for, and the `traceparent` of an active span of OpenTelemetry. Nothing is
 * built where nobody watches, and nothing told has a secret, a header's value or a query.
 *
 * @import { Call } from "../binding"
 */

const diagnostics = require("node:diagnostics_channel");
const { now } = require("./at-load.js");
const binding = require("./load.js");

/** Bun takes more than a millisecond to load `node:util`. */
const log = process.env.NODE_DEBUG ? require("node:util").debuglog("key0") : undefined;
const isLogged = log?.enabled === true;
if (isLogged) {
  binding.listenToSteps((kind, { origin, afterMs, what }) => {
    log?.("%s %s +%s ms %s", kind, origin, afterMs.toFixed(1), what);
  });
}

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
 * @property {string | undefined} kind Whose steps are logged as they happen.
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
  const origin = isLogged ? originOf(url) : "";
  let isHit = false;
  /** What a subscriber has frozen stays as it is. @param {string} name @param {unknown} value */
  const tell = (name, value) => {
    try {
      Reflect.set(event, name, value);
    } catch {
      // Or has a setter that throws.
    }
  };
  /** @type {Watch} */
  const watch = {
    kind: isLogged ? (isToken ? "token" : "issue") : undefined,
    headers: event.headers,
    by(its, transport) {
      call = its;
      tell("transport", transport);
    },
    hit() {
      isHit = true;
      tell("cache", "hit");
    },
  };
  /** @param {any} [error] */
  const settled = (error) => {
    const durationMs = now() - begun;
    tell("durationMs", durationMs);
    const statuses = (call?.steps() ?? []).map(({ status }) => status);
    const status = statuses.findLast((it) => it !== undefined);
    if (status !== undefined) tell("status", status);
    if (isLogged) {
      const end = error === undefined ? "done" : `failed: ${nameOf(error)}`;
      const cached = isHit ? " (cached)" : "";
      log("%s %s %s ms %s", watch.kind, origin, durationMs.toFixed(1), end + cached);
    }
    if (error !== undefined) {
      tell("error", error);
      channels.error.publish(event);
    }
    channels.asyncStart.publish(event);
    channels.asyncEnd.publish(event);
  };
  const made = () => {
    if (isLogged) log("%s %s begun", watch.kind, origin);
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
 * The headers that go along with a request, names and values in turn: those of subscribers, and the
 * active span's. What reads the runtime's own requests puts that span's there itself.
 *
 * @param {Watch | undefined} watch
 * @param {boolean} isFetch
 * @returns {{ lines: string[], traced: number } | undefined} The last so many headers are the
 *   span's; nothing where nothing goes along and nobody watches.
 */
function along(watch, isFetch) {
  const context = contextOf();
  if (watch === undefined && context === undefined) return undefined;
  const added = watch?.headers ?? {};
  const lines = Object.keys(added).flatMap((name) => line(added, name));
  const others = lines.length;
  const isTraced = isFetch && diagnostics.channel("undici:request:create").hasSubscribers;
  if (!isTraced) lines.push(...spanOf(context));
  if (watch === undefined && lines.length === 0) return undefined;
  return { lines, traced: (lines.length - others) / 2 };
}

/**
 * A subscriber's header; none where it cannot be text.
 * @param {Record<string, unknown>} headers
 * @param {string} name
 */
function line(headers, name) {
  try {
    return [name, `${headers[name]}`];
  } catch {
    return [];
  }
}

/** What knows the active span of OpenTelemetry, where that is loaded. */
function contextOf() {
  try {
    return realm[OTEL]?.context;
  } catch {
    return undefined;
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
    const flags = (span?.traceFlags & 0xff).toString(16).padStart(2, "0");
    const value = `00-${span?.traceId}-${span?.spanId}-${flags}`;
    if (!Number.isInteger(span?.traceFlags) || !TRACEPARENT.test(value)) return [];
    const parent = ["traceparent", value];
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
/** Of W3C Trace Context, §3.2.2: an id of zeros alone is none. */
const TRACEPARENT = /^00-(?!0+-)[\da-f]{32}-(?!0+-)[\da-f]{16}-[\da-f]{2}$/;
const ACTIVE_SPAN = Symbol.for("OpenTelemetry Context Key SPAN");

module.exports = { along, issues, isWatched, told, tokens };
