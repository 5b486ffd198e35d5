// @ts-check
/** The `tls` option of both HTTP functions: private CAs and client certificates. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createRemoteTokenIssuer, oauthClientCredentialsAuth } from "../../index.mjs";
import { authority, certificate, PURPOSES } from "../support/certificates.mjs";
import { CANARY, refusesField, rejectsWith } from "../support/errors.mjs";
import { EXCHANGES } from "../support/exchanges.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { httpServer, reply } from "../support/server.mjs";

const CA = authority("the servers' authority");
const CLIENTS = authority("the clients' authority");
const server = certificate("a server", { by: CA, names: ["IP:127.0.0.1", "DNS:localhost"] });
const client = identity("client-1");
const other = identity("client-2");

/** @param {string} name @param {import("../support/certificates.mjs").Spec} [spec] */
function identity(name, spec = {}) {
  const { pem, key, keys } = certificate(name, {
    by: CLIENTS,
    purposes: [PURPOSES.client],
    ...spec,
  });
  return { cert: pem, key, keys };
}

/** Encrypted as OpenSSL did before PKCS#8. */
const LEGACY = readFileSync(
  new URL("../../tests/fixtures/rsa-encrypted-legacy.pem", import.meta.url),
  "utf8",
);
const VERIFIES = "NODE_TLS_REJECT_UNAUTHORIZED";

/** Bun's server demands a certificate, but does not tell whose it was. */
const TELLS = !process.versions.bun;

/** @param {string[]} seen @param {string[]} names */
function saw(seen, names) {
  assert.deepEqual(seen, TELLS ? names : names.map(() => "somebody"));
}

/** A call of either function with this `tls`. */
const CALLS = EXCHANGES.map((exchange) => ({
  ...exchange,
  create:
    exchange.name === "the OAuth strategy"
      ? (/** @type {string} */ tokenUrl, /** @type {any} */ tls) =>
          oauthClientCredentialsAuth({ tokenUrl, clientId: "id", clientSecret: CANARY, tls })
      : (/** @type {string} */ url, /** @type {any} */ tls) => {
          const issue = createRemoteTokenIssuer({ url, secret: CANARY, tls });
          return () => issue(PAYMENT);
        },
}));

/**
 * A server that the environment does not trust, and that asks each client for its certificate.
 *
 * @param {any} t
 * @param {string} good
 * @param {import("node:tls").TlsOptions} [options]
 */
async function demanding(t, good, options = {}) {
  /** @type {string[]} */
  const seen = [];
  const answer = (
    /** @type {any} */ _,
    /** @type {import("node:http").ServerResponse} */ response,
  ) => {
    const socket = /** @type {import("node:tls").TLSSocket} */ (response.socket);
    seen.push(TELLS ? String(socket.getPeerCertificate().subject?.CN) : "somebody");
    response.end(good);
  };
  const tls = {
    cert: server.pem,
    key: server.key,
    ca: CLIENTS.pem,
    requestCert: true,
    rejectUnauthorized: true,
    ...options,
  };
  return { ...(await httpServer(t, answer, { tls })), seen };
}

