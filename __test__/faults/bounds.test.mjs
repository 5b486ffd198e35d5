// @ts-check
/** How many connections stay open when a burst is over, whatever servers promise (D19, D29). */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { needing } from "../support/programs.mjs";
import { answer, rawServer } from "../support/server.mjs";
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

describe("connections after a burst", { timeout: 20_000 }, () => {
  it("are 64 of an origin", async (t) => {
    const { made, atMost } = await burst(t, 300);
    assert.equal(made, 300);
    assert.equal(await atMost(64), 64);
  });

  it("are 256 in all", async (t) => {
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
    assert.equal(open(), 256);
  });
});

describe("a steady load over https", { timeout: 60_000 }, () => {
  // D19
  needing("openssl")("makes as many connections as it has calls at once", async (t) => {
    const ca = authority(t);
    const { NODE_EXTRA_CA_CERTS } = process.env;
    process.env.NODE_EXTRA_CA_CERTS = ca.file;
    t.after(() => {
      if (NODE_EXTRA_CA_CERTS === undefined) delete process.env.NODE_EXTRA_CA_CERTS;
      else process.env.NODE_EXTRA_CA_CERTS = NODE_EXTRA_CA_CERTS;
    });
    const server = await rawServer(t, KEPT, ca.issue());
    const issue = createRemoteTokenIssuer({ url: server.url, timeoutMs: 30_000 });
    let left = 2_000;
    const lane = async () => {
      while (left-- > 0) await issue(PAYMENT);
    };
    await Promise.all(Array.from({ length: 32 }, lane));
    assert.equal(server.requests.length, 2_000);
    assert.ok(server.connections.length <= 40, `${server.connections.length} connections`);
  });
});
