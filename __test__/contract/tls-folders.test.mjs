// @ts-check
/**
 * HTTP, for both: folders of trusted CAs are read where no file vouches for a server. What is
 * trusted, and what is said of who is not, is the same as if they had been read at first.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { createRemoteTokenIssuer, oauthClientCredentialsAuth } from "../../index.mjs";
import { authority, certificate, PURPOSES, trusted } from "../support/certificates.mjs";
import { countedServer } from "../support/counted.mjs";
import { rejection } from "../support/errors.mjs";
import { PAYMENT } from "../support/payment.mjs";

const NAMES = ["SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"];
const saved = Object.fromEntries(NAMES.map((name) => [name, process.env[name]]));
const { emitWarning } = process;
const FILE = authority("an authority in a file");
const FOLDER = authority("an authority in a folder");
const OTHER = authority("an authority that nobody names");

afterEach(() => {
  for (const [name, value] of Object.entries(saved)) set(name, value);
  process.emitWarning = emitWarning;
});

/** @param {string} name @param {string | undefined} value */
function set(name, value) {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

/**
 * A file with one authority and a folder with another one, named by variables; a new environment.
 *
 * @param {import("node:test").TestContext} t
 */
function environment(t) {
  const root = mkdtempSync(join(tmpdir(), "key0-folders-"));
  t.after(() => rmSync(root, { recursive: true }));
  const [file, folder] = [join(root, "file.pem"), join(root, "folder")];
  mkdirSync(folder);
  writeFileSync(file, FILE.pem);
  writeFileSync(join(folder, "authority.pem"), FOLDER.pem);
  set("SSL_CERT_FILE", file);
  set("SSL_CERT_DIR", folder);
  set("NODE_EXTRA_CA_CERTS", undefined);
  return { root, file, folder };
}

describe("a server whose authority stands in a file", () => {
  it("is trusted at once, and no folder is read", async (t) => {
    const { folder } = environment(t);
    const [one, other] = [await countedServer(t, FILE), await countedServer(t, OTHER)];
    assert.equal((await createRemoteTokenIssuer({ url: one.urlByName })(PAYMENT)).token, "t");
    assert.equal(one.made(), 1);
    // Late, and still in time.
    writeFileSync(join(folder, "other.pem"), OTHER.pem);
    assert.equal((await createRemoteTokenIssuer({ url: other.url })(PAYMENT)).token, "t");
  });

  it("is told by its own name's fault at the first connection", async (t) => {
    environment(t);
    const server = await countedServer(t, FILE, { names: ["DNS:other.example"] });
    const { cause } = await rejection(createRemoteTokenIssuer({ url: server.url })(PAYMENT));
    assert.equal(cause.code, "ERR_TLS_CERT_ALTNAME_INVALID");
    assert.equal(server.made(), 1);
  });
});

describe("a server whose authority stands in a folder alone", () => {
  it("is trusted, at a second connection, and gets one POST", async (t) => {
    environment(t);
    const server = await countedServer(t, FOLDER);
    const issue = createRemoteTokenIssuer({ url: server.url });
    assert.equal((await issue(PAYMENT)).token, "t");
    assert.deepEqual([server.requests.length, server.made()], [1, 2]);
  });

  it("needs no second one later", async (t) => {
    environment(t);
    const [first, later] = [await countedServer(t, FOLDER), await countedServer(t, FOLDER)];
    await createRemoteTokenIssuer({ url: first.urlByName })(PAYMENT);
    await createRemoteTokenIssuer({ url: later.url })(PAYMENT);
    assert.deepEqual([later.requests.length, later.made()], [1, 1]);
  });

  it("leaves servers trusted whose authority stands in a file", async (t) => {
    environment(t);
    const [lone, other] = [await countedServer(t, FOLDER), await countedServer(t, FILE)];
    await createRemoteTokenIssuer({ url: lone.urlByName })(PAYMENT);
    assert.equal((await createRemoteTokenIssuer({ url: other.url })(PAYMENT)).token, "t");
    assert.equal(other.made(), 1);
  });

  it("gets each of many calls that begin at once, once", async (t) => {
    environment(t);
    const server = await countedServer(t, FOLDER);
    const issue = createRemoteTokenIssuer({ url: server.url });
    const payments = Array.from({ length: 20 }, (_, at) => ({ ...PAYMENT, challengeId: `c${at}` }));
    const issued = await Promise.all(payments.map((payment) => issue(payment)));
    for (const { token } of issued) assert.equal(token, "t");
    const seen = server.requests.map(({ body }) => JSON.parse(String(body)).challengeId);
    assert.deepEqual(seen.sort(), payments.map(({ challengeId }) => challengeId).sort());
  });

  it("gives a token, too", async (t) => {
    environment(t);
    const server = await countedServer(t, FOLDER);
    const credentials = { clientId: "c", clientSecret: "s" };
    const auth = oauthClientCredentialsAuth({ tokenUrl: server.url, ...credentials });
    assert.deepEqual(await auth(), { Authorization: "Bearer t" });
    assert.equal(server.requests.length, 1);
  });

  it("is shown the certificate of the tls option once it is trusted", async (t) => {
    environment(t);
    const { pem: cert, key } = certificate("us", { by: FILE, purposes: [PURPOSES.client] });
    const demands = { ca: FILE.pem, requestCert: true, rejectUnauthorized: true };
    const server = await countedServer(t, FOLDER, {}, demands);
    const issue = createRemoteTokenIssuer({ url: server.url, tls: { cert, key } });
    assert.equal((await issue(PAYMENT)).token, "t");
    assert.equal(server.requests.length, 1);
  });

  it("is trusted where that folder is the second of two", async (t) => {
    const { root, folder } = environment(t);
    const empty = join(root, "empty");
    mkdirSync(empty);
    set("SSL_CERT_DIR", [empty, folder].join(delimiter));
    process.emitWarning = () => {};
    const { url } = await countedServer(t, FOLDER);
    assert.equal((await createRemoteTokenIssuer({ url })(PAYMENT)).token, "t");
  });

  it("is refused where its own settings there keep it from vouching for servers", async (t) => {
    const { folder } = environment(t);
    const settings = trusted(FOLDER, { reject: [PURPOSES.server] });
    writeFileSync(join(folder, "authority.pem"), settings);
    const { url } = await countedServer(t, FOLDER);
    const { cause } = await rejection(createRemoteTokenIssuer({ url })(PAYMENT));
    assert.equal(cause.code, "UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  });
});

describe("a server whose authority nobody names", () => {
  it("is refused in the same words, and gets nothing", async (t) => {
    environment(t);
    const server = await countedServer(t, OTHER);
    const issue = createRemoteTokenIssuer({ url: server.url });
    const { message, cause } = await rejection(issue(PAYMENT));
    const said = "unable to verify the first certificate (UNABLE_TO_VERIFY_LEAF_SIGNATURE)";
    assert.equal(message, `Network error: ${said}`);
    const hint = "NODE_EXTRA_CA_CERTS can name a PEM file with its authority's certificate";
    assert.equal(cause.message, `connecting to ${server.origin}: ${said}: ${hint}`);
    assert.equal(cause.sent, false);
    assert.deepEqual([server.requests.length, server.made()], [0, 2]);
    await rejection(issue(PAYMENT));
    assert.deepEqual([server.requests.length, server.made()], [0, 3]);
  });

  it("is refused for its dates where its authority in a folder has seen better days", async (t) => {
    const { folder } = environment(t);
    const old = authority("an old authority", { until: "20210101000000Z" });
    writeFileSync(join(folder, "old.pem"), old.pem);
    const { url, origin } = await countedServer(t, old);
    const { cause } = await rejection(createRemoteTokenIssuer({ url })(PAYMENT));
    const said = "certificate has expired (CERT_HAS_EXPIRED)";
    const when = "an authority's was valid until 2021-01-01T00:00:00Z";
    assert.equal(cause.message, `connecting to ${origin}: ${said}: ${when}`);
  });
});

describe("what is wrong with a folder", () => {
  /** @type {string[]} */
  let warnings;
  function listen() {
    warnings = [];
    process.emitWarning = /** @type {any} */ ((/** @type {string} */ it) => warnings.push(it));
  }

  it("that cannot be read is one warning, at the first call", async (t) => {
    const { root } = environment(t);
    set("SSL_CERT_DIR", join(root, "missing"));
    listen();
    const { url } = await countedServer(t, FILE);
    const issue = createRemoteTokenIssuer({ url });
    await issue(PAYMENT);
    await issue(PAYMENT);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0], /^SSL_CERT_DIR: \S+missing cannot be read: /);
  });

  it("that holds no certificate is one warning once it is read", async (t) => {
    const { folder } = environment(t);
    rmSync(join(folder, "authority.pem"));
    listen();
    const [known, unknown] = [await countedServer(t, FILE), await countedServer(t, OTHER)];
    await createRemoteTokenIssuer({ url: known.urlByName })(PAYMENT);
    assert.deepEqual(warnings, []);
    const issue = createRemoteTokenIssuer({ url: unknown.url });
    await rejection(issue(PAYMENT));
    await rejection(issue(PAYMENT));
    assert.deepEqual(warnings, [`SSL_CERT_DIR: ${folder} holds no certificate`]);
  });
});
