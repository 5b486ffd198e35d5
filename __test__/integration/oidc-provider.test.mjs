// @ts-check
/** oauthClientCredentialsAuth against `oidc-provider`, which knows nothing of it. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { rejectsWith } from "../support/errors.mjs";
import { oauthFailed } from "../support/exchanges.mjs";
import { oidcProvider } from "./support/oidc-provider.mjs";

const server = await oidcProvider({ after });

/** @param {Record<string, string>} headers */
const tokenOf = ({ Authorization }) => Authorization.replace(/^Bearer /, "");

describe("oidc-provider", () => {
  it("grants a token that it knows, with its scope, for the time it says", async () => {
    const headers = await server.auth({})();
    assert.deepEqual(Object.keys(headers), ["Authorization"]);
    const introspected = await server.introspect(tokenOf(headers));
    assert.equal(introspected.active, true);
    assert.equal(introspected.client_id, "key0");
    assert.equal(introspected.scope, "credentials:issue");
    assert.equal(introspected.exp - introspected.iat, 600);
  });

  it("grants one without a scope where none is asked for", async () => {
    const headers = await server.auth({ scopes: [] })();
    const { active, scope } = await server.introspect(tokenOf(headers));
    assert.deepEqual({ active, scope }, { active: true, scope: undefined });
  });

  it("is asked once for a thousand callers at once and a hundred more in a row", async () => {
    const before = await server.tokenRequests();
    const auth = server.auth({});
    const headers = await Promise.all(Array.from({ length: 1_000 }, () => auth()));
    for (let i = 0; i < 100; i += 1) headers.push(await auth());
    assert.equal(new Set(headers.map(tokenOf)).size, 1);
    assert.equal((await server.tokenRequests()) - before, 1);
  });

  it("is asked once by each strategy", async () => {
    const before = await server.tokenRequests();
    const tokens = new Set();
    for (let i = 0; i < 10; i += 1) tokens.add(tokenOf(await server.auth({})()));
    assert.equal(tokens.size, 10);
    assert.equal((await server.tokenRequests()) - before, 10);
  });

  it("refuses a wrong secret in its own words, each time that it is asked", async () => {
    const before = await server.tokenRequests();
    const auth = server.auth({ clientSecret: "another secret" });
    const expected = unknownClient();
    for (let i = 0; i < 3; i += 1) await rejectsWith(auth(), expected);
    assert.equal((await server.tokenRequests()) - before, 3);
  });

  // B32
  for (const end of ["\n", "\r\n"]) {
    it(`refuses a secret that ends in ${JSON.stringify(end)}, which the message says`, async () => {
      const auth = server.auth({ clientSecret: `${server.clientSecret}${end}` });
      const expected = unknownClient();
      expected.message += " (clientSecret ends in a line break)";
      const error = await rejectsWith(auth(), expected);
      assert.ok(!error.message.includes(server.clientSecret));
    });
  }

  it("refuses a client that it does not know", async () => {
    await rejectsWith(server.auth({ clientId: "nobody" })(), unknownClient());
  });

  it("has no token endpoint at another path", async () => {
    const cause = { status: 404, body: "Not Found", sent: true };
    const expected = oauthFailed("OAuth token request failed: 404", cause);
    await rejectsWith(server.auth({ tokenUrl: `${server.origin}/tokens` })(), expected);
  });
});

describe("oidc-provider that is gone", () => {
  it("is missed by nobody who has a token, and by its reason otherwise", async (t) => {
    const gone = await oidcProvider(t);
    const warm = gone.auth({});
    const headers = await warm();
    await gone.end();
    assert.deepEqual(await warm(), headers);
    const reason = "connection refused (ECONNREFUSED)";
    const cause = { message: `connecting to ${gone.origin}: ${reason}`, sent: false };
    await rejectsWith(gone.auth({})(), oauthFailed(reason, cause));
  });
});

function unknownClient() {
  const error = "invalid_client";
  const body = JSON.stringify({ error, error_description: "client authentication failed" });
  const cause = { message: /: invalid_client: client authentication failed$/, status: 401, body };
  return oauthFailed("OAuth token request failed: 401 invalid_client", cause);
}
