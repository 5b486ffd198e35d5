// @ts-check
/** cache: a store that processes share, which no call depends on. */
import assert from "node:assert/strict";
import diagnostics from "node:diagnostics_channel";
import { describe, it } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { wallClock } from "../support/clock.mjs";
import { rejectsWith } from "../support/errors.mjs";
import { oauthFailed } from "../support/exchanges.mjs";
import { gate } from "../support/gate.mjs";
import { CLIENT, oauth, oauthOf } from "../support/oauth-server.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { httpServer, reply } from "../support/server.mjs";
import { MemoryStore } from "../support/token-cache.mjs";

/** A token endpoint that numbers its tokens. @param {import("../support/server.mjs").Test} t */
async function endpoint(t, lifetime = 3600) {
  let last = 0;
  return httpServer(t, (_, response) => {
    last += 1;
    reply(response, { access_token: `access-token-${last}`, expires_in: lifetime });
  });
}

/** The token of a provider. @param {() => Promise<Record<string, string>>} auth */
const tokenOf = async (auth) => (await auth()).Authorization.replace("Bearer ", "");

/** Settles when `holds` does. @param {() => unknown} holds */
async function until(holds) {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}

/**
 * What the store's failures are, as listeners hear of them.
 *
 * @param {import("../support/server.mjs").Test} t
 */
function failuresOf(t) {
  /** @type {[operation: string, problem: string][]} */
  const failures = [];
  const heard = (/** @type {any} */ { operation, error }) => {
    failures.push([operation, error.message]);
  };
  diagnostics.subscribe("key0:cache:error", heard);
  t.after(() => diagnostics.unsubscribe("key0:cache:error", heard));
  return failures;
}

/** A store that has a token by now. @param {import("../support/server.mjs").Test} t */
async function filled(t, config = {}, lifetime = 3600) {
  const store = new MemoryStore();
  const server = await endpoint(t, lifetime);
  const first = oauthOf(server.url, { ...config, cache: store });
  await first();
  await until(() => store.operations.at(-1) === "unlock");
  return { store, server, first };
}

