// @ts-check
"use strict";

/**
 * Finding the SDK's own error class, so that nobody has to name it. Its package is an optional peer
 * of this one: it is resolved from here, and nothing of it is loaded before a call fails.
 */

const { createRequire } = require("node:module");
// Taken at load, so that timers which a test fakes later do not hold up a failure.
const { clearTimeout, setTimeout } = require("node:timers");

/**
 * Hands the SDK's `Key0Error` to `use`, now or when its import ends.
 *
 * @param {(ErrorClass: unknown) => void} use throws for what cannot be that class
 * @returns {Promise<void> | undefined} what a failure has to wait for
 */
function findSdkClass(use) {
  let isInstalled = false;
  try {
    // Not this module's `require`, which a bundler would make its own.
    const require = createRequire(__filename);
    const file = require.resolve(SDK);
    isInstalled = true;
    // First, for `import` may give a second copy of what the application has required.
    use(require.cache[file]?.exports.Key0Error);
    return;
  } catch (error) {
    isInstalled ||= Reflect.get(Object(error), "code") === "ERR_PACKAGE_PATH_NOT_EXPORTED";
  }
  const imported = import(/* webpackIgnore: true */ /* turbopackIgnore: true */ SDK)
    .then(({ Key0Error }) => use(Key0Error))
    .catch((error) => {
      if (isInstalled) process.emitWarning(notLoadable(error));
    });
  return atMost(LONGEST_WAIT_MS, imported);
}

/**
 * @param {number} ms
 * @param {Promise<void>} promise
 * @returns {Promise<void>}
 */
function atMost(ms, promise) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    promise.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** @param {unknown} error */
function notLoadable(error) {
  return (
    `${SDK} is installed but cannot be loaded from here, so that its engine retries timeouts of ` +
    `this package: name its class by setKey0ErrorClass(Key0Error), or import from ` +
    `"@key0ai/native/key0" (${error instanceof Error ? error.message : error})`
  );
}

/** Not one literal, lest a bundler resolve it. */
const SDK = ["@key0ai", "key0"].join("/");

/** With the issuer's default of 10 s and a second for the rest still within the engine's 15 s. */
const LONGEST_WAIT_MS = 500;

module.exports = { findSdkClass };
