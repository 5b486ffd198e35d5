// @ts-check
/** Each way to authenticate a client, at an `oidc-provider` that takes this one and no other. */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { after, describe, it } from "node:test";
import { oauthClientCredentialsAuth } from "../../index.mjs";
import { authority, certificate, PURPOSES } from "../support/certificates.mjs";
import { rejectsWith } from "../support/errors.mjs";
import { oauthFailed } from "../support/exchanges.mjs";

const SECRET = "s3cr3t~of:the client/+=&%\"\\<'-0123456789";
const KEYS = {
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
  ec: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
  ed25519: generateKeyPairSync("ed25519").privateKey,
};
const CA = authority("an authority");
const OTHERS = authority("another authority");
const server = certificate("the provider", { by: CA, names: ["IP:127.0.0.1"] });
const purposes = [PURPOSES.client];
const client = certificate("key0", { by: CA, purposes });
const stranger = certificate("key0", { by: OTHERS, purposes });
const other = certificate("another client", { by: CA, purposes });

/** @param {import("node:crypto").KeyObject} key */
const pem = (key) => String(key.export({ type: "pkcs8", format: "pem" }));

/** The set of keys that a client is registered with. @param {object[]} keys */
const jwks = (keys) => ({ jwks: { keys } });
/** @param {import("node:crypto").KeyObject} key @param {string} [kid] */
const jwk = (key, kid) => ({
  ...createPublicKey(key).export({ format: "jwk" }),
  use: "sig",
  ...(kid ? { kid } : {}),
});

/** @type {Record<string, { registered: any, options: any }>} */
const WAYS = {
  client_secret_post: { registered: { client_secret: SECRET }, options: { clientSecret: SECRET } },
  client_secret_basic: { registered: { client_secret: SECRET }, options: { clientSecret: SECRET } },
  client_secret_jwt: {
    registered: { client_secret: SECRET, token_endpoint_auth_signing_alg: "HS256" },
    options: { clientSecret: SECRET },
  },
  ...Object.fromEntries(
    [
      ["RS256", KEYS.rsa],
      ["PS256", KEYS.rsa],
      ["ES256", KEYS.ec],
      ["EdDSA", KEYS.ed25519],
    ].map(([algorithm, key]) => [
      `private_key_jwt, ${algorithm}`,
      {
        registered: {
          token_endpoint_auth_signing_alg: algorithm,
          ...jwks([jwk(/** @type {any} */ (key))]),
        },
        options: { privateKey: pem(/** @type {any} */ (key)), algorithm },
      },
    ]),
  ),
  tls_client_auth: {
    registered: { tls_client_auth_subject_dn: "CN=key0" },
    options: { tls: { ca: CA.pem, cert: client.pem, key: client.key } },
  },
};
/** @param {string} way */
const methodOf = (way) => way.split(",")[0];

const clients = Object.entries(WAYS).map(([way, { registered }]) => ({
  client_id: `client ${way}:`,
  token_endpoint_auth_method: methodOf(way),
  ...registered,
}));
// A key that another one of the set could be taken for: only its id tells them apart.
const twins = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
clients.push({
  client_id: "two keys",
  token_endpoint_auth_method: "private_key_jwt",
  ...jwks([jwk(KEYS.ec, "first"), jwk(twins, "second")]),
});

const plain = await provider();
const secured = await provider({ cert: server.pem, key: server.key, ca: CA.pem });

/** @param {object} [tls] */
async function provider(tls) {
  const child = fork(new URL("./support/oidc-clients-server.mjs", import.meta.url), {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    // Bun's server does not tell whose certificate it was shown.
    ...(tls && process.versions.bun ? { execPath: "node", serialization: "json" } : {}),
  });
  const ended = once(child, "exit");
  after(async () => {
    if (child.connected) child.disconnect();
    await ended;
  });
  const ask = async (/** @type {import("node:child_process").Serializable} */ message) => {
    child.send(message);
    const [answer] = await once(child, "message");
    return answer;
  };
  const { port } = await ask({ clients: tls ? clients : withoutTls(clients), tls });
  const origin = `${tls ? "https" : "http"}://127.0.0.1:${port}`;
  return {
    tokenUrl: `${origin}/token`,
    origin,
    /** What the provider knows of the token that these headers have. */
    known: (/** @type {Record<string, string>} */ { Authorization }) =>
      ask(Authorization.replace(/^Bearer /, "")),
  };
}

