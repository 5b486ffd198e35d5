// @ts-check
// A seller's backend: it checks who asks, each strategy in its own way, and issues an API key.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { validateKey0Token } from "@key0ai/native";

/**
 * @typedef {object} Trust What the seller agreed on with Key0.
 * @property {string} audience What a JWT for this backend names as its `resourceId`.
 * @property {string} sharedSecret
 * @property {string} jwtSecret
 * @property {string} publicKey
 * @property {string} introspectionUrl The OAuth server's (RFC 7662), with this backend's account:
 * @property {{ id: string, secret: string }} client
 */

/** @param {Trust} trust */
export async function startBackend(trust) {
  /** @type {Record<string, (headers: import("node:http").IncomingHttpHeaders) => unknown>} */
  const checks = {
    "/open": () => true,
    "/shared-secret": (headers) => isEqual(headers["x-internal-auth"], trust.sharedSecret),
    "/jwt-hs256": (headers) =>
      isForUs(validateKey0Token(headers.authorization, { secret: trust.jwtSecret })),
    "/jwt-rs256": (headers) =>
      isForUs(
        validateKey0Token(headers.authorization, {
          publicKey: trust.publicKey,
          algorithm: "RS256",
        }),
      ),
    "/oauth": (headers) => isActive(headers.authorization),
  };

  /** @param {ReturnType<typeof validateKey0Token>} verified */
  async function isForUs(verified) {
    return (await verified).resourceId === trust.audience;
  }

  /** Answers of the OAuth server, each kept as long as this process: RFC 7662 §4 allows a while. */
  const introspected = new Map();

  /** @param {string | undefined} header */
  async function isActive(header) {
    const token = /^Bearer (.+)$/.exec(header ?? "")?.[1];
    if (!introspected.has(token)) introspected.set(token, introspect(token));
    const { active, scope } = await introspected.get(token);
    return active === true && scope === "credentials:issue";
  }

  /** @param {string | undefined} token */
  async function introspect(token = "") {
    const { id, secret } = trust.client;
    const account = Buffer.from(`${id}:${secret}`).toString("base64");
    const answer = await fetch(trust.introspectionUrl, {
      method: "POST",
      headers: { Authorization: `Basic ${account}` },
      body: new URLSearchParams({ token }),
    });
    return answer.json();
  }

  /** Key0's engine may repeat a call whose answer was lost: the same challenge, the same key. */
  const issued = new Map();
  const elsewhere = await listen((_, response) =>
    response.end(JSON.stringify({ token: "stolen" })),
  );

  const backend = await listen(async (request, response) => {
    backend.lastHeaders = request.rawHeaders;
    await json(request); // what was bought and paid: a real backend looks it up
    const route = request.url ?? "";

    if (route === "/fails") return void response.writeHead(500).end("no keys left");
    if (route === "/hangs") return;
    if (route === "/moved") {
      return void response.writeHead(307, { Location: `${elsewhere.origin}/issue` }).end();
    }
    if (!(await Promise.resolve(checks[route]?.(request.headers)).catch(() => false))) {
      return void response.writeHead(401).end("not for you");
    }
    const challenge = request.headers["idempotency-key"];
    const token = issued.get(challenge) ?? randomBytes(16).toString("hex");
    issued.set(challenge, token);
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ token, tokenType: "ApiKey" }));
  });

  return { backend, elsewhere };
}

/** @param {import("node:http").RequestListener} serve */
async function listen(serve) {
  const server = createServer((request, response) => {
    listening.requests += 1;
    serve(request, response);
  });
  await once(server.listen(0, "127.0.0.1", 1_024), "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const listening = {
    origin: `http://127.0.0.1:${port}`,
    requests: 0,
    lastHeaders: /** @type {string[]} */ ([]),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return listening;
}

/**
 * In constant time, whatever the lengths.
 *
 * @param {string | string[] | undefined} given
 * @param {string} expected
 */
function isEqual(given, expected) {
  /** @param {string} text */
  const digest = (text) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(String(given)), digest(expected));
}
