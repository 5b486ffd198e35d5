// @ts-check
"use strict";

/**
 * The exported shapes, and what needs the caller's synchronous context: `auth()`, `issuer.sign`
 * and `JSON.stringify` run here. Rules, limits, defaults and sentences are in Rust.
 *
 * @import * as Types from "./index.js"
 * @import { Auth, Given, Issuer } from "./binding"
 * @import { Watch } from "./lib/diagnostics.js"
 * @import { Route } from "./lib/route.js"
 */

const binding = require("./lib/load.js");
const { done, handsOf, hasErrands, methodsOf } = require("./lib/errands.js");
const {
  failed,
  fromCaller,
  isRecord,
  Key0Error,
  known,
  nameAndMessage,
  readable,
  refused,
  seekSdkClass,
  setKey0ErrorClass,
  unwrap,
} = require("./lib/errors.js");
const { along, issues, isWatched, told, tokens } = require("./lib/diagnostics.js");
const { send } = require("./lib/fetch.js");
const { redisTokenCache } = require("./lib/redis-token-cache.js");
const { routeTo } = require("./lib/route.js");
const { listen, signalOf } = require("./lib/signal.js");
const { tlsOption } = require("./lib/tls.js");

/**
 * The native strategy behind a provider made here, where it can stand for the provider.
 * @type {WeakMap<Function, () => Auth | undefined>}
 */
const strategies = new WeakMap();

/**
 * The routes of strategies that make requests.
 * @type {WeakMap<Function, Route>}
 */
const routes = new WeakMap();

/** Where an issuer keeps its native half: visible through proxies, unlike a private field. */
const NATIVE = Symbol("native");

/**
 * All of them, and which sign slowly. Their class does not tell: where the package is loaded again,
 * or from a second link to its file, the binary makes instances of the class that was made last.
 * @type {WeakMap<object, boolean>}
 */
const natives = new WeakMap();

/** @type {typeof Types.noAuth} */
function noAuth() {
  return provider(binding.Auth.none(), undefined, async () => ({}));
}

/** @type {typeof Types.sharedSecretAuth} */
function sharedSecretAuth(headerName, secret) {
  if (typeof secret === "function") return rotatingSecretAuth(headerName, secret);
  const strategy = unwrap(binding.sharedSecret(headerName, secret));
  return provider(strategy, undefined, async () => ({ [headerName]: secret }));
}

/**
 * The secret is asked for at each call, in the caller's context, and never kept.
 * @param {string} headerName
 * @param {() => string | PromiseLike<string>} ask
 */
function rotatingSecretAuth(headerName, ask) {
  // Checks the name; an empty secret would be warned of.
  unwrap(binding.sharedSecret(headerName, "-"));
  return async () => {
    const secret = await ask();
    const checked = binding.sharedSecret(headerName, secret);
    return isRecord(checked) ? failed(checked) : { [headerName]: secret };
  };
}

/** @type {typeof Types.signedJwtAuth} */
function signedJwtAuth(issuer, audience, ttlSeconds) {
  const signs = typeof readable("issuer", () => issuer?.sign) === "function";
  const native = readable("issuer", () => nativeHalf(issuer));
  // An issuer of another package checks the lifetime itself.
  const checked = native ? ttlSeconds : undefined;
  const json = typeof audience === "string" ? JSON.stringify(audience) : undefined;
  const claims = unwrap(binding.signedJwt(signs, audience, json, checked));
  const lifetime = ttlSeconds === undefined ? claims.ttlSeconds : ttlSeconds;
  const strategy = native && claims.signedBy(native);
  const peek = strategy?.peek;
  // A `sign` that somebody put in place of ours, a spy's or a subclass's, is always called.
  const own = () => (strategy && issuer.sign === sign ? strategy : undefined);
  const headers = async () => {
    const ours = own();
    if (ours && peek) {
      const now = Date.now();
      return { Authorization: peek(now) ?? (await loaded(ours, now)) };
    }
    const signed = await issuer.sign(JSON.parse(unwrap(claims.json())), lifetime);
    const bearer = binding.bearer(readable("token of issuer.sign", () => signed?.token));
    return { Authorization: isRecord(bearer) ? await failed(bearer) : bearer };
  };
  strategies.set(headers, own);
  return headers;
}

