// @ts-check
/** Each kind of store that processes share, by name. */

/**
 * @param {NodeJS.Require} require of the folder with the clients
 * @param {{ kind: string, url: string } | undefined} store
 * @param {typeof import("../../../index.mjs").redisTokenCache} redisTokenCache
 * @returns {Promise<any>}
 */
export async function cacheOf(require, store, redisTokenCache) {
  if (!store) return undefined;
  const { kind, url } = store;
  /** Not installed where types are checked. @param {string} name @returns {any} */
  const client = (name) => require(name);
  /** What a client says of a server that is away, which is not our business. @param {any} it */
  const quiet = (it) => it.on("error", () => {});
  switch (kind) {
    case "ioredis": {
      const { Redis } = client("ioredis");
      return redisTokenCache(quiet(new Redis(url)));
    }
    case "node-redis": {
      const { createClient } = client("redis");
      return redisTokenCache(await quiet(createClient({ url })).connect());
    }
    case "Keyv on Redis": {
      const { default: Keyv } = client("keyv");
      const { default: KeyvRedis } = client("@keyv/redis");
      return quiet(new Keyv(quiet(new KeyvRedis(url))));
    }
    case "Keyv on PostgreSQL": {
      const { default: Keyv } = client("keyv");
      const { default: KeyvPostgres } = client("@keyv/postgres");
      // Its pool has no listener for errors: a database that goes away would end the process.
      const pg = client("pg");
      const { Pool } = pg;
      pg.Pool = function listened(/** @type {any} */ options) {
        return quiet(new Pool(options));
      };
      return quiet(new Keyv(quiet(new KeyvPostgres(url))));
    }
    default:
      throw new Error(kind);
  }
}
