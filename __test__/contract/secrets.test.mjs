// @ts-check
/**
 * One secret through every strategy and every failure: nothing that a log could make of an error, a
 * provider or an issuer shows it (B47).
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { constants, gzipSync } from "node:zlib";
import {
  AccessTokenIssuer,
  createRemoteTokenIssuer,
  oauthClientCredentialsAuth,
  sharedSecretAuth,
  signedJwtAuth,
  validateKey0Token,
  validateToken,
} from "../../index.mjs";
import { rejection } from "../support/errors.mjs";
import { RSA, RSA_PUBLIC } from "../support/keys.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { runScript } from "../support/process.mjs";
import { answer, closedPort, httpServer, rawServer, reply } from "../support/server.mjs";
import { CLAIMS, hs256 } from "../support/tokens.mjs";

/** The secret, as long as an issuer of tokens asks for: any part of it that holds `WORD` counts. */
const WORD = "canary";
const CANARY = `${WORD}~7h3 "s3cr3t"/+=&\\x-0123456789`;

/** What the word becomes in base64, wherever it begins in what was encoded. */
const IN_BASE64 = [0, 1, 2].map((offset) => {
  const encoded = Buffer.from("\0".repeat(offset) + WORD).toString("base64url");
  return encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + WORD.length) * 8) / 6));
});

/** Asserts that a text holds neither the canary nor these others. */
function hides(/** @type {string} */ text, /** @type {string[]} */ others = []) {
  for (const needle of [WORD, ...IN_BASE64, ...others]) {
    assert.ok(!text.includes(needle), `shows ${JSON.stringify(needle)}: ${text}`);
  }
}

/** Everything that a log could make of a value. @param {unknown} value @returns {string} */
function shown(value) {
  const all = { depth: 12, showHidden: true, maxStringLength: null, maxArrayLength: null };
  return [
    inspect(value, { ...all, getters: true }),
    inspect(value, { ...all, customInspect: false }),
    String(value),
    ...(value instanceof Error
      ? [value.message, String(value.stack), inspect(structuredClone(value), all)]
      : []),
    ...(Object(value) === value ? ownTexts(/** @type {object} */ (value)) : []),
  ].join("\n");
}

/** JSON of every own property, and the same of a cause. @param {object} value */
function ownTexts(value) {
  const texts = [JSON.stringify(value) ?? ""];
  for (const key of Reflect.ownKeys(value)) {
    const { value: own } = Object.getOwnPropertyDescriptor(value, key) ?? {};
    texts.push(own instanceof Error ? shown(own) : `${String(key)} ${JSON.stringify(own)}`);
  }
  return texts;
}

/** The body of an RSA key, which a log may break into lines of its own. */
const KEY_LINES = RSA.pkcs8.split("\n").filter((line) => line.length === 64);

describe("the canary's own test", () => {
  it("finds it in base64 at every offset, in properties and in causes", () => {
    for (const before of ["", "x", "xx", "id:", "Bearer "]) {
      const encoded = Buffer.from(before + CANARY).toString("base64");
      assert.throws(() => hides(encoded));
    }
    const cause = Object.assign(new Error("m"), { config: { secret: CANARY } });
    assert.throws(() => hides(shown(new Error("m", { cause }))));
    assert.throws(() => hides(shown({ nested: [[[{ secret: CANARY }]]] })));
    hides(shown(new Error("m")));
  });
});

/** What calls are made with: each way to a secret. */
const exchanges = {
  "an issuer with a shared secret": (/** @type {string} */ url, timeoutMs = 10_000) =>
    createRemoteTokenIssuer({ url, timeoutMs, auth: sharedSecretAuth("X-Key", CANARY) }),
  "an issuer with a deprecated secret": (/** @type {string} */ url, timeoutMs = 10_000) =>
    createRemoteTokenIssuer({ url, timeoutMs, secret: CANARY }),
  "an issuer with a user's headers": (/** @type {string} */ url, timeoutMs = 10_000) => {
    const auth = async () => ({ Authorization: `Bearer ${CANARY}`, "X-Key": CANARY });
    return createRemoteTokenIssuer({ url, timeoutMs, auth });
  },
  "an issuer with a password in its URL": (/** @type {string} */ url, timeoutMs = 10_000) =>
    createRemoteTokenIssuer({ url: withPassword(url), timeoutMs }),
  "the OAuth strategy": (/** @type {string} */ tokenUrl) =>
    oauthClientCredentialsAuth({ tokenUrl, clientId: "id", clientSecret: CANARY }),
  "the OAuth strategy with a password in its URL": (/** @type {string} */ url) => {
    const tokenUrl = withPassword(url);
    return oauthClientCredentialsAuth({ tokenUrl, clientId: "id", clientSecret: CANARY });
  },
};

