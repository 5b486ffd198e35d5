// @ts-check
/** How the OAuth strategy shows who it is, and what else its request may have. */
import assert from "node:assert/strict";
import { createHmac, createPublicKey, verify } from "node:crypto";
import { describe, it } from "node:test";
import { CANARY, refusesField, rejectsWith } from "../support/errors.mjs";
import { oauthFailed } from "../support/exchanges.mjs";
import {
  CERTIFICATE,
  EC,
  ED25519,
  ENCRYPTED,
  RSA,
  RSA_PUBLIC,
  SHORT_RSA,
} from "../support/keys.mjs";
import { CLIENT, GRANT, oauth, oauthOf } from "../support/oauth-server.mjs";
import { rawServer, reply } from "../support/server.mjs";

const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/** The token request that a configuration makes. */
async function requestOf(/** @type {any} */ t, /** @type {Record<string, unknown>} */ config) {
  const { server, auth } = await oauth(t, GRANT, config);
  assert.deepEqual(await auth(), { Authorization: "Bearer access-token-1" });
  assert.equal(server.requests.length, 1);
  const { headers, body } = server.requests[0];
  return { headers, form: [...new URLSearchParams(body.toString())], url: server.url };
}

/** @param {string} part */
const decoded = (part) => JSON.parse(Buffer.from(part, "base64url").toString());

describe("client_secret_basic", () => {
  it("sends id and secret in Authorization, and neither in the form", async (t) => {
    const { headers, form } = await requestOf(t, { clientAuthentication: "client_secret_basic" });
    const pair = `${CLIENT.clientId}:${CLIENT.clientSecret}`;
    assert.equal(headers.authorization, `Basic ${Buffer.from(pair).toString("base64")}`);
    assert.deepEqual(form, [["grant_type", "client_credentials"]]);
  });

  // RFC 6749 §2.3.1
  it("form-encodes both before base64, so that a colon in the id is none of the pair", async (t) => {
    const [clientId, clientSecret] = ["a:b c", 's~+%&=/é"'];
    const clientAuthentication = "client_secret_basic";
    const { headers } = await requestOf(t, { clientAuthentication, clientId, clientSecret });
    const encoded = Buffer.from(headers.authorization.slice("Basic ".length), "base64").toString();
    assert.equal(encoded, "a%3Ab+c:s%7E%2B%25%26%3D%2F%C3%A9%22");
  });

  it("takes the place of credentials in tokenUrl", async (t) => {
    const { server } = await oauth(t);
    const tokenUrl = server.url.replace("//", "//user:password@");
    await oauthOf(tokenUrl, { clientAuthentication: "client_secret_basic" })();
    const pair = `${CLIENT.clientId}:${CLIENT.clientSecret}`;
    const expected = `Basic ${Buffer.from(pair).toString("base64")}`;
    assert.equal(server.requests[0].headers.authorization, expected);
  });

  it("is not shown where a server quotes it", async (t) => {
    const quotes = (/** @type {any} */ { headers }, /** @type {any} */ response) =>
      reply(response, { error: "invalid_client", error_description: headers.authorization }, 401);
    const config = { clientAuthentication: "client_secret_basic", clientSecret: CANARY };
    const { auth } = await oauth(t, quotes, config);
    await rejectsWith(auth(), oauthFailed("OAuth token request failed: 401 invalid_client"));
  });
});

const keys = [
  { algorithm: "RS256", privateKey: RSA.pkcs8, spki: RSA_PUBLIC.spki, how: {} },
  { algorithm: "RS256", privateKey: RSA.pkcs1, spki: RSA_PUBLIC.spki, how: {} },
  {
    algorithm: "PS256",
    privateKey: RSA.pkcs8,
    spki: RSA_PUBLIC.spki,
    how: { padding: 6, saltLength: 32 },
  },
  { algorithm: "ES256", privateKey: EC.pkcs8, spki: EC.spki, how: { dsaEncoding: "ieee-p1363" } },
  { algorithm: "ES256", privateKey: EC.sec1, spki: EC.spki, how: { dsaEncoding: "ieee-p1363" } },
  {
    algorithm: "EdDSA",
    privateKey: ED25519.pkcs8,
    spki: String(createPublicKey(ED25519.pkcs8).export({ format: "pem", type: "spki" })),
    how: {},
  },
];

