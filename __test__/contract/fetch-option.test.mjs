// @ts-check
/** `fetch`: the caller's own sends the requests; everything else about a call stays as it is. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import {
  createRemoteTokenIssuer,
  oauthClientCredentialsAuth,
  sharedSecretAuth,
} from "../../index.mjs";
import { issueFailed, issueTimedOut, refusesField, rejectsWith } from "../support/errors.mjs";
import { oauthFailed } from "../support/exchanges.mjs";
import { CLIENT, GRANT } from "../support/oauth-server.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { closedPort, httpServer, reply } from "../support/server.mjs";

const URL_OF_NOBODY = "https://backend.internal/issue";

/**
 * A mock as people write them, and what it was called with.
 *
 * @param {any} answer What it gives, or a function of the call's URL and init.
 */
function mock(answer = { ok: true, status: 200, json: async () => ({ token: "mocked" }) }) {
  /** @type {[url: string, init: any][]} */
  const calls = [];
  const fetch = async (/** @type {string} */ url, /** @type {any} */ init) => {
    calls.push([url, init]);
    return typeof answer === "function" ? answer(url, init) : answer;
  };
  return { calls, fetch: /** @type {any} */ (fetch) };
}

/** @param {any} fetch @param {object} [config] */
const issuerWith = (fetch, config) =>
  createRemoteTokenIssuer({ url: URL_OF_NOBODY, fetch, ...config });

/** @param {any} fetch */
const oauthWith = (fetch) =>
  oauthClientCredentialsAuth({ tokenUrl: "https://idp.internal/token", ...CLIENT, fetch });

describe("what fetch is called with", () => {
  it("is a string, a plain object of headers and a string", async () => {
    const { calls, fetch } = mock();
    const auth = sharedSecretAuth("X-API-Key", "k");
    assert.deepEqual(await issuerWith(fetch, { auth })(PAYMENT), {
      token: "mocked",
      tokenType: "Bearer",
    });
    const [[url, { signal, ...init }]] = calls;
    assert.equal(url, URL_OF_NOBODY);
    assert.ok(signal instanceof AbortSignal);
    assert.deepEqual(init, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "Idempotency-Key": "challenge-1",
        "X-API-Key": "k",
      },
      body: JSON.stringify(PAYMENT),
      redirect: "manual",
    });
  });

  it("is the form of the token request", async () => {
    const { calls, fetch } = mock({ ok: true, status: 200, json: async () => GRANT });
    assert.deepEqual(await oauthWith(fetch)(), { Authorization: `Bearer ${GRANT.access_token}` });
    const [[url, { headers, body }]] = calls;
    assert.equal(url, "https://idp.internal/token");
    assert.deepEqual(headers, { "Content-Type": "application/x-www-form-urlencoded" });
    assert.deepEqual(Object.fromEntries(new URLSearchParams(body)), {
      grant_type: "client_credentials",
      client_id: CLIENT.clientId,
      client_secret: CLIENT.clientSecret,
    });
  });

  it("is a URL without a path as the caller wrote it, credentials in a header", async () => {
    const { calls, fetch } = mock();
    await issuerWith(fetch, { url: "https://backend.internal" })(PAYMENT);
    await issuerWith(fetch, { url: "https://user:pw@backend.internal/#f" })(PAYMENT);
    assert.deepEqual(
      calls.map(([url, { headers }]) => [url, headers.Authorization]),
      [
        ["https://backend.internal", undefined],
        ["https://backend.internal/", `Basic ${btoa("user:pw")}`],
      ],
    );
  });

  it("is called once for all who wait for one token, and by the first of them", async () => {
    const { calls, fetch } = mock({ ok: true, status: 200, json: async () => GRANT });
    const auth = oauthWith(fetch);
    await Promise.all(Array.from({ length: 100 }, () => auth()));
    assert.equal(calls.length, 1);
  });

  it("is called in the caller's async context", async () => {
    const tenant = new AsyncLocalStorage();
    const { fetch } = mock((/** @type {string} */ url) => {
      const store = tenant.getStore();
      return Response.json(url.includes("idp") ? GRANT : { token: store });
    });
    const issue = issuerWith(fetch, { auth: oauthWith(fetch) });
    const issued = ["a", "b"].map((name) => tenant.run(name, () => issue(PAYMENT)));
    assert.deepEqual(
      (await Promise.all(issued)).map(({ token }) => token),
      ["a", "b"],
    );
  });
});