describe("a shared cache", () => {
  it("gives a process the token that another fetched", async (t) => {
    const { store, server } = await filled(t);
    assert.deepEqual(store.operations, ["get", "lock", "get", "set", "unlock"]);
    assert.equal(await tokenOf(oauthOf(server.url, { cache: store })), "access-token-1");
    assert.equal(store.operations.length, 6);
    assert.equal(server.requests.length, 1);
    assert.equal(store.locks.size, 0);
  });

  it("is not asked where the token is in memory", async (t) => {
    const { store, first } = await filled(t);
    const before = store.asked.length;
    for (let i = 0; i < 10; i++) await first();
    assert.equal(store.asked.length, before);
  });

  it("is asked once for all who share a load", async (t) => {
    const store = new MemoryStore();
    const server = await endpoint(t);
    const auth = oauthOf(server.url, { cache: store });
    await Promise.all(Array.from({ length: 200 }, () => auth()));
    assert.equal(store.operations.filter((operation) => operation === "get").length, 2);
    assert.equal(server.requests.length, 1);
  });

  it("keeps a value for as long as the token is used", async (t) => {
    const { store } = await filled(t);
    const ttlMs = Number(store.asked.find(({ operation }) => operation === "set")?.ttlMs);
    assert.ok(Number.isInteger(ttlMs) && ttlMs <= 3_590_000 && ttlMs > 3_580_000, `${ttlMs}`);
  });

  it("does not keep what is used at once", async (t) => {
    const { store } = await filled(t, {}, 10);
    assert.equal(store.values.size, 0);
  });

  it("lets one fetch while the others wait for its token", async (t) => {
    const store = new MemoryStore();
    const arrived = gate();
    const release = gate();
    const server = await httpServer(t, async (_, response) => {
      arrived.open();
      await release.opened;
      reply(response, { access_token: "t", expires_in: 3600 });
    });
    const fleet = Array.from({ length: 8 }, () => oauthOf(server.url, { cache: store }));
    const calls = fleet.map((auth) => tokenOf(auth));
    await arrived.opened;
    await until(() => store.operations.filter((operation) => operation === "lock").length >= 8);
    release.open();
    assert.deepEqual(new Set(await Promise.all(calls)), new Set(["t"]));
    assert.equal(server.requests.length, 1);
  });

  it("is passed by where tokens are too short-lived to be shared, until one is not", async (t) => {
    const store = new MemoryStore();
    let [last, lifetime] = [0, 10];
    const server = await httpServer(t, (_, response) => {
      last += 1;
      reply(response, { access_token: `access-token-${last}`, expires_in: lifetime });
    });
    const auth = oauthOf(server.url, { cache: store });
    await auth();
    await until(() => store.operations.at(-1) === "unlock");
    const before = store.operations.length;
    for (let i = 0; i < 3; i++) await auth();
    assert.equal(store.operations.length, before);
    lifetime = 3600;
    assert.equal(await tokenOf(auth), "access-token-5");
    await until(() => store.values.size === 1);
    assert.equal(await tokenOf(oauthOf(server.url, { cache: store })), "access-token-5");
  });

  it("keeps its lock for as long as the fetch takes", async (t) => {
    const store = new MemoryStore();
    const locks = () => store.asked.filter(({ operation }) => operation === "lock");
    const server = await httpServer(t, async (_, response) => {
      await until(() => locks().length === 3);
      reply(response, { access_token: "t", expires_in: 3600 });
    });
    await oauthOf(server.url, { cache: store })();
    assert.equal(new Set(locks().map(({ owner }) => owner)).size, 1);
    for (const { ttlMs } of locks()) assert.equal(ttlMs, 2_000);
  });

  it("of Keyv's shape needs no lock", async (t) => {
    const store = new MemoryStore();
    const cache = {
      get: (/** @type {string} */ key) => store.get(key),
      set: (/** @type {string} */ key, /** @type {string} */ value, /** @type {number} */ ttlMs) =>
        store.set(key, value, ttlMs),
    };
    const server = await endpoint(t);
    await oauthOf(server.url, { cache })();
    await until(() => store.values.size === 1);
    assert.equal(await tokenOf(oauthOf(server.url, { cache })), "access-token-1");
    assert.deepEqual(store.operations, ["get", "set", "get"]);
  });

  it("serves issues", async (t) => {
    const { store, server } = await filled(t);
    const backend = await httpServer(t);
    const auth = oauthOf(server.url, { cache: store });
    const issue = createRemoteTokenIssuer({ url: backend.url, auth });
    await Promise.all(Array.from({ length: 20 }, () => issue(PAYMENT)));
    assert.equal(backend.requests[0].headers.authorization, "Bearer access-token-1");
    assert.equal(server.requests.length, 1);
  });

  it("may give bytes, as clients do that are told to", async (t) => {
    const { store, server } = await filled(t);
    const cache = {
      get: async (/** @type {string} */ key) => {
        const value = store.values.get(key);
        return value && new Uint8Array(Buffer.from(value));
      },
      set: async () => {},
    };
    assert.equal(await tokenOf(oauthOf(server.url, { cache })), "access-token-1");
  });

  // As `SET NX` answers, and as libraries of locks do.
  for (const [taken, free] of [
    ["OK", null],
    [1, 0],
    [{ token: "t" }, undefined],
  ]) {
    it(`takes ${JSON.stringify(taken)} for a lock, and ${free} for none`, async (t) => {
      const { auth, server } = await oauth(t, undefined, {
        cache: { get: async () => null, set: async () => {}, lock: async () => taken, unlock() {} },
      });
      const begun = performance.now();
      await auth();
      assert.ok(performance.now() - begun < 4_500);
      assert.equal(server.requests.length, 1);

      const store = new MemoryStore();
      let asked = 0;
      const cache = {
        get: (/** @type {string} */ key) => store.get(key),
        set: store.set.bind(store),
        lock: () => (++asked > 2 ? taken : free),
        unlock() {},
      };
      await oauthOf(server.url, { cache })();
      assert.ok(asked >= 3);
    });
  }

  it("is passed by where its token was rejected, and gets the fresh one", async (t) => {
    const { store, server, first } = await filled(t);
    const second = oauthOf(server.url, { cache: store });
    const backend = await httpServer(t, ({ headers }, response) => {
      const isGood = headers.authorization === "Bearer access-token-2";
      reply(response, { token: "t" }, isGood ? 200 : 401);
    });
    await second();
    for (const auth of [first, second]) {
      await createRemoteTokenIssuer({ url: backend.url, auth })(PAYMENT);
      await until(() => store.locks.size === 0);
    }
    assert.equal(await tokenOf(oauthOf(server.url, { cache: store })), "access-token-2");
    assert.equal(server.requests.length, 2);
  });

  it("gives a token that another process has refreshed ahead", async (t) => {
    const clock = wallClock(t);
    const { store, server, first } = await filled(t, { refreshAhead: 600 });
    const second = oauthOf(server.url, { cache: store, refreshAhead: 600 });
    await second();
    clock.pass(3_300);
    for (const auth of [first, second]) {
      assert.equal(await tokenOf(auth), "access-token-1");
      await until(async () => (await tokenOf(auth)) === "access-token-2");
      await until(() => store.locks.size === 0);
    }
    assert.equal(server.requests.length, 2);
  });

  it("asks for a secret that rotates before it looks, and shares none across secrets", async (t) => {
    const store = new MemoryStore();
    const server = await endpoint(t);
    let secret = "old";
    const auth = () => oauthOf(server.url, { clientSecret: () => secret, cache: store });
    assert.equal(await tokenOf(auth()), "access-token-1");
    await until(() => store.locks.size === 0);
    assert.equal(await tokenOf(auth()), "access-token-1");
    secret = "new";
    assert.equal(await tokenOf(auth()), "access-token-2");
  });
});

