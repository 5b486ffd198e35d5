// @ts-check
/** What those who watch are told: events of `node:diagnostics_channel`. */
import assert from "node:assert/strict";
import diagnostics from "node:diagnostics_channel";
import { afterEach, describe, it } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { CANARY, rejection } from "../support/errors.mjs";
import { watcher } from "../support/events.mjs";
import { oauth, oauthOf } from "../support/oauth-server.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { jsonOf } from "../support/process.mjs";
import { closedPort, httpServer, reply } from "../support/server.mjs";

/** @type {(() => void)[]} */
const ends = [];

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const watch = watcher(ends);

describe("a subscriber", () => {
  it("that adds what is no header, or freezes the event, changes no call", async (t) => {
    const { url, requests } = await httpServer(t);
    const issue = createRemoteTokenIssuer({ url });
    watch("issue", (event) => {
      event.headers["X-Symbol"] = Symbol("none");
      event.headers["X-Object"] = Object.create(null);
      event.headers["X-Text"] = "text";
      Object.freeze(event);
    });
    assert.equal((await issue(PAYMENT)).token, "t");
    const [{ headers }] = requests;
    const added = ["x-symbol", "x-object", "x-text"].map((name) => headers[name]);
    assert.deepEqual(added, [undefined, undefined, "text"]);
  });

  it("whose headers or fields throw as they are read or set changes no call", async (t) => {
    const { url, requests } = await httpServer(t);
    const issue = createRemoteTokenIssuer({ url });
    const thrower = () => assert.fail("of the subscriber");
    watch("issue", ({ headers }) => {
      Object.defineProperty(headers, "X-Getter", { enumerable: true, get: thrower });
      headers["X-Text"] = "text";
    });
    const start = diagnostics.channel("tracing:key0:issue:start");
    for (const field of ["transport", "status", "durationMs"]) {
      const onStart = (/** @type {any} */ event) =>
        Object.defineProperty(event, field, { set: thrower });
      start.subscribe(onStart);
      assert.equal((await issue(PAYMENT)).token, "t");
      start.unsubscribe(onStart);
    }
    const sent = requests.map(({ headers }) => [headers["x-getter"], headers["x-text"]]);
    assert.deepEqual(sent, Array(3).fill([undefined, "text"]));
  });

  it("that throws is an uncaught exception of its own, and changes no call", async (t) => {
    const { url } = await httpServer(t);
    const source = `
      import diagnostics from "node:diagnostics_channel";
      import { createRemoteTokenIssuer } from "./index.mjs";
      const thrown = [];
      process.on("uncaughtException", ({ message }) => thrown.push(message));
      for (const name of ["start", "end", "asyncStart", "asyncEnd"]) {
        diagnostics.channel("tracing:key0:issue:" + name).subscribe(() => {
          throw new Error(name);
        });
      }
      const { token } = await createRemoteTokenIssuer({ url: process.argv[1] })({});
      await new Promise((go) => setTimeout(go, 1));
      console.log(JSON.stringify({ token, thrown }));
    `;
    const { token, thrown } = await jsonOf(source, { args: [url] });
    assert.equal(token, "t");
    assert.deepEqual(thrown.sort(), ["asyncEnd", "asyncStart", "end", "start"]);
  });

  it("may leave or come in the middle of a call", async (t) => {
    const { url } = await httpServer(t);
    const start = diagnostics.channel("tracing:key0:issue:start");
    const end = diagnostics.channel("tracing:key0:issue:asyncEnd");
    let ended = 0;
    const late = () => {
      ended += 1;
      end.unsubscribe(late);
    };
    const once = () => {
      start.unsubscribe(once);
      end.subscribe(late);
    };
    start.subscribe(once);
    const issue = createRemoteTokenIssuer({ url });
    for (const _ of [1, 2]) assert.equal((await issue(PAYMENT)).token, "t");
    assert.equal(ended, 1);
  });

  it("is not told of a key in the path, as a cause is not", async (t) => {
    const { origin } = await httpServer(t);
    const events = watch("issue");
    const issue = createRemoteTokenIssuer({ url: `${origin}/hooks/abcdefghij0123456789/issue` });
    await issue(PAYMENT);
    const targets = events.map(([, { target }]) => target);
    assert.deepEqual(new Set(targets), new Set([`${origin}/hooks/[redacted]/issue`]));
  });
});

describe("a span that is only a part of one", () => {
  const key = Symbol.for("opentelemetry.js.api.1");
  const realm = /** @type {any} */ (globalThis);
  const whole = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 };
  for (const [what, span] of /** @type {[string, object][]} */ ([
    ["without flags", { ...whole, traceFlags: undefined }],
    ["without an id", { ...whole, spanId: undefined }],
    ["whose id is none", { ...whole, spanId: "0".repeat(16) }],
    ["whose trace is none", { ...whole, traceId: "0".repeat(32) }],
    ["whose state has no text", { ...whole, traceState: {} }],
  ])) {
    it(`${what} is not sent, and changes no call`, async (t) => {
      const { url, requests } = await httpServer(t);
      const api = realm[key];
      realm[key] = {
        context: { active: () => ({ getValue: () => ({ spanContext: () => span }) }) },
      };
      ends.push(() => {
        realm[key] = api;
      });
      assert.equal((await createRemoteTokenIssuer({ url })(PAYMENT)).token, "t");
      assert.equal(requests[0].headers.traceparent, undefined);
    });
  }
});

