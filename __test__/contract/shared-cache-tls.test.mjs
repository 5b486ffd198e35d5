// @ts-check
/** cache with tls_client_auth: tokens are sealed with the key of the client's certificate. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { oauthClientCredentialsAuth } from "../../index.mjs";
import { authority, certificate, PURPOSES } from "../support/certificates.mjs";
import { httpServer, reply } from "../support/server.mjs";
import { MemoryStore } from "../support/token-cache.mjs";

const CA = authority("the servers' authority");
const CLIENTS = authority("the clients' authority");
const server = certificate("a server", { by: CA, names: ["IP:127.0.0.1"] });
const spec = { by: CLIENTS, purposes: [PURPOSES.client] };

/** @param {import("../support/certificates.mjs").Made} made */
const identity = ({ pem, key }) => ({ ca: CA.pem, cert: pem, key });

/** A server that demands a certificate, and numbers its tokens. @param {any} t */
async function endpoint(t) {
  let last = 0;
  const tls = { cert: server.pem, key: server.key, ca: CLIENTS.pem };
  return httpServer(
    t,
    (_, response) => {
      last += 1;
      reply(response, { access_token: `access-token-${last}`, expires_in: 3600 });
    },
    { tls: { ...tls, requestCert: true, rejectUnauthorized: true } },
  );
}

/**
 * The token that a new process gets, and the store when that is done.
 *
 * @param {string} tokenUrl
 * @param {MemoryStore} store
 * @param {any} tls
 */
async function tokenOf(tokenUrl, store, tls) {
  const auth = oauthClientCredentialsAuth({
    tokenUrl,
    clientId: "client-1",
    clientAuthentication: "tls_client_auth",
    tls,
    cache: store,
  });
  const { Authorization } = await auth();
  while (store.locks.size > 0) await new Promise((resolve) => setImmediate(resolve));
  return Authorization.replace("Bearer ", "");
}

describe("a shared cache of a client that is known by its certificate", () => {
  for (const kind of ["P-256", "P-384", "RSA-2048", "Ed25519"]) {
    it(`gives a process the token that another fetched (${kind})`, async (t) => {
      const { url, requests } = await endpoint(t);
      const store = new MemoryStore();
      const tls = identity(certificate("client", { ...spec, key: kind }));
      assert.equal(await tokenOf(url, store, tls), "access-token-1");
      assert.equal(await tokenOf(url, store, tls), "access-token-1");
      assert.equal(requests.length, 1);
      const all = JSON.stringify([...store.values]);
      assert.ok(!all.includes("access-token") && store.values.size === 1);
    });
  }

  it("is the same for a key in another form, and behind a passphrase", async (t) => {
    const { url, requests } = await endpoint(t);
    const store = new MemoryStore();
    const made = certificate("client", spec);
    const { privateKey } = made.keys;
    await tokenOf(url, store, identity(made));
    const sec1 = String(privateKey.export({ type: "sec1", format: "pem" }));
    const cipher = { cipher: "aes-256-cbc", passphrase: "p" };
    const closed = String(privateKey.export({ type: "pkcs8", format: "pem", ...cipher }));
    for (const form of [{ key: sec1 }, { key: closed, passphrase: "p" }]) {
      const tls = { ...identity(made), ...form };
      assert.equal(await tokenOf(url, store, tls), "access-token-1");
    }
    assert.equal(requests.length, 1);
  });

  it("takes no value of another key, nor of the same one under another certificate", async (t) => {
    const { url } = await endpoint(t);
    const store = new MemoryStore();
    const first = certificate("client", spec);
    await tokenOf(url, store, identity(first));
    const [[, value]] = store.values;
    let last = 1;
    for (const other of [
      certificate("client", spec),
      certificate("client", { ...spec, like: first }),
    ]) {
      const next = async () => {
        last += 1;
        assert.equal(await tokenOf(url, store, identity(other)), `access-token-${last}`);
      };
      await next();
      const [[name]] = [...store.values].slice(-1);
      store.values.set(name, value);
      await next();
    }
  });

  it("begins anew with a key that was replaced in place", async (t) => {
    const { url } = await endpoint(t);
    const store = new MemoryStore();
    let current = identity(certificate("client", spec));
    const tls = () => current;
    assert.equal(await tokenOf(url, store, tls), "access-token-1");
    assert.equal(await tokenOf(url, store, tls), "access-token-1");
    current = identity(certificate("client", spec));
    assert.equal(await tokenOf(url, store, tls), "access-token-2");
    assert.equal(await tokenOf(url, store, tls), "access-token-2");
    assert.equal(store.values.size, 2);
  });
});
