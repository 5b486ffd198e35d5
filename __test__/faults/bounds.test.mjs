// @ts-check
/** How many connections stay open when a burst is over, whatever servers promise (D29). */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { answer, rawServer } from "../support/server.mjs";

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
