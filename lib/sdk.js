// @ts-check
"use strict";

/**
 * Finding the SDK's own error class, so that nobody has to name it. Its package is an optional peer
 * of this one: it is resolved first, and only a file that resolved is loaded. Its name alone is
 * never imported: Bun asks a registry for a name that it does not find, and runs what comes back.
 */

const { readFileSync, realpathSync } = require("node:fs");
const { join } = require("node:path");
// Timers that a test fakes later are not to hold up a failure.
const { clearTimeout, now, setImmediate, setTimeout } = require("./at-load.js");
const { folderOf } = require("./resolve.js");

/**
 * A file that may be the SDK, and the `require` of the place from which it was resolved.
 * @typedef {{ file: string, owned: NodeJS.Require }} Candidate
 */

/**
 * The one search of this copy of the package. It begins when an issuer is created or a call fails,
 * and again at a later failure, once a second at most, until the class is known.
 *
 * @param {() => boolean} isKnown
 * @param {(ErrorClass: unknown) => void} use throws for what cannot be that class
 */
function sdkSearch(isKnown, use) {
  /** Kept when their folder is gone: what was loaded from there still runs. */
  let candidates = /** @type {Candidate[]} */ ([]);
  let resolvedAt = Number.NEGATIVE_INFINITY;
  let isToBeLoaded = false;
  /** @type {Promise<void> | undefined} */
  let loading;
  /** When a failure first waited for it. @type {number | undefined} */
  let waitedSince;
  /** @type {{ reason: unknown } | undefined} */
  let problem;
  let hasFailed = false;
  let hasWarned = false;

  function resolve() {
    if (isToBeLoaded || loading || now() - resolvedAt < AGAIN_AFTER_MS) return;
    resolvedAt = now();
    const found = resolved();
    if (found.length > 0) candidates = found;
    isToBeLoaded = candidates.length > 0;
  }

  /** First of all, for `import` may give a second copy of what the application has required. */
  function useLoaded() {
    for (const { file, owned } of candidates) {
      if (isKnown()) return;
      try {
        use(owned.cache[file]?.exports.Key0Error);
      } catch {
        // It is not loaded, or not wholly yet.
      }
    }
  }

  function load() {
    useLoaded();
    if (isKnown() || !isToBeLoaded) return;
    isToBeLoaded = false;
    waitedSince = undefined;
    loading = useFirst().then(() => {
      loading = undefined;
      warn();
    });
  }

  async function useFirst() {
    for (const candidate of candidates) {
      try {
        const { Key0Error } = await loaded(candidate);
        // Named by hand in the meantime, it is the right one.
        if (!isKnown()) use(Key0Error);
        return;
      } catch (reason) {
        problem = { reason };
      }
    }
  }

  function warn() {
    if (!problem || !hasFailed || hasWarned || isKnown()) return;
    hasWarned = true;
    process.emitWarning(notLoadable(problem.reason));
  }

  return {
    /** In the background, and early: by the first failure a release's folder may be gone. */
    begin() {
      if (isKnown()) return;
      resolve();
      useLoaded();
      if (!isToBeLoaded) return;
      if (!isCommonJs(candidates[0].owned)) load();
      // It requires what it needs at its start first: this is not to come in between.
      else setImmediate(load).unref();
    },

    /**
     * Settles once the class was looked for.
     * @param {boolean} isRefusal Whether a validator refused a token.
     */
    async atFailure(isRefusal) {
      if (isKnown()) return;
      hasFailed = true;
      resolve();
      load();
      if (loading) {
        waitedSince ??= now();
        const longest = isRefusal ? REFUSAL_WAIT_MS : FAILURE_WAIT_MS;
        await atMost(waitedSince + longest - now(), loading);
      }
      warn();
    },
  };
}

/**
 * As this package has it, then as the application has it: a linked package, or one of a workspace
 * without hoisting, does not see what lies beside the application.
 */
