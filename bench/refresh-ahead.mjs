// @ts-check
// What a call waits for around the end of a token, with and without refreshAhead: tokens that are
// used for 2 seconds, a server that takes 100 ms for each, a call every 2 ms for 10 seconds.
//
//   npm run build && node bench/refresh-ahead.mjs
import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { oauthClientCredentialsAuth } from "../index.mjs";

const SECONDS = 10;
let requests = 0;
const server = createServer(async (_, response) => {
  requests += 1;
  await pause(100);
  response.end('{"access_token":"t","expires_in":12}');
}).listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());

/** @param {object} options */
async function measured(options) {
  const auth = oauthClientCredentialsAuth({
    tokenUrl: `http://127.0.0.1:${port}/token`,
    clientId: "client",
    clientSecret: "s3cr3t",
    ...options,
  });
  await auth();
  requests = 0;
  /** In milliseconds. @type {number[]} */
  const took = [];
  const end = performance.now() + SECONDS * 1_000;
  const calls = [];
  while (performance.now() < end) {
    const begun = performance.now();
    calls.push(auth().then(() => took.push(performance.now() - begun)));
    await pause(2);
  }
  await Promise.all(calls);
  took.sort((a, b) => a - b);
  const at = (/** @type {number} */ part) => took[Math.floor(part * (took.length - 1))].toFixed(2);
  return { calls: took.length, requests, p50: at(0.5), p99: at(0.99), longest: at(1) };
}

console.table({
  "without refreshAhead": await measured({}),
  "refreshAhead: 0.3": await measured({ refreshAhead: 0.3 }),
});
server.close();
server.closeAllConnections();
