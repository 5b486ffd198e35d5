// @ts-check
/** HTTP, for both: what goes out. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, it } from "node:test";
import {
  createRemoteTokenIssuer,
  oauthClientCredentialsAuth,
  sharedSecretAuth,
} from "../../index.mjs";
import { CANARY, issueFailed, refusesField, rejectsWith } from "../support/errors.mjs";
import { EXCHANGES, ISSUER } from "../support/exchanges.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { answer, closedPort, httpServer, rawServer, reply } from "../support/server.mjs";

const { version } = createRequire(import.meta.url)("../../package.json");

/**
 * What a raw server saw of one call.
 *
 * @param {any} t
 * @param {import("../support/exchanges.mjs").Exchange} exchange
 * @param {(origin: string) => string | URL} urlOf
 */
async function seen(t, exchange, urlOf = (origin) => `${origin}/issue`) {
  const server = await rawServer(t, answer(exchange.good));
  assert.deepEqual(await exchange.call(urlOf(server.origin)), exchange.gives);
  assert.equal(server.requests.length, 1);
  return server.requests[0];
}

/**
 * What a raw server saw of one call with these auth headers.
 *
 * @param {any} t
 * @param {any} headers
 */
async function sentWith(t, headers) {
  const call = (/** @type {string | URL} */ url) =>
    createRemoteTokenIssuer({ url, auth: async () => headers })(PAYMENT);
  return (await seen(t, { ...ISSUER, call })).lines;
}

/** @param {[string, string][]} lines @param {string} name */
const valuesOf = (lines, name) =>
  lines.filter(([sent]) => sent.toLowerCase() === name.toLowerCase()).map(([, value]) => value);

for (const exchange of EXCHANGES) {
  describe(`the URL of ${exchange.name}`, () => {
    // B37
    /** @type {[string, (origin: string) => string | URL, string][]} */
    const urls = [
      [
        "blanks around, an upper-case scheme, a fragment",
        (origin) => ` ${origin.replace("http", "HTTP")}/a%20b//c?x=1&y=%2F#frag\n`,
        "/a%20b//c?x=1&y=%2F",
      ],
      ["no path", (origin) => origin, "/"],
      ["a query alone", (origin) => `${origin}?x=1`, "/?x=1"],
      ["a fragment alone", (origin) => `${origin}#frag`, "/"],
      ["an empty query", (origin) => `${origin}/p?`, "/p?"],
      ["unicode", (origin) => `${origin}/ü?q=ü`, "/%C3%BC?q=%C3%BC"],
      ["dots", (origin) => `${origin}/a/../b/./c`, "/b/c"],
      ["backslashes", (origin) => `${origin}\\a\\b`, "/a/b"],
      ["tabs and line breaks inside", (origin) => `${origin}/a\n/\tb`, "/a/b"],
      ["three slashes", (origin) => origin.replace("//", "///"), "/"],
      ["a URL object", (origin) => new URL("/x?y#z", origin), "/x?y"],
      ["the host as a number", (origin) => origin.replace("127.0.0.1", "2130706433"), "/"],
    ];
    for (const [name, urlOf, target] of urls) {
      it(`may have ${name}, as WHATWG reads it`, async (t) => {
        const request = await seen(t, exchange, urlOf);
        assert.equal(request.method, "POST");
        assert.equal(request.target, target);
        assert.match(valuesOf(request.lines, "Host").join(), /^127\.0\.0\.1:\d+$/);
      });
    }

    it("may have a host outside ASCII", async () => {
      await assert.rejects(exchange.call("http://bücher.invalid/"), { name: "Key0Error" });
    });

    it("may hold credentials, which become Basic", async (t) => {
      const password = encodeURIComponent(CANARY);
      const request = await seen(t, exchange, (o) => o.replace("//", `//us%C3%A9r:${password}@`));
      const basic = Buffer.from(`usér:${CANARY}`).toString("base64");
      assert.deepEqual(valuesOf(request.lines, "Authorization"), [`Basic ${basic}`]);
      assert.match(valuesOf(request.lines, "Host").join(), /^127\.0\.0\.1:\d+$/);
      assert.equal(request.target, "/");
    });

    it("may hold a user without a password", async (t) => {
      const request = await seen(t, exchange, (origin) => origin.replace("//", "//user@"));
      assert.deepEqual(valuesOf(request.lines, "Authorization"), [`Basic ${btoa("user:")}`]);
    });

    it("does not show its password where the server is not there", async () => {
      const url = `http://u:${encodeURIComponent(CANARY)}@127.0.0.1:${await closedPort()}/`;
      await rejectsWith(exchange.call(url), {
        ...exchange.fails(""),
        message: /^(Network error|Failed to authenticate via OAuth): ./,
      });
    });
  });

  describe(`the headers of ${exchange.name}`, () => {
    // B39
    it("name the package and what it takes", async (t) => {
      const { lines } = await seen(t, exchange);
      assert.deepEqual(valuesOf(lines, "User-Agent"), [`key0-native/${version}`]);
      assert.deepEqual(valuesOf(lines, "Accept"), ["application/json, */*"]);
    });

    it("are written in title case, and are no others", async (t) => {
      const { lines } = await seen(t, exchange);
      const all = ["Accept", "Content-Length", "Content-Type", "Host", "User-Agent"];
      const ofIssuer = ["Idempotency-Key", "X-Internal-Auth"];
      const expected = exchange === ISSUER ? [...all, ...ofIssuer].sort() : all;
      assert.deepEqual(lines.map(([name]) => name).sort(), expected);
    });
  });
}

