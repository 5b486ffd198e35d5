// @ts-check
/** A replaced `fetch` or dispatcher of undici's is honoured without being told; else all is native. */
import assert from "node:assert/strict";
import { afterEach, before, describe, it } from "node:test";
import { createRemoteTokenIssuer, oauthClientCredentialsAuth } from "../../index.mjs";
import { CLIENT, GRANT } from "../support/oauth-server.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { jsonOf } from "../support/process.mjs";
import { httpServer } from "../support/server.mjs";

const NATIVE = /^key0-native\//;
const { fetch: own } = globalThis;
const DISPATCHERS = [1, 2].map((n) => Symbol.for(`undici.globalDispatcher.${n}`));

/** @param {string} token */
const mocked = (token) => /** @type {any} */ (async () => Response.json({ token, ...GRANT }));

/** @param {string | symbol} name @param {unknown} value */
const put = (name, value) => Reflect.set(globalThis, name, value);

afterEach(() => {
  globalThis.fetch = own;
});

describe("the native client", () => {
  it("sends where nothing is replaced, also after the runtime's fetch was used", async (t) => {
    const { url, requests } = await httpServer(t);
    const issue = createRemoteTokenIssuer({ url });
    await issue(PAYMENT);
    await fetch(url, { method: "POST" });
    await issue(PAYMENT);
    const [first, , last] = requests.map(({ headers }) => headers["user-agent"]);
    assert.match(first, NATIVE);
    assert.match(last, NATIVE);
  });

  it("sends although fetch is replaced, where `fetch` is false", async (t) => {
    const { url, requests } = await httpServer(t, { token: "t", ...GRANT });
    globalThis.fetch = mocked("of the mock");
    const auth = oauthClientCredentialsAuth({ tokenUrl: url, ...CLIENT, fetch: false });
    const { token } = await createRemoteTokenIssuer({ url, auth, fetch: false })(PAYMENT);
    assert.equal(token, "t");
    assert.equal(requests.length, 2);
  });

  it("sends although fetch is replaced, where KEY0_NATIVE_FETCH is 0", async (t) => {
    const { url } = await httpServer(t);
    const source = `
      import { createRemoteTokenIssuer } from "./index.mjs";
      globalThis.fetch = async () => Response.json({ token: "of the mock" });
      const named = async () => Response.json({ token: "named" });
      const [url] = process.argv.slice(1);
      const tokens = [{}, { fetch: named }].map((config) =>
        createRemoteTokenIssuer({ url, ...config })({}).then(({ token }) => token));
      console.log(JSON.stringify(await Promise.all(tokens)));
    `;
    const calls = async (/** @type {Record<string, string>} */ env) =>
      await jsonOf(source, { args: [url], env });
    assert.deepEqual(await calls({ KEY0_NATIVE_FETCH: "0" }), ["t", "named"]);
    assert.deepEqual(await calls({}), ["of the mock", "named"]);
  });

  it("sends where fetch is no function any more", async (t) => {
    const { url } = await httpServer(t);
    put("fetch", undefined);
    assert.equal((await createRemoteTokenIssuer({ url })(PAYMENT)).token, "t");
  });
});