function withPassword(/** @type {string} */ url) {
  return url.replace("://", `://user:${encodeURIComponent(CANARY)}@`);
}

/** The request, sent back as servers send it back. */
function echo(/** @type {import("../support/server.mjs").Seen} */ { lines, headers, body }) {
  const text = body.toString();
  const form = Object.fromEntries(new URLSearchParams(text));
  const head = lines.map((line) => line.join(": ")).join("\r\n");
  return [JSON.stringify({ headers, text, form }), head, text].join("\n");
}

/** The same, and the secret in the forms that it was not sent in. */
function spelt(/** @type {import("../support/server.mjs").Seen} */ seen) {
  const bytes = Buffer.from(CANARY);
  const forms = [encodeURIComponent(CANARY), bytes.toString("base64"), bytes.toString("base64url")];
  return [echo(seen), ...forms, JSON.stringify(CANARY)].join("\n");
}

/** Failures, by the URL that they are met at. @type {Record<string, (t: any) => Promise<string>>} */
const failures = {
  "a 500 that echoes the request": async (t) =>
    (await httpServer(t, (seen, response) => reply(response, spelt(seen), 500))).url,
  "a 200 without a token that echoes the request": async (t) =>
    (
      await httpServer(t, (seen, response) =>
        reply(response, { error: CANARY, error_description: spelt(seen) }),
      )
    ).url,
  "a 200 that is not JSON": async (t) =>
    (await httpServer(t, (seen, response) => reply(response, spelt(seen)))).url,
  "a refused connection": async () => `http://127.0.0.1:${await closedPort()}/`,
  "an unknown host": async () => "http://nowhere.invalid/",
  "a reset": async (t) => (await rawServer(t, (connection) => connection.reset())).url,
  "a TLS failure": async (t) =>
    (await rawServer(t, (connection) => connection.write("no TLS"))).url.replace("http", "https"),
  "an answer that is no HTTP": async (t) => (await rawServer(t, `${CANARY}\r\n\r\n`)).url,
  "an answer cut short": async (t) => {
    const { url } = await rawServer(t, async (connection) => {
      await connection.request();
      await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"token":"${CANARY}`);
      connection.end();
    });
    return url;
  },
  "a redirect elsewhere that carries it": async (t) => {
    const location = `http://user:${encodeURIComponent(CANARY)}@127.0.0.1:1/${WORD}?q=${WORD}`;
    const { url } = await httpServer(t, (_, response) => reply(response, "", 307, { location }));
    return url;
  },
};

for (const [name, create] of Object.entries(exchanges)) {
  describe(`${name} does not show its secret`, () => {
    for (const [what, meet] of Object.entries(failures)) {
      it(`after ${what}`, async (t) => {
        const call = create(await meet(t));
        hides(shown(await rejection(/** @type {any} */ (call)(PAYMENT))));
        hides(shown(call));
      });
    }
  });
}

describe("a timeout does not show a secret", () => {
  for (const [name, create] of Object.entries(exchanges).slice(0, 4)) {
    it(`of ${name}`, async (t) => {
      const silent = await httpServer(t, () => {});
      hides(shown(await rejection(/** @type {any} */ (create(silent.url, 100))(PAYMENT))));
    });
  }
});

const GZIP = "Content-Encoding: gzip";

/** A key that a backend knows from one place and tells in another way. */
const KEY = `${WORD}7h3Zr4mNw9xT2kQ7`;