/** @type {typeof Types.oauthClientCredentialsAuth} */
function oauthClientCredentialsAuth(config) {
  const fields = read(config, ...CLIENT_CREDENTIALS);
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
  const route = routeOf({ ...fields, url: fields.tokenUrl });
  const secret = fields[clientAuthentication === "private_key_jwt" ? "privateKey" : "clientSecret"];
  handsOf.set(strategy, { secret, cache });
  strategy.prepare(environment());
  const { peek } = strategy;
  /** @param {Watch} [watch] */
  const obtain = async (watch) => {
    renew?.(strategy);
    const now = Date.now();
    const ready = peek(now, variable("NODE_TLS_REJECT_UNAUTHORIZED"));
    if (ready) watch?.hit();
    return { Authorization: ready ?? (await loaded(strategy, now, route, watch)) };
  };
  const headers = () => (isWatched(tokens) ? told(tokens, route.url, obtain) : obtain());
  routes.set(headers, route);
  /** @param {Record<string, string>} [rejected] */
  const invalidate = (rejected) => strategy.invalidate(rejected?.Authorization);
  return provider(strategy, renew, Object.assign(headers, { invalidate }), route);
}

/** @type {typeof Types.createRemoteTokenIssuer} */
function createRemoteTokenIssuer(config) {
  const fields = read(config, ...REMOTE_TOKEN_ISSUER);
  const { auth } = fields;
  fields.url = address("url", fields.url);
  const { parts, renew } = tlsOption(fields.tls);
  fields.tls = parts;
  const issuer = unwrap(binding.remoteTokenIssuer(fields, Date.now()));
  const route = routeOf(fields);
  issuer.prepare(environment());
  const { asks } = issuer;
  seekSdkClass();
  /** @param {unknown} params @param {unknown} options @param {Watch} [watch] */
  const issue = async (params, options, watch) => {
    const signal = options === undefined ? undefined : signalOf(options);
    if (signal?.aborted) throw signal.reason;
    /** What the caller's code threw: only its name and message cross into Rust. @type {unknown} */
    let thrown;
    // It was found to be a function at creation.
    const ask = /** @type {Types.AuthHeaderProvider} */ (auth);
    /** @type {Promise<unknown> | undefined} */
    let asked;
    /** @type {{ text?: string } | undefined} */
    let body;
    // Once more for each of its two servers whose TLS is not spoken natively.
    for (let elapsedMs = 0, again = 2; ; again -= 1) {
      const sender = route.sender();
      const strategy = asks ? native(ask) : null;
      const given = strategy === undefined ? new binding.Given() : null;
      if (given) {
        // The executor runs at once, in the caller's context; what it throws is a rejection.
        asked ??= new Promise((resolve) => resolve(ask()));
        asked
          .then((headers) => give(given, headers))
          .catch((error) => {
            thrown = error;
            given.rejected(...nameAndMessage(error));
          });
      }
      try {
        body ??= { text: JSON.stringify(params) };
      } catch (error) {
        return failed(binding.unsendable(), error);
      }
      const beside = along(watch, sender !== undefined);
      const call =
        sender || signal || beside
          ? new binding.Call(sender !== undefined, elapsedMs, beside?.lines, beside?.traced)
          : undefined;
      watch?.by(call, sender ? "fetch" : "native");
      const variables = environment();
      renew?.(issuer);
      // Since the first look the caller's code has run, and the first of two servers was asked.
      if (signal?.aborted) throw signal.reason;
      const leave = call && signal && listen(signal, call);
      const issuing = issuer.issue(strategy ?? null, given, body.text, Date.now(), variables, call);
      if (call && sender) {
        send(call, sender, route.url, variables, (error) => {
          thrown = error;
        });
      }
      let outcome = await issuing;
      if (hasErrands(outcome)) outcome = await done(outcome, /** @type {Auth} */ (strategy));
      const isStopped = leave?.();
      if (!isRecord(outcome)) return JSON.parse(outcome);
      const dialect = outcome.cause?.dialect;
      if (dialect !== undefined && again > 0) {
        // A token's failure keeps its own code.
        const failing = outcome.code === "TOKEN_ISSUE_FAILED" ? route : routes.get(ask);
        if (failing?.takesOver(outcome)) {
          elapsedMs = dialect;
          continue;
        }
      }
      if (given && outcome.cause?.status === 401 && routes.has(ask)) {
        // Not the native strategy, which would have fetched another: the next call does.
        asked?.then(/** @type {any} */ (ask).invalidate).catch(() => {});
      }
      if (outcome.error !== "CallersOwn") return failed(outcome, thrown);
      if (isStopped) throw signal?.reason;
      await known(thrown);
      throw thrown;
    }
  };
  return (params, options) =>
    isWatched(issues)
      ? told(issues, route.url, (watch) => issue(params, options, watch))
      : issue(params, options);
}

