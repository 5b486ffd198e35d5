// @ts-check
// What the guard's calls are answered by, a process of its own.
import { createServer } from "node:http";

const LARGE = JSON.stringify({ token: "key-1", more: "x".repeat(16 * 1024) });
const HEADERS = Object.fromEntries(
  Array.from({ length: 20 }, (_, i) => [`x-header-${i}`, `value ${i}`]),
);

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  request.resume().on("end", () => {
    response.sendDate = false;
    if (request.url === "/token") response.end('{"access_token":"at-1","expires_in":86400}');
    else if (request.url === "/large") response.writeHead(200, HEADERS).end(LARGE);
    else response.end('{"token":"key-1"}');
  });
});
server.listen(0, "127.0.0.1", () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  console.log(`http://127.0.0.1:${port}/`);
});
process.stdin.resume().on("end", () => process.exit());
