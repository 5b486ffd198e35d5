// @ts-check
/**
 * Servers whose TLS the native client does not speak: the runtime's own `fetch` does, since nothing
 * was sent to them. That of Node: others speak with other libraries.
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { jsonOf, runScript } from "../support/process.mjs";
import { needing } from "../support/programs.mjs";
import { httpServer, reply } from "../support/server.mjs";
import { authority } from "../support/tls.mjs";

const it = needing("openssl");
const skip = process.versions.bun || process.versions.deno ? "fetch is not Node's here" : false;
/** A suite with CBC, which rustls does not have. */
const CBC = { ciphers: "ECDHE-ECDSA-AES256-SHA", maxVersion: /** @type {const} */ ("TLSv1.2") };

/** Makes two calls, one after the other, and prints what became of them and which warnings came. */
const CALLS = `
  import { createRemoteTokenIssuer, oauthClientCredentialsAuth } from "./index.mjs";
  const { url, tokenUrl, timeoutMs, off } = JSON.parse(process.argv[1]);
  const warnings = [];
  process.on("warning", ({ name, message }) => warnings.push(name + ": " + message));
  const fetch = off ? false : undefined;
  const client = { tokenUrl, clientId: "id", clientSecret: "s" };
  let asked = 0;
  const given = async () => ({ "X-Asked": String((asked += 1)) });
  const auth = tokenUrl ? oauthClientCredentialsAuth({ ...client, fetch }) : given;
  const issue = createRemoteTokenIssuer({ url, auth, timeoutMs, fetch });
  const outcomes = [];
  for (const _ of [1, 2]) {
    outcomes.push(await issue({}).then(({ token }) => token, ({ message, cause }) =>
      [message, cause.code, cause.sent, "dialect" in cause]));
  }
  await new Promise(setImmediate);
  console.log(JSON.stringify({ outcomes, asked, warnings }));
`;

describe("a server whose TLS is not spoken natively", { skip }, () => {
  it("is called through fetch, auth asked once, with one warning that says why", async (t) => {
    const ca = authority(t);
    const { url, origin, requests } = await httpServer(t, undefined, {
      tls: { ...ca.issue(), ...CBC },
    });
    const env = { NODE_EXTRA_CA_CERTS: ca.file };
    const args = [JSON.stringify({ url })];
    const ended = await runScript(CALLS, { args, env });
    const { outcomes, asked, warnings } = JSON.parse(ended.stdout);
    assert.deepEqual(outcomes, ["t", "t"]);
    assert.equal(asked, 2);
    assert.deepEqual(
      requests.map(({ headers }) => headers["x-asked"]),
      ["1", "2"],
    );
    assert.deepEqual(warnings, [
      `Key0Warning: ${origin}: sslv3 alert handshake failure ` +
        "(ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE): the runtime's fetch is used for this server from now on",
    ]);
  });

  it("may be the token server", async (t) => {
    const ca = authority(t);
    const secure = { tls: { ...ca.issue(), ...CBC } };
    const grant = { access_token: "a", expires_in: 3600 };
    const idp = await httpServer(t, grant, secure);
    const backend = await httpServer(t, (_, response) => reply(response), secure);
    const env = { NODE_EXTRA_CA_CERTS: ca.file };
    const args = [JSON.stringify({ url: backend.url, tokenUrl: idp.url })];
    const { outcomes, warnings } = JSON.parse((await runScript(CALLS, { args, env })).stdout);
    assert.deepEqual(outcomes, ["t", "t"]);
    assert.equal(warnings.length, 2);
    assert.deepEqual([idp.requests.length, backend.requests.length], [1, 2]);
  });

  it("may be one that rejects a token: another is had in the same way", async (t) => {
    const ca = authority(t);
    const secure = { tls: { ...ca.issue(), ...CBC } };
    let last = 0;
    const idp = await httpServer(
      t,
      (_, response) => {
        last += 1;
        reply(response, { access_token: `token-${last}`, expires_in: 3600 });
      },
      secure,
    );
    const backend = await httpServer(
      t,
      ({ headers }, response) => {
        const isGood = headers.authorization === "Bearer token-2";
        reply(response, { token: "t" }, isGood ? 200 : 401);
      },
      secure,
    );
    const args = [JSON.stringify({ url: backend.url, tokenUrl: idp.url })];
    const env = { NODE_EXTRA_CA_CERTS: ca.file };
    const { outcomes } = JSON.parse((await runScript(CALLS, { args, env })).stdout);
    assert.deepEqual(outcomes, ["t", "t"]);
    assert.deepEqual([idp.requests.length, backend.requests.length], [2, 3]);
  });

  it("is refused where fetch is false, as it was", async (t) => {
    const ca = authority(t);
    const { url } = await httpServer(t, undefined, { tls: { ...ca.issue(), ...CBC } });
    const env = { NODE_EXTRA_CA_CERTS: ca.file };
    const { outcomes } = await jsonOf(CALLS, { args: [JSON.stringify({ url, off: true })], env });
    const refused = [
      "Network error: sslv3 alert handshake failure (ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE)",
      "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE",
      false,
      false,
    ];
    assert.deepEqual(outcomes, [refused, refused]);
  });
});

describe("a server that is not trusted", { skip }, () => {
  it("is never called through fetch", async (t) => {
    const other = authority(t);
    const { url, connections } = await httpServer(t, undefined, { tls: other.issue() });
    const { outcomes, warnings } = await jsonOf(CALLS, { args: [JSON.stringify({ url })] });
    const [[, code, sent]] = outcomes;
    assert.deepEqual([code, sent], ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", false]);
    assert.deepEqual(warnings, []);
    assert.equal(connections(), 0, "no handshake ended");
  });
});

describe("a failed issue that was sent", { skip }, () => {
  it("is not sent again for what somebody put on Object.prototype", async (t) => {
    const { url, requests } = await httpServer(t, (_, response) => {
      response.destroy();
    });
    const source = `Object.prototype.dialect = 1;${CALLS}`;
    const { outcomes, warnings } = await jsonOf(source, { args: [JSON.stringify({ url })] });
    assert.deepEqual(
      outcomes.map((/** @type {unknown[]} */ [, , sent]) => sent),
      [true, true],
    );
    assert.deepEqual(warnings, []);
    assert.equal(requests.length, 2);
  });
});
