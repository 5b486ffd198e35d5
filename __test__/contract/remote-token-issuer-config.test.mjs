// @ts-check
/** createRemoteTokenIssuer: what its configuration may be, and what it refuses at creation. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRemoteTokenIssuer, noAuth } from "../../index.mjs";
import {
  CANARY,
  issueTimedOut,
  refusesField,
  rejectsWith,
  showsNoCanary,
} from "../support/errors.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { httpServer, rawServer, reply } from "../support/server.mjs";

/** A configuration as JavaScript callers write it, whatever the types say. */
const create = (/** @type {any} */ config) => createRemoteTokenIssuer(config);
const URL_OF_NOTHING = "http://127.0.0.1:1/issue";

describe("auth, secret and headerName", () => {
  it("auth wins over secret", async (t) => {
    const server = await httpServer(t);
    const auth = async () => ({ "X-From": "auth" });
    await create({ url: server.url, auth, secret: CANARY })(PAYMENT);
    const { headers } = server.requests[0];
    assert.equal(headers["x-from"], "auth");
    assert.ok(!("x-internal-auth" in headers));
  });

  it("secret and headerName are not looked at beside an auth", () => {
    create({ url: URL_OF_NOTHING, auth: noAuth(), secret: "a\nb", headerName: "no name" });
  });

  for (const absent of [undefined, null, false, "", 0]) {
    it(`an auth of ${JSON.stringify(absent)} counts as absent`, async (t) => {
      const server = await httpServer(t);
      await create({ url: server.url, auth: absent, secret: "s" })(PAYMENT);
      assert.equal(server.requests[0].headers["x-internal-auth"], "s");
    });
  }

  for (const auth of [1, true, "headers", {}, [], Symbol("s"), 1n, Promise.resolve({})]) {
    it(`an auth of ${String(auth)} (${typeof auth}) is a TypeError`, () => {
      refusesField(() => create({ url: URL_OF_NOTHING, auth }), TypeError, "auth");
    });
  }

  it("a secret goes out as X-Internal-Auth", async (t) => {
    const server = await httpServer(t);
    await create({ url: server.url, secret: "s" })(PAYMENT);
    assert.equal(server.requests[0].headers["x-internal-auth"], "s");
  });

  it("headerName names another header", async (t) => {
    const server = await httpServer(t);
    await create({ url: server.url, secret: "s", headerName: "X-Key" })(PAYMENT);
    const { headers } = server.requests[0];
    assert.equal(headers["x-key"], "s");
    assert.ok(!("x-internal-auth" in headers));
  });

  for (const headerName of ["", null, undefined]) {
    it(`a headerName of ${JSON.stringify(headerName)} means X-Internal-Auth`, async (t) => {
      const server = await httpServer(t);
      await create({ url: server.url, secret: "s", headerName })(PAYMENT);
      assert.equal(server.requests[0].headers["x-internal-auth"], "s");
    });
  }

  for (const secret of ["", undefined, null]) {
    it(`a secret of ${JSON.stringify(secret)} means no auth header`, async (t) => {
      const server = await httpServer(t);
      await create({ url: server.url, secret, headerName: "X-Key" })(PAYMENT);
      const { headers } = server.requests[0];
      assert.ok(!("x-internal-auth" in headers) && !("x-key" in headers));
    });
  }

  for (const bad of ["\n", "\r", "\0", "密"]) {
    it(`a secret with ${JSON.stringify(bad)} inside is a TypeError that hides it`, () => {
      const secret = `${CANARY}${bad}${CANARY}`;
      refusesField(() => create({ url: URL_OF_NOTHING, secret }), TypeError, "secret");
    });
  }

  it("a headerName that is no HTTP token is a TypeError", () => {
    const config = { url: URL_OF_NOTHING, secret: CANARY, headerName: "no name" };
    refusesField(() => create(config), TypeError, "headerName");
  });

  it("an issuer shows no secret", () => {
    showsNoCanary(create({ url: `http://u:${encodeURIComponent(CANARY)}@h/`, secret: CANARY }));
  });
});