/** @param {any[]} all */
function withoutTls(all) {
  return all.filter((client) => client.token_endpoint_auth_method !== "tls_client_auth");
}

/** @param {string} way @param {{ [option: string]: any }} [change] */
function auth(way, change = {}) {
  const { options } = WAYS[way];
  const at = options.tls ? secured : plain;
  return oauthClientCredentialsAuth(
    /** @type {any} */ ({
      tokenUrl: at.tokenUrl,
      clientId: `client ${way}:`,
      clientAuthentication: methodOf(way),
      scopes: ["credentials:issue"],
      ...options,
      ...change,
    }),
  );
}

describe("oidc-provider grants a token to a client that it holds to", () => {
  for (const [way, { options }] of Object.entries(WAYS)) {
    it(way, async () => {
      const { clientId } = await (options.tls ? secured : plain).known(await auth(way)());
      assert.equal(clientId, `client ${way}:`);
    });
  }

  it("a key that its id tells from another one", async () => {
    const options = { clientId: "two keys", privateKey: pem(twins), algorithm: "ES256" };
    const by = (/** @type {string} */ kid) => auth("private_key_jwt, ES256", { ...options, kid });
    assert.equal((await plain.known(await by("second")())).clientId, "two keys");
    await rejectsWith(by("first")(), refused(401, "invalid_client"));
  });

  it("its own issuer for an assertion's audience", async () => {
    const headers = await auth("private_key_jwt, RS256", { assertionAudience: plain.origin })();
    assert.equal((await plain.known(headers)).clientId, "client private_key_jwt, RS256:");
  });
});

describe("oidc-provider refuses a client that shows who it is", () => {
  for (const way of Object.keys(WAYS)) {
    const { options } = WAYS[way];
    const wrong = options.tls ? "client_secret_post" : "client_secret_basic";
    if (methodOf(way).startsWith("client_secret_") && methodOf(way) !== "client_secret_jwt")
      continue;
    it(`by a secret, where it is held to ${way}`, async () => {
      const change = { clientAuthentication: wrong, clientSecret: SECRET };
      await rejectsWith(auth(way, change)(), refused(401, "invalid_client"));
    });
  }

  it("by another key", async () => {
    const privateKey = pem(twins);
    const expected = refused(401, "invalid_client");
    await rejectsWith(auth("private_key_jwt, ES256", { privateKey })(), expected);
  });

  it("for another audience", async () => {
    const assertionAudience = "https://elsewhere.test/";
    const expected = refused(401, "invalid_client");
    await rejectsWith(auth("private_key_jwt, EdDSA", { assertionAudience })(), expected);
  });

  for (const [what, { pem: cert, key }] of Object.entries({
    "a certificate of an authority that it does not know": stranger,
    "the certificate of another client": other,
  })) {
    it(`by ${what}`, async () => {
      const tls = { ca: CA.pem, cert, key };
      await rejectsWith(auth("tls_client_auth", { tls })(), refused(401, "invalid_client"));
    });
  }
});

describe("oidc-provider grants a token", () => {
  it("for the resource that is asked for (RFC 8707)", async () => {
    const resource = "https://backend.internal/";
    const known = await plain.known(await auth("client_secret_post", { resource })());
    assert.equal(known.aud, resource);
  });

  it("for a field of extraParams as for one of an option", async () => {
    const extraParams = { ignored: "by a server that does not know it" };
    const known = await plain.known(await auth("client_secret_basic", { extraParams })());
    assert.equal(known.scope, "credentials:issue");
  });
});

/** @param {number} status @param {string} code */
function refused(status, code) {
  return oauthFailed(`OAuth token request failed: ${status} ${code}`, { status });
}
