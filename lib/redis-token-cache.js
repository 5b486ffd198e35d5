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
  /** @param {string} script @param {string} key @param {string[]} given */
  const run = (script, key, ...given) =>
    isIoredis
      ? redis.eval(script, 1, key, ...given)
      : redis.eval(script, { keys: [key], arguments: given });
  return {
    get: (key) => redis.get(key),
    set: (key, value, ttlMs) =>
      isIoredis ? redis.set(key, value, "PX", ttlMs) : redis.set(key, value, { PX: ttlMs }),
    // Clients may be told to give numbers as strings.
    lock: async (key, owner, ttlMs) => Number(await run(LOCK, key, owner, `${ttlMs}`)) === 1,
    unlock: (key, owner) => run(UNLOCK, key, owner),
  };
}

/** Takes a lock that nobody has, or keeps the owner's own for longer. */
const LOCK = `
if redis.call("set", KEYS[1], ARGV[1], "NX", "PX", ARGV[2]) then return 1 end
if redis.call("get", KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call("pexpire", KEYS[1], ARGV[2])`;

/** Gives a lock back where it is still the owner's: it may have ended, and be another's by now. */
const UNLOCK = `
if redis.call("get", KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call("del", KEYS[1])`;

module.exports = { redisTokenCache };
