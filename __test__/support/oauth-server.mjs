// @ts-check
/** A token endpoint and a provider that asks it. */
import { oauthClientCredentialsAuth } from "../../index.mjs";
import { httpServer, reply } from "./server.mjs";

/** Who asks for a token. */
export const CLIENT = Object.freeze({ clientId: "client-1", clientSecret: "s3cr3t-of-the-client" });

/** What a token endpoint answers when all is well. */
export const GRANT = Object.freeze({ access_token: "access-token-1", expires_in: 3600 });

/**
 * A provider and the token endpoint behind it.
 *
 * @param {import("./server.mjs").Test} t
 * @param {import("./server.mjs").Answer | object | string} [answer] A string is the body as it is.
 * @param {Record<string, unknown>} [config]
 */
export async function oauth(t, answer = GRANT, config = {}) {
  const server = await httpServer(
    t,
    typeof answer === "string" ? (_, response) => reply(response, answer) : answer,
  );
  return { server, auth: oauthOf(server.url, config) };
}

/**
 * A provider that asks `tokenUrl`.
 *
 * @param {string | URL} tokenUrl
 * @param {Record<string, unknown>} [config]
 */
export function oauthOf(tokenUrl, config = {}) {
  return oauthClientCredentialsAuth({ tokenUrl, ...CLIENT, ...config });
}
