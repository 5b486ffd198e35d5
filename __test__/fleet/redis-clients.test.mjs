// @ts-check
/** redisTokenCache on clients as they may be: of a cluster, told to give bytes, closed, subscribed. */
import assert from "node:assert/strict";
import diagnostics from "node:diagnostics_channel";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe } from "node:test";
import { redisTokenCache } from "../../index.mjs";
import { oauthOf } from "../support/oauth-server.mjs";
import { needing } from "../support/programs.mjs";
import { httpServer, reply } from "../support/server.mjs";
import { CLIENTS, redisCluster, redisServer } from "./support/stores.mjs";

const it = needing("redis-server");
const require = createRequire(join(CLIENTS, "here.cjs"));
/** Not installed where types are checked. @param {string} name @returns {any} */
const from = (name) => require(name);

/** @typedef {import("../support/server.mjs").Test} Test */

/** A client that ends with its test. @param {Test} t @param {any} client */
function ended(t, client) {
  client.on("error", () => {});
  t.after(() => (client.destroy ?? client.disconnect).call(client));
  return client;
}

/** A token endpoint that numbers its tokens. @param {Test} t */
function endpoint(t) {
  let last = 0;
  return httpServer(t, (_, response) => {
    last += 1;
    reply(response, { access_token: `t${last}`, expires_in: 3600 });
  });
}

/** What the store's failures are. @param {Test} t */
function failuresOf(t) {
  /** @type {string[]} */
  const failures = [];
  const heard = (/** @type {any} */ { operation, error }) => {
    failures.push(`${operation}: ${error.message}`);
  };
  diagnostics.subscribe("key0:cache:error", heard);
  t.after(() => diagnostics.unsubscribe("key0:cache:error", heard));
  return failures;
}

/** @type {Record<string, (t: Test, url: string) => any>} */
const SINGLE = {
  ioredis: (t, url) => ended(t, new (from("ioredis").Redis)(url)),
  "ioredis, numbers as strings": (t, url) =>
    ended(t, new (from("ioredis").Redis)(url, { stringNumbers: true })),
  "ioredis with a prefix": (t, url) =>
    ended(t, new (from("ioredis").Redis)(url, { keyPrefix: "my:" })),
  "node-redis": (t, url) => ended(t, from("redis").createClient({ url })).connect(),
  "node-redis, RESP 3": (t, url) =>
    ended(t, from("redis").createClient({ url, RESP: 3 })).connect(),
  "node-redis, bytes for strings": async (t, url) => {
    const { createClient, RESP_TYPES } = from("redis");
    const client = await ended(t, createClient({ url })).connect();
    return client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  },
  "node-redis, a pool": async (t, url) => {
    const pool = from("redis").createClientPool({ url });
    return (await ended(t, pool).connect()) ?? pool;
  },
};

/** @type {Record<string, (t: Test, port: number) => any>} */
const CLUSTERS = {
  ioredis: (t, port) => ended(t, new (from("ioredis").Cluster)([{ host: "127.0.0.1", port }])),
  "node-redis": async (t, port) => {
    const rootNodes = [{ url: `redis://127.0.0.1:${port}` }];
    const cluster = ended(t, from("redis").createCluster({ rootNodes }));
    return (await cluster.connect()) ?? cluster;
  },
};

/**
 * Four strategies, as of four processes, for each of so many clients: each client's share one token.
 *
 * @param {Test} t
 * @param {any} cache
 * @param {number} clients
 */
async function shares(t, cache, clients) {
  const failures = failuresOf(t);
  const server = await endpoint(t);
  for (let i = 0; i < clients; i++) {
    const fleet = Array.from({ length: 4 }, () =>
      oauthOf(server.url, { cache, clientId: `client-${i}` }),
    );
    const headers = await Promise.all(fleet.map((auth) => auth()));
    for (const { Authorization } of headers) assert.equal(Authorization, `Bearer t${i + 1}`);
  }
  assert.equal(server.requests.length, clients);
  assert.deepEqual(failures, []);
}

describe("redisTokenCache", () => {
  for (const [name, client] of Object.entries(SINGLE)) {
    it(`shares a token and keeps its lock on ${name}`, async (t) => {
      const redis = await redisServer(t);
      const cache = redisTokenCache(await client(t, redis.url));
      await shares(t, cache, 2);
      for (const [owner, taken] of /** @type {const} */ ([
        ["a", true],
        ["b", false],
        ["a", true],
      ])) {
        assert.equal(await cache.lock("l", owner, 60_000), taken);
      }
      await cache.unlock("l", "b");
      assert.equal(await cache.lock("l", "b", 60_000), false);
      await cache.unlock("l", "a");
      assert.equal(await cache.lock("l", "b", 60_000), true);
    });
  }

  for (const [name, client] of Object.entries(CLUSTERS)) {
    it(`shares tokens on a cluster of ${name}, on both of its nodes`, async (t) => {
      const nodes = await redisCluster(t);
      // So many names stand on one node alone once in 2^31 runs.
      const cache = redisTokenCache(await client(t, nodes[0].port));
      await shares(t, cache, 32);
      for (const { cli } of nodes) assert.match(cli("KEYS", "key0:token:*"), /^key0:token:/);
    });
  }

  it("loses no call on a client that is closed, or only listens", async (t) => {
    const redis = await redisServer(t);
    const server = await endpoint(t);
    const closed = await SINGLE.ioredis(t, redis.url);
    await closed.quit();
    const subscribed = await SINGLE.ioredis(t, redis.url);
    await subscribed.subscribe("news");
    const closedToo = await SINGLE["node-redis"](t, redis.url);
    await closedToo.close();
    const failures = failuresOf(t);
    // ioredis 6 takes commands on a connection that listens; its elder ones did not.
    for (const [i, client] of [subscribed, closed, closedToo].entries()) {
      const auth = oauthOf(server.url, { cache: redisTokenCache(client), clientId: `${i}` });
      assert.deepEqual(await auth(), { Authorization: `Bearer t${i + 1}` });
    }
    // Those of `set` come behind the call.
    while (failures.length < 4) await new Promise((end) => setTimeout(end, 10));
    assert.deepEqual(failures.toSorted(), [
      "get: Connection is closed.",
      "get: The client is closed",
      "set: Connection is closed.",
      "set: The client is closed",
    ]);
  });
});