describe("a tokenUrl", () => {
  for (const tokenUrl of ["//x", "unix:/s", "http+unix://%2Fs/", "file:///x", "", undefined, 42]) {
    it(`of ${JSON.stringify(tokenUrl)} is a TypeError`, () => {
      const config = /** @type {any} */ ({ tokenUrl, clientId: "id", clientSecret: CANARY });
      refusesField(() => oauthClientCredentialsAuth(config), TypeError, "tokenUrl");
    });
  }
});

describe("a header that auth gives", () => {
  it("is written in title case", async (t) => {
    const lines = await sentWith(t, { "x-internal-auth": "1", "X-API-Key": "2", "x-A1-b_c": "3" });
    const names = lines.map(([name]) => name);
    for (const name of ["X-Internal-Auth", "X-Api-Key", "X-A1-B_c"]) {
      assert.ok(names.includes(name), `${name} in ${names}`);
    }
  });

  it("wins over ours: User-Agent, Accept, Content-Type", async (t) => {
    const own = { "user-agent": "own/1", accept: "text/own", "content-type": "application/own" };
    const lines = await sentWith(t, own);
    for (const [name, value] of Object.entries(own))
      assert.deepEqual(valuesOf(lines, name), [value]);
  });

  it("wins over the URL's credentials", async (t) => {
    const server = await rawServer(t, answer(ISSUER.good));
    const url = server.url.replace("//", "//user:password@");
    const auth = async () => ({ authorization: "Bearer own" });
    await createRemoteTokenIssuer({ url, auth })(PAYMENT);
    assert.deepEqual(valuesOf(server.requests[0].lines, "Authorization"), ["Bearer own"]);
  });

  it("may be Accept-Encoding, which is not sent otherwise", async (t) => {
    const lines = await sentWith(t, { "Accept-Encoding": "gzip" });
    assert.deepEqual(valuesOf(lines, "Accept-Encoding"), ["gzip"]);
  });

  // B32, B38
  /** @type {[string, string][]} */
  const values = [
    ["s3cr3t\n", "s3cr3t"],
    ["s3cr3t\r\n", "s3cr3t"],
    [" \t\r\npadded\t \r\n", "padded"],
    ["tab\there", "tab\there"],
    ["two  blanks", "two  blanks"],
    ["\n", ""],
    ["", ""],
    ["pässwörd", "pässwörd"],
    ["\u0080\u00a0\u00ff", "\u0080\u00a0\u00ff"],
  ];
  for (const [given, sent] of values) {
    it(`${JSON.stringify(given)} goes out as the bytes of ${JSON.stringify(sent)}`, async (t) => {
      assert.deepEqual(valuesOf(await sentWith(t, { "X-A": given }), "X-A"), [sent]);
    });
  }

  it("from sharedSecretAuth loses a secret file's line break on sending only", async (t) => {
    const provider = sharedSecretAuth("X-A", "s3cr3t\n");
    assert.deepEqual(await provider(), { "X-A": "s3cr3t\n" });
    const server = await rawServer(t, answer(ISSUER.good));
    await createRemoteTokenIssuer({ url: server.url, auth: provider })(PAYMENT);
    assert.deepEqual(valuesOf(server.requests[0].lines, "X-A"), ["s3cr3t"]);
  });

  it("from sharedSecretAuth is Latin-1 on the wire", async (t) => {
    const server = await rawServer(t, answer(ISSUER.good));
    await createRemoteTokenIssuer({ url: server.url, secret: "pässwörd" })(PAYMENT);
    assert.deepEqual(valuesOf(server.requests[0].lines, "X-Internal-Auth"), ["pässwörd"]);
  });

  it("with DEL in it is sent or refused, never a crash", async (t) => {
    const server = await rawServer(t, answer(ISSUER.good));
    const auth = async () => ({ "X-A": "a\x7fb" });
    const call = createRemoteTokenIssuer({ url: server.url, auth })(PAYMENT);
    const [outcome] = await Promise.allSettled([call]);
    if (outcome.status === "fulfilled") {
      assert.deepEqual(valuesOf(server.requests[0].lines, "X-A"), ["a\x7fb"]);
    } else {
      await rejectsWith(call, issueFailed(/\bX-A\b/));
      assert.equal(server.connections.length, 0);
    }
  });
});

describe("servers that look at headers", () => {
  // B39
  it("that refuse requests without User-Agent take both", async (t) => {
    for (const { good, call, gives } of EXCHANGES) {
      const server = await httpServer(t, (request, response) => {
        if (request.headers["user-agent"]) reply(response, good);
        else reply(response, "who are you?", 403);
      });
      assert.deepEqual(await call(server.url), gives);
    }
  });
});
