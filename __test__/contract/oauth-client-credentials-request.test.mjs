// @ts-check
/** oauthClientCredentialsAuth: the request (RFC 6749 §4.4.2), and the answers that give a token. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { rejectsWith } from "../support/errors.mjs";
import { oauthFailed } from "../support/exchanges.mjs";
import { CLIENT, GRANT, oauth, oauthOf } from "../support/oauth-server.mjs";
import { httpServer, reply } from "../support/server.mjs";

describe("a token request", () => {
  /** The body that was sent for a configuration. */
  async function bodyOf(/** @type {any} */ t, /** @type {object} */ config) {
    const { server, auth } = await oauth(t, GRANT, { ...config });
    await auth();
    return server.requests[0].body.toString();
  }

  /** As `URLSearchParams` writes them. @param {Record<string, string>} more */
  const form = (more = {}) =>
    new URLSearchParams({
      grant_type: "client_credentials",
      client_id: CLIENT.clientId,
      client_secret: CLIENT.clientSecret,
      ...more,
    }).toString();

  it("is one POST of a form", async (t) => {
    const { server, auth } = await oauth(t);
    assert.deepEqual(await auth(), { Authorization: "Bearer access-token-1" });
    assert.equal(server.requests.length, 1);
    const { method, target, headers, body } = server.requests[0];
    assert.deepEqual([method, target], ["POST", "/issue"]);
    assert.equal(headers["content-type"], "application/x-www-form-urlencoded");
    assert.equal(headers["content-length"], String(body.length));
    assert.equal(body.toString(), form());
  });

  it("is sent at the first call, not at creation", async (t) => {
    const { server } = await oauth(t);
    assert.equal(server.connections(), 0);
  });

  it("carries no Authorization: the credentials are in the form", async (t) => {
    const { server, auth } = await oauth(t);
    await auth();
    assert.ok(!("authorization" in server.requests[0].headers));
    assert.ok(!("idempotency-key" in server.requests[0].headers));
  });

  const scopes = ["read", "write:all", "https://api/é"];
  it("has scopes joined by a blank, and the audience", async (t) => {
    const audience = "https://backend.internal/?a=1&b";
    const expected = form({ scope: scopes.join(" "), audience });
    assert.equal(await bodyOf(t, { scopes, audience }), expected);
  });

  for (const absent of [{}, { scopes: [] }, { scopes: undefined }, { audience: undefined }]) {
    it(`has neither scope nor audience for ${JSON.stringify(Object.keys(absent))}`, async (t) => {
      assert.equal(await bodyOf(t, absent), form());
    });
  }

  it("has no audience where that is empty", async (t) => {
    assert.equal(await bodyOf(t, { audience: "" }), form());
  });

  it("is encoded as URLSearchParams does, character by character", async (t) => {
    const ascii = String.fromCharCode(...Array.from({ length: 128 }, (_, i) => i));
    const clientId = `${ascii}é密\u{1f600}`;
    const clientSecret = " a+b&c=d%20e~*-._!'() ";
    const expected = form({ client_id: clientId, client_secret: clientSecret });
    assert.equal(await bodyOf(t, { clientId, clientSecret }), expected);
  });

  // B32
  it("has the secret and the id byte for byte, line breaks at their ends too", async (t) => {
    const config = { clientId: "id\r\n", clientSecret: "s3cr3t\n" };
    assert.equal(
      await bodyOf(t, config),
      "grant_type=client_credentials&client_id=id%0D%0A&client_secret=s3cr3t%0A",
    );
  });

  it("is made of the configuration as it was at creation", async (t) => {
    const server = await httpServer(t, GRANT);
    const config = { scopes: ["read"], audience: "a" };
    const changing = /** @type {any} */ ({ tokenUrl: new URL(server.url), ...CLIENT, ...config });
    const auth = oauthOf(changing.tokenUrl, changing);
    changing.scopes.push("write");
    changing.tokenUrl.pathname = "/elsewhere";
    Object.assign(changing, { clientId: "x", clientSecret: "x", audience: "x" });
    await auth();
    assert.equal(server.requests[0].target, "/issue");
    assert.equal(server.requests[0].body.toString(), form({ scope: "read", audience: "a" }));
  });
});

