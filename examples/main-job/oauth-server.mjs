// An OAuth 2.0 server, in a process of its own: the client credentials grant (RFC 6749 §4.4) and
// token introspection (RFC 7662). Its parent tells it the clients, is told the port, and may ask
// for the number of token requests; it ends with its parent.
import { once } from "node:events";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const [{ key0, seller }] = await once(process, "message");
const server = createServer();
await once(server.listen(0, "127.0.0.1"), "listening");
const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());

const noRedirects = { redirect_uris: [], response_types: [] };
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      ...noRedirects,
      client_id: key0.id,
      client_secret: key0.secret,
      grant_types: ["client_credentials"],
      token_endpoint_auth_method: "client_secret_post",
    },
    { ...noRedirects, client_id: seller.id, client_secret: seller.secret, grant_types: [] },
  ],
  scopes: ["credentials:issue"],
  ttl: { ClientCredentials: 600 },
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy },
    devInteractions: { enabled: false },
  },
});

/** @param {unknown} _ @param {{ clientId: string }} client */
function allowedPolicy(_, client) {
  return client.clientId === seller.id;
}

let tokenRequests = 0;
const serve = provider.callback();
server.on("request", (request, response) => {
  if (request.url === "/token") tokenRequests += 1;
  serve(request, response);
});
process.on("message", () => process.send?.({ tokenRequests }));
process.on("disconnect", () => process.exit());
process.send?.({ port });