function resolved() {
  const { createRequire } = require("node:module");
  const { main } = createRequire("/");
  const places = [
    // Undefined in a bundle, where this file has no place of its own.
    () => /** @type {NodeJS.Module} */ (/** @type {unknown} */ (module)).filename,
    () => main?.filename ?? realpathSync(process.argv[1]),
    () => join(process.cwd(), "package.json"),
  ];
  const found = places.flatMap((place) => {
    try {
      return resolvedFor(createRequire(place()));
    } catch {
      return [];
    }
  });
  return found.filter(({ file }, at) => found.findIndex((other) => other.file === file) === at);
}

/**
 * @param {NodeJS.Require} owned
 * @returns {Candidate[]}
 */
function resolvedFor(owned) {
  const folder = folderOf(SDK, owned);
  if (folder === undefined && process.versions.bun) return [];
  const ways = [() => owned.resolve(SDK), () => importedFile(/** @type {string} */ (folder))];
  if (!isCommonJs(owned)) ways.reverse();
  const files = ways.flatMap((way) => {
    try {
      return [way()];
    } catch {
      return [];
    }
  });
  // To be told why it cannot be loaded.
  if (files.length === 0 && folder !== undefined) files.push(folder);
  return files.map((file) => ({ file, owned }));
}

/**
 * The file that `import` takes: no function gives it for a place of one's choice.
 * @param {string} folder
 */
function importedFile(folder) {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return realpathSync(join(folder, String(importTarget(manifest.exports))));
}

/**
 * @param {unknown} exports
 * @returns {string | undefined}
 */
function importTarget(exports) {
  if (typeof exports === "string") return exports;
  for (const [condition, value] of Object.entries(exports ?? {})) {
    const target = CONDITIONS.has(condition) ? importTarget(value) : undefined;
    if (target !== undefined) return target;
  }
  return undefined;
}

/** @param {Candidate} candidate */
async function loaded({ file, owned }) {
  try {
    // At once: while an ES module is being imported, Node refuses to `require` it.
    if (isCommonJs(owned)) return owned(file);
  } catch {
    // What it waits for at its top may still be imported.
  }
  const { pathToFileURL } = require("node:url");
  return import(/* webpackIgnore: true */ /* turbopackIgnore: true */ pathToFileURL(file).href);
}

/** Whether the application is CommonJS. @param {NodeJS.Require} owned */
function isCommonJs(owned) {
  return Boolean(owned.main);
}

/**
 * @param {number} ms
 * @param {Promise<void>} promise
 * @returns {Promise<void>}
 */
function atMost(ms, promise) {
  if (ms <= 0) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    promise.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** @param {unknown} reason of another realm's classes, too, under Jest */
function notLoadable(reason) {
  const said = Reflect.get(Object(reason), "message") ?? require("node:util").inspect(reason);
  return (
    `${SDK} is installed but cannot be loaded from here, so that its engine retries timeouts of ` +
    `this package: name its class by setKey0ErrorClass(Key0Error) (${said})`
  );
}

/** Not one literal, lest a bundler resolve it. */
const SDK = ["@key0ai", "key0"].join("/");

/** What this runtime's `import` goes by, `.` being the package itself. */
const CONDITIONS = new Set([".", "import", "node", "default"]);
for (const runtime of ["bun", "deno"]) if (runtime in process.versions) CONDITIONS.add(runtime);
if (Reflect.get(process.features, "require_module")) CONDITIONS.add("module-sync");

/** With the issuer's default of 10 s and a second for the rest still within the engine's 15 s. */
const FAILURE_WAIT_MS = 500;

/** Who compares a refusal with the SDK's class has loaded it, so that `import` gives it at once. */
const REFUSAL_WAIT_MS = 50;

/** A folder that comes back is found, and one that never was costs a busy service nothing. */
const AGAIN_AFTER_MS = 1_000;

module.exports = { sdkSearch };
