// @ts-check
/** `{ signal }`, the second argument of an issuer's callback. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { issueFailed, rejection, rejectsWith } from "../support/errors.mjs";
import { gate } from "../support/gate.mjs";
import { GRANT, oauthOf } from "../support/oauth-server.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { jsonOf } from "../support/process.mjs";
import { closedPort, httpServer, rawServer, reply } from "../support/server.mjs";

describe("an aborted call", () => {
  it("rejects with the signal's reason, and gives its socket back", async (t) => {
    const aborting = new AbortController();
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      aborting.abort("no longer wanted");
      await connection.closed;
    });
    const issue = createRemoteTokenIssuer({ url: server.url });
    assert.equal(await rejection(issue(PAYMENT, aborting)), "no longer wanted");
    await server.connections[0].closed;
  });

  it("asks nobody for anything, where it was aborted before", async (t) => {
    const { url, requests } = await httpServer(t);
    let asked = 0;
    const auth = async () => {
      asked += 1;
      return {};
    };
    const issue = createRemoteTokenIssuer({ url, auth });
    const reason = await rejection(issue(PAYMENT, { signal: AbortSignal.abort() }));
    assert.equal(reason.name, "AbortError");
    assert.deepEqual([asked, requests.length], [0, 0]);
  });

  it("sends nothing, where the caller's code aborts it as it is asked for its part", async (t) => {
    const { url, requests } = await httpServer(t);
    const warm = createRemoteTokenIssuer({ url });
    assert.equal((await warm(PAYMENT)).token, "t");
    /** @type {[object, (stop: () => void) => any][]} */
    const parts = [
      [{ auth: async () => stop() ?? {} }, () => PAYMENT],
      [{}, (stop) => ({ toJSON: () => stop() ?? PAYMENT })],
      [{ fetch: () => assert.fail("it is called"), auth: async () => stop() ?? {} }, () => PAYMENT],
    ];
    let stop = () => {};
    for (const [config, params] of parts) {
      const aborting = new AbortController();
      stop = () => aborting.abort("enough");
      const issue = createRemoteTokenIssuer({ url, ...config });
      assert.equal(await rejection(issue(params(stop), aborting)), "enough");
    }
    assert.equal(requests.length, 1);
  });

  it("sends nothing, where it is aborted in the turn that it is made in", async (t) => {
    const { url, requests } = await httpServer(t);
    const issue = createRemoteTokenIssuer({ url });
    const aborted = () => {
      const aborting = new AbortController();
      const call = rejection(issue(PAYMENT, aborting));
      aborting.abort("enough");
      return call;
    };
    // On a connection that is warm, alone, then beside others.
    for (let i = 0; i < 20; i += 1) {
      await issue(PAYMENT);
      assert.equal(await aborted(), "enough");
    }
    const calls = Array.from({ length: 20 }, () => [issue(PAYMENT), aborted()]);
    await Promise.all(calls.flat());
    assert.equal(requests.length, 40);
  });

  it("does not wait for auth", async () => {
    const aborting = new AbortController();
    const auth = () => {
      queueMicrotask(() => aborting.abort("enough"));
      return new Promise(() => {});
    };
    const issue = createRemoteTokenIssuer({
      url: "http://127.0.0.1:9",
      auth: /** @type {any} */ (auth),
    });
    assert.equal(await rejection(issue(PAYMENT, aborting)), "enough");
  });

  it("leaves the token that others wait for", async (t) => {
    const aborting = new AbortController();
    const backend = await httpServer(t);
    /** @type {() => void} */
    let answer = () => {};
    const idp = await httpServer(t, (_, response) => {
      answer = () => reply(response, GRANT);
      aborting.abort("the first leaves");
    });
    const issue = createRemoteTokenIssuer({ url: backend.url, auth: oauthOf(idp.url) });
    const [first, second] = [issue(PAYMENT, aborting), issue(PAYMENT)];
    assert.equal(await rejection(first), "the first leaves");
    answer();
    assert.equal((await second).token, "t");
    assert.equal(idp.requests.length, 1);
  });

  it("aborts a fetch of the caller's", async () => {
    const aborting = new AbortController();
    /** @type {() => void} */
    let told = () => {};
    const isAborted = new Promise((resolve) => {
      told = () => resolve(undefined);
    });
    const fetch = (/** @type {string} */ _, /** @type {{ signal: AbortSignal }} */ { signal }) => {
      signal.addEventListener("abort", told);
      aborting.abort("enough");
      return new Promise(() => {});
    };
    const issue = createRemoteTokenIssuer({ url: "http://h.test/", fetch });
    assert.equal(await rejection(issue(PAYMENT, aborting)), "enough");
    await isAborted;
  });
});

describe("a signal that never aborts", () => {
  it("changes nothing, and keeps no listener", async (t) => {
    const { url } = await httpServer(t);
    const { signal } = new AbortController();
    const added = t.mock.method(signal, "addEventListener");
    const removed = t.mock.method(signal, "removeEventListener");
    assert.equal((await createRemoteTokenIssuer({ url })(PAYMENT, { signal })).token, "t");
    const refused = createRemoteTokenIssuer({ url: `http://127.0.0.1:${await closedPort()}/` });
    const failed = issueFailed("Network error: connection refused (ECONNREFUSED)");
    await rejectsWith(refused(PAYMENT, { signal }), failed);
    assert.deepEqual([added.mock.callCount(), removed.mock.callCount()], [2, 2]);
  });
});