describe("what fetch answers", () => {
  /** @type {[name: string, answer: () => unknown][]} */
  const SHAPES = [
    ["a Response", () => Response.json({ token: "t" })],
    ["an object with json", () => ({ ok: true, status: 200, json: async () => ({ token: "t" }) })],
    ["an object with text", () => ({ ok: true, status: 200, text: async () => '{"token":"t"}' })],
    ["an object without a status", () => ({ ok: true, json: async () => ({ token: "t" }) })],
    [
      "an object with a stream of Node's",
      () => ({ ok: true, status: 200, body: Readable.from(['{"token":', '"t"}']) }),
    ],
  ];
  for (const [name, answer] of SHAPES) {
    it(`is taken as ${name}`, async () => {
      const { token } = await issuerWith(mock(answer).fetch)(PAYMENT);
      assert.equal(token, "t");
    });
  }

  it("may be a status beyond 2xx, which the message has, with a body, which the cause has", async () => {
    const { fetch } = mock({ ok: false, status: 503, text: async () => "busy" });
    const failed = issueFailed("Backend failed to issue token: 503", {
      status: 503,
      body: "busy",
      sent: true,
    });
    await rejectsWith(issuerWith(fetch)(PAYMENT), failed);
  });

  it("may be no JSON", async () => {
    const { fetch } = mock(() => new Response("<html>"));
    await rejectsWith(
      issuerWith(fetch)(PAYMENT),
      issueFailed("Network error: the answer is not JSON", { status: 200, sent: true }),
    );
  });

  it("is read to 1 MiB, and its stream is left then", async () => {
    let isLeft = false;
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
      cancel: () => {
        isLeft = true;
      },
    });
    const { fetch } = mock(() => new Response(endless));
    await rejectsWith(
      issuerWith(fetch)(PAYMENT),
      issueFailed("Network error: the answer is longer than 1 MiB", { sent: true }),
    );
    assert.ok(isLeft);
  });

  it("may be a redirect, which is followed within the origin", async () => {
    const { calls, fetch } = mock((/** @type {string} */ url) =>
      url === URL_OF_NOBODY
        ? new Response(null, { status: 307, headers: { location: "/moved" } })
        : Response.json({ token: "t" }),
    );
    assert.equal((await issuerWith(fetch)(PAYMENT)).token, "t");
    assert.deepEqual(
      calls.map(([url, { method, body }]) => [url, method, body]),
      [URL_OF_NOBODY, "https://backend.internal/moved"].map((url) => [
        url,
        "POST",
        JSON.stringify(PAYMENT),
      ]),
    );
  });

  it("may be a redirect whose body never ends, or cannot be cancelled", async () => {
    for (const cancel of [() => new Promise(() => {}), () => assert.fail("it is locked")]) {
      const moved = { status: 307, headers: { location: "/moved" }, body: { cancel } };
      const { fetch } = mock((/** @type {string} */ url) =>
        url === URL_OF_NOBODY ? moved : Response.json({ token: "t" }),
      );
      assert.equal((await issuerWith(fetch)(PAYMENT)).token, "t");
    }
  });

  it("may have a status that is none, which is a failure at once", async () => {
    for (const status of [70_000, -1, 2 ** 40, Number.NaN]) {
      const { fetch } = mock({ ok: false, status, text: async () => "" });
      const failed = issueFailed("Backend failed to issue token: 0");
      await rejectsWith(issuerWith(fetch)(PAYMENT), failed);
    }
  });

  it("may be a redirect that asks for a GET, which has no body", async () => {
    const { calls, fetch } = mock((/** @type {string} */ url) =>
      url === URL_OF_NOBODY
        ? new Response(null, { status: 303, headers: { location: "/see" } })
        : Response.json({ token: "t" }),
    );
    await issuerWith(fetch)(PAYMENT);
    const [, { method, headers, body }] = calls[1];
    assert.deepEqual([method, headers["Content-Type"], body], ["GET", undefined, undefined]);
  });

  it("may be a redirect to another origin, which is refused", async () => {
    const headers = { location: "https://elsewhere.test/" };
    const { calls, fetch } = mock(() => new Response(null, { status: 307, headers }));
    await rejectsWith(
      issuerWith(fetch)(PAYMENT),
      issueFailed("Network error: redirected to another origin", {
        message: "https://backend.internal redirected to https://elsewhere.test",
        status: 307,
      }),
    );
    assert.equal(calls.length, 1);
  });
});

