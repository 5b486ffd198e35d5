// @ts-check
// A backend in a process of its own, so that its CPU is not counted.
import { createServer } from "node:http";

const server = createServer((request, response) => {
  request.resume();
  request.on("end", () => response.end('{"token":"key-1"}'));
});
server.listen(0, "127.0.0.1", () => {
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  process.send?.(address.port);
});
process.on("disconnect", () => process.exit());
