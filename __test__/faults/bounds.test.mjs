// @ts-check
/**
 * How many connections stay open when a burst is over, whatever servers promise, and how much is kept
 * of TLS environments that were (D29), and of origins.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:https";
import { describe, it } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { jsonOf } from "../support/process.mjs";
import { needing } from "../support/programs.mjs";
import { answer, httpServer, rawServer } from "../support/server.mjs";
import { authority } from "../support/tls.mjs";

const KEPT = answer('{"token":"t"}', { headers: ["Keep-Alive: timeout=9999"] });

/**
 * So many calls at once, each of which is answered when all have come.
 *
 * @param {import("node:test").TestContext} t
 * @param {number} calls
 */
async function burst(t, calls) {
  let waiting = 0;
  let open = 0;
  /** @type {() => void} */
  let release = () => {};
  const all = new Promise((resolve) => {
    release = () => resolve(undefined);
  });
  /** @type {(() => void)[]} */
  const watchers = [];
  const server = await rawServer(t, async (connection) => {
    open += 1;
    connection.closed.then(() => {
      open -= 1;
      for (const watch of watchers) watch();
    });
    await connection.request();
    waiting += 1;
    if (waiting === calls) release();
    await all;
    await connection.write(KEPT);
  });
  const issue = createRemoteTokenIssuer({ url: server.url });
  await Promise.all(Array.from({ length: calls }, () => issue(PAYMENT)));
  return {
    made: server.connections.length,
    /** Settles once no more than `most` are open. @param {number} most */
    atMost: (most) =>
      new Promise((resolve) => {
        const watch = () => open <= most && resolve(open);
        watchers.push(watch);
        watch();
      }),
    open: () => open,
  };
}

describe("connections after a burst", { timeout: 60_000 }, () => {
  it("are 64 of an origin", async (t) => {
    const { made, atMost } = await burst(t, 300);
    assert.equal(made, 300);
    assert.equal(await atMost(64), 64);
  });

  it("are 256 in all, at the most", async (t) => {
    const origins = await Promise.all(Array.from({ length: 6 }, () => burst(t, 60)));
    const open = () => origins.reduce((sum, origin) => sum + origin.open(), 0);
    assert.equal(open(), 360);
    // Each that closes asks anew.
    await new Promise((resolve) => {
      const watch = () => open() <= 256 && resolve(undefined);
      for (const { atMost } of origins)
        for (let most = 0; most < 60; most++) atMost(most).then(watch);
      watch();
    });
    // Fewer where tests before have left some.
    assert.ok(open() <= 256 && open() > 64, `${open()}`);
  });
});

describe("200 TLS environments, one after another", {
  timeout: 60_000,
  skip: process.platform === "linux" ? false : "reads /proc",
}, () => {
  needing("openssl")("leave no memory, thread or socket but those of the last", async (t) => {
    const ca = authority(t);
    const server = await httpServer(t, { token: "t" }, { tls: ca.issue() });
    const { threads, sockets, memory, tokens } = await jsonOf(
      `
      import { readdirSync } from "node:fs";
      import { dirname, basename } from "node:path";
      import { createRemoteTokenIssuer } from "./index.mjs";
      const [url, file] = process.argv.slice(1);
      const issue = createRemoteTokenIssuer({ url });
      const tokens = new Set();
      const count = (what) => readdirSync("/proc/self/" + what).length;
      async function work(from, to) {
        for (let n = from; n < to; n += 1) {
          // The same file by another name.
          process.env.SSL_CERT_FILE = dirname(file) + "/".repeat(n) + basename(file);
          tokens.add((await issue({})).token);
        }
        globalThis.gc();
        return [count("task"), count("fd"), process.memoryUsage().rss / 2 ** 20];
      }
      const before = await work(1, 20);
      const after = await work(20, 220);
      const [threads, sockets, memory] = after.map((now, i) => now - before[i]);
      console.log(JSON.stringify({ threads, sockets, memory, tokens: [...tokens] }));
      process.exit();`,
      { args: [server.url, ca.file], nodeArgs: ["--expose-gc"], limitMs: 60_000 },
    );
    t.diagnostic(`${threads} threads, ${sockets} sockets and ${memory.toFixed(1)} MiB more`);
    assert.deepEqual(tokens, ["t"]);
    // A socket may be about to close, and a runtime has threads of its own.
    assert.ok(threads <= 4, `${threads} threads`);
    assert.ok(sockets <= 4, `${sockets} sockets`);
    // What TLS trusts takes 0.28 MiB.
    assert.ok(memory < 28, `${memory} MiB`);
  });
});

// Those have no servers of such suites, or fewer addresses of their own.
const isNode = !process.versions.bun && !process.versions.deno;

describe("origins whose TLS is not spoken natively", {
  timeout: 60_000,
  skip: isNode && process.platform === "linux" ? false : "not Node's servers, or one address",
}, () => {
  needing("openssl")("are known by the latest 256: the first is found out again", async (t) => {
    const { key, cert } = authority(t).selfSigned();
    const tls = { key, cert, ciphers: "ECDHE-ECDSA-AES256-SHA", maxVersion: "TLSv1.2" };
    const server = createServer(/** @type {any} */ (tls), (_, response) => {
      response.end('{"token":"t"}');
    });
    await once(server.listen(0, "0.0.0.0"), "listening");
    t.after(() => server.close());
    const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
    const { tokens, warned } = await jsonOf(
      `
      process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
      import { createRemoteTokenIssuer } from "./index.mjs";
      const warned = [];
      process.emitWarning = (text) => warned.push(/https:[/][/][0-9.]+/.exec(text)?.[0]);
      const call = async (n) => {
        const url = "https://127.0." + (n >> 7) + "." + (1 + (n & 127)) + ":${port}/";
        return (await createRemoteTokenIssuer({ url })({})).token;
      };
      const tokens = new Set();
      for (let n = 0; n < 257; n += 1) tokens.add(await call(n));
      for (const n of [256, 1, 0]) tokens.add(await call(n));
      console.log(JSON.stringify({ tokens: [...tokens], warned: warned.filter(Boolean) }));
      process.exit();`,
      { limitMs: 60_000 },
    );
    assert.deepEqual(tokens, ["t"]);
    assert.equal(warned.length, 258);
    assert.equal(warned.at(-1), "https://127.0.0.1");
  });
});
