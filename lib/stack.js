// @ts-check
"use strict";

/** Undefined in a bundle, whose frames are all of one file. */
const { filename } = /** @type {NodeJS.Module} */ (/** @type {unknown} */ (module));

/** What is in the frames of this package, once an error has asked. @type {string[] | undefined} */
let own;

/**
 * Makes an error's stack begin at the caller of this package. `Error.captureStackTrace` would need
 * the function that was called, and on Bun it loses those who await.
 *
 * @template {Error} T
 * @param {T} error
 */
function fromCaller(error) {
  const { message, stack } = error;
  if (typeof stack !== "string") return error;
  const start = stack.indexOf("\n    at ", stack.indexOf(message) + message.length);
  const frames = start < 0 ? [] : stack.slice(start + 1).split("\n");
  const caller = frames.findIndex((frame) => !isOwn(frame) && !isRuntimes(frame));
  if (caller > 0) error.stack = [stack.slice(0, start), ...frames.slice(caller)].join("\n");
  // Without one, this package's own frames are all there is to see, but for Bun, which would show
  // the code there.
  if (caller < 0 && Object.hasOwn(error, "sourceURL")) error.stack = stack.slice(0, start);
  return placedAt(error, frames[caller]);
}

/**
 * Has Bun show the code at `frame`, or none. JavaScriptCore keeps the place where an error was made
 * beside its stack, and Bun goes by that: it would show this package's own code.
 *
 * @template {Error} T
 * @param {T} error
 * @param {string} [frame]
 */
function placedAt(error, frame) {
  if (!Object.hasOwn(error, "sourceURL")) return error;
  const place = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (error));
  const [, sourceURL, line, column] = frame?.match(PLACE) ?? [];
  if (sourceURL === undefined) for (const name of PLACED_BY) delete place[name];
  else Object.assign(place, { sourceURL, line: Number(line), column: Number(column) });
  return error;
}

/** @param {string} frame */
function isOwn(frame) {
  own ??= filename === undefined ? [] : placesOf(filename);
  return own.some((place) => frame.includes(place));
}

/** @param {string} filename */
function placesOf(filename) {
  const { dirname, join, sep } = require("node:path");
  const { pathToFileURL } = require("node:url");
  const root = join(dirname(filename), "..");
  const files = [join(root, "lib") + sep, `${join(root, "index.js")}:`];
  return [...files, ...files.map((file) => pathToFileURL(file).href)];
}

/** As `Array.map` and what settles promises are. @param {string} frame */
function isRuntimes(frame) {
  return /[( ](?:<anonymous>|native|unknown|node:|ext:)[^(]*$/.test(frame);
}

/** `at call (file:1:2)` or `at file:1:2` */
const PLACE = /(?: at |\()([^(]*):(\d+):(\d+)\)?$/;
const PLACED_BY = ["sourceURL", "line", "column"];

module.exports = { fromCaller, placedAt };
