// @ts-check
/**
 * A program of an app that has installed the package: every strategy, an issue over HTTP and one
 * over TLS, an error, and an end by itself. It takes the files of a TLS key and certificate.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import * as key0 from "@key0ai/native";

const { AccessTokenIssuer, createRemoteTokenIssuer, validateKey0Token } = key0;
const [keyFile, certificateFile, privateKeyFile] = process.argv.slice(2);
const secret = "s".repeat(32);

/** @type {import("node:http").RequestListener} */
const answer = (request, response) => {
  request.resume();
  request.on("end", () => {
    if (request.url === "/broken") response.statusCode = 500;
    const { authorization = "", "x-key": key = "" } = request.headers;
    response.end(
      JSON.stringify({
        token: `got ${authorization}${key}`,
        access_token: "oauth",
        expires_in: 3600,
      }),
    );
  });
};
const http = createServer(answer);
const https = createTlsServer(
  { key: readFileSync(keyFile), cert: readFileSync(certificateFile) },
  answer,
);
const [plain, tls] = await Promise.all(
  [http, https].map(
    (server) =>
      new Promise((resolve) => {
        server.listen(0, "127.0.0.1", () => resolve(Object(server.address()).port));
      }),
  ),
);
const [url, tlsUrl] = [`http://127.0.0.1:${plain}`, `https://127.0.0.1:${tls}`];

const hs256 = new AccessTokenIssuer(secret);
const rs256 = new AccessTokenIssuer({
  algorithm: "RS256",
  privateKey: readFileSync(privateKeyFile, "utf8"),
});
const oauth = { tokenUrl: url, clientId: "id", clientSecret: secret };
/** @type {[string, import("@key0ai/native").AuthHeaderProvider, RegExp][]} */
const strategies = [
  ["noAuth", key0.noAuth(), /^got $/],
  ["sharedSecretAuth", key0.sharedSecretAuth("X-Key", secret), /^got s{32}$/],
  ["signedJwtAuth, HS256", key0.signedJwtAuth(hs256, url), /^got Bearer ey/],
  ["signedJwtAuth, RS256", key0.signedJwtAuth(rs256, url), /^got Bearer ey/],
  ["oauthClientCredentialsAuth", key0.oauthClientCredentialsAuth(oauth), /^got Bearer oauth$/],
];
for (const [name, auth, expected] of strategies) {
  for (const address of [url, tlsUrl]) {
    const { token } = await createRemoteTokenIssuer({ url: address, auth })(Object({}));
    assert.match(token, expected, name);
  }
}
const header = (await strategies[2][1]()).Authorization;
assert.equal((await validateKey0Token(header, { secret })).sub, "key0-service");
await assert.rejects(createRemoteTokenIssuer({ url: `${url}/broken` })(Object({})), (error) => {
  assert.ok(error instanceof key0.Key0Error);
  assert.equal(error.code, "TOKEN_ISSUE_FAILED");
  return true;
});
for (const server of [http, https]) {
  server.close();
  server.closeAllConnections?.();
}
console.log("all as it must be");