describe("an answer that gives a token", () => {
  for (const status of [200, 201, 203]) {
    it(`may have status ${status}`, async (t) => {
      const { auth } = await oauth(t, (_, response) => reply(response, GRANT, status));
      assert.deepEqual(await auth(), { Authorization: "Bearer access-token-1" });
    });
  }

  const tokens = ["t", "a.b-c_d~e+f/g==", "with blanks", "é\u00ff", "x".repeat(32_768)];
  for (const token of tokens) {
    it(`may have ${JSON.stringify(token.slice(0, 20))} in it`, async (t) => {
      const { auth } = await oauth(t, { access_token: token, expires_in: 60 });
      assert.deepEqual(await auth(), { Authorization: `Bearer ${token}` });
    });
  }

  const texts = [
    '{"access_token":"t","expires_in":3600,"token_type":"mac","scope":7,"deep":[[[{}]]]}',
    '{"access_token":1,"expires_in":"1","access_token":"t","expires_in":3600}',
    '{"\\u0061ccess_token":"\\u0074","expires_in":3.6e3}',
    '{"access_token":"t","expires_in":1e400}',
    '{"access_token":"t","expires_in":-1e400}',
    '{"access_token":"t","expires_in":123456789012345678901234567890}',
    '{"access_token":"t","expires_in":0}',
    '{"access_token":"t","expires_in":-0.0}',
    '{"access_token":"t","expires_in":5e-324}',
    '{"access_token":"t","expires_in":3600,"error":"ignored"}',
    // B49
    '\ufeff{"access_token":"t","expires_in":3600}',
  ];
  for (const text of texts) {
    it(`may be ${JSON.stringify(text)}`, async (t) => {
      const { auth } = await oauth(t, text);
      assert.deepEqual(await auth(), { Authorization: "Bearer t" });
    });
  }

  it("gives every caller a fresh object", async (t) => {
    const { auth } = await oauth(t);
    const first = await auth();
    first.Authorization = "changed by its owner";
    assert.deepEqual(await auth(), { Authorization: "Bearer access-token-1" });
  });
});

describe("an answer without a usable token is refused", () => {
  const missing = "Invalid OAuth response: missing access_token or expires_in";
  const answers = [
    {},
    [],
    null,
    "token",
    [GRANT],
    { access_token: "t" },
    { expires_in: 3600 },
    ...["", null, 42, true, ["t"], {}].map((access_token) => ({ access_token, expires_in: 3600 })),
    ...["3600", "", null, true, [3600], {}].map((expires_in) => ({
      access_token: "t",
      expires_in,
    })),
  ];
  for (const answer of answers) {
    const text = JSON.stringify(answer);
    it(text, async (t) => {
      const { auth } = await oauth(t, text);
      await rejectsWith(auth(), oauthFailed(missing));
    });
  }

  it("where it stands in __proto__ alone", async (t) => {
    const { auth } = await oauth(t, `{"__proto__":${JSON.stringify(GRANT)}}`);
    await rejectsWith(auth(), oauthFailed(missing));
  });

  for (const bad of ["\n", "\r\nX-Admin: 1", "\0", "\u0100", "密", "\ud800", "\x01"]) {
    it(`where no header can hold it (${JSON.stringify(bad)}), and is not shown`, async (t) => {
      const { auth } = await oauth(t, { access_token: `shown${bad}shown`, expires_in: 3600 });
      const error = await rejectsWith(auth(), {
        ...oauthFailed(""),
        message: /^Failed to authenticate via OAuth: ./,
      });
      assert.ok(!`${error.stack}${error.cause?.stack}`.includes("shown"));
    });
  }
});
