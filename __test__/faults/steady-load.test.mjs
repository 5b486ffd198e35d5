// @ts-check
/** How many connections a steady load begins, and how many handshakes it ends (D19). */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { needing } from "../support/programs.mjs";
import { relay } from "../support/relay.mjs";
import { httpServer } from "../support/server.mjs";
import { authority } from "../support/tls.mjs";

const CALLS = 2_000;

describe("a steady load over https", { timeout: 60_000 }, () => {
  for (const atOnce of [8, 64]) {
    needing("openssl")(`of ${atOnce} at a time connects about as often`, async (t) => {
      const ca = authority(t);
      const { NODE_EXTRA_CA_CERTS } = process.env;
      process.env.NODE_EXTRA_CA_CERTS = ca.file;
      t.after(() => {
        if (NODE_EXTRA_CA_CERTS === undefined) delete process.env.NODE_EXTRA_CA_CERTS;
        else process.env.NODE_EXTRA_CA_CERTS = NODE_EXTRA_CA_CERTS;
      });
      const server = await httpServer(t, { token: "t" }, { tls: ca.issue() });
      const { port, made } = await relay(t, server.port);
      const issue = createRemoteTokenIssuer({
        url: `https://127.0.0.1:${port}/`,
        timeoutMs: 60_000,
      });
      let left = CALLS;
      const lane = async () => {
        while (left-- > 0) await issue(PAYMENT);
      };
      await Promise.all(Array.from({ length: atOnce }, lane));
      const handshakes = server.connections();
      t.diagnostic(`${CALLS} calls: ${made()} connections, ${handshakes} handshakes`);
      assert.equal(server.requests.length, CALLS);
      // Some handshakes may be under way still, and a busy machine may lose an idle connection.
      assert.ok(made() <= 2 * atOnce, `${made()} connections`);
      assert.ok(made() - handshakes < atOnce, `${handshakes} of ${made()} handshakes`);
    });
  }
});