describe("what fetch fails with", () => {
  it("is in the message in its own words, and in the cause whole", async () => {
    const thrown = Object.assign(new Error("the mock says no", { cause: new Error("deeper") }), {
      code: "E_MOCK",
      config: { headers: { Authorization: "Bearer x" } },
    });
    const { fetch } = mock(() => Promise.reject(thrown));
    const error = await rejectsWith(
      issuerWith(fetch)(PAYMENT),
      issueFailed("Network error: the mock says no", {
        message: "the mock says no",
        code: "E_MOCK",
        sent: true,
      }),
    );
    assert.equal(error.cause.cause.message, "deeper");
    assert.equal("config" in error.cause, false);
    await rejectsWith(oauthWith(fetch)(), oauthFailed("the mock says no", { sent: true }));
  });

  it("is cut at 8,192 bytes in the message", async () => {
    const fails = () => Promise.reject(new Error("é".repeat(5_000)));
    const words = `${"é".repeat(4_096)}…`;
    const { fetch } = mock(fails);
    await rejectsWith(issuerWith(fetch)(PAYMENT), issueFailed(`Network error: ${words}`));
    await rejectsWith(oauthWith(fetch)(), oauthFailed(words));
    const auth = issuerWith(fetch, { auth: fails });
    await rejectsWith(auth(PAYMENT), issueFailed(`Network error: ${words}`));
  });

  it("does not show the buyer what the call was made with", async () => {
    const url = "https://user:p4ssword@backend.internal/issue?key=query-s3cret";
    const said = `POST ${url} with ${CLIENT.clientSecret} and header-s3cret`;
    const { fetch } = mock(() => Promise.reject(new Error(said)));
    const auth = sharedSecretAuth("X-API-Key", "header-s3cret");
    const hidden =
      /^Network error: POST https:\/\/\[redacted\]@backend\.internal\/issue\?key=\[redacted\] with/;
    const error = await rejectsWith(
      issuerWith(fetch, { url, auth })(PAYMENT),
      issueFailed(hidden, { message: said }),
    );
    assert.ok(error.message.endsWith("and [redacted]"));
    const broken = new ReadableStream({ pull: (it) => it.error(new Error(said)) });
    const breaks = mock(() => new Response(broken));
    await rejectsWith(issuerWith(breaks.fetch, { url, auth })(PAYMENT), issueFailed(hidden));
    const ofToken = said.replace(CLIENT.clientSecret, "[redacted]");
    await rejectsWith(oauthWith(fetch)(), oauthFailed(ofToken));
    const failing = issuerWith(fetch, { url, auth: () => Promise.reject(new Error(said)) });
    await rejectsWith(failing(PAYMENT), issueFailed(hidden));
  });

  it("may say nothing", async () => {
    const { fetch } = mock(() => Promise.reject(new Error(" ")));
    await rejectsWith(
      issuerWith(fetch)(PAYMENT),
      issueFailed("Network error: fetch did not say why"),
    );
  });

  it("may be thrown at once, and be no error", async () => {
    const fetch = () => {
      throw "a string";
    };
    await rejectsWith(issuerWith(fetch)(PAYMENT), issueFailed("Network error: a string"));
  });

  for (const name of ["AbortError", "TimeoutError"]) {
    it(`is the timeout, by the name ${name}: the engine must not repeat it`, async () => {
      const { fetch } = mock(() => Promise.reject(new DOMException("given up", name)));
      await rejectsWith(issuerWith(fetch)(PAYMENT), issueTimedOut({ sent: true }));
    });
  }

  it("is told to every one who waits for its token", async () => {
    const { fetch } = mock(() => Promise.reject(new Error("no token today")));
    const auth = oauthWith(fetch);
    const expected = oauthFailed("no token today", { message: "no token today" });
    const waiting = Array.from({ length: 3 }, () => rejectsWith(auth(), expected));
    assert.equal(new Set(await Promise.all(waiting)).size, 3);
  });

  it("is no reason to ask again for a token", async () => {
    for (const name of ["Error", "AbortError"]) {
      const { calls, fetch } = mock(() => {
        throw Object.assign(new Error("once"), { name });
      });
      await rejectsWith(oauthWith(fetch)(), oauthFailed("once"));
      assert.equal(calls.length, 1);
    }
  });

  it("may come while its answer is read", async () => {
    const broken = new ReadableStream({ pull: (it) => it.error(new Error("torn")) });
    const { fetch } = mock(() => new Response(broken));
    await rejectsWith(issuerWith(fetch)(PAYMENT), issueFailed("Network error: torn"));
  });

  it("is our own sentence where the runtime's fetch has it", async () => {
    const url = `http://127.0.0.1:${await closedPort()}/`;
    for (const given of [
      fetch,
      (/** @type {any} */ ...call) => fetch(.../** @type {[any]} */ (call)),
    ]) {
      const error = await rejectsWith(
        createRemoteTokenIssuer({ url, fetch: /** @type {any} */ (given) })(PAYMENT),
        issueFailed(/^Network error: (connection refused \(ECONNREFUSED\)|the connection failed)$/),
      );
      if (!process.versions.deno) assert.equal(error.cause.sent, false);
    }
  });
});

