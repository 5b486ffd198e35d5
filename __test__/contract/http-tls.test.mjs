// @ts-check
/**
 * HTTP, for both: TLS, and proxies. Each call is made in a process of its own, since what it trusts
 * stands in the environment.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { it as anywhere, describe } from "node:test";
import { endedWell, jsonOf, runScript } from "../support/process.mjs";
import { needing } from "../support/programs.mjs";
import { closedPort, httpServer, reply } from "../support/server.mjs";
import { authority } from "../support/tls.mjs";

const it = needing("openssl");

/** Prints what became of a call to each URL of its arguments, as JSON, line by line. */
const CALLS = `
  import { createRemoteTokenIssuer } from "./index.mjs";
  const calls = process.argv.slice(1).map((url) => createRemoteTokenIssuer({ url })({}).then(
    ({ token }) => ({ token }),
    ({ code, message, cause }) => ({ code, message, cause: cause.code, sent: cause.sent }),
  ));
  console.log(JSON.stringify(await Promise.all(calls)));
`;

/**
 * What becomes of one call in an environment.
 *
 * @param {string} url
 * @param {Record<string, string>} [env]
 */
async function call(url, env) {
  const [outcome] = await jsonOf(CALLS, { args: [url], env });
  return outcome;
}

/**
 * Asserts a TLS failure with this one of Node's codes, before any byte of the request.
 *
 * @param {any} outcome
 * @param {RegExp} cause
 */
function isRefused(outcome, cause) {
  assert.equal(outcome.code, "TOKEN_ISSUE_FAILED", JSON.stringify(outcome));
  assert.match(outcome.message, /^Network error: ./);
  assert.match(outcome.cause, cause);
  assert.equal(outcome.sent, false);
}

/** Node's codes for a chain that ends at nobody it trusts. */
const UNKNOWN = new RegExp(
  "^(UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(_LOCALLY)?)|" +
    "SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT)$",
);
const WRONG_NAME = /^ERR_TLS_CERT_ALTNAME_INVALID$/;
const EXPIRED = /^CERT_HAS_EXPIRED$/;

describe("a certificate", { concurrency: 2 }, () => {
  it("of an authority in NODE_EXTRA_CA_CERTS is trusted", async (t) => {
    const ca = authority(t);
    for (const maxVersion of /** @type {const} */ (["TLSv1.2", "TLSv1.3"])) {
      const server = await httpServer(t, { token: "t" }, { tls: { ...ca.issue(), maxVersion } });
      const url = server.url;
      assert.deepEqual(await call(url, { NODE_EXTRA_CA_CERTS: ca.file }), { token: "t" });
    }
  });

  it("of an authority that SSL_CERT_FILE names is trusted", async (t) => {
    const ca = authority(t);
    const server = await httpServer(t, { token: "t" }, { tls: ca.issue() });
    assert.deepEqual(await call(server.url, { SSL_CERT_FILE: ca.file }), { token: "t" });
  });

  it("of an unknown authority is refused, and nothing is sent", async (t) => {
    const server = await httpServer(t, { token: "t" }, { tls: authority(t).issue() });
    isRefused(await call(server.url), UNKNOWN);
    isRefused(await call(server.url, { NODE_EXTRA_CA_CERTS: authority(t).file }), UNKNOWN);
    assert.equal(server.requests.length, 0);
  });

  it("for another name is refused", async (t) => {
    const ca = authority(t);
    const server = await httpServer(t, { token: "t" }, { tls: ca.issue(["DNS:other.internal"]) });
    isRefused(await call(server.url, { NODE_EXTRA_CA_CERTS: ca.file }), WRONG_NAME);
    assert.equal(server.requests.length, 0);
  });

  it("that has expired is refused", async (t) => {
    const ca = authority(t);
    const tls = ca.issue(undefined, { expired: true });
    const server = await httpServer(t, { token: "t" }, { tls });
    isRefused(await call(server.url, { NODE_EXTRA_CA_CERTS: ca.file }), EXPIRED);
    assert.equal(server.requests.length, 0);
  });

  it("with a common name alone is refused", async (t) => {
    const ca = authority(t);
    const server = await httpServer(t, { token: "t" }, { tls: ca.issue([]) });
    isRefused(await call(server.url, { NODE_EXTRA_CA_CERTS: ca.file }), WRONG_NAME);
  });

  it("for a name serves that name", async (t) => {
    const ca = authority(t);
    const tls = ca.issue(["DNS:localhost"]);
    const server = await httpServer(t, { token: "t" }, { tls, name: "localhost" });
    const env = { NODE_EXTRA_CA_CERTS: ca.file };
    assert.deepEqual(await call(server.url, env), { token: "t" });
    isRefused(await call(server.url.replace("localhost", "127.0.0.1"), env), WRONG_NAME);
  });
});

