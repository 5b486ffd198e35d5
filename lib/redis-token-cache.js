// @ts-check
"use strict";

/**
 * The shared cache of tokens on a Redis client that the caller has: ioredis, node-redis.
 * @import * as Types from "../index.js"
 */

const { fromCaller, readable } = require("./errors.js");

/** @type {typeof Types.redisTokenCache} */
function redisTokenCache(client) {
  /** @type {any} */
  const redis = client;
  /** @param {string} name */
  const has = (name) => readable("client", () => typeof redis?.[name] === "function");
  if (!["get", "set", "eval"].every(has)) {
    throw fromCaller(new TypeError("client must be a client of ioredis or node-redis"));
  }
  // ioredis takes arguments as Redis does, node-redis as objects.
  const isIoredis = has("defineCommand");
  /** @param {string} key @param {string} value @param {number} ms @param {boolean} [isNew] */
  const set = (key, value, ms, isNew) =>
    isIoredis
      ? redis.set(key, value, "PX", ms, ...(isNew ? ["NX"] : []))
      : redis.set(key, value, { PX: ms, ...(isNew ? { NX: true } : {}) });
  return {
    get: (key) => redis.get(key),
    set: (key, value, ttlMs) => set(key, value, ttlMs),
    lock: async (key, owner, ttlMs) => (await set(key, owner, ttlMs, true)) !== null,
    unlock: (key, owner) =>
      isIoredis
        ? redis.eval(UNLOCK, 1, key, owner)
        : redis.eval(UNLOCK, { keys: [key], arguments: [owner] }),
  };
}

/** Gives a lock back where it is still the owner's: it may have ended, and be another's by now. */
const UNLOCK =
  'if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end return 0';

module.exports = { redisTokenCache };
