// @ts-check
"use strict";

/**
 * Who sends a call's requests: the native client, unless the caller names a `fetch`, something has
 * replaced the runtime's (a mock, tracing), or only the runtime's own can reach the server: through
 * a proxy, or in a TLS that the native client does not speak.
 *
 * @import { ErrorRecord } from "../binding"
 */

const atLoad = require("./at-load.js");
const { unwrap } = require("./errors.js");
const { checkFetch } = require("./load.js");

/**
 * @typedef {object} Sender
 * @property {Function} fetch
 * @property {boolean} isCallers Whether it is a function of the caller's, and not the runtime's.
 */

const { toString: source } = Function.prototype;
const DISPATCHER_1 = Symbol.for("undici.globalDispatcher.1");
const DISPATCHER_2 = Symbol.for("undici.globalDispatcher.2");

/** @type {any} */
const realm = globalThis;
const { bun, deno } = process.versions;
/** Others have no dispatchers. */
const isUndicis = !bun && !deno;

/** Its own at load, where nothing had replaced it by then. */
const own = isRuntimes(atLoad.fetch) ? atLoad.fetch : undefined;

/** What stood there at the last look, and whether it may be passed over. */
let [seen, isPlain] = /** @type {any[]} */ ([undefined, true]);

/** Origins whose TLS the native client does not speak, the latest. @type {Set<string>} */
const dialects = new Set();
/** One that is forgotten is found out again, by a handshake that fails. */
const MOST_DIALECTS = 256;

/**
 * The route of an issuer or a strategy.
 *
 * @param {unknown} url
 * @param {Record<string, unknown>} options `fetch` as the caller gave it: a function, `false` or
 *   nothing; and `tls`.
 */
function routeTo(url, { fetch: option, tls }) {
  unwrap(checkFetch(option));
  const { origin, host } = partsOf(url);
  const isNative = option === false || (!option && process.env.KEY0_NATIVE_FETCH === "0");
  // The runtime's `fetch` would show no certificate and trust other CAs.
  const isOnlyNative = isNative || tls !== undefined || own === undefined;
  const isProxied = !isOnlyNative && isThroughProxy(origin, host);
  /** @type {Sender | undefined} */
  const given = typeof option === "function" ? { fetch: option, isCallers: true } : undefined;

  return {
    url,
    /** What the caller's `fetch` threw last, where many wait for one request. @type {unknown} */
    thrown: undefined,

    /** Who sends the requests of a call that begins now; the native client where nobody else. */
    sender() {
      if (given !== undefined || isNative) return given;
      const { fetch } = realm;
      if (fetch !== own) {
        return typeof fetch === "function" ? { fetch, isCallers: true } : undefined;
      }
      if (isUndicis && realm[DISPATCHER_1] !== seen) look();
      if (isPlain && !isProxied && (isOnlyNative || !dialects.has(origin))) return undefined;
      return { fetch, isCallers: false };
    },

    /**
     * Whether a call that failed so is to be made again through `fetch`, which may speak the TLS of
     * this server: nothing was sent. Others take that way at once from then on.
     *
     * @param {ErrorRecord} record
     */
    takesOver({ cause }) {
      // Its own, not one that somebody put on `Object.prototype`.
      const isOfDialect = Object.hasOwn(Object(cause), "dialect") && cause?.dialect !== undefined;
      if (!isOfDialect || cause.sent !== false || isOnlyNative) return false;
      if (!dialects.has(origin)) {
        const [oldest] = dialects;
        if (dialects.size === MOST_DIALECTS) dialects.delete(oldest);
        dialects.add(origin);
        const why = cause.message.replace(/^connecting to /, "");
        const warning = `${why}: the runtime's fetch is used for this server from now on`;
        process.emitWarning(warning, "Key0Warning");
      }
      return true;
    },
  };
}

/**
 * Looks at undici's dispatchers, as the runtime's `fetch` will. Versions that have the second one put
 * a new wrapper of it into the first place, for the older ones: asking for what is not there costs
 * more than all else here.
 */
function look() {
  seen = realm[DISPATCHER_1];
  isPlain = isDefault(seen) && isDefault(realm[DISPATCHER_2]);
}

/**
 * Whether a dispatcher does what the runtime's `fetch` does without one: none, an `Agent` as undici
 * makes it for itself when it is loaded, or what Node itself makes of its own `Agent`.
 *
 * @param {any} dispatcher
 */
function isDefault(dispatcher) {
  if (dispatcher === undefined) return true;
  try {
    const Class = dispatcher.constructor;
    // Node's own build has these; what a user's proxy is, it says in variables.
    const isNodes = source.call(Class).includes(`__name(this, "${Class.name}")`);
    if (isNodes && /^(Dispatcher1Wrapper|EnvHttpProxyAgent)$/.test(Class.name)) return true;
    if (Class.name !== "Agent" || Class.prototype.dispatch !== dispatcher.dispatch) {
      return false;
    }
    const { isDeepStrictEqual } = require("node:util");
    return isDeepStrictEqual(settings(dispatcher), settings(new Class()));
  } catch {
    return false;
  }
}

/** What an `Agent` was made with. @param {any} agent */
function settings(agent) {
  return Object.getOwnPropertySymbols(agent)
    .filter(({ description = "" }) => /^(options|factory|maxRedirections)$/.test(description))
    .map((symbol) => agent[symbol]);
}

/**
 * Whether `fetch` is the runtime's own: those of Node and Deno are JavaScript, Bun's is native and
 * has a method. The text of a proxy, which has all that it stands for, has another name or none.
 *
 * @param {any} fetch
 */
function isRuntimes(fetch) {
  if (typeof fetch !== "function" || fetch.name !== "fetch") return false;
  const text = source.call(fetch);
  const isNative = /^function fetch\(.*\[native code\]/s.test(text);
  if (bun) return isNative && Object.hasOwn(fetch, "preconnect");
  if (deno) return /^(async )?function fetch\((\.\.\.\w+|input, init\b)/.test(text);
  return text.includes("internal/deps/undici/undici");
}

/**
 * Whether the runtime's own rule sends requests to a proxy: Node's only where it was told to.
 *
 * @param {string} origin
 * @param {string} host With its port, where that is not the usual one.
 */
function isThroughProxy(origin, host) {
  const toldNode = process.env.NODE_USE_ENV_PROXY === "1" || /--use-env-proxy/.test(nodeFlags());
  if (!bun && !deno && !toldNode) return false;
  const scheme = origin.startsWith("https:") ? "HTTPS" : "HTTP";
  if (!inEitherCase(`${scheme}_PROXY`) && !inEitherCase("ALL_PROXY")) return false;
  const [name] = host.split(/:\d+$/);
  // In doubt it is the runtime that decides.
  return !inEitherCase("NO_PROXY")
    .split(/[\s,]+/)
    .some((entry) => {
      const excluded = entry.toLowerCase().replace(/^\*?\./, "");
      return entry === "*" || [host, name].includes(excluded);
    });
}

function nodeFlags() {
  return [...process.execArgv, process.env.NODE_OPTIONS ?? ""].join(" ");
}

/** A variable of the environment. @param {string} name */
function inEitherCase(name) {
  return process.env[name.toLowerCase()] || process.env[name] || "";
}

/** @param {unknown} url */
function partsOf(url) {
  try {
    return new URL(String(url));
  } catch {
    return { origin: "", host: "" };
  }
}

/** @typedef {ReturnType<typeof routeTo>} Route */

module.exports = { routeTo };
