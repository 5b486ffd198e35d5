// @ts-check
/** createRemoteTokenIssuer: the order of a call, its body, and what it never does. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { describe, it } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { issueFailed, rejectsWith } from "../support/errors.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { httpServer } from "../support/server.mjs";

/** An issuer as JavaScript callers make and use it, whatever the types say. */
const create = (/** @type {any} */ config) =>
  /** @type {(params?: any) => Promise<any>} */ (createRemoteTokenIssuer(config));

describe("a call", () => {
  it("gives a real promise", async (t) => {
    const server = await httpServer(t);
    const call = create({ url: server.url })(PAYMENT);
    assert.equal(Object.getPrototypeOf(call), Promise.prototype);
    let settled = false;
    // As the SDK's engine uses it.
    await call.finally(() => {
      settled = true;
    });
    assert.ok(settled);
  });

  it("asks auth once, without arguments, before it returns", async (t) => {
    const server = await httpServer(t);
    /** @type {unknown[][]} */
    const asked = [];
    const issue = create({
      url: server.url,
      auth: (/** @type {unknown[]} */ ...args) => {
        asked.push(args);
        return {};
      },
    });
    const call = issue(PAYMENT);
    assert.deepEqual(asked, [[]]);
    await call;
    assert.deepEqual(asked, [[]]);
  });

  it("asks auth in the caller's async context", async (t) => {
    const server = await httpServer(t);
    const tenant = new AsyncLocalStorage();
    const issue = create({
      url: server.url,
      auth: async () => ({ "X-Tenant": String(tenant.getStore()) }),
    });
    await Promise.all(["a", "b"].map((name) => tenant.run(name, () => issue(PAYMENT))));
    const seen = server.requests.map(({ headers }) => headers["x-tenant"]);
    assert.deepEqual(seen.sort(), ["a", "b"]);
  });

  it("reads params right after auth was called, without waiting for it", async (t) => {
    const server = await httpServer(t);
    /** @type {string[]} */
    const order = [];
    /** @type {any} */
    const params = {
      ...PAYMENT,
      toJSON() {
        order.push("params");
        return { note: params.note };
      },
    };
    const issue = create({
      url: server.url,
      auth: async () => {
        order.push("auth");
        params.note = "written by auth";
        await null;
        params.note = "written too late";
        return {};
      },
    });
    const call = issue(params);
    assert.deepEqual(order, ["auth", "params"]);
    params.note = "written too late";
    await call;
    assert.deepEqual(order, ["auth", "params"]);
    assert.equal(server.requests[0].body.toString(), '{"note":"written by auth"}');
  });

  it("makes one request, a POST of JSON", async (t) => {
    const server = await httpServer(t);
    await create({ url: server.url })(PAYMENT);
    assert.equal(server.requests.length, 1);
    const [{ method, headers, body }] = server.requests;
    assert.equal(method, "POST");
    assert.equal(headers["content-type"], "application/json");
    assert.equal(body.toString(), JSON.stringify(PAYMENT));
  });

  it("serves many at a time, each with its own answer", async (t) => {
    const server = await httpServer(t, ({ body }, response) => {
      response.end(JSON.stringify({ token: JSON.parse(body.toString()).requestId }));
    });
    const issue = create({ url: server.url });
    const ids = Array.from({ length: 100 }, (_, i) => `r-${i}`);
    const issued = await Promise.all(ids.map((requestId) => issue({ ...PAYMENT, requestId })));
    assert.deepEqual(
      issued.map(({ token }) => token),
      ids,
    );
    assert.equal(server.requests.length, 100);
  });
});