describe("who may read a stored token", () => {
  const BASE = { scopes: ["a", "b"], audience: "x", resource: ["r1", "r2"] };

  it("is a client of the same scopes, in any order", async (t) => {
    const { store, server } = await filled(t, BASE);
    for (const scopes of [["b", "a"], ["a b"], ["a", "b", "a"]]) {
      const auth = oauthOf(server.url, { ...BASE, scopes, cache: store });
      assert.equal(await tokenOf(auth), "access-token-1");
    }
  });

  for (const [what, other] of /** @type {[string, any][]} */ ([
    ["client", { clientId: "client-2" }],
    ["secret", { clientSecret: "another" }],
    ["scope", { scopes: ["a"] }],
    ["scope that is two", { scopes: ["ab"] }],
    ["audience", { audience: "y" }],
    ["audience that is no resource", { audience: undefined, resource: ["x", "r1", "r2"] }],
    ["resource", { resource: ["r1"] }],
    ["parameter", { extraParams: { tenant: "2" } }],
    ["header", { headers: { "X-Tenant": "2" } }],
    ["method", { clientAuthentication: "client_secret_basic" }],
  ])) {
    it(`is no client of another ${what}`, async (t) => {
      const { store, server } = await filled(t, BASE);
      const auth = oauthOf(server.url, { ...BASE, ...other, cache: store });
      assert.equal(await tokenOf(auth), "access-token-2");
      await until(() => store.values.size === 2);
    });
  }

  it("is no client of another endpoint", async (t) => {
    const { store, server } = await filled(t, BASE);
    const auth = oauthOf(`${server.origin}/other`, { ...BASE, cache: store });
    assert.equal(await tokenOf(auth), "access-token-2");
  });

  it("is nobody who has the store alone", async (t) => {
    const { store } = await filled(t);
    const all = JSON.stringify([[...store.values], store.asked]);
    for (const secret of ["access-token-1", ...Object.values(CLIENT)]) {
      assert.ok(!all.includes(secret));
      assert.ok(!all.includes(Buffer.from(secret).toString("base64url").slice(0, -2)));
    }
    for (const [key, value] of store.values) {
      assert.match(key, /^key0:token:[\w-]{43}$/);
      assert.match(value, /^[\w-]+$/);
    }
  });
});

describe("a store that lies", () => {
  /** @type {[string, (value: string, key: string) => unknown][]} */
  const LIES = [
    ["a text", () => "access-token-of-the-attacker"],
    ["an empty text", () => ""],
    ["a JSON token", () => '{"token":"evil","obtained":0,"lifetime":null}'],
    ["half a value", (value) => value.slice(0, value.length / 2)],
    ["a value without its last character", (value) => value.slice(0, -1)],
    ["a value with one bit changed", (value) => `A${value.slice(1)}B`.slice(0, -1)],
    ["a number", () => 7],
    ["an object", () => ({ token: "evil" })],
    ["a megabyte", () => "A".repeat(2 ** 20)],
  ];
  for (const [what, lie] of LIES) {
    it(`by ${what} plants no token, and costs a request`, async (t) => {
      const { store, server } = await filled(t);
      const [[key, value]] = store.values;
      if (what.includes("one bit")) assert.notEqual(value[0], "A");
      store.values.set(key, /** @type {any} */ (lie(value, key)));
      assert.equal(await tokenOf(oauthOf(server.url, { cache: store })), "access-token-2");
    });
  }

  it("by another client's value plants no token", async (t) => {
    const { store, server } = await filled(t);
    const other = new MemoryStore();
    await oauthOf(server.url, { cache: other, audience: "x" })();
    await until(() => other.values.size === 1);
    const [key] = store.values.keys();
    store.values.set(key, [...other.values.values()][0]);
    assert.equal(await tokenOf(oauthOf(server.url, { cache: store })), "access-token-3");
  });

  it("by an old value of its own gives no token past its end", async (t) => {
    const clock = wallClock(t);
    const { store, server } = await filled(t);
    clock.pass(3_590);
    assert.equal(await tokenOf(oauthOf(server.url, { cache: store })), "access-token-2");
  });

  it("by a value from the future gives no token; clocks may be 10 s apart", async (t) => {
    const clock = wallClock(t);
    const { store, server } = await filled(t);
    clock.pass(-9);
    assert.equal(await tokenOf(oauthOf(server.url, { cache: store })), "access-token-1");
    clock.pass(-2);
    assert.equal(await tokenOf(oauthOf(server.url, { cache: store })), "access-token-2");
  });

  it("is told of", async (t) => {
    const failures = failuresOf(t);
    const { store, server } = await filled(t);
    const [key] = store.values.keys();
    store.values.set(key, "garbage");
    await oauthOf(server.url, { cache: store })();
    const problem = "a value that is none of this client's, or from the future";
    assert.deepEqual(failures[0], ["get", problem]);
  });
});

