// @ts-check
/** Values that callers hand over, right and wrong ones, drawn by a seed: the same seed, the same. */
import vm from "node:vm";
import { CANARY } from "../../support/errors.mjs";
import { CERTIFICATE, EC, ENCRYPTED, RSA, RSA_PUBLIC, SHORT_RSA } from "../../support/keys.mjs";
import { CLAIMS, hs256 } from "../../support/tokens.mjs";

/** A secret that an issuer takes, and that no message may hold. */
export const LONG_SECRET = `${CANARY}${"x".repeat(32)}`;

/** Thrown by getters, traps and callbacks: whoever passes it on passes the caller's own error. */
export class Own extends Error {}

/** @typedef {() => number} Random From 0 to 1, 1 excluded. */

/**
 * Numbers of a seed (mulberry32).
 *
 * @param {number} seed
 * @returns {Random}
 */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * @template T
 * @param {Random} next
 * @param {readonly T[]} from
 * @returns {T}
 */
export function pick(next, from) {
  return from[Math.floor(next() * from.length)];
}

const elsewhere = vm.createContext({});
/** A value of another realm. @param {string} source */
export const ofAnotherRealm = (source) => vm.runInContext(source, elsewhere);

const fail = () => {
  throw new Own("own");
};

/** @type {unknown[]} */
const PRIMITIVES = [
  ...[undefined, null, true, false, Symbol("s"), Symbol.iterator],
  ...[0, -0, 1, -1, 0.5, 60, 1e-7, 2 ** 31, 2 ** 32, 2 ** 53, 1e300, -1e300, 5e-324],
  ...[Number.NaN, Infinity, -Infinity, 0n, 1n, -1n, 10n ** 60n],
];

const STRINGS = [
  ...["", " ", "\n", "\0", "\ud800", "é", "密", "\u{1f600}", "__proto__", "toString", "NaN", "60"],
  ...["X-A", "X A", "Content-Length", "Host", "Authorization", "HS256", "RS256", "none"],
  ...[CANARY, `${CANARY}\r\nX-B: 1`, `${CANARY}\n`, `${CANARY}\0`, `${CANARY}密`, LONG_SECRET],
  ...["//x", "x", "unix:/s", "file:///x", "http://", "http://[::1", "http://h:99999/", "data:,x"],
  ...[`ftp://u:${encodeURIComponent(CANARY)}@h/`, `http://u:${encodeURIComponent(CANARY)}@h:x/`],
  ...["Bearer", "Bearer ", "Bearer x", "Basic x", "a.b.c", "..", `Bearer ${hs256(CLAIMS)}`],
  ...[RSA.pkcs1, RSA_PUBLIC.spki, EC.pkcs8, EC.sec1, EC.spki, SHORT_RSA.pkcs8, SHORT_RSA.spki],
  ...[ENCRYPTED, CERTIFICATE, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"],
  "long ".repeat(20_000),
];

/** A mock of everything, as test libraries make it: each property is one again. @returns {any} */
const mock = () =>
  /** @type {any} */ (
    new Proxy(() => {}, {
      get: (_, name) => (name === "then" ? undefined : mock()),
      apply: () => mock(),
    })
  );

function revoked(/** @type {any} */ target) {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function rejected() {
  const promise = Promise.reject(new Own("own"));
  // Whoever is given it may leave it alone: that is no unhandled rejection of theirs.
  promise.catch(() => {});
  return promise;
}

/** Objects and functions, each made anew. @type {(() => unknown)[]} */
const OBJECTS = [
  ...[() => ({}), () => [], () => Object.create(null), () => Object.freeze({ a: 1 })],
  ...[() => new Date(Number.NaN), () => /x/, () => new Map([[{}, CANARY]]), () => new Set([1])],
  ...[() => new Headers({ "X-A": CANARY }), () => new URL("http://h/"), () => Buffer.from(CANARY)],
  ...[() => new ArrayBuffer(8), () => new WeakMap(), () => new String(CANARY), () => Object(1n)],
  ...[() => new Error(CANARY), () => () => {}, () => class {}, () => async () => ({ "X-A": "1" })],
  ...[() => Math.max, () => function* () {}, () => globalThis, () => Object(Symbol("s"))],
  ...[() => Promise.resolve({}), rejected, () => ({ then: fail }), () => ({ toJSON: fail })],
  ...[() => ({ toString: fail, valueOf: fail }), () => ({ [Symbol.toPrimitive]: fail })],
  ...[() => ({ [Symbol.toStringTag]: "Map" }), () => ({ [Symbol.toStringTag]: "Headers" })],
  ...[() => [["X-A", "1"]], () => [Symbol("s")], () => [{ toString: fail }], () => new Array(2)],
  () => {
    const circle = /** @type {any} */ ({ list: [] });
    circle.list.push(circle);
    return circle;
  },
  () => JSON.parse(`${"[".repeat(5_000)}${"]".repeat(5_000)}`),
  ...['({ "X-A": "1" })', "[]", "(() => {})", "new Map()", "Promise.resolve({})", "new String('s')"]
    .concat("new Error('e')", "Symbol('s')", "(class E extends Error {})", "new Date(0)")
    .map((source) => () => ofAnotherRealm(source)),
  ...["get", "has", "ownKeys", "getPrototypeOf", "getOwnPropertyDescriptor"].map(
    (trap) => () => new Proxy({ a: 1 }, { [trap]: fail }),
  ),
  ...[() => revoked({}), () => revoked([]), () => revoked(() => {}), mock],
  () => new Proxy([], { get: (list, name) => (name === "length" ? 3 : Reflect.get(list, name)) }),
  () => new Proxy({}, { get: () => CANARY, ownKeys: () => ["a", "b"] }),
  () => new Proxy(() => {}, { get: () => undefined, apply: fail }),
  () => new Proxy(class {}, { construct: fail, get: fail }),
];

/** Getters that throw, one for each of these names. @param {string[]} names */
export function throwing(names) {
  return Object.defineProperties(
    {},
    Object.fromEntries(names.map((name) => [name, { get: fail, enumerable: true }])),
  );
}

/**
 * Anything.
 *
 * @param {Random} next
 * @returns {any}
 */
export function anything(next) {
  const kind = next();
  if (kind < 0.3) return pick(next, PRIMITIVES);
  if (kind < 0.6) return pick(next, STRINGS);
  if (kind < 0.9) return pick(next, OBJECTS)();
  if (kind < 0.95) return Array.from({ length: Math.floor(next() * 4) }, () => anything(next));
  return { [String(pick(next, STRINGS))]: anything(next) };
}

/**
 * Mostly the right value, else anything.
 *
 * @param {Random} next
 * @param {() => unknown} right
 */
export function mostly(next, right, chance = 0.7) {
  return next() < chance ? right() : anything(next);
}

/**
 * An object with these fields, each mostly right, missing or anything; rarely it is anything
 * itself, or its getters throw.
 *
 * @param {Random} next
 * @param {Record<string, () => unknown>} fields
 */
export function config(next, fields) {
  const kind = next();
  if (kind < 0.06) return anything(next);
  if (kind < 0.1) return throwing(Object.keys(fields).filter(() => next() < 0.5));
  const entries = Object.entries(fields).filter(() => next() < 0.9);
  return Object.fromEntries(entries.map(([name, right]) => [name, mostly(next, right, 0.8)]));
}