describe("private_key_jwt", () => {
  const clientAuthentication = "private_key_jwt";

  for (const { algorithm, privateKey, spki, how } of keys) {
    const kind = privateKey.split("\n")[0];
    it(`signs with ${algorithm} and a ${kind}`, async (t) => {
      const config = { clientAuthentication, privateKey, algorithm, kid: 'k"1' };
      const { headers, form, url } = await requestOf(t, { ...config, clientSecret: undefined });
      assert.ok(!("authorization" in headers));
      const [assertion] = form.filter(([name]) => name === "client_assertion").map(([, it]) => it);
      assert.deepEqual(form, [
        ["grant_type", "client_credentials"],
        ["client_id", CLIENT.clientId],
        ["client_assertion_type", ASSERTION_TYPE],
        ["client_assertion", assertion],
      ]);
      const [header, payload, signature] = assertion.split(".");
      assert.deepEqual(decoded(header), { alg: algorithm, typ: "JWT", kid: 'k"1' });
      const { jti, iat, exp, ...claims } = decoded(payload);
      assert.deepEqual(claims, { iss: CLIENT.clientId, sub: CLIENT.clientId, aud: url });
      assert.match(jti, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      assert.equal(exp - iat, 60);
      assert.ok(Math.abs(Date.now() / 1000 - iat) < 60);
      const hash = algorithm === "EdDSA" ? undefined : "sha256";
      const bytes = Buffer.from(`${header}.${payload}`);
      const key = /** @type {any} */ ({ key: spki, ...how });
      assert.ok(verify(hash, bytes, key, Buffer.from(signature, "base64url")));
    });
  }

  const algorithms = [
    ["RS256", RSA.pkcs8],
    ["ES256", EC.pkcs8],
    ["EdDSA", ED25519.pkcs8],
  ];
  for (const [algorithm, privateKey] of algorithms) {
    it(`signs with ${algorithm} where the key is one for it and none is named`, async (t) => {
      const { form } = await requestOf(t, { clientAuthentication, privateKey });
      const [, assertion] = form[form.length - 1];
      assert.deepEqual(decoded(assertion.split(".")[0]), { alg: algorithm, typ: "JWT" });
    });
  }

  it("is for the audience that the configuration names", async (t) => {
    const assertionAudience = "https://tenant.auth0.com/";
    const config = { clientAuthentication, privateKey: EC.pkcs8, assertionAudience };
    const { form } = await requestOf(t, config);
    const [, assertion] = form[form.length - 1];
    assert.equal(decoded(assertion.split(".")[1]).aud, assertionAudience);
  });

  it("has an assertion of its own in a request that was lost and is sent once more", async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      if (connection.number === 1) return connection.reset();
      const body = JSON.stringify(GRANT);
      await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    });
    await oauthOf(server.url, { clientAuthentication, privateKey: EC.pkcs8 })();
    const jtis = server.requests.map(({ body }) => {
      const assertion = new URLSearchParams(body.toString()).get("client_assertion") ?? "";
      return decoded(assertion.split(".")[1]).jti;
    });
    assert.deepEqual([jtis.length, new Set(jtis).size], [2, 2]);
  });

  it("is not shown where a server quotes it", async (t) => {
    const { server, auth } = await oauth(
      t,
      ({ body }, response) => {
        const assertion = new URLSearchParams(body.toString()).get("client_assertion");
        reply(response, { error: "invalid_client", error_description: `no ${assertion}` }, 401);
      },
      { clientAuthentication, privateKey: RSA.pkcs8 },
    );
    const expected = oauthFailed("OAuth token request failed: 401 invalid_client", {
      message: /: invalid_client: no \[redacted\]$/,
      body: '{"error":"invalid_client","error_description":"no [redacted]"}',
    });
    await rejectsWith(auth(), expected);
    assert.equal(server.requests.length, 1);
  });
});

describe("a grant that is an assertion (RFC 7523 §2.1)", () => {
  const config = {
    clientAuthentication: "private_key_jwt",
    grantType: "urn:ietf:params:oauth:grant-type:jwt-bearer",
    privateKey: RSA.pkcs8,
    kid: "1",
    scopes: ["a", "b"],
  };

  it("has scopes and issuer inside, and nothing else beside it", async (t) => {
    const { form, url } = await requestOf(t, config);
    const [, assertion] = form[1];
    assert.deepEqual(form, [
      ["grant_type", config.grantType],
      ["assertion", assertion],
    ]);
    const [header, payload] = assertion.split(".").slice(0, 2).map(decoded);
    assert.deepEqual(header, { alg: "RS256", typ: "JWT", kid: "1" });
    const { jti, iat, exp, ...claims } = payload;
    assert.deepEqual(claims, { iss: CLIENT.clientId, aud: url, scope: "a b" });
    assert.deepEqual([typeof jti, exp - iat], ["string", 60]);
  });

  it("has the subject that the configuration names", async (t) => {
    const { form } = await requestOf(t, { ...config, scopes: [], subject: "user@seller.test" });
    const { sub, scope } = decoded(form[1][1].split(".")[1]);
    assert.deepEqual({ sub, scope }, { sub: "user@seller.test", scope: undefined });
  });
});

describe("client_secret_jwt", () => {
  it("signs with the secret, which is sent nowhere", async (t) => {
    const config = { clientAuthentication: "client_secret_jwt", kid: "1" };
    const { headers, form } = await requestOf(t, config);
    const [, assertion] = form[form.length - 1];
    const [header, payload, signature] = assertion.split(".");
    assert.deepEqual(decoded(header), { alg: "HS256", typ: "JWT", kid: "1" });
    const signed = createHmac("sha256", CLIENT.clientSecret).update(`${header}.${payload}`);
    assert.equal(signature, signed.digest("base64url"));
    assert.ok(!JSON.stringify({ headers, form }).includes(CLIENT.clientSecret));
  });
});