class AccessTokenIssuer {
  /** @param {string | Types.AccessTokenIssuerConfig} config */
  constructor(config) {
    const isBare = typeof config === "string";
    const { secret, privateKey, algorithm } = isBare
      ? read()
      : read(config, "secret", "privateKey", "algorithm");
    const bare = isBare ? config : undefined;
    const value = unwrap(binding.accessTokenIssuer(bare, secret, privateKey, algorithm));
    natives.set(value, value.signsSlowly);
    Object.defineProperty(this, NATIVE, { value });
  }

  /**
   * @param {Types.TokenClaims} claims
   * @param {number} ttlSeconds
   */
  async sign(claims, ttlSeconds) {
    const issuer = issuerOf(this);
    const text = readable("claims", () => JSON.stringify(claims));
    const signed = natives.get(issuer)
      ? await issuer.signLater(text, ttlSeconds, Date.now())
      : issuer.sign(text, ttlSeconds, Date.now());
    return { token: isRecord(signed) ? await failed(signed) : signed };
  }

  /** @param {string} token */
  async verify(token) {
    const verified = issuerOf(this).verify(token, Date.now());
    return isRecord(verified) ? failed(verified) : JSON.parse(verified);
  }

  /**
   * @param {string} token
   * @param {string[]} fallbackSecrets
   */
  async verifyWithFallback(token, fallbackSecrets) {
    const secrets = readable("fallbackSecrets", () => copied(fallbackSecrets));
    const verified = issuerOf(this).verifyWithFallback(token, secrets, Date.now());
    return isRecord(verified) ? failed(verified) : JSON.parse(verified);
  }
}

const { sign } = AccessTokenIssuer.prototype;

/** @type {typeof Types.validateKey0Token} */
async function validateKey0Token(authHeader, config) {
  const secret = field(config, "secret");
  const publicKey = field(config, "publicKey");
  const algorithm = field(config, "algorithm");
  const now = Date.now();
  const valid = binding.validateKey0Token(authHeader, secret, publicKey, algorithm, now);
  return isRecord(valid) ? failed(valid) : JSON.parse(valid);
}

/** @type {typeof Types.validateToken} */
async function validateToken(authHeader, config) {
  const secret = field(config, "secret");
  const valid = binding.validateToken(authHeader, secret, Date.now());
  return isRecord(valid) ? refused(valid) : JSON.parse(valid);
}

/**
 * @template {Types.AuthHeaderProvider} T
 * @param {Auth} strategy
 * @param {((strategy: Auth) => void) | undefined} renew what has to be looked at before each call
 * @param {T} headers
 * @param {Route} [route] of its requests
 */
function provider(strategy, renew, headers, route) {
  strategies.set(headers, () => {
    // Requests that are watched, or not the native client's, are made in the caller's async context.
    if (route && (isWatched(tokens) || route.sender())) return undefined;
    renew?.(strategy);
    return strategy;
  });
  return headers;
}

/**
 * The strategy that stands for `auth` at this call, if any.
 * @param {Types.AuthHeaderProvider} auth
 */
function native(auth) {
  try {
    return strategies.get(auth)?.();
  } catch {
    // A getter of the issuer threw: `auth` meets it again, and reports it.
    return undefined;
  }
}

/**
 * @param {Auth} strategy
 * @param {number} now
 * @param {Route} [route] of its requests, where it makes any
 * @param {Watch} [watch]
 */
async function loaded(strategy, now, route, watch) {
  const variables = environment();
  for (let elapsedMs = 0, again = 1; ; again -= 1) {
    const sender = route?.sender();
    const beside = route && along(watch, sender !== undefined);
    const call =
      sender || beside
        ? new binding.Call(sender !== undefined, elapsedMs, beside?.lines)
        : undefined;
    watch?.by(call, sender ? "fetch" : "native");
    const loading = strategy.load(now, variables, call);
    if (call && sender && route) {
      send(call, sender, route.url, variables, (error) => {
        route.thrown = error;
      });
    }
    let value = await loading;
    if (hasErrands(value)) value = await done(value, strategy);
    if (!isRecord(value)) return value;
    const dialect = value.cause?.dialect;
    if (dialect === undefined || again === 0 || !route?.takesOver(value)) {
      return failed(value, route?.thrown);
    }
    elapsedMs = dialect;
  }
}

