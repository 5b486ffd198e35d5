// @ts-check
/** A backend that shuts down as in a deployment: it waits for connections that are in use. */
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { issueFailed, rejectsWith } from "../support/errors.mjs";
import { gate } from "../support/gate.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { needing } from "../support/programs.mjs";
import { httpServer, reply } from "../support/server.mjs";
import { authority } from "../support/tls.mjs";
import { FRAMEWORKS } from "./support/backends.mjs";

const SELLER = { checks: { "/issue": async () => true }, issue: () => ({ token: "t" }) };

for (const [framework, serve] of Object.entries(FRAMEWORKS)) {
  describe(`a backend on ${framework}`, { timeout: 60_000 }, () => {
    it("shuts down beside an idle connection, and is found gone by the next call", async (t) => {
      const { origin, shutDown, drop } = await serve(SELLER);
      t.after(drop);
      const issue = createRemoteTokenIssuer({ url: `${origin}/issue` });
      for (let i = 0; i < 3; i += 1) await issue(PAYMENT);
      await shutDown();
      const reason = "connection refused (ECONNREFUSED)";
      const cause = { message: `connecting to ${origin}: ${reason}`, sent: false };
      await rejectsWith(issue(PAYMENT), issueFailed(`Network error: ${reason}`, cause));
    });
  });
}

describe("a connection that was begun and whose call another one served", {
  timeout: 60_000,
}, () => {
  /**
   * Two calls on one connection, of which the second had begun another that stands still.
   *
   * @param {import("node:test").TestContext} t
   */
  async function begun(t) {
    const ca = authority(t);
    const { NODE_EXTRA_CA_CERTS } = process.env;
    process.env.NODE_EXTRA_CA_CERTS = ca.file;
    t.after(() => {
      if (NODE_EXTRA_CA_CERTS === undefined) delete process.env.NODE_EXTRA_CA_CERTS;
      else process.env.NODE_EXTRA_CA_CERTS = NODE_EXTRA_CA_CERTS;
    });
    const holds = [gate(), gate()];
    const isHeld = [gate(), gate()];
    const server = await httpServer(
      t,
      async ({ body }, response) => {
        const { challengeId } = JSON.parse(body.toString());
        const hold = ["held", "held again"].indexOf(challengeId);
        if (hold >= 0) {
          isHeld[hold].open();
          await holds[hold].opened;
        }
        reply(response, { token: challengeId }, 200, { "Keep-Alive": "timeout=600" });
      },
      { tls: ca.issue() },
    );
    // In front of it, a relay whose second connection stands still for a while.
    const second = gate();
    const goOn = gate();
    const gone = gate();
    let made = 0;
    const relay = net.createServer(async (socket) => {
      made += 1;
      if (made === 2) {
        second.open();
        // Deno does not always tell the first.
        for (const event of ["close", "end", "error"]) socket.once(event, () => gone.open());
        await goOn.opened;
      }
      const onward = net.connect(server.port, "127.0.0.1");
      for (const end of [socket, onward]) end.on("error", () => {});
      socket.pipe(onward).pipe(socket);
      t.after(() => socket.destroy());
    });
    await once(relay.listen(0, "127.0.0.1"), "listening");
    t.after(() => relay.close());
    const { port } = /** @type {net.AddressInfo} */ (relay.address());
    const issue = createRemoteTokenIssuer({ url: `https://127.0.0.1:${port}/` });
    const pay = async (/** @type {string} */ challengeId) =>
      (await issue({ ...PAYMENT, challengeId })).token;

    assert.equal(await pay("first"), "first");
    const one = pay("held");
    await isHeld[0].opened;
    const other = pay("other");
    await second.opened;
    holds[0].open();
    assert.deepEqual(await Promise.all([one, other]), ["held", "other"]);
    return { pay, goOn, gone, made: () => made, holdsAgain: holds[1], isHeldAgain: isHeld[1] };
  }

  // D19
  needing("openssl")("goes on, and serves the next call that finds none", async (t) => {
    const { pay, goOn, made, holdsAgain, isHeldAgain } = await begun(t);
    const one = pay("held again");
    await isHeldAgain.opened;
    const next = pay("next");
    goOn.open();
    assert.equal(await next, "next");
    holdsAgain.open();
    assert.equal(await one, "held again");
    assert.equal(made(), 2);
  });

  needing("openssl")("is closed soon where no call needs it", async (t) => {
    const { goOn, gone, made } = await begun(t);
    goOn.open();
    await gone.opened;
    assert.equal(made(), 2);
  });
});