describe("what the runtime's fetch fails with, as a caller's passes it on", () => {
  for (const [code, words] of [
    ["InvalidHTTPResponse", "the answer is not HTTP"],
    ["ZlibError", "the answer is not valid in its content coding"],
    ["SomethingNew", "the connection failed"],
  ]) {
    it(`does not show the buyer the URL that Bun puts into it: ${code}`, async () => {
      const message =
        `${code} fetching "${URL_OF_NOBODY}?key=s3cret". For more information, pass ` +
        "`verbose: true` in the second argument to fetch()";
      const { fetch } = mock(() => {
        throw Object.assign(new TypeError(message), { code });
      });
      const error = await rejectsWith(
        issuerWith(fetch)(PAYMENT),
        issueFailed(`Network error: ${words}`, { sent: true }),
      );
      assert.ok(!error.cause.message.includes("s3cret"));
    });
  }

  for (const [what, error, words, sent] of /** @type {[string, any, string, boolean][]} */ ([
    [
      "Bun's of a handshake",
      {
        code: "EPROTO",
        message: "EPROTO: The TLS handshake failed. Does the server speak TLS on this port?",
      },
      "the handshake failed (EPROTO)",
      true,
    ],
    [
      "Bun's of a certificate",
      { code: "DEPTH_ZERO_SELF_SIGNED_CERT", message: "self signed certificate" },
      "self-signed certificate (DEPTH_ZERO_SELF_SIGNED_CERT)",
      false,
    ],
    [
      "Node's of a handshake that ends",
      {
        message: "fetch failed",
        cause: {
          code: "ECONNRESET",
          message:
            "Client network socket disconnected before secure TLS connection was established",
        },
      },
      "connection closed too early (ECONNRESET)",
      false,
    ],
    [
      "Node's of what is not HTTP",
      {
        message: "fetch failed",
        cause: { message: "Response does not match the HTTP/1.1 protocol (Expected HTTP/)" },
      },
      "the answer is not HTTP",
      true,
    ],
    [
      "Node's of a head that is too long",
      { message: "fetch failed", cause: { code: "UND_ERR_HEADERS_OVERFLOW", message: "Overflow" } },
      "the head of the answer is too long",
      true,
    ],
    [
      "Node's of a port that it calls nobody at",
      { message: "fetch failed", cause: { message: "bad port" } },
      "fetch calls no server at this port",
      false,
    ],
    [
      "Deno's of such a port",
      { message: "Fetch failed: Requests to port 1 are blocked" },
      "fetch calls no server at this port",
      false,
    ],
    [
      "Deno's of a reset",
      { message: "fetch failed", cause: { message: "Connection reset by peer (os error 104)" } },
      "connection reset (ECONNRESET)",
      true,
    ],
  ])) {
    it(`is told in our words: ${what}`, async () => {
      const { fetch } = mock(() => {
        throw Object.assign(new TypeError(error.message), error);
      });
      const failed = issueFailed(`Network error: ${words}`, { sent });
      await rejectsWith(issuerWith(fetch)(PAYMENT), failed);
    });
  }

  it("may have a port that is none", async () => {
    const cause = { code: "ECONNREFUSED", syscall: "connect", address: "127.0.0.1", port: -5 };
    const { fetch } = mock(() => {
      throw new TypeError("fetch failed", { cause });
    });
    const failed = issueFailed("Network error: connection refused (ECONNREFUSED)");
    await rejectsWith(issuerWith(fetch)(PAYMENT), failed);
  });
});

