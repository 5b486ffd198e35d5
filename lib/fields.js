// @ts-check
"use strict";

/** What callers give, read: each field once, and as plain values. */

const { readable } = require("./errors.js");

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

/** @param {unknown} value */
function copied(value) {
  return Array.isArray(value) ? [...value] : value;
}

/** The text of a `URL` of any realm. @param {string} field @param {any} url */
function address(field, url) {
  const href = readable(field, () => (typeof url === "object" ? url?.href : undefined));
  return typeof href === "string" ? href : url;
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
 * The JSON of a value; nothing where it has none. What else a replaced `JSON.stringify` gives is
 * refused here: napi would call that again, to say what it could not convert.
 * @param {unknown} value
 * @returns {string | undefined}
 */
function json(value) {
  const text = JSON.stringify(value);
  if (text === undefined || typeof text === "string") return text;
  throw new TypeError("JSON.stringify gave no string");
}

const { toString: tag } = Object.prototype;

module.exports = { address, copied, json, pairs, read };
