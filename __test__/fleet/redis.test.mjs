// @ts-check
/** A fleet of processes that shares its token in a real Redis. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe } from "node:test";
import { redisTokenCache } from "../../index.mjs";
import { gate } from "../support/gate.mjs";
import { CLIENT } from "../support/oauth-server.mjs";
import { needing } from "../support/programs.mjs";
import { httpServer, reply } from "../support/server.mjs";
import { cacheOf } from "./support/caches.mjs";
import { fleet } from "./support/fleet.mjs";
import { CLIENTS, redisServer } from "./support/stores.mjs";

const it = needing("redis-server");

/**
 * A token endpoint that numbers its tokens.
 *
 * @param {import("../support/server.mjs").Test} t
 * @param {(number: number) => unknown} [before] What it waits for before it answers.
 */
function endpoint(t, lifetime = 3600, before = () => {}) {
  let last = 0;
  return httpServer(t, async (_, response) => {
    const number = ++last;
    await before(number);
    reply(response, { access_token: `access-token-${number}`, expires_in: lifetime });
  });
}

/** @param {{ url: string }} server */
const client = (server) => ({ ...CLIENT, tokenUrl: server.url });

for (const kind of ["ioredis", "node-redis"]) {
  describe(`a fleet on ${kind}`, () => {
    it("of 8 processes with 200 callers each makes 1 token request", async (t) => {
      const redis = await redisServer(t);
      // Long enough for every process to find none.
      const server = await endpoint(t, 3600, () => new Promise((end) => setTimeout(end, 200)));
      const members = await fleet(t, 8, { kind, url: redis.url }, client(server));
      const done = await Promise.all(members.map((member) => member.calls(200)));
      for (const { tokens, failures, done: calls } of done) {
        assert.deepEqual(tokens, ["Bearer access-token-1"]);
        assert.deepEqual(failures, []);
        assert.equal(calls, 200);
      }
      assert.equal(server.requests.length, 1);
    });

    it("makes 1 token request where the endpoint takes longer than the lock lasts", async (t) => {
      const redis = await redisServer(t);
      const server = await endpoint(t, 3600, () => new Promise((end) => setTimeout(end, 3_000)));
      const members = await fleet(t, 8, { kind, url: redis.url }, client(server));
      const done = await Promise.all(members.map((member) => member.calls(20)));
      for (const { tokens, failures, storeFailures } of done) {
        assert.deepEqual([tokens, failures], [["Bearer access-token-1"], []]);
        assert.equal(storeFailures, 0);
      }
      assert.equal(server.requests.length, 1);
    });

    it("replaces a process that is killed while it keeps its lock by one other", async (t) => {
      const redis = await redisServer(t);
      const arrived = gate();
      const server = await endpoint(t, 3600, async (number) => {
        if (number > 1) return;
        arrived.open();
        await new Promise(() => {});
      });
      const store = { kind, url: redis.url };
      const [holder, ...others] = await fleet(t, 4, store, client(server));
      holder.calls(200);
      await arrived.opened;
      const [lock] = redis.cli("KEYS", "*:lock").split("\n");
      const rest = () => Number(redis.cli("PTTL", lock));
      // It is extended once it has more time left than before.
      for (let [before, now] = [rest(), rest()]; now <= before; [before, now] = [now, rest()]) {
        assert.ok(now > 0, "the lock has ended");
      }
      const calls = others.map((member) => member.calls(200));
      holder.kill();
      for (const { tokens, failures } of await Promise.all(calls)) {
        assert.deepEqual([tokens, failures], [["Bearer access-token-2"], []]);
      }
      assert.equal(server.requests.length, 2);
    });

    it("goes on when the process that fetches is killed: the next takes over", async (t) => {
      const redis = await redisServer(t);
      const arrived = gate();
      const server = await endpoint(t, 3600, async (number) => {
        if (number > 1) return;
        arrived.open();
        await new Promise(() => {});
      });
      const store = { kind, url: redis.url };
      const [holder, ...others] = await fleet(t, 4, store, client(server));
      holder.calls(200);
      await arrived.opened;
      const calls = others.map((member) => member.calls(200));
      holder.kill();
      for (const { tokens, failures } of await Promise.all(calls)) {
        assert.deepEqual(failures, []);
        assert.deepEqual(tokens, ["Bearer access-token-2"]);
      }
      assert.equal(server.requests.length, 2);
    });

    it("loses no call while Redis is flushed, stopped and started again", async (t) => {
      const redis = await redisServer(t);
      // Used for a second: each process looks into the store all the time.
      const server = await endpoint(t, 11);
      const members = await fleet(t, 3, { kind, url: redis.url }, client(server));
      const loads = members.map((member) => member.load(8_000));
      const pause = (/** @type {number} */ ms) => new Promise((end) => setTimeout(end, ms));
      await pause(1_500);
      redis.cli("FLUSHALL");
      await pause(1_000);
      await redis.stop();
      await pause(2_000);
      await redis.start();
      const done = await Promise.all(loads);
      const calls = done.reduce((sum, { done: calls }) => sum + calls, 0);
      for (const { failures } of done) assert.deepEqual(failures, []);
      assert.ok(calls > 1_000, `${calls} calls`);
      assert.ok(done.some(({ storeFailures }) => storeFailures > 0));
      t.diagnostic(`${calls} calls, 0 failed, ${server.requests.length} token requests`);
    });
  });
}