describe("a store that fails", () => {
  /** @type {[string, any][]} */
  const STORES = [
    ["rejects", { get: fails, set: fails }],
    ["rejects, with locks", { get: fails, set: fails, lock: fails, unlock: fails }],
    ["throws", { get: throws, set: throws, lock: throws, unlock: throws }],
    ["rejects locks", { get: async () => null, set: fails, lock: fails, unlock: fails }],
    ["is full", { get: async () => null, set: fails, lock: async () => true, unlock: fails }],
  ];
  async function fails() {
    throw new Error("READONLY");
  }
  function throws() {
    throw new Error("READONLY");
  }
  for (const [what, cache] of STORES) {
    it(`(it ${what}) fails no call, and is told of`, async (t) => {
      const failures = failuresOf(t);
      const { auth, server } = await oauth(t, undefined, { cache });
      await Promise.all(Array.from({ length: 20 }, () => auth()));
      await auth();
      assert.equal(server.requests.length, 1);
      await until(() => failures.some(([operation]) => operation === "set"));
      for (const [, problem] of failures) assert.equal(problem, "READONLY");
    });
  }

  it("by silence costs a second, and no call", async (t) => {
    const failures = failuresOf(t);
    const silent = () => new Promise(() => {});
    const cache = { get: silent, set: silent, lock: silent, unlock: silent };
    const { auth, server } = await oauth(t, undefined, { cache });
    const begun = performance.now();
    await auth();
    const ms = performance.now() - begun;
    assert.ok(ms >= 990 && ms < 5_000, `${ms}`);
    assert.equal(server.requests.length, 1);
    const late = () => failures.filter(([, problem]) => problem === "no answer within a second");
    await until(() => late().length === 2);
    const operations = late().map(([operation]) => operation);
    assert.deepEqual(operations, ["get", "set"]);
  });

  it("by a lock that nobody gives back costs half of the fetch's time at most", async (t) => {
    const cache = {
      get: async () => null,
      set: async () => {},
      lock: async () => false,
      unlock: fails,
    };
    const { auth, server } = await oauth(t, undefined, { cache });
    const begun = performance.now();
    await auth();
    assert.ok(performance.now() - begun < 9_000);
    assert.equal(server.requests.length, 1);
  });

  for (const [what, thrown] of /** @type {[string, any][]} */ ([
    ["nothing", undefined],
    ["null", null],
    ["a symbol", Symbol("READONLY")],
    ["an object without a prototype", Object.create(null)],
    [
      "what throws where it is read",
      {
        get message() {
          throw new Error("no");
        },
      },
    ],
  ])) {
    it(`by throwing ${what} is told of as an Error, and ends no process`, async (t) => {
      const failures = failuresOf(t);
      const get = () => {
        throw thrown;
      };
      const { auth } = await oauth(t, undefined, { cache: { get, set: async () => {} } });
      await auth();
      assert.equal(failures[0][0], "get");
      assert.equal(typeof failures[0][1], "string");
    });
  }

  it("by silence that ends late does no harm", async (t) => {
    /** @type {(() => void)[]} */
    const late = [];
    const slow = () => new Promise((_, reject) => late.push(() => reject(new Error("late"))));
    const { auth } = await oauth(t, undefined, { cache: { get: slow, set: slow } });
    await auth();
    await until(() => late.length === 2);
    for (const end of late) end();
    await new Promise((resolve) => setImmediate(resolve));
    await auth();
  });

  it("does not hide that the token server fails, too", async (t) => {
    const { auth } = await oauth(t, (_, response) => reply(response, "busy", 503), {
      cache: { get: fails, set: fails },
    });
    await rejectsWith(auth(), oauthFailed("OAuth token request failed: 503"));
  });

  it("gives its lock back where the fetch failed", async (t) => {
    const store = new MemoryStore();
    const { auth } = await oauth(t, (_, response) => reply(response, "busy", 503), {
      cache: store,
    });
    await rejectsWith(auth(), oauthFailed("OAuth token request failed: 503"));
    await until(() => store.operations.at(-1) === "unlock");
    assert.equal(store.locks.size, 0);
    assert.equal(store.values.size, 0);
  });
});