describe("a replaced fetch", () => {
  it("sends from the next call on, and no longer once it is put back", async (t) => {
    const { url, requests } = await httpServer(t);
    const issue = createRemoteTokenIssuer({ url });
    const tokens = [(await issue(PAYMENT)).token];
    globalThis.fetch = mocked("one");
    tokens.push((await issue(PAYMENT)).token);
    const spy = t.mock.method(globalThis, "fetch", mocked("spied"));
    tokens.push((await issue(PAYMENT)).token);
    spy.mock.restore();
    tokens.push((await issue(PAYMENT)).token);
    globalThis.fetch = own;
    tokens.push((await issue(PAYMENT)).token);
    assert.deepEqual(tokens, ["t", "one", "spied", "one", "t"]);
    assert.equal(requests.length, 2);
    assert.equal(spy.mock.callCount(), 1);
  });

  it("sends a token request, and the issue that asks for it", async () => {
    globalThis.fetch = mocked("of the mock");
    const auth = oauthClientCredentialsAuth({ tokenUrl: "https://idp.internal/token", ...CLIENT });
    const { token } = await createRemoteTokenIssuer({ url: "https://b.internal/", auth })(PAYMENT);
    assert.equal(token, "of the mock");
    assert.deepEqual(await auth(), { Authorization: `Bearer ${GRANT.access_token}` });
  });

  it("sends a token request alone, where the issuer has one of its own", async () => {
    globalThis.fetch = mocked("of the mock");
    const auth = oauthClientCredentialsAuth({ tokenUrl: "https://idp.internal/token", ...CLIENT });
    /** @type {any} */
    let seen;
    const named = /** @type {any} */ (
      async (/** @type {string} */ _, /** @type {any} */ { headers }) => {
        seen = headers.Authorization;
        return Response.json({ token: "named" });
      }
    );
    const issue = createRemoteTokenIssuer({ url: "https://b.internal/", auth, fetch: named });
    assert.equal((await issue(PAYMENT)).token, "named");
    assert.equal(seen, `Bearer ${GRANT.access_token}`);
  });

  it("sends where it was replaced before this package was loaded, for good", async () => {
    const source = `
      const { fetch: own } = globalThis;
      const replaced = [
        async () => Response.json({ token: "of the mock" }),
        // As tracers do it: a wrapper with the name, or a proxy.
        Object.defineProperty((...call) => (calls += 1, answer()), "name", { value: "fetch" }),
        new Proxy(own, { apply: answer }),
        own.bind(undefined),
      ];
      let calls = 0;
      function answer() { return Promise.resolve(Response.json({ token: "of the mock" })); }
      globalThis.fetch = replaced[Number(process.argv[1])];
      const { createRemoteTokenIssuer } = await import("./index.mjs");
      const issue = createRemoteTokenIssuer({ url: "http://nope.invalid/" });
      console.log(JSON.stringify(await issue({}).then(({ token }) => token, ({ cause }) => cause.sent)));
    `;
    const outcomes = await Promise.all(
      ["0", "1", "2"].map((which) => jsonOf(source, { args: [which] })),
    );
    assert.deepEqual(outcomes, ["of the mock", "of the mock", "of the mock"]);
  });
});

describe("undici's global dispatcher", { skip: skipDispatchers() }, () => {
  /** What a call to a server that is not there becomes, with a dispatcher in place. */
  async function sentBy(/** @type {import("node:test").TestContext} */ t) {
    const { url, requests } = await httpServer(t);
    await createRemoteTokenIssuer({ url })(PAYMENT);
    return NATIVE.test(requests[0].headers["user-agent"]) ? "native" : "fetch";
  }

  /** Node's own class, which its `fetch` puts there. */
  async function nodesAgent() {
    await fetch("http://127.0.0.1:9/").catch(() => {});
    const name = DISPATCHERS.find(
      (it) => Reflect.get(globalThis, it)?.constructor.name === "Agent",
    );
    return Reflect.get(globalThis, /** @type {symbol} */ (name)).constructor;
  }

  /** @type {unknown[]} */
  let nodes;

  before(async () => {
    await nodesAgent();
    nodes = DISPATCHERS.map((name) => Reflect.get(globalThis, name));
  });

  afterEach(() => {
    DISPATCHERS.forEach((name, i) => {
      put(name, nodes[i]);
    });
  });

  it("of the user's is honoured, through fetch", async (t) => {
    const Agent = await nodesAgent();
    class Traced extends Agent {}
    const patched = Object.assign(new Agent(), {
      dispatch: (/** @type {unknown[]} */ ...call) => Agent.prototype.dispatch.apply(patched, call),
    });
    for (const dispatcher of [new Agent({ connect: { timeout: 1 } }), new Traced(), patched]) {
      for (const name of DISPATCHERS) put(name, dispatcher);
      assert.equal(await sentBy(t), "fetch");
    }
  });

  it("as undici makes it for itself is passed over", async (t) => {
    const Agent = await nodesAgent();
    assert.equal(await sentBy(t), "native");
    for (const name of DISPATCHERS) put(name, new Agent());
    assert.equal(await sentBy(t), "native");
  });
});

/** Others have no dispatchers. */
function skipDispatchers() {
  return process.versions.bun || process.versions.deno ? "no undici here" : false;
}
