// @ts-check
/**
 * The system has nothing left (D30, D31): no thread or no descriptor at the first call of each kind.
 * It rejects, each time, as any network failure does, and the next one works once there is some.
 */
import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import { RSA } from "../support/keys.mjs";
import { needing } from "../support/programs.mjs";
import { httpServer, reply } from "../support/server.mjs";
import { authority } from "../support/tls.mjs";
import { limited, skip } from "./support/limited.mjs";

const CALLS = `
  import {
    AccessTokenIssuer, createRemoteTokenIssuer, oauthClientCredentialsAuth, signedJwtAuth,
  } from "./index.mjs";
  const [url, secureUrl, tokenUrl, otherUrl, gatheringUrl, privateKey] = process.argv.slice(1);
  const issuer = new AccessTokenIssuer({ algorithm: "RS256", privateKey });
  const auth = signedJwtAuth(issuer, "b");
  const oauth = (tokenUrl) => oauthClientCredentialsAuth({ tokenUrl, clientId: "c", clientSecret: "s" });
  // Made when first called, since making one may begin what its calls need.
  const made = (make) => {
    let call;
    return (params) => (call ??= make())(params);
  };
  const tenOf = (call) => (params) => Promise.all(Array.from({ length: 10 }, () => call(params)));
  const issuing = (config) => made(() => createRemoteTokenIssuer(config));
  const calls = {
    issue: issuing({ url }),
    "issue elsewhere": issuing({ url: otherUrl }),
    "ten issues": tenOf(issuing({ url: gatheringUrl })),
    "ten issues elsewhere": tenOf(issuing({ url: otherUrl })),
    "issue by name": issuing({ url: url.replace("127.0.0.1", "localhost") }),
    "issue over TLS": issuing({ url: secureUrl }),
    "token of OAuth": made(() => oauth(tokenUrl)),
    "issue with OAuth": made(() => createRemoteTokenIssuer({ url, auth: oauth(tokenUrl) })),
    sign: () => issuer.sign({ sub: "s", jti: "j" }, 60),
    header: auth,
    "issue with a signature": issuing({ url, auth }),
  };
`;

/** @param {import("node:test").TestContext} t */
async function caller(t) {
  const token = { token: "t", access_token: "a", expires_in: 3600 };
  const ca = authority(t);
  const plain = await httpServer(t, token);
  const other = await httpServer(t, token);
  const secure = await httpServer(t, token, { tls: ca.issue() });
  /** @type {import("node:http").ServerResponse[]} */
  const waiting = [];
  // Ten at once have a connection each.
  const gathering = await httpServer(t, (_, response) => {
    if (waiting.push(response) < 10) return;
    for (const each of waiting.splice(0)) reply(each, token);
  });
  const args = [plain.url, secure.url, plain.url, other.url, gathering.url, RSA.pkcs8];
  // The process is another user's.
  chmodSync(dirname(ca.file), 0o755);
  return limited(t, CALLS, args, { NODE_EXTRA_CA_CERTS: ca.file });
}

const issueFailed = (/** @type {string} */ reason, /** @type {object} */ cause) => ({
  name: "Key0Error",
  code: "TOKEN_ISSUE_FAILED",
  httpStatus: 502,
  message: `Network error: ${reason}`,
  cause: { ...cause, sent: false },
});
const oauthFailed = (/** @type {string} */ reason, /** @type {object} */ cause) => ({
  name: "Key0Error",
  code: "INTERNAL_ERROR",
  httpStatus: 500,
  message: `Failed to authenticate via OAuth: ${reason}`,
  cause: { ...cause, sent: false },
});
const internal = { name: "Key0Error", code: "INTERNAL_ERROR", httpStatus: 500 };

const NO_THREAD = "no thread or memory left (EAGAIN)";
const NO_DESCRIPTOR = "too many open files in this process (EMFILE)";

/** What the first call of each kind rejects with. */
const WITHOUT_THREADS = {
  issue: issueFailed(NO_THREAD, { code: "EAGAIN" }),
  "issue by name": issueFailed(NO_THREAD, { code: "EAGAIN" }),
  "issue over TLS": issueFailed(NO_THREAD, { code: "EAGAIN" }),
  "token of OAuth": oauthFailed(NO_THREAD, { code: "EAGAIN" }),
  "issue with OAuth": issueFailed(NO_THREAD, { code: "EAGAIN" }),
  sign: internal,
  header: internal,
  "issue with a signature": issueFailed(NO_THREAD, { code: "EAGAIN" }),
};
const WITHOUT_DESCRIPTORS = {
  issue: issueFailed(NO_DESCRIPTOR, { code: "EMFILE" }),
  "issue by name": issueFailed(NO_DESCRIPTOR, { code: "EMFILE" }),
  "issue over TLS": issueFailed(NO_DESCRIPTOR, { code: "EMFILE" }),
  "token of OAuth": oauthFailed(NO_DESCRIPTOR, { code: "EMFILE" }),
  "issue with OAuth": issueFailed(NO_DESCRIPTOR, { code: "EMFILE" }),
};

