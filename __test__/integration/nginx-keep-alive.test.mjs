// @ts-check
/**
 * A backend behind nginx that closes connections: hundreds of payments at the moments when it does,
 * counted at the backend.
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { setTimeout as after } from "node:timers/promises";
import { createRemoteTokenIssuer, Key0Error } from "../../index.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { needing } from "../support/programs.mjs";
import { httpServer, reply } from "../support/server.mjs";
import { nginx } from "./support/nginx.mjs";

const it = needing("nginx", "python3");

/**
 * A backend behind nginx that gives each payment its challenge as the token.
 *
 * @param {import("node:test").TestContext} t
 * @param {string} directives
 * @param {boolean} [mayHang] Where nginx may leave a request without an answer.
 */
async function countedBackend(t, directives, mayHang = false) {
  const backend = await httpServer(t, ({ body }, response) => {
    reply(response, { token: JSON.parse(body.toString()).challengeId });
  });
  const { url, reload } = await nginx(t, backend.origin, directives);
  const issue = createRemoteTokenIssuer({ url, timeoutMs: mayHang ? 3_000 : 10_000 });
  let made = 0;
  /** @type {Set<string>} */
  const lost = new Set();
  /** @type {Set<string>} */
  const unanswered = new Set();

  /** @param {string} challengeId */
  async function pay(challengeId) {
    const { token } = await issue({ ...PAYMENT, challengeId });
    assert.equal(token, challengeId);
  }

  /** Pays, where the connection may close while the request is on its way. */
  async function payOrLose(/** @type {string} */ challengeId) {
    await pay(challengeId).catch((error) => {
      assert.ok(error instanceof Key0Error, error);
      // In a reload nginx leaves a few requests without an answer, Node's own client's too.
      if (mayHang && error.code === "TOKEN_ISSUE_TIMEOUT") {
        assert.equal(error.cause?.sent, true);
        unanswered.add(challengeId);
        return;
      }
      assert.equal(error.code, "TOKEN_ISSUE_FAILED");
      assert.match(error.cause?.code ?? "", /^(ECONNRESET|EPIPE)$/);
      assert.equal(error.cause?.sent, true);
      lost.add(challengeId);
    });
  }

  return {
    reload,
    /** How many worker processes passed something on. */
    workers: () => new Set(backend.requests.map(({ headers }) => headers["x-worker"])).size,
    /** Payments of their own, all at once. */
    async payAtOnce(/** @type {number} */ count) {
      const challenges = Array.from({ length: count }, () => `challenge-${++made}`);
      await Promise.all(challenges.map(payOrLose));
    },
    /**
     * Repeats what was lost, as the engine does and when it does, and asserts that every payment
     * arrived and that none came more often than it was called. The engine repeats no timeout.
     */
    async accounts() {
      if (lost.size > 0) await after(500);
      await Promise.all([...lost].map(pay));
      /** @type {Map<string, number>} */
      const came = new Map();
      for (const { body } of backend.requests) {
        const { challengeId } = JSON.parse(body.toString());
        came.set(challengeId, (came.get(challengeId) ?? 0) + 1);
      }
      const absent = [...unanswered].filter((challenge) => !came.has(challenge));
      assert.equal(came.size, made - absent.length);
      for (const [challenge, times] of came) {
        assert.ok(
          times === 1 || (times === 2 && lost.has(challenge)),
          `${challenge} came ${times}x`,
        );
      }
      const doubled = backend.requests.length - made;
      t.diagnostic(`${made} payments, ${lost.size} calls lost, ${doubled} of these had arrived`);
      return { made, lost: lost.size };
    },
  };
}

describe("nginx that closes connections", { concurrency: true }, () => {
  it("and says after how long loses none, at any age of a connection", async (t) => {
    const { payAtOnce, accounts } = await countedBackend(t, "keepalive_timeout 2s 2s;");
    // Around 1 s, to which the client keeps, and around the 2 s of the server.
    for (const age of [985, 1000, 1015, 1990, 2010]) {
      await payAtOnce(70);
      await after(age);
    }
    await payAtOnce(70);
    assert.deepEqual(await accounts(), { made: 420, lost: 0 });
  });

  it("without a word, before the client would, doubles none", async (t) => {
    const { payAtOnce, accounts } = await countedBackend(t, "keepalive_timeout 1s;");
    for (const age of [985, 996, 1000, 1004, 1015]) {
      await payAtOnce(70);
      await after(age);
    }
    await payAtOnce(70);
    assert.equal((await accounts()).made, 420);
  });

  it("after three requests each loses none", async (t) => {
    const { payAtOnce, accounts } = await countedBackend(t, "keepalive_requests 3;");
    for (let i = 0; i < 100; i += 1) await payAtOnce(1);
    for (let i = 0; i < 20; i += 1) await payAtOnce(20);
    assert.deepEqual(await accounts(), { made: 500, lost: 0 });
  });

  it("after each request loses none", async (t) => {
    const { payAtOnce, accounts } = await countedBackend(t, "keepalive_timeout 0;");
    for (let i = 0; i < 100; i += 1) await payAtOnce(1);
    for (let i = 0; i < 10; i += 1) await payAtOnce(20);
    assert.deepEqual(await accounts(), { made: 300, lost: 0 });
  });

  it("in a reload doubles none", { timeout: 60_000 }, async (t) => {
    const { payAtOnce, workers, reload, accounts } = await countedBackend(t, "", true);
    await payAtOnce(10);
    for (let reloads = 1; reloads <= 5; reloads += 1) {
      reload();
      while (workers() <= reloads) await payAtOnce(10);
    }
    await accounts();
  });
});