for (const { name, good, create, gives, fails } of CALLS) {
  describe(`${name} with tls`, () => {
    for (const version of /** @type {const} */ (["TLSv1.2", "TLSv1.3"])) {
      const versions = { minVersion: version, maxVersion: version };

      it(`shows its certificate to a server that demands one, over ${version}`, async (t) => {
        const { url, seen } = await demanding(t, good, versions);
        const { cert, key } = client;
        assert.deepEqual(await create(url, { ca: CA.pem, cert, key })(), gives);
        saw(seen, ["client-1"]);
      });

      for (const kind of ["RSA-2048", "P-384", "Ed25519"]) {
        it(`shows one with a key of ${kind}, over ${version}`, async (t) => {
          const { url, seen } = await demanding(t, good, versions);
          const { cert, key } = identity(`client of ${kind}`, { key: kind });
          assert.deepEqual(await create(url, { ca: CA.pem, cert, key })(), gives);
          saw(seen, [`client of ${kind}`]);
        });
      }

      it(`is refused by that server where it shows none, over ${version}`, async (t) => {
        const { url, seen } = await demanding(t, good, versions);
        await assert.rejects(create(url, { ca: CA.pem })(), (/** @type {any} */ error) => {
          assert.match(error.message, /\((ERR_SSL_\w+|ECONNRESET)\)$/);
          return true;
        });
        saw(seen, []);
      });
    }

    it("trusts its own CAs in place of all others", async (t) => {
      const { url } = await httpServer(t, () => {}, { tls: { cert: server.pem, key: server.key } });
      const code = "UNABLE_TO_VERIFY_LEAF_SIGNATURE";
      for (const tls of [undefined, { ca: CLIENTS.pem }]) {
        await rejectsWith(create(url, tls)(), {
          ...fails(""),
          message: new RegExp(`\\(${code}\\)$`),
        });
      }
    });

    it("trusts whom the environment names where it has no CAs, and shows its certificate", async (t) => {
      const { url, seen } = await demanding(t, good);
      const folder = mkdtempSync(join(tmpdir(), "key0-tls-"));
      writeFileSync(join(folder, "ca.pem"), CA.pem);
      const { NODE_EXTRA_CA_CERTS } = process.env;
      t.after(() => rmSync(folder, { recursive: true }));
      process.env.NODE_EXTRA_CA_CERTS = join(folder, "ca.pem");
      try {
        for (const { cert, key } of [client, other]) {
          assert.deepEqual(await create(url, { cert, key })(), gives);
        }
      } finally {
        // Not by `after`, which Deno calls at the end of the suite.
        if (NODE_EXTRA_CA_CERTS === undefined) delete process.env.NODE_EXTRA_CA_CERTS;
        else process.env.NODE_EXTRA_CA_CERTS = NODE_EXTRA_CA_CERTS;
      }
      saw(seen, ["client-1", "client-2"]);
    });

    it("takes several CAs, and PEM as a Buffer or in one line", async (t) => {
      const { url, seen } = await demanding(t, good);
      const line = (/** @type {string} */ pem) => pem.replaceAll("\n", "\\n");
      const forms = [
        { ca: [CLIENTS.pem, CA.pem], cert: client.cert, key: client.key },
        { ca: CLIENTS.pem + CA.pem, cert: client.cert + CLIENTS.pem, key: client.key },
        { ca: Buffer.from(CA.pem), cert: Buffer.from(client.cert), key: Buffer.from(client.key) },
        { ca: line(CA.pem), cert: line(client.cert), key: line(client.key) },
      ];
      for (const tls of forms) assert.deepEqual(await create(url, tls)(), gives);
      saw(
        seen,
        forms.map(() => "client-1"),
      );
    });

    it("shares no connection that was made with another certificate", async (t) => {
      const { url, seen, connections } = await demanding(t, good);
      for (const { cert, key } of [client, other, client, other]) {
        assert.deepEqual(await create(url, { ca: CA.pem, cert, key })(), gives);
      }
      saw(seen, ["client-1", "client-2", "client-1", "client-2"]);
      assert.equal(connections(), 2);
    });

    for (const cipher of ["aes-128-cbc", "aes-192-cbc", "aes-256-cbc"]) {
      it(`opens a key that ${cipher} closes`, async (t) => {
        const { url, seen } = await demanding(t, good);
        const passphrase = CANARY;
        const key = client.keys.privateKey.export({
          type: "pkcs8",
          format: "pem",
          cipher,
          passphrase,
        });
        const { cert } = client;
        assert.deepEqual(await create(url, { ca: CA.pem, cert, key, passphrase })(), gives);
        saw(seen, ["client-1"]);
      });
    }

    it("reads functions at each call, and shows the certificate of that moment", async (t) => {
      const { url, seen } = await demanding(t, good, {});
      let now = client;
      const issues = [
        create(url, { ca: () => CA.pem, cert: () => now.cert, key: () => now.key }),
        create(url, () => ({ ca: CA.pem, cert: now.cert, key: now.key })),
      ];
      for (const issue of issues) assert.deepEqual(await issue(), gives);
      now = other;
      // A strategy keeps its token: only a new one asks again.
      for (const issue of issues) await issue();
      const again = name === "the OAuth strategy" ? [] : ["client-2", "client-2"];
      saw(seen, ["client-1", "client-1", ...again]);
    });

    for (const [what, broken, warning] of [
      ["a pair that does not fit", () => other.key, "tls.key is not the key of tls.cert"],
      ["what is no key", () => "", "tls.key holds no private key in PEM"],
      [
        "nothing, since it throws",
        () => {
          throw new Error("ENOENT");
        },
        "tls.key cannot be read: ENOENT",
      ],
      [
        "a promise, which rejects, too",
        () => Promise.reject(new Error("ENOENT")),
        "tls.key must be a string or a Buffer, not an object",
      ],
    ]) {
      it(`goes on with what it had where a function gives ${what}, and warns once`, async (t) => {
        const { url, seen } = await demanding(t, good);
        const warnings = /** @type {string[]} */ ([]);
        t.mock.method(process, "emitWarning", (/** @type {string} */ text) => warnings.push(text));
        let key = () => client.key;
        const tls = { ca: CA.pem, cert: client.cert, key: () => key() };
        const calls = [create(url, tls)];
        key = /** @type {() => string} */ (broken);
        for (const call of [...calls, ...calls]) assert.deepEqual(await call(), gives);
        saw(
          seen,
          seen.map(() => "client-1"),
        );
        assert.deepEqual(warnings, [`${warning} (what was read before stays in use)`]);
      });
    }

    it("shows its certificate where it is redirected to, too", async (t) => {
      const seen = /** @type {unknown[]} */ ([]);
      const answer = (/** @type {any} */ { target }, /** @type {any} */ response) => {
        seen.push(response.socket.authorized ?? true);
        if (target === "/again") return reply(response, good);
        return reply(response, "", 307, { Location: "/again", Connection: "close" });
      };
      const { cert, key } = client;
      const ca = CLIENTS.pem;
      const options = { cert: server.pem, key: server.key, ca, requestCert: true };
      const { url } = await httpServer(t, answer, { tls: options });
      assert.deepEqual(await create(url, { ca: CA.pem, cert, key })(), gives);
      assert.deepEqual(seen, [true, true]);
    });

    it("verifies nobody where NODE_TLS_REJECT_UNAUTHORIZED is 0, its own CAs or not", async (t) => {
      const { url } = await demanding(t, good);
      const { cert, key } = client;
      const { NODE_TLS_REJECT_UNAUTHORIZED } = process.env;
      t.after(() => {
        if (NODE_TLS_REJECT_UNAUTHORIZED === undefined) delete process.env[VERIFIES];
        else process.env[VERIFIES] = NODE_TLS_REJECT_UNAUTHORIZED;
      });
      t.mock.method(process, "emitWarning", () => {});
      const call = create(url, { ca: CLIENTS.pem, cert, key });
      process.env[VERIFIES] = "0";
      assert.deepEqual(await call(), gives);
      delete process.env[VERIFIES];
      const message = /\(UNABLE_TO_VERIFY_LEAF_SIGNATURE\)$/;
      await rejectsWith(call(), { ...fails(""), message });
    });

    it("refuses what cannot be used, by name", () => {
      const { cert, key } = client;
      const expired = identity("late", { until: "20210101000000Z" });
      const closed = { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "right" };
      const encrypted = client.keys.privateKey.export(/** @type {any} */ (closed));
      /** @type {[tls: unknown, field: string, sentence: string][]} */
      const refused = [
        [CANARY, "tls", "tls must be an object, not a string"],
        [{}, "tls", "tls must have ca, or cert and key"],
        [{ ca: "" }, "tls.ca", "tls.ca holds no certificate in PEM"],
        [{ ca: CANARY }, "tls.ca", "tls.ca holds no certificate in PEM"],
        [{ ca: 7 }, "tls.ca", "tls.ca must be a string or a Buffer, not a number"],
        [{ ca: CA.pem.replace("MII", "MIJ") }, "tls.ca", "tls.ca is damaged"],
        [{ cert }, "tls.key", "tls.key is missing: tls.cert needs it"],
        [{ key }, "tls.cert", "tls.cert is missing: tls.key needs it"],
        [{ cert, key: other.key }, "tls.key", "tls.key is not the key of tls.cert"],
        [{ cert: key, key }, "tls.cert", "tls.cert holds no certificate in PEM"],
        [{ cert, key: cert }, "tls.key", "tls.key holds no private key in PEM"],
        [{ cert: expired.cert, key: expired.key }, "tls.cert", "tls.cert has expired"],
        [
          { cert, key: LEGACY, passphrase: CANARY },
          "tls.key",
          "tls.key is encrypted in a way that is not supported: convert it to PKCS#8 with AES",
        ],
        [{ cert, key: encrypted }, "tls.key", "tls.key is encrypted: tls.passphrase is missing"],
        [
          { cert, key: encrypted, passphrase: CANARY },
          "tls.passphrase",
          "tls.passphrase does not open tls.key",
        ],
        [
          { cert, key: key.replace(/\n(.{20})/, "\n") },
          "tls.key",
          "tls.key is damaged, or of a kind that TLS cannot use here",
        ],
      ];
      for (const [tls, field, sentence] of refused) {
        refusesField(() => create("https://127.0.0.1/", tls), TypeError, field);
        assert.throws(() => create("https://127.0.0.1/", tls), { message: sentence });
      }
    });
  });
}

describe("tls_client_auth refuses", () => {
  const create = (/** @type {string} */ tokenUrl, /** @type {any} */ tls) =>
    oauthClientCredentialsAuth({
      tokenUrl,
      clientId: "id",
      clientAuthentication: "tls_client_auth",
      tls,
    });

  it("a token endpoint without TLS", () => {
    refusesField(() => create("http://127.0.0.1/", client), TypeError, "tokenUrl");
  });

  for (const tls of [undefined, { ca: CA.pem }]) {
    it(`tls of ${Object.keys(tls ?? {})}, which has no certificate`, () => {
      refusesField(() => create("https://127.0.0.1/", tls), TypeError, "tls");
    });
  }
});