/** Asserts that `actual` has what `expected` has. @param {any} actual @param {any} expected */
function has(actual, expected) {
  const wanted = Object.keys(expected);
  const picked = Object.fromEntries(wanted.map((key) => [key, actual[key]]));
  assert.deepEqual(picked, expected, JSON.stringify(actual));
}

const openssl = needing("openssl");

// Deno now and then needs one itself, and ends.
const noThread = skip || (process.versions.deno ? "this runtime ends without a thread" : false);

describe("without a thread to be had", { skip: noThread, timeout: 60_000 }, () => {
  for (const [name, expected] of Object.entries(WITHOUT_THREADS)) {
    openssl(`the first ${name} rejects, each time, and recovers`, async (t) => {
      const { call, threads } = await caller(t);
      threads("none");
      for (let i = 0; i < 2; i += 1) has(await call(name), expected);
      threads("enough");
      assert.equal(await call(name), "given");
    });
  }

  openssl("what needs another thread than the first rejects, and recovers", async (t) => {
    const { call, threads } = await caller(t);
    assert.equal(await call("issue"), "given");
    threads("none");
    const name = "issue by name";
    has(await call(name), {
      ...issueFailed(NO_THREAD, {
        code: "EAGAIN",
        syscall: "getaddrinfo",
        hostname: "localhost",
      }),
    });
    has(await call("sign"), internal);
    assert.equal(await call("issue"), "given");
    threads("enough");
    assert.equal(await call(name), "given");
    assert.equal(await call("sign"), "given");
  });
});

describe("RS256 without a thread to be had, where the runtime is there", {
  skip: noThread,
  timeout: 60_000,
}, () => {
  for (const name of ["sign", "header", "issue with a signature"]) {
    openssl(`rejects ${name}, each time, recovers, and keeps its thread`, async (t) => {
      const { call, threads } = await caller(t);
      assert.equal(await call("issue"), "given");
      threads("none");
      const reason =
        "internal: no thread to sign on: Resource temporarily unavailable (os error 11)";
      for (let i = 0; i < 2; i += 1) has(await call(name), { ...internal, reason });
      threads("enough");
      assert.equal(await call(name), "given");
      threads("none");
      assert.equal(await call(name), "given");
    });
  }
});

// Other runtimes end where they get no more memory, before any call does.
const isNode = !process.versions.bun && !process.versions.deno;
const noMemory = skip || (isNode ? false : "this runtime ends without memory");

describe("without memory to be had for a thread", { skip: noMemory, timeout: 60_000 }, () => {
  for (const name of ["issue", "issue by name", "issue over TLS", "token of OAuth", "sign"]) {
    openssl(`the first ${name} rejects, and recovers`, async (t) => {
      const { call, memory } = await caller(t);
      memory("none");
      const { name: kind, code } = await call(name);
      assert.equal(kind, "Key0Error");
      assert.match(code, /^(TOKEN_ISSUE_FAILED|INTERNAL_ERROR)$/);
      memory("enough");
      assert.equal(await call(name), "given");
    });
  }
});

// Deno closes files of its own later on, so that there is one again.
const noDescriptor = skip || (process.versions.deno ? "this runtime gives some back" : false);

describe("without a descriptor to be had", { skip: noDescriptor, timeout: 60_000 }, () => {
  for (const [name, expected] of Object.entries(WITHOUT_DESCRIPTORS)) {
    openssl(`the first ${name} rejects, each time, and recovers`, async (t) => {
      const { call, descriptors } = await caller(t);
      descriptors("none");
      for (let i = 0; i < 2; i += 1) has(await call(name), expected);
      descriptors("enough");
      assert.equal(await call(name), "given");
    });
  }

  openssl("an idle connection gives its own to a call that needs one", async (t) => {
    const { call, descriptors } = await caller(t);
    assert.equal(await call("issue"), "given");
    descriptors("none");
    assert.equal(await call("issue elsewhere"), "given");
    descriptors("enough");
    assert.equal(await call("issue"), "given");
  });

  openssl("idle connections give theirs to all calls that need one at once", async (t) => {
    const { call, descriptors } = await caller(t);
    assert.equal(await call("ten issues"), "given");
    descriptors("none");
    assert.equal(await call("ten issues elsewhere"), "given");
  });

  it("a call that needs a socket rejects where the runtime is there, and recovers", async (t) => {
    const { call, descriptors } = await caller(t);
    assert.equal(await call("sign"), "given");
    descriptors("none");
    const { code, cause } = await call("issue");
    assert.deepEqual([code, cause.code, cause.sent], ["TOKEN_ISSUE_FAILED", "EMFILE", false]);
    descriptors("enough");
    assert.equal(await call("issue"), "given");
  });
});
