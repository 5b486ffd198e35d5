// @ts-check
import { once } from "node:events";
import { connect, createServer } from "node:net";

/**
 * What counts the connections that a server's clients make: the server itself is told of none whose
 * handshake fails.
 *
 * @param {import("./server.mjs").Test} t
 * @param {number} onward the server's port
 */
export async function relay(t, onward) {
  let made = 0;
  const server = createServer((near) => {
    made += 1;
    const far = connect(onward, "127.0.0.1");
    for (const end of [near, far]) end.on("error", () => {});
    near.pipe(far).pipe(near);
    near.on("close", () => far.destroy());
    far.on("close", () => near.destroy());
    t.after(() => near.destroy());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => server.close());
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { port, made: () => made };
}
