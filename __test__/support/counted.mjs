// @ts-check
import { certificate } from "./certificates.mjs";
import { relay } from "./relay.mjs";
import { httpServer } from "./server.mjs";

/**
 * A server on 127.0.0.1 with a certificate by this authority, behind what counts its connections.
 *
 * @param {import("./server.mjs").Test} t
 * @param {import("./certificates.mjs").Made} by
 * @param {import("./certificates.mjs").Spec} [spec]
 * @param {import("node:https").ServerOptions} [options]
 */
export async function countedServer(t, by, spec = {}, options = {}) {
  const names = ["IP:127.0.0.1", "DNS:localhost"];
  const { pem: cert, key } = certificate("a server", { by, names, ...spec });
  const answer = { token: "t", access_token: "t", expires_in: 60 };
  const server = await httpServer(t, answer, { tls: { cert, key, ...options } });
  const { port, made } = await relay(t, server.port);
  const origin = `https://127.0.0.1:${port}`;
  return {
    origin,
    url: `${origin}/issue`,
    /** By a name with sessions of its own: servers of one process of Deno's share their tickets. */
    urlByName: `https://localhost:${port}/issue`,
    requests: server.requests,
    made,
  };
}
