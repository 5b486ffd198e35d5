// @ts-check
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { certificate } from "./certificates.mjs";
import { httpServer } from "./server.mjs";

/**
 * A server on 127.0.0.1 with a certificate by this authority, behind what counts its connections:
 * the server itself is told of none whose handshake fails.
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
  let connections = 0;
  const counter = createServer((socket) => {
    connections++;
    const onward = connect(server.port, "127.0.0.1");
    socket.pipe(onward).pipe(socket);
    for (const end of [socket, onward]) end.on("error", () => {});
    socket.on("close", () => onward.destroy());
    onward.on("close", () => socket.destroy());
  });
  await once(counter.listen(0, "127.0.0.1"), "listening");
  t.after(() => counter.close());
  const { port } = /** @type {import("node:net").AddressInfo} */ (counter.address());
  const origin = `https://127.0.0.1:${port}`;
  return {
    origin,
    url: `${origin}/issue`,
    /** By a name with sessions of its own: servers of one process of Deno's share their tickets. */
    urlByName: `https://localhost:${port}/issue`,
    requests: server.requests,
    made: () => connections,
  };
}