describe("a signal that is no whole one", () => {
  it("costs no credentials that were issued", async (t) => {
    const { url, requests } = await httpServer(t);
    const issue = createRemoteTokenIssuer({ url });
    const whole = { aborted: false, addEventListener() {} };
    const throwing = { ...whole, removeEventListener: () => assert.fail("of the signal") };
    for (const signal of /** @type {any[]} */ ([whole, throwing])) {
      assert.equal((await issue(PAYMENT, { signal })).token, "t");
    }
    assert.equal(requests.length, 2);
  });
});

describe("a signal of many calls", () => {
  it("has one listener while any is under way, and ends them all", async (t) => {
    const aborting = new AbortController();
    const { signal } = aborting;
    const added = t.mock.method(signal, "addEventListener");
    const removed = t.mock.method(signal, "removeEventListener");
    const fetch = /** @type {any} */ (() => new Promise(() => {}));
    const issue = createRemoteTokenIssuer({ url: "http://h.test/", fetch });
    const calls = Array.from({ length: 12 }, () => rejection(issue(PAYMENT, { signal })));
    await new Promise((next) => setImmediate(next));
    assert.deepEqual([added.mock.callCount(), removed.mock.callCount()], [1, 0]);
    aborting.abort("all of them");
    assert.deepEqual(new Set(await Promise.all(calls)), new Set(["all of them"]));
    assert.deepEqual([added.mock.callCount(), removed.mock.callCount()], [1, 1]);
  });

  it("goes on to end the others when one is over", async (t) => {
    const aborting = new AbortController();
    const { url } = await httpServer(t);
    const fetch = /** @type {any} */ (() => new Promise(() => {}));
    const hanging = createRemoteTokenIssuer({ url, fetch });
    const call = rejection(hanging(PAYMENT, aborting));
    await createRemoteTokenIssuer({ url })(PAYMENT, aborting);
    aborting.abort("enough");
    assert.equal(await call, "enough");
  });
});

describe("2,000 aborted calls that fetch sends", () => {
  it("leave no listener, no socket and no warning", async (t) => {
    const AT_ONCE = 100;
    let arrived = 0;
    let all = gate();
    const server = await rawServer(t, async (connection) => {
      if (!(await connection.request())) return;
      arrived += 1;
      if (arrived % AT_ONCE === 0) all.open();
    });
    const warnings = /** @type {Error[]} */ ([]);
    const onWarning = (/** @type {Error} */ warning) => warnings.push(warning);
    process.on("warning", onWarning);
    t.after(() => process.off("warning", onWarning));
    const issue = createRemoteTokenIssuer({ url: server.url, fetch, timeoutMs: 60_000 });
    for (let round = 0; round < 20; round += 1) {
      all = gate();
      const aborting = new AbortController();
      const { signal } = aborting;
      const [added, removed] = ["addEventListener", "removeEventListener"].map((name) =>
        t.mock.method(signal, /** @type {any} */ (name)),
      );
      const calls = Array.from({ length: AT_ONCE }, () => rejection(issue(PAYMENT, { signal })));
      await all.opened;
      aborting.abort(round);
      assert.deepEqual(new Set(await Promise.all(calls)), new Set([round]));
      assert.deepEqual([added.mock.callCount(), removed.mock.callCount()], [1, 1]);
    }
    // Node's fetch keeps those for 4 s that it has made and not used.
    await Promise.all(server.connections.map(({ closed }) => closed));
    assert.deepEqual(warnings, []);
  });
});

const hooked = {
  skip: process.versions.bun || process.versions.deno ? "no promise has a hook here" : false,
};

it("a hook of the runtime's own may abort a call while it begins", hooked, async (t) => {
  const { url } = await httpServer(t, { token: "t" });
  const source = `
    import { createHook } from "node:async_hooks";
    import { createRemoteTokenIssuer } from "./index.mjs";
    const issue = createRemoteTokenIssuer({ url: process.argv[1] });
    let aborting;
    let left = 0;
    const init = () => {
      left -= 1;
      if (left === 0) aborting.abort("no longer wanted");
    };
    createHook({ init }).enable();
    const reasons = new Set();
    let promise = 0;
    // At each promise of a call, until a call has no more of them.
    while (left <= 0) {
      promise += 1;
      left = promise;
      aborting = new AbortController();
      const { signal } = aborting;
      await issue({}, { signal }).catch((reason) => reasons.add(reason));
    }
    console.log(JSON.stringify([promise > 3, ...reasons]));
  `;
  assert.deepEqual(await jsonOf(source, { args: [url] }), [true, "no longer wanted"]);
});

describe("a second argument", () => {
  it("without a signal is not looked at", async (t) => {
    const { url } = await httpServer(t);
    const issue = createRemoteTokenIssuer({ url });
    const issued = await Promise.all([PAYMENT, PAYMENT].map(/** @type {any} */ (issue)));
    assert.equal(issued.length, 2);
    for (const other of [null, {}, { signal: null }, "options"]) {
      await issue(PAYMENT, /** @type {any} */ (other));
    }
  });

  it("whose signal is none rejects with a TypeError", async () => {
    const issue = createRemoteTokenIssuer({ url: "http://127.0.0.1:9" });
    const reason = await rejection(issue(PAYMENT, { signal: /** @type {any} */ ("now") }));
    assert.ok(reason instanceof TypeError);
    assert.equal(reason.message, "signal must be an AbortSignal");
  });
});