/**
 * Hands what `auth` gave to the call that waits for it: the border judges each value.
 * @param {Given} given
 * @param {any} headers
 */
function give(given, headers) {
  const list = pairs(headers);
  if (!Array.isArray(list)) return given.other(headers);
  given.headers(list);
}

/**
 * Names and values of an object, a `Headers`, a `Map` or `URLSearchParams`, in turn; what can have
 * none as it is.
 * @param {any} headers
 */
function pairs(headers) {
  if (typeof headers !== "object" || headers === null) return headers;
  const isMap = /^\[object (Map|Headers|URLSearchParams)\]$/.test(tag.call(headers));
  const isIterated = isMap && typeof headers[Symbol.iterator] === "function";
  /** @type {unknown[]} */
  const entries = isIterated ? [...headers] : Object.entries(headers);
  return entries.flatMap((entry) => {
    const [name, value] = Array.isArray(entry) ? entry : [];
    return [name, Array.isArray(value) ? joined(value) : value];
  });
}

/** An array as `fetch` makes it text; one that cannot be text stays. @param {unknown[]} value */
function joined(value) {
  try {
    return String(value);
  } catch {
    return value;
  }
}

/**
 * Fields of a caller's object, each read once; nothing else is in what holds them.
 * @param {any} [config]
 * @param {string[]} names
 * @returns {Record<string, any>}
 */
function read(config, ...names) {
  const fields = Object.create(null);
  for (const name of names) fields[name] = readable(name, () => copied(config?.[name]));
  return fields;
}

/** One of them. @param {any} config @param {string} name */
function field(config, name) {
  return readable(name, () => config?.[name]);
}

/** @param {unknown} value */
function copied(value) {
  return Array.isArray(value) ? [...value] : value;
}

/** Who sends the requests to `url`. @param {Record<string, any>} fields */
function routeOf({ fetch, tls, url }) {
  unwrap(binding.checkFetch(fetch));
  return routeTo(fetch, url, tls !== undefined);
}

/** The text of a `URL` of any realm. @param {string} field @param {any} url */
function address(field, url) {
  const href = readable(field, () => (typeof url === "object" ? url?.href : undefined));
  return typeof href === "string" ? href : url;
}

/**
 * The native half of an issuer of this package; a mock that has every property has none.
 * @param {any} issuer
 * @returns {Issuer | undefined}
 */
function nativeHalf(issuer) {
  const native = issuer?.[NATIVE];
  return natives.has(native) ? native : undefined;
}

/** @param {unknown} receiver */
function issuerOf(receiver) {
  const issuer = readable("the receiver of this method", () => nativeHalf(receiver));
  if (issuer) return issuer;
  throw fromCaller(new TypeError("the receiver of this method must be an AccessTokenIssuer"));
}

/**
 * The environment variables that choose trusted CAs, if any is set: a worker's `process.env` is its
 * own.
 */
function environment() {
  const file = variable("SSL_CERT_FILE");
  const folder = variable("SSL_CERT_DIR");
  const extra = variable("NODE_EXTRA_CA_CERTS");
  const verified = variable("NODE_TLS_REJECT_UNAUTHORIZED");
  const none = file === undefined && folder === undefined && extra === undefined;
  return none && verified === undefined ? undefined : [file, folder, extra, verified];
}

/** One that is set, not one that somebody put on `Object.prototype`. @param {string} name */
function variable(name) {
  const { env } = process;
  const value = env[name];
  return typeof value === "string" && Object.hasOwn(env, name) ? value : undefined;
}

const CLIENT_CREDENTIALS = [
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

const REMOTE_TOKEN_ISSUER = [
  "url",
  "timeoutMs",
  "idempotencyKey",
  "auth",
  "secret",
  "headerName",
  "tls",
  "fetch",
];

const { toString: tag } = Object.prototype;

module.exports = {
  AccessTokenIssuer,
  createRemoteTokenIssuer,
  Key0Error,
  noAuth,
  oauthClientCredentialsAuth,
  redisTokenCache,
  setKey0ErrorClass,
  sharedSecretAuth,
  signedJwtAuth,
  validateKey0Token,
  validateToken,
};