/** Parts of a call's secrets that the peer knows, and what it makes of them. */
describe("what a peer makes of a part of a secret is not shown", () => {
  /** @param {any} t @param {string} text */
  const refusing = (t, text) => httpServer(t, (_, response) => reply(response, text, 401));

  for (const value of [
    `Token ${KEY}`,
    `ApiKey ${KEY}`,
    `Bot ${KEY}`,
    `SSWS ${KEY}`,
    `Token token="${KEY}"`,
    `Basic ${Buffer.from(`id:${KEY}`).toString("base64")}`,
  ]) {
    it(`of the header ${value.replace(KEY, "…")} (D11)`, async (t) => {
      const { url } = await refusing(t, `invalid token ${KEY}, also as ${KEY.toUpperCase()}`);
      const auth = sharedSecretAuth("Authorization", value);
      const error = await rejection(createRemoteTokenIssuer({ url, auth })(PAYMENT));
      hides(shown(error), [KEY.toUpperCase()]);
    });
  }

  it("where a coded answer ends inside it", async (t) => {
    // Whole pieces, and no end: it is taken for as far as it goes.
    const endless = { finishFlush: constants.Z_SYNC_FLUSH };
    const body = gzipSync(`invalid token ${KEY.slice(0, 12)}`, endless);
    const { url } = await rawServer(t, answer(body, { status: "401 x", headers: [GZIP] }));
    const error = await rejection(createRemoteTokenIssuer({ url, secret: KEY })(PAYMENT));
    assert.equal(error.cause.body, "invalid token [redacted]");
  });

  it("in a cookie (D11)", async (t) => {
    const { url } = await refusing(t, `no session ${KEY}`);
    const auth = sharedSecretAuth("Cookie", `session=${KEY}; x=1`);
    hides(shown(await rejection(createRemoteTokenIssuer({ url, auth })(PAYMENT))));
  });

  for (const [where, change] of /** @type {[string, (url: string) => string][]} */ ([
    ["as a user name", (url) => url.replace("://", `://${KEY}@`)],
    ["as a user name without a password", (url) => url.replace("://", `://${KEY}:@`)],
    ["in the query", (url) => `${url}?code=${KEY}`],
    ["in the path", (url) => `${url}/hooks/${KEY}`],
  ])) {
    it(`${where} of a URL (D12)`, async (t) => {
      const { url } = await httpServer(t, (seen, response) =>
        reply(response, `Route POST:${seen.target} not found, ${echo(seen)}, ${KEY}`, 404),
      );
      const issue = createRemoteTokenIssuer({ url: change(url) });
      hides(shown(await rejection(issue(PAYMENT))));
      const secret = { clientId: "id", clientSecret: "client-secret-1" };
      const auth = oauthClientCredentialsAuth({ tokenUrl: change(url), ...secret });
      hides(shown(await rejection(auth())));
    });
  }

  it("in a token that the answer carries itself", async (t) => {
    const { url } = await refusing(t, JSON.stringify({ access_token: CANARY, scope: "a" }));
    const auth = sharedSecretAuth("X-Key", "another-secret");
    hides(shown(await rejection(createRemoteTokenIssuer({ url, auth })(PAYMENT))));
  });
});

