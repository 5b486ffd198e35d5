// @ts-check
"use strict";

/**
 * `Key0Error`, and native error records turned into thrown errors.
 * @import { ErrorRecord } from "../binding"
 */

const { text, toCause, UNREADABLE } = require("./causes.js");
const { sdkSearch } = require("./sdk.js");
const { fromCaller } = require("./stack.js");

/** The SDK's class, once it is known. @type {Function | undefined} */
let sdkClass;

const search = sdkSearch(isSdkKnown, setKey0ErrorClass);

function isSdkKnown() {
  return sdkClass !== undefined;
}

class Key0Error extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {number} [httpStatus]
   * @param {Record<string, unknown>} [details]
   */
  constructor(code, message, httpStatus = 400, details) {
    // A template, since `String` would take a symbol, which an Error does not.
    super(readable("message", () => (message === undefined ? message : `${message}`)));
    this.code = code;
    this.httpStatus = httpStatus;
    this.details = details;
  }

  toJSON() {
    const { code, message, details } = this;
    return { type: "Error", code, message, ...(details ? { details } : {}) };
  }

  /**
   * Errors of the SDK's class are ours too; of a subclass only its own instances are.
   * @param {unknown} value
   */
  static [Symbol.hasInstance](value) {
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true;
    // By the prototype: the other class's own `instanceof` may ask ours in turn.
    return this === Key0Error && sdkClass !== undefined && inherits(value, sdkClass.prototype);
  }
}

// On the prototype, so that a stack begins with it.
Object.defineProperty(Key0Error.prototype, "name", {
  value: "Key0Error",
  writable: true,
  configurable: true,
});

/**
 * Names the SDK's own class, so that errors of this package are instances of it.
 * @param {unknown} ErrorClass
 */
function setKey0ErrorClass(ErrorClass) {
  const theirs = readable("Key0Error", () =>
    typeof ErrorClass === "function" ? ErrorClass.prototype : undefined,
  );
  if (!readable("Key0Error", () => inherits(theirs, Error.prototype))) {
    throw fromCaller(new TypeError("Key0Error must be a class that extends Error"));
  }
  const { prototype } = Key0Error;
  if (theirs === prototype || inherits(theirs, prototype)) {
    const own = "Key0Error must be the SDK's class, not this package's or one below it";
    throw fromCaller(new TypeError(own));
  }
  Object.setPrototypeOf(prototype, theirs);
  sdkClass = /** @type {Function} */ (ErrorClass);
}

/**
 * The value of a native outcome at creation, or its record thrown.
 * @template T
 * @param {T | ErrorRecord} outcome
 * @returns {T}
 */
function unwrap(outcome) {
  if (isRecord(outcome)) throw fromCaller(toError(outcome));
  return outcome;
}

/**
 * The record of a call that failed, thrown. Awaited in the `async` function that the caller awaits,
 * so that the stack, which is made before anything is waited for, is the caller's.
 * @param {ErrorRecord} record
 * @param {unknown} [reason] What the caller's own code threw, where that is why.
 * @returns {Promise<never>}
 */
async function failed(record, reason) {
  const error = fromCaller(toError(record, reason));
  await known(error);
  throw error;
}

/**
 * The same of a token that a validator refused.
 * @param {ErrorRecord} record
 * @returns {Promise<never>}
 */
async function refused(record) {
  const error = fromCaller(toError(record));
  await known(error, true);
  throw error;
}

/**
 * Settles once the SDK's class was looked for, where that makes a difference to the error.
 * @param {unknown} error
 */
async function known(error, isRefusal = false) {
  if (inherits(error, Key0Error.prototype)) await search.atFailure(isRefusal);
}

/**
 * @template T
 * @param {T | ErrorRecord} outcome
 * @returns {outcome is ErrorRecord}
 */
function isRecord(outcome) {
  // Its own: somebody may have put one on `Object.prototype`.
  return typeof outcome === "object" && outcome !== null && Object.hasOwn(outcome, "error");
}

/** @param {ErrorRecord} record @param {unknown} [reason] */
function toError({ error, message, code, httpStatus, claim, cause }, reason) {
  const thrown =
    error === "Key0Error"
      ? new Key0Error(/** @type {string} */ (code), message, httpStatus)
      : Object.assign(new PLAIN[/** @type {keyof typeof PLAIN} */ (error)](message), {
          ...(code === undefined ? {} : { code }),
          ...(claim === undefined ? {} : { claim }),
        });
  if (cause !== undefined) {
    const value = toCause(cause, reason);
    Object.defineProperty(thrown, "cause", { value, writable: true, configurable: true });
  }
  return thrown;
}

/**
 * The name and message of any error; one of a subclass of ours has our name.
 * @param {any} error
 * @returns {[name: string, message: string]}
 */
function nameAndMessage(error) {
  try {
    const isError = typeof error === "object" && error !== null && "message" in error;
    if (!isError) return ["", text(error)];
    return [error instanceof Key0Error ? "Key0Error" : String(error.name), text(error.message)];
  } catch {
    return ["", UNREADABLE];
  }
}

/**
 * What `read` gives of a caller's object; its own failure, named by the field.
 * @template T
 * @param {string} field
 * @param {() => T} read
 */
function readable(field, read) {
  try {
    return read();
  } catch (error) {
    const message = `${field} cannot be read: ${nameAndMessage(error)[1]}`;
    throw fromCaller(new TypeError(message, { cause: error }));
  }
}

/**
 * @param {unknown} value
 * @param {object} prototype
 */
function inherits(value, prototype) {
  return typeof value === "object" && value !== null && isAbove.call(prototype, value);
}

const { isPrototypeOf: isAbove } = Object.prototype;
const PLAIN = { Error, TypeError, RangeError };

module.exports = {
  failed,
  fromCaller,
  isRecord,
  isSdkKnown,
  Key0Error,
  known,
  nameAndMessage,
  readable,
  refused,
  seekSdkClass: search.begin,
  setKey0ErrorClass,
  unwrap,
};
