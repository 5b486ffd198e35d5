// @ts-check
/**
 * A backend behind nginx that closes connections: hundreds of payments at the moments when it does,
 * counted at the backend.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as after } from "node:timers/promises";
import { createRemoteTokenIssuer, Key0Error } from "../../index.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { httpServer, reply } from "../support/server.mjs";
import { nginx } from "./support/nginx.mjs";

/**
 * A backend behind nginx that gives each payment its challenge as the token.
 *
 * @param {import("../support/server.mjs").Test} t
 * @param {string} directives
 */
async function countedBackend(t, directives) {
  const backend = await httpServer(t, ({ body }, response) => {
    reply(response, { token: JSON.parse(body.toString()).challengeId });
  });
  const { url, reload } = await nginx(t, backend.origin, directives);
  const issue = createRemoteTokenIssuer({ url });
  let made = 0;
  let lost = 0;
  return {
    reload,
    /** Payments of their own, all at once; each gets its own token, or is lost as told below. */
    async pay(/** @type {number} */ count) {
      const challenges = Array.from({ length: count }, () => `challenge-${++made}`);
      const calls = challenges.map((challengeId) => issue({ ...PAYMENT, challengeId }));
      for (const [i, outcome] of (await Promise.allSettled(calls)).entries()) {
        if (outcome.status === "fulfilled") {
          assert.equal(outcome.value.token, challenges[i]);
        } else {
          lost += 1;
          const { reason } = outcome;
          assert.ok(reason instanceof Key0Error);
          assert.equal(reason.code, "TOKEN_ISSUE_FAILED");
          // Who may have been written is not sent again: the engine decides.
          assert.match(reason.cause?.code ?? "", /^(ECONNRESET|EPIPE)$/);
          assert.equal(reason.cause?.sent, true);
        }
      }
    },
    /** Asserts that no payment came twice and none is missing that got an answer. */
    accounts() {
      const came = backend.requests.map(({ body }) => JSON.parse(body.toString()).challengeId);
      assert.equal(new Set(came).size, came.length, "a payment came twice");
      assert.ok(came.length >= made - lost, `${came.length} of ${made} came, ${lost} were lost`);
      t.diagnostic?.(`${made} made, ${came.length} came, ${lost} lost`);
      return { made, came: came.length, lost };
    },
  };
}

describe("nginx that closes connections", { concurrency: true }, () => {
  it("and says after how long loses none, at any age of a connection", async (t) => {
    const { pay, accounts } = await countedBackend(t, "keepalive_timeout 2s 2s;");
    // Around 1 s, to which the client keeps, and around the 2 s of the server.
    for (const age of [950, 980, 995, 1000, 1005, 1020, 1990, 2000, 2010]) {
      await pay(40);
      await after(age);
    }
    await pay(40);
    assert.deepEqual(accounts(), { made: 400, came: 400, lost: 0 });
  });

  it("without a word, before the client would, doubles none", async (t) => {
    const { pay, accounts } = await countedBackend(t, "keepalive_timeout 1s;");
    for (const age of [980, 990, 995, 998, 1000, 1002, 1005, 1010, 1020]) {
      await pay(40);
      await after(age);
    }
    await pay(40);
    accounts();
  });

  it("after three requests each loses none", async (t) => {
    const { pay, accounts } = await countedBackend(t, "keepalive_requests 3;");
    for (let i = 0; i < 100; i += 1) await pay(1);
    for (let i = 0; i < 20; i += 1) await pay(20);
    assert.deepEqual(accounts(), { made: 500, came: 500, lost: 0 });
  });

  it("after each request loses none", async (t) => {
    const { pay, accounts } = await countedBackend(t, "keepalive_timeout 0;");
    for (let i = 0; i < 100; i += 1) await pay(1);
    for (let i = 0; i < 10; i += 1) await pay(20);
    assert.deepEqual(accounts(), { made: 300, came: 300, lost: 0 });
  });

  it("in a reload doubles none, and serves what follows", async (t) => {
    const { pay, reload, accounts } = await countedBackend(t, "keepalive_timeout 75s;");
    for (let i = 0; i < 40; i += 1) {
      if (i % 8 === 4) reload();
      await pay(10);
    }
    accounts();
  });
});
