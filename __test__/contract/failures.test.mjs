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
    { code: "ECONNREFUSED", syscall: "connect", address: "127.0.0.1", sent: false },
  ],
  [
    "an unknown host",
    async () => "http://nope.invalid/",
    { code: "ENOTFOUND", syscall: "getaddrinfo", hostname: "nope.invalid", sent: false },
  ],
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
    { status: 503, body: "no", sent: true },
  ],
  [
    "an answer that is not JSON",
    async (t) => (await rawServer(t, answer("<html>"))).url,
    { status: 200, body: undefined, sent: true },
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

describe("the cause at the deadline", { concurrency: true }, () => {
  /** What it is where this was waited for. */
  const late = (/** @type {string} */ phase, /** @type {boolean} */ sent) =>
    issueTimedOut({ message: `timed out after 1000 ms, ${phase}`, code: "ETIMEDOUT", sent });

  it("names auth, and nothing was sent", async (t) => {
    const silent = await rawServer(t, () => {});
    const auth = () => new Promise(() => {});
    const issue = createRemoteTokenIssuer({ url: silent.url, timeoutMs: 1_000, auth });
    await rejectsWith(issue(PAYMENT), late("waiting for auth", false));
    assert.equal(silent.connections.length, 0);
  });

  it("names the server whose token is waited for, and nothing was sent", async (t) => {
    const silent = await rawServer(t, () => {});
    const config = { tokenUrl: silent.url, clientId: "id", clientSecret: CANARY };
    const auth = oauthClientCredentialsAuth(config);
    const issue = createRemoteTokenIssuer({ url: "http://127.0.0.1:1/", timeoutMs: 1_000, auth });
    await rejectsWith(issue(PAYMENT), late(`waiting for the token of ${silent.origin}`, false));
  });

  it("names the backend that does not answer, and bytes went out", async (t) => {
    const silent = await rawServer(t, () => {});
    const issue = createRemoteTokenIssuer({ url: silent.url, timeoutMs: 1_000 });
    await rejectsWith(issue(PAYMENT), late(`waiting for the answer of ${silent.origin}`, true));
    assert.equal(silent.requests.length, 1);
  });

  it("names the backend that is connected to: a TLS handshake without an answer", async (t) => {
    const silent = await rawServer(t, () => {});
    const origin = silent.origin.replace("http:", "https:");
    const issue = createRemoteTokenIssuer({ url: `${origin}/`, timeoutMs: 1_000 });
    await rejectsWith(issue(PAYMENT), late(`connecting to ${origin}`, false));
  });

  it("names where a redirect led, and that bytes went out before", async (t) => {
    const silent = await rawServer(t, () => {});
    const origin = silent.origin.replace("http:", "https:");
    const server = await httpServer(t, (_, response) => {
      reply(response, "", 307, { location: `${origin}/` });
    });
    const issue = createRemoteTokenIssuer({ url: server.url, timeoutMs: 1_000 });
    await rejectsWith(issue(PAYMENT), late(`connecting to ${origin}`, true));
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
    // Where nobody awaits it in a function, Bun knows no caller.
    assert.match(stack, /^Key0Error: Backend failed to issue token: 503(\n\s+at |$)/);
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
    const expected = oauthFailed("OAuth token request failed: 503");
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

  it("shows of where the request went the origin, and that in the cause", async () => {
    const origin = `http://127.0.0.1:${await closedPort()}`;
    const url = `${origin}/path?key=${encodeURIComponent(CANARY)}`;
    const message = `connecting to ${origin}: connection refused (ECONNREFUSED)`;
    const expected = issueFailed("Network error: connection refused (ECONNREFUSED)", { message });
    await rejectsWith(ISSUER.call(url), expected);
  });
});
