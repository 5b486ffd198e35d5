// @ts-check
/** What a failure has to be: its facts, its whole sentence, and that it hides every secret. */
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { Key0Error } from "../../index.mjs";

/** Every secret of a test is this one, or holds it, so that one search finds all leaks. */
export const CANARY = 'canary~7h3 "s3cr3t"/+=&\\x';

/**
 * Asserts that `promise` rejects, and gives the reason.
 *
 * @param {Promise<unknown>} promise
 * @returns {Promise<any>}
 */
export async function rejection(promise) {
  assert.ok(promise instanceof Promise, "a real promise");
  const outcome = await promise.then(
    (value) => ({ value }),
    (reason) => ({ reason }),
  );
  if ("value" in outcome) assert.fail(`fulfilled with ${inspect(outcome.value)}`);
  return outcome.reason;
}

/**
 * @typedef {object} Cause
 * @property {string | RegExp} [message]
 * @property {string | RegExp} [code]
 * @property {string} [syscall]
 * @property {string} [hostname]
 * @property {string} [address]
 * @property {number} [port]
 * @property {number} [status]
 * @property {string | RegExp} [body]
 * @property {boolean} [sent]
 *
 * @typedef {object} Expected
 * @property {string} code
 * @property {number} httpStatus
 * @property {string | RegExp} message A string is the whole sentence; a pattern should be anchored.
 * @property {Cause} [cause] Facts that the cause has; one given as `undefined` it must not have.
 */

/**
 * Asserts that `promise` rejects with a `Key0Error` of these facts that shows no canary, and gives
 * the error.
 *
 * @param {Promise<unknown>} promise
 * @param {Expected} expected
 * @returns {Promise<any>}
 */
export async function rejectsWith(promise, expected) {
  const error = await rejection(promise);
  assert.ok(error instanceof Key0Error, `a Key0Error, not ${inspect(error)}`);
  assert.equal(error.name, "Key0Error");
  if (expected.message instanceof RegExp) assert.match(error.message, expected.message);
  else assert.equal(error.message, expected.message);
  assert.equal(error.code, expected.code, error.message);
  assert.equal(error.httpStatus, expected.httpStatus, error.message);
  assert.ok(Object.hasOwn(error, "details"), "details is an own property");
  // The buyer is sent this: never the cause.
  assert.deepEqual(error.toJSON(), { type: "Error", code: error.code, message: error.message });
  for (const [name, value] of Object.entries(expected.cause ?? {})) {
    assert.ok(error.cause instanceof Error, "the cause is an error");
    /** @type {any} */
    const actual = Reflect.get(error.cause, name);
    if (value instanceof RegExp) assert.match(actual, value);
    else assert.equal(actual, value, `cause.${name}: ${inspect(error.cause)}`);
  }
  showsNoCanary(error);
  return error;
}

/**
 * `TOKEN_ISSUE_FAILED`, 502, with this sentence.
 *
 * @param {string | RegExp} message
 * @param {Expected["cause"]} [cause]
 * @returns {Expected}
 */
export function issueFailed(message, cause) {
  return { code: "TOKEN_ISSUE_FAILED", httpStatus: 502, message, cause };
}

/**
 * `TOKEN_ISSUE_TIMEOUT`, 504.
 *
 * @param {Expected["cause"]} [cause]
 * @returns {Expected}
 */
export function issueTimedOut(cause) {
  return {
    code: "TOKEN_ISSUE_TIMEOUT",
    httpStatus: 504,
    message: "Remote token issuance timed out",
    cause,
  };
}

/**
 * Asserts that `create` throws an error of exactly this class that names the field and shows no
 * canary.
 *
 * @param {() => unknown} create
 * @param {TypeErrorConstructor | RangeErrorConstructor} type
 * @param {string} field
 */
export function refusesField(create, type, field) {
  assert.throws(create, (error) => {
    assert.ok(error instanceof Error);
    assert.equal(error.constructor, type, inspect(error));
    assert.match(error.message, new RegExp(`\\b${field}\\b`));
    showsNoCanary(error);
    return true;
  });
}

/**
 * Asserts that nothing that a log could make of `value` holds a canary, in any spelling.
 *
 * @param {unknown} value
 */
export function showsNoCanary(value) {
  const text = [
    inspect(value, { depth: 12, showHidden: true, maxStringLength: null, maxArrayLength: null }),
    value instanceof Error ? `${value.message}\n${value.stack}` : String(value),
    json(value),
  ].join("\n");
  for (const [spelling, needle] of Object.entries(spellings(CANARY))) {
    assert.ok(!text.includes(needle), `shows the canary, ${spelling}: ${text}`);
  }
}

/**
 * The ways in which a secret comes back in a peer's answer.
 *
 * @param {string} secret
 */
export function spellings(secret) {
  return {
    raw: secret,
    percent: encodeURIComponent(secret),
    "lower-case percent": encodeURIComponent(secret).replace(/%../g, (hex) => hex.toLowerCase()),
    form: new URLSearchParams([["", secret]]).toString().slice(1),
    json: JSON.stringify(secret).slice(1, -1),
    "json with escaped slashes": JSON.stringify(secret).slice(1, -1).replaceAll("/", "\\/"),
    base64: Buffer.from(secret).toString("base64"),
    base64url: Buffer.from(secret).toString("base64url"),
  };
}

/** @param {unknown} value */
function json(value) {
  const own = value instanceof Error ? Object.getOwnPropertyNames(value) : null;
  try {
    return JSON.stringify(value, own) ?? "";
  } catch {
    return "";
  }
}
