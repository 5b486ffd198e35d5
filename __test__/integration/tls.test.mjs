// @ts-check
/**
 * A backend behind nginx that speaks TLS: each failure with its code, which is the one that `fetch`
 * has in the same process, and its whole sentence.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { issueFailed, rejectsWith } from "../support/errors.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { jsonOf } from "../support/process.mjs";
import { needing } from "../support/programs.mjs";
import { httpServer } from "../support/server.mjs";
import { authority } from "../support/tls.mjs";
import { python } from "./support/child.mjs";
import { nginx, page } from "./support/nginx.mjs";

const it = needing("nginx", "openssl", "python3");
const itWithoutCertificate = needing("nginx", "python3");

/** Prints what became of one URL by each exchange, and by `fetch`. */
const CALLS = `
  import { createRemoteTokenIssuer, oauthClientCredentialsAuth } from "./index.mjs";
  const [url] = process.argv.slice(1);
  const clientSecret = "secret of the client";
  const told = ({ message, code, cause }) => ({ message, code: cause?.code ?? code, sent: cause?.sent });
  console.log(JSON.stringify({
    issuer: await createRemoteTokenIssuer({ url })({}).catch(told),
    oauth: await oauthClientCredentialsAuth({ tokenUrl: url, clientId: "id", clientSecret })()
      .catch(told),
    fetch: await fetch(url, { method: "POST" }).then(({ status }) => status, told),
  }));
`;

const IS_NODE = !process.versions.bun && !process.versions.deno;

/** An answer that suits both exchanges. */
const ANSWER = { token: "t", access_token: "t", expires_in: 3600 };

/**
 * A backend behind nginx with this certificate.
 *
 * @param {import("../support/server.mjs").Test} t
 * @param {import("../support/tls.mjs").Identity} identity
 * @param {string} [directives]
 */
async function secured(t, identity, directives) {
  const backend = await httpServer(t, ANSWER);
  const { origin, url } = await nginx(t, backend.origin, directives, identity);
  return {
    origin,
    /** Asserts that both exchanges and `fetch` get their answers. */
    async isTrusted(/** @type {Record<string, string>} */ env) {
      const { issuer, oauth, fetch } = await jsonOf(CALLS, { args: [url], env });
      assert.deepEqual(issuer, { token: "t", tokenType: "Bearer" });
      assert.deepEqual(oauth, { Authorization: "Bearer t" });
      // Deno's trusts no certificate that signed itself.
      if (IS_NODE) assert.equal(fetch, 200);
      assert.equal(backend.requests.length, fetch === 200 ? 3 : 2);
    },
    /**
     * Asserts that both exchanges fail with this code and these words, as Node's `fetch` does with
     * this code, and that nothing came.
     *
     * @param {string} code
     * @param {string} words
     * @param {Record<string, string>} [env]
     */
    async isRefused(code, words, env) {
      const outcome = await jsonOf(CALLS, { args: [url], env });
      const reason = `${words} (${code})`;
      assert.deepEqual(outcome.issuer, { message: `Network error: ${reason}`, code, sent: false });
      const message = `Failed to authenticate via OAuth: ${reason}`;
      assert.deepEqual(outcome.oauth, { message, code, sent: false });
      // Other runtimes have other names.
      if (IS_NODE) assert.equal(outcome.fetch.code, code);
      assert.equal(backend.requests.length, 0);
    },
  };
}