describe("a self-signed certificate", { concurrency: 2 }, () => {
  it("that is itself an extra CA is trusted", async (t) => {
    const tls = authority(t).selfSigned();
    const server = await httpServer(t, { token: "t" }, { tls });
    assert.deepEqual(await call(server.url, { NODE_EXTRA_CA_CERTS: tls.file }), { token: "t" });
  });

  it("is refused otherwise", async (t) => {
    const ca = authority(t);
    const server = await httpServer(t, { token: "t" }, { tls: ca.selfSigned() });
    isRefused(await call(server.url), UNKNOWN);
    isRefused(await call(server.url, { NODE_EXTRA_CA_CERTS: ca.selfSigned().file }), UNKNOWN);
  });

  it("is refused for another name", async (t) => {
    const tls = authority(t).selfSigned(["DNS:other.internal"]);
    const server = await httpServer(t, { token: "t" }, { tls });
    isRefused(await call(server.url, { NODE_EXTRA_CA_CERTS: tls.file }), WRONG_NAME);
  });

  it("is refused once it has expired", async (t) => {
    const tls = authority(t).selfSigned(undefined, { expired: true });
    const server = await httpServer(t, { token: "t" }, { tls });
    isRefused(await call(server.url, { NODE_EXTRA_CA_CERTS: tls.file }), EXPIRED);
  });
});

describe("the environment", { concurrency: 2 }, () => {
  const OFF = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };

  it("may turn checks off, with one warning", async (t) => {
    const ca = authority(t);
    const urls = [];
    for (const tls of [ca.issue(["DNS:other"]), ca.issue([], { expired: true }), ca.selfSigned()]) {
      urls.push((await httpServer(t, { token: "t" }, { tls })).url);
    }
    const ended = await runScript(CALLS, { args: [...urls, ...urls], env: OFF });
    endedWell(ended);
    assert.deepEqual(JSON.parse(ended.stdout), Array(6).fill({ token: "t" }));
    assert.equal(ended.stderr.match(/Warning:.*NODE_TLS_REJECT_UNAUTHORIZED/g)?.length, 1);
  });

  it("turns nothing off by another value than 0", async (t) => {
    const server = await httpServer(t, { token: "t" }, { tls: authority(t).issue() });
    for (const value of ["1", "", "false"]) {
      isRefused(await call(server.url, { NODE_TLS_REJECT_UNAUTHORIZED: value }), UNKNOWN);
    }
  });

  anywhere("is not warned about where no call is made over TLS", async (t) => {
    const server = await httpServer(t);
    assert.deepEqual(await call(server.url, OFF), { token: "t" });
  });

  it("may name a file that cannot be read: one warning", async (t) => {
    const missing = join(authority(t).file, "..", "missing.pem");
    const server = await httpServer(t, { token: "t" }, { tls: authority(t).issue() });
    // Set late, so that Node itself does not read it and warn too.
    const source = `process.env.NODE_EXTRA_CA_CERTS = ${JSON.stringify(missing)};\n${CALLS}`;
    const ended = await runScript(source, { args: [server.url, server.url] });
    endedWell(ended);
    for (const outcome of JSON.parse(ended.stdout)) isRefused(outcome, UNKNOWN);
    assert.equal(ended.stderr.match(/Warning:/g)?.length, 1, ended.stderr);
    assert.ok(ended.stderr.includes(missing));
  });

  it("may name what is no regular file: one warning each, and nobody waits for it", async (t) => {
    const ca = authority(t);
    const fifo = join(ca.file, "..", "fifo");
    // Whoever opens it waits until somebody writes.
    execFileSync("mkfifo", [fifo]);
    const server = await httpServer(t, { token: "t" }, { tls: ca.issue() });
    const source = `
      import { createRemoteTokenIssuer } from "./index.mjs";
      const [url, fifo, file] = process.argv.slice(1);
      const call = () => createRemoteTokenIssuer({ url, timeoutMs: 9_000 })({}).then(
        ({ token }) => token,
        ({ cause }) => cause.code,
      );
      Object.assign(process.env, { SSL_CERT_FILE: fifo, NODE_EXTRA_CA_CERTS: "/dev/zero" });
      const refused = await Promise.all([call(), call()]);
      process.env.NODE_EXTRA_CA_CERTS = file;
      console.log(JSON.stringify([...refused, await call()]));
    `;
    const ended = await runScript(source, { args: [server.url, fifo, ca.file] });
    endedWell(ended);
    const [one, other, last] = JSON.parse(ended.stdout);
    assert.match(one, UNKNOWN);
    assert.match(other, UNKNOWN);
    assert.equal(last, "t");
    const warnings = ended.stderr.match(/Warning: .*/g);
    const why = "cannot be read: it is no regular file";
    assert.deepEqual(warnings, [
      `Warning: SSL_CERT_FILE: ${fifo} ${why}`,
      `Warning: NODE_EXTRA_CA_CERTS: /dev/zero ${why}`,
      // Another environment.
      `Warning: SSL_CERT_FILE: ${fifo} ${why}`,
    ]);
  });

  it("is that of the thread that made the call: a worker's own", async (t) => {
    const ca = authority(t);
    const server = await httpServer(t, { token: "t" }, { tls: ca.issue() });
    const source = `
      import { once } from "node:events";
      import { Worker } from "node:worker_threads";
      import { createRemoteTokenIssuer } from "./index.mjs";
      const [url, file] = process.argv.slice(1);
      const worker = new Worker(
        \`const { parentPort, workerData } = require("node:worker_threads");
         const { createRemoteTokenIssuer } = require("./index.js");
         createRemoteTokenIssuer({ url: workerData })({}).then(
           ({ token }) => parentPort.postMessage(token),
           ({ cause }) => parentPort.postMessage(cause.code),
         );\`,
        { eval: true, execArgv: [], workerData: url, env: { NODE_EXTRA_CA_CERTS: file } },
      );
      const [ofWorker] = await once(worker, "message");
      const ofMain = await createRemoteTokenIssuer({ url })({}).catch(({ cause }) => cause.code);
      console.log(JSON.stringify({ ofWorker, ofMain }));
    `;
    const { ofWorker, ofMain } = await jsonOf(source, { args: [server.url, ca.file] });
    assert.equal(ofWorker, "t");
    assert.match(ofMain, UNKNOWN);
  });
});

