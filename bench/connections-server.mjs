// @ts-check
// The other end of connections.mjs, in a process of its own: a backend over http or https, and a
// relay before it that holds back each piece for so many milliseconds. Prints where they listen;
// what was counted is asked for at the third address, and counted anew from then on.
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";

const [delayMs, keyFile, certFile] = process.argv.slice(2);
let made = 0;
let secured = 0;

/** @type {http.RequestListener} */
const answer = (request, response) => {
  request.resume();
  request.on("end", () => response.end('{"token":"key-1"}'));
};
const backend = keyFile
  ? https.createServer({ key: readFileSync(keyFile), cert: readFileSync(certFile) }, answer)
  : http.createServer(answer);
backend.on("connection", () => made++);
backend.on("secureConnection", () => secured++);

const relay = net.createServer((near) => {
  const far = net.connect(/** @type {net.AddressInfo} */ (backend.address()).port, "127.0.0.1");
  for (const [from, to] of [
    [near, far],
    [far, near],
  ]) {
    from.setNoDelay(true);
    from.on("error", () => to.destroy());
    from.on("data", (piece) => setTimeout(() => to.writable && to.write(piece), +delayMs));
    from.on("end", () => setTimeout(() => to.end(), +delayMs));
  }
});

const control = http.createServer((_, response) => {
  response.end(JSON.stringify({ made, secured }));
  made = 0;
  secured = 0;
});

const ports = [backend, relay, control].map(
  (server) =>
    new Promise((listening) =>
      server.listen({ port: 0, host: "127.0.0.1", backlog: 1024 }, () =>
        listening(/** @type {net.AddressInfo} */ (server.address()).port),
      ),
    ),
);
console.log(JSON.stringify(await Promise.all(ports)));
process.stdin.resume().on("end", () => process.exit());