describe("a certificate of an authority made on the spot", { concurrency: 2 }, () => {
  for (const version of ["TLSv1.2", "TLSv1.3"]) {
    it(`is trusted where NODE_EXTRA_CA_CERTS names that, over ${version}`, async (t) => {
      const ca = authority(t);
      const { isTrusted } = await secured(t, ca.issue(), `ssl_protocols ${version};`);
      await isTrusted({ NODE_EXTRA_CA_CERTS: ca.file });
    });
  }

  it("is refused where nobody names it", async (t) => {
    const { isRefused } = await secured(t, authority(t).issue());
    await isRefused("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable to verify the first certificate");
  });

  it("is refused where nobody names it and the server sends it along", async (t) => {
    const ca = authority(t);
    const { key, cert } = ca.issue();
    const chain = `${cert}${readFileSync(ca.file, "utf8")}`;
    const { isRefused } = await secured(t, { key, cert: chain });
    const words = "self-signed certificate in certificate chain";
    await isRefused("SELF_SIGNED_CERT_IN_CHAIN", words);
  });

  it("is refused once it has expired", async (t) => {
    const ca = authority(t);
    const { isRefused } = await secured(t, ca.issue(undefined, { expired: true }));
    const env = { NODE_EXTRA_CA_CERTS: ca.file };
    await isRefused("CERT_HAS_EXPIRED", "certificate has expired", env);
  });

  it("is refused for another name", async (t) => {
    const ca = authority(t);
    const { isRefused } = await secured(t, ca.issue(["DNS:other.internal", "IP:127.0.0.2"]));
    const words = "Hostname/IP does not match certificate's altnames";
    await isRefused("ERR_TLS_CERT_ALTNAME_INVALID", words, { NODE_EXTRA_CA_CERTS: ca.file });
  });
});

describe("a self-signed certificate", { concurrency: 2 }, () => {
  it("is trusted where NODE_EXTRA_CA_CERTS names it", async (t) => {
    const identity = authority(t).selfSigned();
    const { isTrusted } = await secured(t, identity);
    await isTrusted({ NODE_EXTRA_CA_CERTS: identity.file });
  });

  it("is refused where nobody names it", async (t) => {
    const { isRefused } = await secured(t, authority(t).selfSigned());
    await isRefused("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate");
  });

  it("is refused once it has expired, though it is named", async (t) => {
    const identity = authority(t).selfSigned(undefined, { expired: true });
    const { isRefused } = await secured(t, identity);
    const env = { NODE_EXTRA_CA_CERTS: identity.file };
    await isRefused("CERT_HAS_EXPIRED", "certificate has expired", env);
  });

  it("is refused for another name, though it is named", async (t) => {
    const identity = authority(t).selfSigned(["DNS:other.internal"]);
    const { isRefused } = await secured(t, identity);
    const words = "Hostname/IP does not match certificate's altnames";
    await isRefused("ERR_TLS_CERT_ALTNAME_INVALID", words, { NODE_EXTRA_CA_CERTS: identity.file });
  });
});

describe("a URL with the wrong scheme", { concurrency: 2 }, () => {
  itWithoutCertificate("https for a server that speaks http fails, nothing sent", async (t) => {
    const backend = await httpServer(t, ANSWER);
    const { url } = await nginx(t, backend.origin);
    const args = [url.replace("http:", "https:")];
    const { issuer, fetch } = await jsonOf(CALLS, { args });
    const code = "ERR_SSL_WRONG_VERSION_NUMBER";
    const message = `Network error: wrong version number (${code})`;
    assert.deepEqual(issuer, { message, code, sent: false });
    if (IS_NODE) assert.equal(fetch.code, code);
    assert.equal(backend.requests.length, 0);
  });

  it("http for a server that speaks https gets its page", async (t) => {
    const { origin } = await secured(t, authority(t).issue());
    const url = origin.replace("https:", "http:");
    const html = page("400 The plain HTTP request was sent to HTTPS port", "400 Bad Request", [
      "<center>The plain HTTP request was sent to HTTPS port</center>",
    ]);
    const cause = { status: 400, body: html, sent: true };
    const call = createRemoteTokenIssuer({ url })(PAYMENT);
    await rejectsWith(call, issueFailed("Backend failed to issue token: 400", cause));
  });

  // Where a proxy ends TLS, FastAPI redirects to the scheme that it sees itself.
  it("in a redirect from https to http is refused, and no secret goes there", async (t) => {
    const ca = authority(t);
    const { first } = await python(t, "backend.py", ["HTTP/1.1"]);
    const backend = `http://127.0.0.1:${first.port}`;
    const { origin } = await nginx(t, backend, "", ca.issue());
    const args = [`${origin}/starlette`];
    const { issuer } = await jsonOf(CALLS, { args, env: { NODE_EXTRA_CA_CERTS: ca.file } });
    assert.equal(issuer.message, "Network error: redirected to another origin");
    /** @type {{ path: string }[]} */
    const seen = /** @type {any} */ (await (await fetch(`${backend}/seen`)).json());
    assert.ok(seen.length > 0 && seen.every(({ path }) => path === "/starlette"));
  });
});