describe("timeoutMs", { concurrency: true }, () => {
  for (const timeoutMs of [250, "250", "2.5e2", 0.5]) {
    it(`${JSON.stringify(timeoutMs)} is a time`, async (t) => {
      const silent = await httpServer(t, () => {});
      const started = performance.now();
      const call = create({ url: silent.url, timeoutMs })(PAYMENT);
      await rejectsWith(call, issueTimedOut());
      const took = performance.now() - started;
      assert.ok(took >= Number(timeoutMs) - 1 && took < 9_000, `took ${took} ms`);
    });
  }

  for (const timeoutMs of [undefined, null]) {
    it(`${timeoutMs} is 10 s`, async (t) => {
      const silent = await httpServer(t, () => {});
      const started = performance.now();
      await rejectsWith(create({ url: silent.url, timeoutMs })(PAYMENT), issueTimedOut());
      const took = performance.now() - started;
      assert.ok(took >= 9_999 && took < 20_000, `took ${took} ms`);
    });
  }

  const long = [2 ** 31, 2 ** 32 + 1, "4294967297", 2 ** 53 + 2, 1e300, Number.MAX_VALUE];
  for (const timeoutMs of long) {
    it(`${JSON.stringify(timeoutMs)} is simply long`, async (t) => {
      const slow = await httpServer(t, (_, response) => {
        setTimeout(reply, 100, response);
      });
      const issued = await create({ url: slow.url, timeoutMs })(PAYMENT);
      assert.equal(issued.token, "t");
    });
  }

  const outside = [0, -0, -1, Number.NaN, Infinity, -Infinity, "0", "-1", "", "10s", "Infinity"];
  for (const timeoutMs of outside) {
    it(`${typeof timeoutMs} ${JSON.stringify(String(timeoutMs))} is a RangeError`, () => {
      refusesField(() => create({ url: URL_OF_NOTHING, timeoutMs }), RangeError, "timeoutMs");
    });
  }

  for (const timeoutMs of [10n, true, {}, [250], Symbol("s"), () => 250]) {
    it(`a ${typeof timeoutMs} (${String(timeoutMs)}) is a TypeError`, () => {
      refusesField(() => create({ url: URL_OF_NOTHING, timeoutMs }), TypeError, "timeoutMs");
    });
  }
});

describe("url", () => {
  const missing = [undefined, null, "", " ", 42, {}, true];
  // B37
  const strange = ["issue", "/issue", "//x", "unix:/s", "http+unix://%2Fs/", "file:///x"];
  const unusable = ["http://", "http://[", "http://a b/", "http://x:65536/", "ftp://x/", "data:,x"];
  for (const url of [...missing, ...strange, ...unusable]) {
    it(`${typeof url} ${JSON.stringify(String(url))} is a TypeError`, () => {
      refusesField(() => create({ url }), TypeError, "url");
    });
  }

  it("a URL that cannot be used does not show its password", () => {
    const url = `ftp://u:${encodeURIComponent(CANARY)}@h/`;
    refusesField(() => create({ url }), TypeError, "url");
  });

  for (const config of [undefined, null, 42, "http://x/"]) {
    it(`${JSON.stringify(config)} in place of a configuration is a TypeError`, () => {
      assert.throws(() => create(config), TypeError);
    });
  }
});

describe("the configuration", () => {
  it("is read once, at creation", async (t) => {
    const server = await httpServer(t);
    const other = await rawServer(t, () => {});
    /** @type {Record<string, any>} */
    const config = { url: server.url, auth: async () => ({ "X-A": "1" }), timeoutMs: 5_000 };
    const issue = create(config);
    config.url = other.url;
    config.auth = () => assert.fail("not the auth of the creation");
    config.timeoutMs = 0;
    config.idempotencyKey = false;
    await issue(PAYMENT);
    assert.equal(server.requests[0].headers["x-a"], "1");
    assert.equal(server.requests[0].headers["idempotency-key"], PAYMENT.challengeId);
    assert.equal(other.connections.length, 0);
  });

  it("a URL object that changes later changes nothing", async (t) => {
    const server = await httpServer(t);
    const url = new URL(server.url);
    const issue = create({ url });
    url.pathname = "/elsewhere";
    await issue(PAYMENT);
    assert.equal(server.requests[0].target, "/issue");
  });
});