describe("a token request may have", () => {
  it("a resource, or several (RFC 8707 §2)", async (t) => {
    const one = await requestOf(t, { resource: "https://a.test/" });
    assert.deepEqual(one.form.slice(3), [["resource", "https://a.test/"]]);
    const resource = ["https://a.test/", "https://b.test/?c&d"];
    const two = await requestOf(t, { resource });
    assert.deepEqual(
      two.form.slice(3),
      resource.map((it) => ["resource", it]),
    );
  });

  for (const [what, extraParams] of [
    ["an object", { organization: "org 1", n: 7 }],
    ["URLSearchParams", new URLSearchParams({ organization: "org 1", n: "7" })],
    ["pairs", Object.entries({ organization: "org 1", n: "7" })],
  ]) {
    it(`further fields, given as ${what}`, async (t) => {
      const { form } = await requestOf(t, { extraParams });
      assert.deepEqual(form.slice(3), [
        ["organization", "org 1"],
        ["n", "7"],
      ]);
    });
  }

  it("further headers, which take the place of ours", async (t) => {
    const headers = { "X-Api-Key": "k", "User-Agent": "seller/1" };
    const { headers: sent } = await requestOf(t, { headers });
    assert.equal(sent["x-api-key"], "k");
    assert.equal(sent["user-agent"], "seller/1");
    assert.equal(sent["content-type"], "application/x-www-form-urlencoded");
  });

  it("neither of their values in an error where a server quotes them", async (t) => {
    const quotes = (/** @type {any} */ { headers, body }, /** @type {any} */ response) =>
      reply(response, `${headers["x-api-key"]} ${body}`, 400);
    const config = { headers: { "X-Api-Key": CANARY }, extraParams: { key: CANARY } };
    const { auth } = await oauth(t, quotes, config);
    await rejectsWith(auth(), oauthFailed("OAuth token request failed: 400"));
  });
});

describe("oauthClientCredentialsAuth refuses", () => {
  const jwt = "private_key_jwt";
  /** @type {[what: string, config: Record<string, unknown>, field: string][]} */
  const refused = [
    ["a method that it does not know", { clientAuthentication: "none" }, "clientAuthentication"],
    ["a method that is no string", { clientAuthentication: 1 }, "clientAuthentication"],
    ["private_key_jwt without a key", { clientAuthentication: jwt }, "privateKey"],
    ["an empty key", { clientAuthentication: jwt, privateKey: "" }, "privateKey"],
    ["a key that is none", { clientAuthentication: jwt, privateKey: CANARY }, "privateKey"],
    ["a key that is encrypted", { clientAuthentication: jwt, privateKey: ENCRYPTED }, "privateKey"],
    ["a public key", { clientAuthentication: jwt, privateKey: EC.spki }, "privateKey"],
    ["a short key", { clientAuthentication: jwt, privateKey: SHORT_RSA.pkcs8 }, "privateKey"],
    [
      "an algorithm that the key does not have",
      { clientAuthentication: jwt, privateKey: EC.pkcs8, algorithm: "RS256" },
      "algorithm",
    ],
    [
      "an algorithm other than HS256 for a secret",
      { clientAuthentication: "client_secret_jwt", algorithm: "HS512" },
      "algorithm",
    ],
    [
      "a kid that is no string",
      { clientAuthentication: jwt, privateKey: RSA.pkcs8, kid: 1 },
      "kid",
    ],
    [
      "Basic without a secret",
      { clientAuthentication: "client_secret_basic", clientSecret: "" },
      "clientSecret",
    ],
    [
      "a certificate of another key",
      { clientAuthentication: jwt, privateKey: RSA.pkcs8, certificate: CERTIFICATE },
      "certificate",
    ],
    ["another grant", { grantType: "password" }, "grantType"],
    [
      "a grant that is an assertion, where none is signed",
      { grantType: "urn:ietf:params:oauth:grant-type:jwt-bearer" },
      "grantType",
    ],
    ["a resource that is no string", { resource: { href: "x" } }, "resource"],
    ["extraParams that are a string", { extraParams: CANARY }, "extraParams"],
    ["extraParams with an object inside", { extraParams: { a: { b: CANARY } } }, "extraParams"],
    ["extraParams with a field of ours", { extraParams: { client_id: CANARY } }, "extraParams"],
    ["headers that are a string", { headers: CANARY }, "headers"],
    ["headers with a name that is none", { headers: { [CANARY]: "x" } }, "headers"],
    ["headers with a line break", { headers: { "X-A": `${CANARY}\n${CANARY}` } }, "headers"],
    ["a header of the connection", { headers: { "Content-Length": CANARY } }, "headers"],
    ["a Content-Type", { headers: { "content-type": CANARY } }, "headers"],
    [
      "an Authorization beside Basic",
      { clientAuthentication: "client_secret_basic", headers: { Authorization: CANARY } },
      "headers",
    ],
  ];
  for (const [what, config, field] of refused) {
    it(what, () => {
      refusesField(() => oauthOf("http://127.0.0.1/", config), TypeError, field);
    });
  }
});