for (const kind of ["ioredis", "node-redis"]) {
  describe(`a lock on ${kind}`, () => {
    it("is one process's, until it gives it back or its time is over", async (t) => {
      const redis = await redisServer(t);
      const require = createRequire(join(CLIENTS, "here.cjs"));
      /** @type {any} */
      let client;
      const cache = await cacheOf(require, { kind, url: redis.url }, (given) => {
        client = given;
        return redisTokenCache(given);
      });
      t.after(() => client.disconnect());
      assert.equal(await cache.lock("l", "a", 1_000), true);
      assert.equal(await cache.lock("l", "b", 60_000), false);
      // Its owner keeps it for longer.
      assert.equal(await cache.lock("l", "a", 60_000), true);
      await cache.unlock("l", "b");
      assert.equal(redis.cli("GET", "l"), "a");
      assert.ok(Number(redis.cli("PTTL", "l")) > 50_000);
      await cache.unlock("l", "a");
      assert.equal(await cache.lock("l", "b", 1), true);
      while (redis.cli("GET", "l") !== "");
      assert.equal(await cache.lock("l", "c", 60_000), true);
      await cache.unlock("l", "b");
      assert.equal(redis.cli("GET", "l"), "c");
    });
  });
}

describe("an endpoint that takes more than half of a fetch's time", () => {
  it("loses no call of a fleet: whoever asks late takes the first one's token", async (t) => {
    const redis = await redisServer(t);
    const server = await endpoint(t, 3600, () => new Promise((end) => setTimeout(end, 6_000)));
    const store = { kind: "ioredis", url: redis.url };
    const members = await fleet(t, 8, store, client(server));
    const done = await Promise.all(members.map((member) => member.calls(20)));
    for (const { tokens, failures } of done) {
      assert.deepEqual([tokens, failures], [["Bearer access-token-1"], []]);
    }
    assert.ok(server.requests.length <= 8);
  });
});

describe("what stands in Redis", () => {
  it("is sealed, ends with the token, and leaves no lock", async (t) => {
    const redis = await redisServer(t);
    const server = await endpoint(t);
    const [member] = await fleet(t, 1, { kind: "ioredis", url: redis.url }, client(server));
    await member.calls(1);
    const [key] = redis.cli("KEYS", "*").split("\n");
    assert.match(key, /^key0:token:[\w-]{43}$/);
    const value = redis.cli("GET", key);
    assert.match(value, /^[\w-]{100,}$/);
    assert.ok(!Buffer.from(value, "base64url").includes("access-token"));
    const ttl = Number(redis.cli("PTTL", key));
    assert.ok(ttl > 3_500_000 && ttl <= 3_590_000, `${ttl}`);
  });

  it("plants no token: poisoned, cut and foreign values are ignored", async (t) => {
    const redis = await redisServer(t);
    const server = await endpoint(t);
    const store = { kind: "ioredis", url: redis.url };
    const [first, foreign] = await Promise.all([
      fleet(t, 1, store, client(server)),
      fleet(t, 1, store, { ...client(server), audience: "another" }),
    ]);
    await first[0].calls(1);
    const [key] = redis.cli("KEYS", "*").split("\n");
    const value = redis.cli("GET", key);
    await foreign[0].calls(1);
    const other = redis
      .cli("KEYS", "key0:token:*")
      .split("\n")
      .find((name) => name !== key);
    let expected = 2;
    for (const lie of ["evil", value.slice(0, -7), redis.cli("GET", `${other}`)]) {
      redis.cli("SET", key, lie);
      const [late] = await fleet(t, 1, store, client(server));
      expected += 1;
      const { tokens, failures } = await late.calls(10);
      assert.deepEqual([tokens, failures], [[`Bearer access-token-${expected}`], []]);
    }
    // A list, which `GET` refuses.
    redis.cli("DEL", key);
    redis.cli("RPUSH", key, "evil");
    const [late] = await fleet(t, 1, store, client(server));
    assert.deepEqual((await late.calls(10)).failures, []);
  });
});