describe("https and http", { concurrency: 2 }, () => {
  it("a redirect from http to https on the same host name is followed", async (t) => {
    const ca = authority(t);
    const secure = await httpServer(t, { token: "t" }, { tls: ca.issue() });
    const plain = await httpServer(t, (_, response) => {
      reply(response, "", 307, { location: secure.url });
    });
    assert.deepEqual(await call(plain.url, { NODE_EXTRA_CA_CERTS: ca.file }), { token: "t" });
    assert.equal(secure.requests[0].method, "POST");
    assert.equal(secure.requests[0].headers.host, `127.0.0.1:${secure.port}`);
  });

  it("a redirect from http to https on another host name is refused", async (t) => {
    const ca = authority(t);
    const secure = await httpServer(t, {}, { tls: ca.issue(), name: "localhost" });
    const plain = await httpServer(t, (_, response) => {
      reply(response, "", 307, { location: secure.url });
    });
    const { message } = await call(plain.url, { NODE_EXTRA_CA_CERTS: ca.file });
    assert.equal(message, "Network error: redirected to another origin");
    assert.equal(secure.connections(), 0);
  });

  it("a redirect from https to http is refused", async (t) => {
    const ca = authority(t);
    const plain = await httpServer(t);
    /** @type {import("../support/server.mjs").Answer} */
    const answer = (_, response) => reply(response, "", 307, { location: plain.url });
    const secure = await httpServer(t, answer, { tls: ca.issue() });
    const { message } = await call(secure.url, { NODE_EXTRA_CA_CERTS: ca.file });
    assert.equal(message, "Network error: redirected to another origin");
    assert.equal(plain.connections(), 0);
  });

  anywhere("https to a server that speaks http is a network error, nothing sent", async (t) => {
    const server = await httpServer(t);
    isRefused(await call(server.url.replace("http:", "https:")), /./);
    assert.equal(server.requests.length, 0);
  });

  anywhere("https to a closed port is refused as http is", async () => {
    isRefused(await call(`https://127.0.0.1:${await closedPort()}/`), /^ECONNREFUSED$/);
  });

  it("a connection is kept over TLS too", async (t) => {
    const ca = authority(t);
    const server = await httpServer(t, { token: "t" }, { tls: ca.issue() });
    const source = `
      import { createRemoteTokenIssuer } from "./index.mjs";
      const issue = createRemoteTokenIssuer({ url: process.argv[1] });
      const tokens = [];
      for (let i = 0; i < 3; i += 1) tokens.push((await issue({})).token);
      console.log(JSON.stringify(tokens));
    `;
    const env = { NODE_EXTRA_CA_CERTS: ca.file };
    assert.deepEqual(await jsonOf(source, { args: [server.url], env }), ["t", "t", "t"]);
    assert.equal(server.connections(), 1);
  });
});

// Bun's and Deno's own rule asks it; `fetch-replaced.test.mjs` and `beside` have those that are used.
const { bun, deno } = process.versions;

describe("a proxy in the environment", { skip: Boolean(bun || deno) }, () => {
  it("changes nothing without NODE_USE_ENV_PROXY", async (t) => {
    const dead = `http://127.0.0.1:${await closedPort()}`;
    const names = [
      "HTTP_PROXY",
      "http_proxy",
      "HTTPS_PROXY",
      "https_proxy",
      "ALL_PROXY",
      "all_proxy",
    ];
    const ca = authority(t);
    const env = {
      NODE_EXTRA_CA_CERTS: ca.file,
      ...Object.fromEntries(names.map((n) => [n, dead])),
    };
    const plain = await httpServer(t);
    const secure = await httpServer(t, { token: "t" }, { tls: ca.issue() });
    assert.deepEqual(await call(plain.url, env), { token: "t" });
    assert.deepEqual(await call(secure.url, env), { token: "t" });
  });
});
