// @ts-check
"use strict";

/**
 * The `cause` of an error: for the seller's logs, never for the buyer.
 * @import { CauseRecord } from "../binding"
 */

const { placedAt } = require("./stack.js");

/**
 * The cause that a record tells of; `reason` is what the caller's own code threw, if it did.
 * @param {CauseRecord} record
 * @param {unknown} reason
 */
function toCause({ message, isCallers, dialect, ...facts }, reason) {
  return Object.assign(isCallers ? likeness(reason) : worded(message), facts);
}

/**
 * An error that says what another says of itself and of its causes. Its other properties stay
 * behind: HTTP clients keep requests there, with their headers.
 * @param {any} error
 * @param {Set<unknown>} [above] Those that it is a cause of.
 * @returns {Error}
 */
function likeness(error, above = new Set()) {
  const [message, name, code, stack, cause] = FIELDS.map((field) => read(error, field));
  const words = text(message === undefined ? error : message);
  const copy = worded(words, typeof name === "string" ? name : "Error");
  if (typeof stack === "string") {
    Object.defineProperty(copy, "stack", { value: stack });
    placedAt(
      copy,
      stack.split("\n").find((line) => /^ +at /.test(line)),
    );
  }
  if (typeof code === "string" || typeof code === "number") Object.assign(copy, { code });
  above.add(error);
  if (cause !== undefined && !above.has(cause) && above.size < DEEPEST) {
    Object.defineProperty(copy, "cause", { value: likeness(cause, above) });
  }
  return copy;
}

/**
 * An error whose stack, which would only repeat that of the error it belongs to, is one line.
 * @param {string} message
 * @param {string} [name]
 */
function worded(message, name = "Error") {
  const error = new Error(message);
  if (name !== "Error") Object.defineProperty(error, "name", { value: name });
  Object.defineProperty(error, "stack", { value: `${name}: ${message}`, configurable: true });
  return placedAt(error);
}

/** @param {any} error @param {string} field */
function read(error, field) {
  try {
    return typeof error === "object" ? error?.[field] : undefined;
  } catch {
    return undefined;
  }
}

/** @param {unknown} value */
function text(value) {
  try {
    return String(value);
  } catch {
    return UNREADABLE;
  }
}

const FIELDS = ["message", "name", "code", "stack", "cause"];
/** An error of 8 causes has told enough. */
const DEEPEST = 8;
const UNREADABLE = "an error that cannot be read";

module.exports = { text, toCause, UNREADABLE };