describe("the deadline, where fetch sends", () => {
  it("ends the call, and the signal says so to fetch", async () => {
    const { promise, resolve } = withResolvers();
    const { fetch } = mock((/** @type {string} */ _, /** @type {RequestInit} */ { signal }) => {
      signal?.addEventListener("abort", resolve);
      return new Promise(() => {});
    });
    await rejectsWith(
      issuerWith(fetch, { timeoutMs: 500 })(PAYMENT),
      issueTimedOut({
        message: "timed out after 500 ms, waiting for the answer of https://backend.internal",
        sent: true,
      }),
    );
    await promise;
  });

  it("ends the reading of an answer", async () => {
    const silent = () => new Response(new ReadableStream({}));
    await rejectsWith(
      issuerWith(mock(silent).fetch, { timeoutMs: 500 })(PAYMENT),
      issueTimedOut({ sent: true }),
    );
  });
});

describe("fetch itself", () => {
  it("may be the runtime's, over sockets", async (t) => {
    const { url, requests } = await httpServer(t, (request, response) => {
      if (request.target === "/issue") return reply(response, "", 307, { location: "/moved" });
      return reply(response);
    });
    const issue = createRemoteTokenIssuer({ url, fetch, auth: async () => ({ "X-A": "é" }) });
    assert.equal((await issue(PAYMENT)).token, "t");
    assert.deepEqual(
      requests.map(({ target, headers, body }) => [target, headers["x-a"], JSON.parse(`${body}`)]),
      ["/issue", "/moved"].map((target) => [target, "é", PAYMENT]),
    );
  });

  it("that is neither a function nor false is a TypeError at creation", () => {
    for (const wrong of ["fetch", true, {}, 1]) {
      const given = /** @type {any} */ (wrong);
      refusesField(() => issuerWith(given), TypeError, "fetch");
      refusesField(() => oauthWith(given), TypeError, "fetch");
    }
    for (const absent of [undefined, null]) issuerWith(absent);
  });
});

/** `Promise.withResolvers`, which Node 20 lacks. */
function withResolvers() {
  /** @type {any} */
  let resolve;
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