describe("a secret is not shown as frameworks escape it (D13)", () => {
  const secret = "kQ7+Zr/4mNw9xT2=ab'c";
  const html = (/** @type {string} */ text) =>
    text.replace(/[&<>"'+=/]/g, (c) => `&#${c.charCodeAt(0).toString().padStart(3, "0")};`);
  const twice = encodeURIComponent(encodeURIComponent(secret));
  for (const [how, text] of Object.entries({
    "as numbers": html(secret),
    "in a page that prints JSON": html(JSON.stringify({ "x-key": secret })),
    "as JavaScript": secret.replace(/[^a-z0-9]/gi, (c) => `\\x${c.charCodeAt(0).toString(16)}`),
    "percent-encoded twice": twice,
    "in a page that prints JSON with a URL": html(JSON.stringify(JSON.stringify({ twice }))),
    "inside longer base64": Buffer.from(`{"key":"${secret}"}`).toString("base64"),
    "in hexadecimal": Buffer.from(secret).toString("hex"),
  })) {
    it(how, async (t) => {
      const { url } = await httpServer(t, (_, response) => reply(response, `<${text}>`, 500));
      const auth = sharedSecretAuth("X-Key", secret);
      const error = await rejection(createRemoteTokenIssuer({ url, auth })(PAYMENT));
      const seen = shown(error);
      assert.match(seen, /\[redacted\]/);
      hides(seen, ["kQ7", "Nw9xT2", text, "a1E3K1py", "6d4e7739"]);
    });
  }
});

describe("an access token is not shown", () => {
  it("by an issuer whose backend echoes it", async (t) => {
    const grant = { access_token: CANARY.replaceAll('"', "'"), expires_in: 3600 };
    const idp = await httpServer(t, grant);
    const backend = await httpServer(t, (seen, response) => reply(response, echo(seen), 403));
    const auth = oauthClientCredentialsAuth({
      tokenUrl: idp.url,
      clientId: "id",
      clientSecret: "client-secret-1",
    });
    const issue = createRemoteTokenIssuer({ url: backend.url, auth });
    hides(shown(await rejection(issue(PAYMENT))));
    hides(shown(auth));
    hides(shown(issue));
  });

  it("by an issuer whose backend echoes a signed JWT", async (t) => {
    const backend = await httpServer(t, (seen, response) => reply(response, echo(seen), 403));
    const auth = signedJwtAuth(new AccessTokenIssuer(CANARY), "audience");
    const error = await rejection(createRemoteTokenIssuer({ url: backend.url, auth })(PAYMENT));
    const [jwt] = backend.requests[0].headers.authorization.split(" ").slice(1);
    hides(shown(error), [jwt, ...jwt.split(".").slice(1)]);
  });
});

describe("signing and verifying do not show a key", () => {
  it("an AccessTokenIssuer, before and after use", async () => {
    const issuers = [
      new AccessTokenIssuer(CANARY),
      new AccessTokenIssuer({ algorithm: "RS256", privateKey: RSA.pkcs8 }),
    ];
    for (const issuer of issuers) {
      hides(shown(issuer), KEY_LINES);
      await issuer.sign(CLAIMS, 60);
      const auth = signedJwtAuth(issuer, "audience");
      await auth();
      hides(shown(issuer), KEY_LINES);
      hides(shown(auth), KEY_LINES);
      hides(shown(await rejection(issuer.verify("no token"))), KEY_LINES);
      hides(shown(await rejection(issuer.sign(CLAIMS, Number.NaN))), KEY_LINES);
    }
  });

  it("a verifier whose key is not usable", async () => {
    const token = `Bearer ${hs256(CLAIMS)}`;
    const configs = /** @type {any[]} */ ([
      { secret: `${CANARY}${RSA_PUBLIC.spki}` },
      { algorithm: "RS256", publicKey: CANARY },
      { algorithm: "RS256", publicKey: RSA.pkcs8 },
      { algorithm: CANARY, secret: CANARY },
    ]);
    for (const config of configs) {
      hides(shown(await rejection(validateKey0Token(token, config))), KEY_LINES);
    }
    hides(shown(await rejection(validateToken(token, { secret: CANARY }))));
  });

  it("a verifier of a token that carries it", async () => {
    const token = hs256({ ...CLAIMS, sub: CANARY, exp: 1 }, { secret: CANARY });
    const config = { secret: CANARY };
    for (const header of [`Bearer ${token}`, `Bearer ${token}x`, `Basic ${token}`, token]) {
      hides(shown(await rejection(validateKey0Token(header, config))), [token]);
      hides(shown(await rejection(validateToken(header, config))), [token]);
    }
    const issuer = new AccessTokenIssuer(CANARY);
    for (const bad of [token, `${token}x`]) {
      hides(shown(await rejection(issuer.verify(bad))), [token]);
      hides(shown(await rejection(issuer.verifyWithFallback(bad, [CANARY]))), [token]);
    }
  });
});

describe("a process that is told to log everything", () => {
  it("shows no secret on stdout or stderr", async (t) => {
    const backend = await httpServer(t, (seen, response) => reply(response, echo(seen), 500));
    const idp = await httpServer(t, { access_token: CANARY.replaceAll('"', ""), expires_in: 60 });
    const source = `
      import * as key0 from "./index.mjs";
      const secret = Buffer.from(process.env.HEX, "hex").toString();
      const { backend, idp } = JSON.parse(process.env.URLS);
      const providers = [
        key0.sharedSecretAuth("X-Key", secret),
        key0.signedJwtAuth(new key0.AccessTokenIssuer(secret), "audience"),
        key0.oauthClientCredentialsAuth({ tokenUrl: idp, clientId: "id", clientSecret: secret }),
        key0.oauthClientCredentialsAuth({ tokenUrl: backend, clientId: "id", clientSecret: secret }),
      ];
      for (const auth of providers) {
        for (const url of [backend, "http://127.0.0.1:1/", backend.replace("http", "https")]) {
          await key0.createRemoteTokenIssuer({ url, auth })({}).catch((error) => {
            console.log(error, JSON.stringify(error));
            console.error(error);
          });
        }
      }
      console.log("done");`;
    const ended = await runScript(source, {
      env: {
        HEX: Buffer.from(CANARY).toString("hex"),
        URLS: JSON.stringify({ backend: backend.url, idp: idp.url }),
        DEBUG: "*",
        NODE_DEBUG: "*",
        RUST_LOG: "trace",
        RUST_BACKTRACE: "1",
      },
    });
    assert.match(ended.stdout, /\ndone\n$/);
    assert.ok(backend.requests.length >= 4);
    const jwts = backend.requests
      .map(({ headers }) => headers.authorization?.split(".")[2])
      .filter((signature) => signature !== undefined);
    assert.ok(jwts.length >= 1);
    hides(`${ended.stdout}\n${ended.stderr}`, jwts);
  });
});
