// @ts-check
/** `Key0Error`: what the cause and the stack of a failed call tell, and to whom. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { createRemoteTokenIssuer, oauthClientCredentialsAuth } from "../../index.mjs";
import {
  CANARY,
  issueFailed,
  issueTimedOut,
  rejection,
  rejectsWith,
  showsNoCanary,
} from "../support/errors.mjs";
import { EXCHANGES, ISSUER, oauthFailed } from "../support/exchanges.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { runScript } from "../support/process.mjs";
import { answer, closedPort, httpServer, rawServer, reply } from "../support/server.mjs";

/** Servers that fail, each in its way, and what the cause says of it. */
/** @type {[string, (t: any) => Promise<string>, object][]} */
const FAILURES = [
  [
    "refused",
    async () => `http://127.0.0.1:${await closedPort()}/`,
    { code: "ECONNREFUSED", sent: false },
  ],
  ["an unknown host", async () => "http://nope.invalid/", { code: "ENOTFOUND", sent: false }],
  [
    "reset before an answer",
    async (t) =>
      (
        await rawServer(t, async (connection) => {
          await connection.request();
          connection.reset();
        })
      ).url,
    { code: "ECONNRESET", sent: true },
  ],
  [
    "reset after an answer's first byte",
    async (t) =>
      (
        await rawServer(t, async (connection) => {
          await connection.request();
          await connection.write("H");
          connection.reset();
        })
      ).url,
    { code: "ECONNRESET", sent: true },
  ],
  [
    "a status beyond 2xx",
    async (t) => (await rawServer(t, answer("no", { status: "503 Busy" }))).url,
    { status: 503, sent: true },
  ],
  [
    "an answer that is not JSON",
    async (t) => (await rawServer(t, answer("<html>"))).url,
    { sent: true },
  ],
];

for (const exchange of EXCHANGES) {
  describe(`the cause of a failure of ${exchange.name}`, () => {
    for (const [failure, start, cause] of FAILURES) {
      it(`tells ${failure}`, async (t) => {
        const { code, httpStatus } = exchange.fails("");
        const call = exchange.call(await start(t));
        await rejectsWith(call, { code, httpStatus, message: /./, cause });
      });
    }
  });

  describe(`the stack of a failure of ${exchange.name}`, () => {
    for (const [failure, start] of FAILURES) {
      it(`names the caller: ${failure}`, async (t) => {
        const url = await start(t);
        async function buyPhoto() {
          return await exchange.call(url);
        }
        const { stack } = await rejection(buyPhoto());
        assert.match(stack, /^\s+at async buyPhoto \(/m);
      });
    }
  });
}

describe("sent, at the deadline", () => {
  it("is false in auth, true once bytes went out", async (t) => {
    const silent = await rawServer(t, () => {});
    const config = { url: silent.url, timeoutMs: 150 };
    const hung = createRemoteTokenIssuer({ ...config, auth: () => new Promise(() => {}) });
    await rejectsWith(hung(PAYMENT), issueTimedOut({ sent: false }));
    assert.equal(silent.connections.length, 0);
    await rejectsWith(createRemoteTokenIssuer(config)(PAYMENT), issueTimedOut({ sent: true }));
    assert.equal(silent.requests.length, 1);
  });

  it("is false in connecting: a TLS handshake that is not answered", async (t) => {
    const silent = await rawServer(t, () => {});
    const url = silent.url.replace("http:", "https:");
    const issue = createRemoteTokenIssuer({ url, timeoutMs: 150 });
    await rejectsWith(issue(PAYMENT), issueTimedOut({ sent: false }));
  });
});

describe("the stack", () => {
  it("names the caller at a deadline", async (t) => {
    const silent = await rawServer(t, () => {});
    const issue = createRemoteTokenIssuer({ url: silent.url, timeoutMs: 100 });
    async function buyPhoto() {
      await issue(PAYMENT);
    }
    assert.match((await rejection(buyPhoto())).stack, /^\s+at async buyPhoto \(/m);
  });

  it("begins with the error's name and sentence", async (t) => {
    const server = await rawServer(t, answer("no", { status: "503 Busy" }));
    const { stack } = await rejection(ISSUER.call(server.url));
    assert.match(stack, /^Key0Error: Backend failed to issue token: 503 no\n\s+at /);
  });
});

describe("a failure that several share", () => {
  it("is an error of its own for each, with its caller's name", async (t) => {
    const idp = await httpServer(t, (_, response) => {
      setTimeout(reply, 50, response, "no", 503);
    });
    const provider = oauthClientCredentialsAuth({
      tokenUrl: idp.url,
      clientId: "id",
      clientSecret: CANARY,
    });
    async function first() {
      await provider();
    }
    async function second() {
      await provider();
    }
    const expected = oauthFailed("OAuth token request failed: 503 no");
    const errors = await Promise.all(
      [first(), second()].map((call) => rejectsWith(call, expected)),
    );
    assert.equal(idp.requests.length, 1);
    assert.notEqual(errors[0], errors[1]);
    assert.notEqual(errors[0].cause, errors[1].cause);
    assert.match(errors[0].stack, /at async first \(/);
    assert.match(errors[1].stack, /at async second \(/);
  });
});

// B47
describe("an error", () => {
  it("can be cloned and logged to any depth, and shows no secret", async (t) => {
    const echo = await httpServer(t, (request, response) => {
      reply(response, { headers: request.lines, body: request.body.toString() }, 500);
    });
    for (const { call } of EXCHANGES) {
      const error = await rejection(call(echo.url));
      showsNoCanary(error);
      showsNoCanary(structuredClone(error));
      showsNoCanary(inspect(error, { depth: 12, showHidden: true, getters: true }));
      for (let link = error; link; link = link.cause) {
        const own = Object.getOwnPropertyNames(link);
        showsNoCanary(JSON.stringify(link, own));
        showsNoCanary(own.map((name) => link[name]));
      }
    }
  });

  it("shows no secret with every debug variable set", async (t) => {
    const echo = await httpServer(t, (request, response) => {
      reply(response, request.headers, 500);
    });
    const source = `
      import { createRemoteTokenIssuer, oauthClientCredentialsAuth } from "./index.mjs";
      const [, url, secret, closed] = process.argv;
      const config = { tokenUrl: url, clientId: "id", clientSecret: secret };
      const auth = oauthClientCredentialsAuth(config);
      const issuers = [{ url, secret }, { url: closed, secret }, { url, auth }];
      for (const issuer of issuers) {
        console.error(await createRemoteTokenIssuer(issuer)({}).catch((error) => error));
      }`;
    const debug = { DEBUG: "*", RUST_LOG: "trace", RUST_BACKTRACE: "1" };
    const closed = `http://127.0.0.1:${await closedPort()}/`;
    const ended = await runScript(source, { args: [echo.url, CANARY, closed], env: debug });
    assert.equal(ended.code, 0);
    assert.match(ended.stderr, /\[redacted\]/);
    showsNoCanary(ended.stdout + ended.stderr);
  });

  it("does not show where the request went", async () => {
    const url = `http://127.0.0.1:${await closedPort()}/path?key=${encodeURIComponent(CANARY)}`;
    await rejectsWith(ISSUER.call(url), issueFailed(/^Network error: ./));
  });
});
