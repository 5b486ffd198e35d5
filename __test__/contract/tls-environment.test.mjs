// @ts-check
/**
 * HTTP, for both: the variables that TLS depends on are those of the call, wherever it leads, and
 * nothing that was had without verification serves a call that asks for it.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe } from "node:test";
import { createRemoteTokenIssuer, oauthClientCredentialsAuth } from "../../index.mjs";
import { rejection } from "../support/errors.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { needing } from "../support/programs.mjs";
import { httpServer, reply } from "../support/server.mjs";
import { authority } from "../support/tls.mjs";

const it = needing("openssl");
const NAMES = ["NODE_TLS_REJECT_UNAUTHORIZED", "NODE_EXTRA_CA_CERTS"];
const saved = Object.fromEntries(NAMES.map((name) => [name, process.env[name]]));
const { emitWarning } = process;

afterEach(() => {
  for (const [name, value] of Object.entries(saved)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  process.emitWarning = emitWarning;
});

/** Verification, off or on. @param {boolean} on */
function verify(on) {
  // Both Node and the addon warn of it, each once.
  process.emitWarning = () => {};
  if (on) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  else process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
}

const SELF_SIGNED = "DEPTH_ZERO_SELF_SIGNED_CERT";

describe("a redirect from http to https", () => {
  // D21
  it("is verified as the call asks for, not as its issuer's creation did", async (t) => {
    const secure = await httpServer(t, { token: "t" }, { tls: authority(t).selfSigned() });
    const plain = await httpServer(t, (_, response) => {
      reply(response, "", 307, { location: secure.url });
    });
    verify(false);
    const issue = createRemoteTokenIssuer({ url: plain.url, secret: "s3cr3t-s3cr3t" });
    verify(true);
    assert.equal((await rejection(issue(PAYMENT))).cause.code, SELF_SIGNED);
    assert.equal(secure.requests.length, 0);
    verify(false);
    assert.equal((await issue(PAYMENT)).token, "t");
  });
});

describe("a connection that was made without verification", () => {
  it("serves no call that asks for it", async (t) => {
    const server = await httpServer(t, { token: "t" }, { tls: authority(t).selfSigned() });
    const issue = createRemoteTokenIssuer({ url: server.url });
    verify(false);
    assert.equal((await issue(PAYMENT)).token, "t");
    verify(true);
    assert.equal((await rejection(issue(PAYMENT))).cause.code, SELF_SIGNED);
    assert.equal(server.requests.length, 1);
  });
});

// D22
describe("an OAuth token of a server that was not verified", () => {
  /** @param {import("node:test").TestContext} t */
  async function strategy(t) {
    const token = { access_token: "anybody's", expires_in: 3600 };
    const server = await httpServer(t, token, { tls: authority(t).selfSigned() });
    const oauth = { tokenUrl: server.url, clientId: "c", clientSecret: "s" };
    return { server, auth: oauthClientCredentialsAuth(oauth) };
  }

  it("is not used where the server has to be verified", async (t) => {
    const { server, auth } = await strategy(t);
    verify(false);
    assert.deepEqual(await auth(), { Authorization: "Bearer anybody's" });
    verify(true);
    assert.equal((await rejection(auth())).cause.code, SELF_SIGNED);
    verify(false);
    assert.deepEqual(await auth(), { Authorization: "Bearer anybody's" });
    assert.equal(server.requests.length, 1);
  });

  it("is not waited for there either", async (t) => {
    const { auth } = await strategy(t);
    verify(false);
    const unverified = auth();
    verify(true);
    assert.equal((await rejection(auth())).cause.code, SELF_SIGNED);
    assert.deepEqual(await unverified, { Authorization: "Bearer anybody's" });
  });
});

describe("a variable", () => {
  it("is one that is set, not a property of Object.prototype", async (t) => {
    const server = await httpServer(t, { token: "t" }, { tls: authority(t).selfSigned() });
    const issue = createRemoteTokenIssuer({ url: server.url });
    const { prototype } = Object;
    Object.defineProperty(prototype, NAMES[0], { value: "0", configurable: true });
    t.after(() => Reflect.deleteProperty(prototype, NAMES[0]));
    assert.equal((await rejection(issue(PAYMENT))).cause.code, SELF_SIGNED);
  });
});

// D23
describe("a CA file that takes long to read", () => {
  it("is read once, however many calls end before", { timeout: 60_000 }, async (t) => {
    const ca = authority(t);
    const file = join(ca.file, "..", "long.pem");
    const text = `${"not a certificate, but text around one\n".repeat(300_000)}`;
    writeFileSync(file, `${text}${(await import("node:fs")).readFileSync(ca.file, "utf8")}`);
    process.env.NODE_EXTRA_CA_CERTS = file;
    const server = await httpServer(t, { token: "t" }, { tls: ca.issue() });
    const quick = createRemoteTokenIssuer({ url: server.url, timeoutMs: 1 });
    const patient = createRemoteTokenIssuer({ url: server.url });
    assert.equal((await rejection(quick(PAYMENT))).code, "TOKEN_ISSUE_TIMEOUT");
    assert.equal((await patient(PAYMENT)).token, "t");
  });
});
