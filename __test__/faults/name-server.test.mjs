// @ts-check
/**
 * Names: a server for them that never answers (a lookup cannot be cancelled, and holds up nobody,
 * B40), and names that move (B25). In a network and files of their own.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inOwnNetwork, skip } from "./support/own-network.mjs";

const SOURCE = `
  import { createSocket } from "node:dgram";
  import { writeFileSync } from "node:fs";
  import { createServer } from "node:http";
  import { Worker } from "node:worker_threads";
  import { createRemoteTokenIssuer } from "./index.mjs";
  const socket = createSocket("udp4").bind(53, "127.0.0.1");
  await new Promise((go) => socket.once("listening", go));
  socket.unref();
  const issue = createRemoteTokenIssuer({ url: "http://silent.example/", timeoutMs: 300 });
  const timed = async (call) => {
    const started = performance.now();
    const code = await call().then(({ token }) => token, ({ code }) => code);
    return { code, ms: performance.now() - started };
  };
  const say = (result) =>
    process.stdout.write(JSON.stringify({ ...result, at: Date.now() }));
`;

/** Far less than the 30 s of a lookup, and more than a slow machine takes. */
const SOON = 10_000;

/** What the script says, and how long after that its process ended. @param {string} source */
async function said(source) {
  const resolvConf = "nameserver 127.0.0.1\noptions timeout:30\n";
  const { at, end, ...result } = await inOwnNetwork(SOURCE + source, { resolvConf });
  return { ...result, exit: end - at };
}

describe("a silent name server", { skip }, () => {
  it("is a timeout at the call's deadline, and the process ends", async (t) => {
    const { code, ms, exit } = await said("say(await timed(() => issue({})));");
    t.diagnostic(`${ms.toFixed(0)} ms; the process was gone ${exit} ms later`);
    assert.equal(code, "TOKEN_ISSUE_TIMEOUT");
    assert.ok(ms >= 299 && ms < SOON, `${ms} ms`);
    assert.ok(exit < SOON, `${exit} ms`);
  });

  it("does not hold up process.exit with lookups under way", async () => {
    const { exit } = await said(`
      for (let i = 0; i < 50; i += 1) issue({}).catch(() => {});
      setTimeout(() => { say({}); process.exit(0); }, 100);`);
    assert.ok(exit < SOON, `${exit} ms`);
  });

  it("does not hold up a worker that ends", async () => {
    const { ms, exit } = await said(`
      const worker = new Worker(\`
        const { parentPort } = require("node:worker_threads");
        const { createRemoteTokenIssuer } = require("./index.js");
        const issue = createRemoteTokenIssuer({ url: "http://silent.example/" });
        for (let i = 0; i < 50; i += 1) issue({}).catch(() => {});
        parentPort.postMessage("calling");\`, { eval: true, execArgv: [] });
      await new Promise((go) => worker.once("message", go));
      const started = performance.now();
      await worker.terminate();
      say({ ms: performance.now() - started });
      // Deno keeps a process for it after a worker's end, whatever \`unref\` says.
      socket.close();`);
    assert.ok(ms < SOON && exit < SOON, `${ms} and ${exit} ms`);
  });

  // An address is not looked up, `localhost` is: in /etc/hosts.
  for (const host of ["127.0.0.1", "localhost"]) {
    for (const silent of ["one silent name", "600 silent names"]) {
      it(`does not hold up a call to ${host} beside 600 calls of ${silent}`, async () => {
        const { code, over } = await said(`
          const server = createServer((_, response) => response.end('{"token":"t"}'));
          await new Promise((go) => server.listen(0, "127.0.0.1", go));
          const others = new AbortController();
          let over = 0;
          for (let i = 0; i < 600; i += 1) {
            const url = ${silent.startsWith("one")} ? "http://silent.example/" : "http://s" + i + ".example/";
            createRemoteTokenIssuer({ url, timeoutMs: 60_000 })({}, others).catch(() => over += 1);
          }
          await new Promise((go) => setTimeout(go, 50));
          const url = "http://${host}:" + server.address().port;
          const { code } = await timed(() => createRemoteTokenIssuer({ url })({}));
          say({ code, over });
          others.abort();
          server.close();
          server.closeAllConnections();`);
        assert.deepEqual([code, over], ["t", 0]);
      });
    }
  }
});

// B25
describe("a name that moves to another address", { skip }, () => {
  const MOVING = `
    const serve = async (address, port, headers = {}) => {
      const server = createServer((_, response) => {
        response.writeHead(200, headers).end(JSON.stringify({ token: address }));
      });
      await new Promise((go) => server.listen(port, address, go));
      return server;
    };
    const move = (address) => writeFileSync("/etc/hosts", address + " backend.example\\n");
    const close = (server) => new Promise((go) => {
      server.close(go);
      server.closeAllConnections();
    });
  `;

  it("gets the next call that needs a connection there", async () => {
    const { tokens } = await said(`${MOVING}
      const first = await serve("127.0.0.2", 0, { Connection: "close" });
      const { port } = first.address();
      const second = await serve("127.0.0.3", port);
      const moving = createRemoteTokenIssuer({ url: "http://backend.example:" + port });
      move("127.0.0.2");
      const tokens = [(await moving({})).token];
      move("127.0.0.3");
      tokens.push((await moving({})).token);
      await Promise.all([first, second].map(close));
      socket.close();
      say({ tokens });`);
    assert.deepEqual(tokens, ["127.0.0.2", "127.0.0.3"]);
  });

  it("gets the next call when the old address is gone", async () => {
    const { tokens } = await said(`${MOVING}
      const first = await serve("127.0.0.2", 0);
      const { port } = first.address();
      const second = await serve("127.0.0.3", port);
      const moving = createRemoteTokenIssuer({ url: "http://backend.example:" + port });
      move("127.0.0.2");
      const tokens = [(await moving({})).token, (await moving({})).token];
      move("127.0.0.3");
      await close(first);
      await new Promise((go) => setTimeout(go, 50));
      tokens.push((await moving({})).token);
      await close(second);
      socket.close();
      say({ tokens });`);
    assert.deepEqual(tokens, ["127.0.0.2", "127.0.0.2", "127.0.0.3"]);
  });

  it("is found by the next call after it was unknown or refused", async () => {
    const { tokens } = await said(`${MOVING}
      const server = await serve("127.0.0.3", 0);
      const { port } = server.address();
      const moving = createRemoteTokenIssuer({
        url: "http://backend.example:" + port,
        // Another lookup begins after a second.
        timeoutMs: 3_000,
      });
      const call = () => moving({}).then(({ token }) => token, ({ cause, code }) => cause.code ?? code);
      const tokens = [];
      for (const address of ["# unknown", "127.0.0.2", "127.0.0.3"]) {
        move(address);
        tokens.push(await call());
      }
      await close(server);
      socket.close();
      say({ tokens });`);
    // The name server is silent about it.
    assert.deepEqual(tokens, ["ETIMEDOUT", "ECONNREFUSED", "127.0.0.3"]);
  });
});