describe("an active span", () => {
  const key = Symbol.for("opentelemetry.js.api.1");
  const realm = /** @type {any} */ (globalThis);
  const span = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 };

  it("gives way to the one that a subscriber has put into the headers", async (t) => {
    const { url, requests } = await httpServer(t);
    const api = realm[key];
    ends.push(() => {
      realm[key] = api;
    });
    realm[key] = { context: { active: () => ({ getValue: () => ({ spanContext: () => span }) }) } };
    const own = `00-${span.traceId}-${"c".repeat(16)}-01`;
    const issue = createRemoteTokenIssuer({ url });
    await issue(PAYMENT);
    watch("issue", ({ headers }) => {
      headers.TraceParent = own;
    });
    await issue(PAYMENT);
    const sent = requests.map(({ headers }) => headers.traceparent);
    assert.deepEqual(sent, [`00-${span.traceId}-${span.spanId}-01`, own]);
  });

  it("that cannot be asked for changes no call", async (t) => {
    const { url } = await httpServer(t);
    const api = realm[key];
    ends.push(() => {
      realm[key] = api;
    });
    realm[key] = Object.defineProperty({}, "context", { get: () => assert.fail("of the API") });
    assert.equal((await createRemoteTokenIssuer({ url })(PAYMENT)).token, "t");
  });
});

describe("the events of an issue", () => {
  it("tell its target, status, duration and transport, and no secret", async (t) => {
    const { origin, requests } = await httpServer(t);
    const events = watch("issue");
    const secret = encodeURIComponent(CANARY);
    const url = `${origin.replace("//", `//user:${secret}@`)}/issue?key=${secret}`;
    assert.equal((await createRemoteTokenIssuer({ url, secret: CANARY })(PAYMENT)).token, "t");
    assert.deepEqual(
      events.map(([name]) => name),
      ["start", "end", "asyncEnd"],
    );
    const { durationMs, ...last } = events[2][1];
    assert.deepEqual(last, {
      target: `${origin}/issue`,
      transport: "native",
      headers: {},
      status: 200,
    });
    assert.ok(durationMs > 0);
    assert.equal(requests.length, 1);
  });

  it("tell its failure, whose error has no secret", async (t) => {
    const { url } = await httpServer(t, (request, response) =>
      reply(response, `you sent ${request.headers["x-internal-auth"]}`, 503),
    );
    const events = watch("issue");
    const reason = await rejection(
      createRemoteTokenIssuer({ url, secret: "canary-1234" })(PAYMENT),
    );
    const [, error, last] = events.slice(1).map(([, event]) => event);
    assert.equal(error.error, reason);
    assert.equal(error.status, 503);
    assert.equal(last.error, reason);
    assert.equal(reason.cause.body, "you sent [redacted]");
  });

  it("tell that a fetch sends", async () => {
    const events = watch("issue");
    const fetch = async () => Response.json({ token: "t" });
    await createRemoteTokenIssuer({ url: "http://h.test/", fetch })(PAYMENT);
    const [, { transport, status }] = events[2];
    assert.deepEqual([transport, status], ["fetch", 200]);
  });

  it("let a subscriber of start add headers, but not in place of the call's", async (t) => {
    const { url, requests } = await httpServer(t);
    watch("issue", ({ headers }) => {
      Object.assign(headers, {
        "X-Trace": "1",
        "X-Given": "of the subscriber",
        Host: "x",
        "": "y",
      });
    });
    const auth = async () => ({ "X-Given": "of auth" });
    await createRemoteTokenIssuer({ url, auth })(PAYMENT);
    const [{ headers }] = requests;
    assert.deepEqual([headers["x-trace"], headers["x-given"]], ["1", "of auth"]);
  });
});

describe("the events of a token request", () => {
  it("tell a hit from a miss", async (t) => {
    const { server, auth } = await oauth(t);
    const events = watch("token");
    await auth();
    await auth();
    const ended = events.filter(([name]) => name === "asyncEnd");
    assert.deepEqual(
      ended.map(([, { target, cache, status }]) => [target, cache, status]),
      [
        [server.url, "miss", 200],
        [server.url, "hit", undefined],
      ],
    );
  });

  it("come inside an issue, too", async (t) => {
    const { url } = await httpServer(t);
    const { auth } = await oauth(t);
    const [issues, tokens] = [watch("issue"), watch("token")];
    await createRemoteTokenIssuer({ url, auth })(PAYMENT);
    assert.deepEqual([issues.length, tokens.length], [3, 3]);
  });

  it("tell its failure", async () => {
    const events = watch("token");
    const url = `http://127.0.0.1:${await closedPort()}/`;
    const reason = await rejection(oauthOf(url, { clientSecret: CANARY })());
    assert.deepEqual(
      events.map(([name]) => name),
      ["start", "end", "error", "asyncEnd"],
    );
    assert.equal(events[2][1].error, reason);
  });
});

describe("without subscribers", () => {
  it("a call is the native one: nothing is built for anybody", async (t) => {
    const { url } = await httpServer(t);
    const call = createRemoteTokenIssuer({ url })(PAYMENT);
    assert.equal((await call).token, "t");
  });
});
