// @ts-check
/**
 * `oidc-provider` in a process of its own, with the clients that its parent names, each held to one
 * way of client authentication. It is asked for what it knows of a token, and ends with its parent.
 */
import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import Provider from "oidc-provider";

const [{ clients, tls }] = await once(process, "message");
const server = tls
  ? https.createServer({ ...tls, requestCert: true, rejectUnauthorized: false })
  : http.createServer();
await once(server.listen(0, "127.0.0.1"), "listening");
const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());

/** @param {any} ctx @returns {import("node:tls").TLSSocket} */
const socketOf = (ctx) => ctx.req.socket;

const provider = new Provider(`${tls ? "https" : "http"}://127.0.0.1:${port}`, {
  clients: clients.map((/** @type {object} */ client) => ({
    redirect_uris: [],
    response_types: [],
    grant_types: ["client_credentials"],
    ...client,
  })),
  clientAuthMethods: [
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "tls_client_auth",
  ],
  enabledJWA: { clientAuthSigningAlgValues: ["HS256", "RS256", "PS256", "ES256", "EdDSA"] },
  scopes: ["credentials:issue"],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (/** @type {unknown} */ _, /** @type {string} */ audience) => ({
        audience,
        scope: "credentials:issue",
        accessTokenFormat: "opaque",
      }),
    },
    mTLS: {
      enabled: true,
      tlsClientAuth: true,
      getCertificate: (/** @type {any} */ ctx) => socketOf(ctx).getPeerX509Certificate?.(),
      certificateAuthorized: (/** @type {any} */ ctx) => socketOf(ctx).authorized,
      certificateSubjectMatches: (
        /** @type {any} */ ctx,
        /** @type {string} */ _,
        /** @type {string} */ name,
      ) => `CN=${socketOf(ctx).getPeerCertificate().subject?.CN}` === name,
    },
  },
});
server.on("request", provider.callback());
process.on("message", async (/** @type {string} */ token) => {
  const { clientId, aud, scope } = (await provider.ClientCredentials.find(token)) ?? {};
  process.send?.({ clientId, aud, scope });
});
process.on("disconnect", () => process.exit());
process.send?.({ port });