describe("params", () => {
  /** @type {[string, unknown][]} */
  const bodies = [
    ["fields that callers add", { ...PAYMENT, buyer: { name: "é", tags: [1, null] } }],
    // B36
    [
      "NUL, a lone surrogate, an emoji",
      { "k\0": 1, challengeId: "a\0b", s: "\ud800", e: "\u{1f600}" },
    ],
    ["a megabyte of é", { challengeId: "c", blob: "é".repeat(500_000) }],
    // B35
    ["3,000 levels", JSON.parse(`${"[".repeat(3_000)}${"]".repeat(3_000)}`)],
    ["null", null],
    ["a string", "text"],
    ["a number", 1.5],
  ];
  for (const [name, params] of bodies) {
    it(`${name}: the body is what JSON.stringify gives`, async (t) => {
      const server = await httpServer(t);
      await create({ url: server.url })(params);
      const [{ body, headers }] = server.requests;
      const expected = Buffer.from(JSON.stringify(params));
      assert.ok(body.equals(expected), body.subarray(0, 200).toString());
      assert.equal(headers["content-length"], String(expected.length));
    });
  }

  for (const params of [undefined, () => 1, Symbol("s"), { toJSON: () => undefined }]) {
    it(`of which JSON.stringify makes nothing (${typeof params}) are an empty body`, async (t) => {
      const server = await httpServer(t);
      await create({ url: server.url })(params);
      const [{ body, headers }] = server.requests;
      assert.equal(body.length, 0);
      assert.equal(headers["content-length"], "0");
      assert.equal(headers["content-type"], "application/json");
      assert.ok(!("transfer-encoding" in headers));
    });
  }

  const circular = { self: /** @type {unknown} */ (null) };
  circular.self = circular;
  /** @type {[string, unknown][]} */
  const refused = [
    ["a circle", circular],
    ["a bigint", { amount: 1n }],
    ["a toJSON that throws", { toJSON: () => assert.fail("no JSON today") }],
    [
      "a getter that throws",
      {
        get challengeId() {
          throw new Error("no id today");
        },
      },
    ],
  ];
  const unsendable = issueFailed("Network error: params cannot be sent as JSON", { sent: false });
  for (const [name, params] of refused) {
    it(`${name}: a rejection, and nothing is sent`, async (t) => {
      const server = await httpServer(t);
      let asked = 0;
      const auth = async () => {
        asked += 1;
        return {};
      };
      await rejectsWith(create({ url: server.url, auth })(params), unsendable);
      assert.equal(asked, 1);
      assert.equal(server.connections(), 0);
    });
  }

  it("of which a replaced JSON.stringify makes no string are a rejection, and nothing is sent", async (t) => {
    const server = await httpServer(t);
    const issue = create({ url: server.url });
    const { stringify } = JSON;
    JSON.stringify = /** @type {any} */ (() => Buffer.from("{}"));
    const issued = issue(PAYMENT);
    JSON.stringify = stringify;
    await rejectsWith(issued, unsendable);
    assert.equal(server.connections(), 0);
  });

  it("that are refused leave no unhandled rejection of auth behind", async (t) => {
    const server = await httpServer(t);
    const auth = async () => assert.fail("no headers today");
    // Which of the two failures is told is open; an unhandled one would fail this file.
    await rejectsWith(create({ url: server.url, auth })(circular), issueFailed(/./));
  });
});

describe("Idempotency-Key", () => {
  const keyOf = async (
    /** @type {any} */ t,
    /** @type {unknown} */ params,
    /** @type {object} */ config = {},
  ) => {
    const server = await httpServer(t);
    await create({ url: server.url, ...config })(params);
    return server.requests[0].headers["idempotency-key"];
  };

  it("is the challengeId", async (t) => {
    assert.equal(await keyOf(t, PAYMENT), "challenge-1");
  });

  it("is Latin-1 where the challengeId is", async (t) => {
    assert.equal(await keyOf(t, { challengeId: "défi" }), "défi");
  });

  for (const idempotencyKey of [undefined, true]) {
    it(`is sent with idempotencyKey: ${idempotencyKey}`, async (t) => {
      assert.equal(await keyOf(t, PAYMENT, { idempotencyKey }), "challenge-1");
    });
  }

  it("is turned off by idempotencyKey: false", async (t) => {
    assert.equal(await keyOf(t, PAYMENT, { idempotencyKey: false }), undefined);
  });

  it("of auth replaces ours", async (t) => {
    const auth = async () => ({ "idempotency-key": "own" });
    assert.equal(await keyOf(t, PAYMENT, { auth }), "own");
  });

  for (const challengeId of [undefined, null, "", 42, true, {}, ["a"], "a\nb", "a\0b", "密"]) {
    it(`is left out for a challengeId of ${JSON.stringify(challengeId)}`, async (t) => {
      assert.equal(await keyOf(t, { ...PAYMENT, challengeId }), undefined);
    });
  }

  for (const params of [undefined, null, "text", 7, []]) {
    it(`is left out for params of ${JSON.stringify(params)}`, async (t) => {
      assert.equal(await keyOf(t, params), undefined);
    });
  }
});
