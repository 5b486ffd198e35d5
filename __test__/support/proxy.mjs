// @ts-check
/** A forward proxy on 127.0.0.1: CONNECT (RFC 9110 §9.3.6), and http by its absolute form. */
import { once } from "node:events";
import http from "node:http";
import net from "node:net";

/**
 * A proxy that asks for these credentials, if any, and tells what it was asked for.
 *
 * @param {{ after(fn: () => unknown): void }} t
 * @param {string} [credentials] `user:password`
 */
export async function proxyServer(t, credentials) {
  /** @type {string[]} */
  const asked = [];
  const wanted = credentials && `Basic ${Buffer.from(credentials).toString("base64")}`;
  /** @param {http.IncomingMessage} request */
  const isAllowed = ({ headers }) => !wanted || headers["proxy-authorization"] === wanted;
  const server = http.createServer((request, response) => {
    asked.push(`${request.method} ${new URL(`${request.url}`).origin}`);
    if (!isAllowed(request)) return response.writeHead(407).end();
    const { "proxy-authorization": _, ...headers } = request.headers;
    const { method } = request;
    const onward = http.request(`${request.url}`, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    return request.pipe(onward.on("error", () => response.destroy()));
  });
  /** @type {Set<net.Socket>} */
  const sockets = new Set();
  server.on("connection", (socket) => sockets.add(socket));
  server.on("connect", (request, socket) => {
    asked.push(`CONNECT ${request.url}`);
    // Whoever is refused may leave at once.
    socket.on("error", () => {});
    if (!isAllowed(request)) return socket.end("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n");
    const { hostname, port } = new URL(`http://${request.url}`);
    const tunnel = net.connect(Number(port), hostname, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(tunnel).pipe(socket);
    });
    tunnel.on("error", () => {});
    sockets.add(tunnel);
    return tunnel;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  return { url: `http://${credentials ? `${credentials}@` : ""}127.0.0.1:${port}`, asked };
}
