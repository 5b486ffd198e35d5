// @ts-check
/** refreshAhead: a token is replaced before its end, and nobody waits for it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { wallClock } from "../support/clock.mjs";
import { gate } from "../support/gate.mjs";
import { oauth } from "../support/oauth-server.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { httpServer, reply } from "../support/server.mjs";

/**
 * A provider whose tokens live 3,610 seconds and are numbered; `Date.now` is the test's. `answers`
 * are what the endpoint waits for before each answer, and which status it has.
 *
 * @param {import("../support/server.mjs").Test} t
 * @param {Record<string, unknown>} config
 * @param {(number: number) => Promise<number> | number} [status]
 */
async function aging(t, config, status = () => 200) {
  const { pass } = wallClock(t);
  let last = 0;
  const { auth, server } = await oauth(
    t,
    async (_, response) => {
      const number = ++last;
      const token = { access_token: `token-${number}`, expires_in: 3610 };
      reply(response, token, await status(number));
    },
    config,
  );
  const token = async () => (await auth()).Authorization.replace("Bearer ", "");
  return { auth, server, token, pass };
}

/** Settles when `holds` does. @param {() => unknown} holds */
async function until(holds) {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}

describe("a token past refreshAhead", () => {
  for (const [refreshAhead, early, late] of [
    [600, 2_999, 3_150],
    [0.25, 2_699, 2_930],
  ]) {
    it(`(${refreshAhead}) is given at once while one fetch replaces it`, async (t) => {
      const release = gate();
      const arrived = gate();
      const { server, token, pass } = await aging(t, { refreshAhead }, async (number) => {
        if (number === 2) {
          arrived.open();
          await release.opened;
        }
        return 200;
      });
      assert.equal(await token(), "token-1");
      pass(early);
      assert.equal(await token(), "token-1");
      assert.equal(server.requests.length, 1);
      pass(late - early);
      const given = await Promise.all(Array.from({ length: 100 }, () => token()));
      assert.deepEqual(new Set(given), new Set(["token-1"]));
      await arrived.opened;
      assert.equal(await token(), "token-1");
      release.open();
      await until(async () => (await token()) === "token-2");
      assert.equal(server.requests.length, 2);
    });
  }

  it("is used by issues, too", async (t) => {
    const { auth, server, pass } = await aging(t, { refreshAhead: 600 });
    const backend = await httpServer(t);
    const issue = createRemoteTokenIssuer({ url: backend.url, auth });
    await issue(PAYMENT);
    pass(3_300);
    await issue(PAYMENT);
    await until(async () => {
      await issue(PAYMENT);
      return backend.requests.at(-1)?.headers.authorization === "Bearer token-2";
    });
    assert.equal(backend.requests[1].headers.authorization, "Bearer token-1");
    assert.equal(server.requests.length, 2);
  });

  it("stays while the fetch fails, and the next attempt waits", async (t) => {
    const { server, token, pass } = await aging(t, { refreshAhead: 600 }, (number) =>
      number === 1 ? 200 : 503,
    );
    await token();
    pass(3_300);
    assert.equal(await token(), "token-1");
    await until(() => server.requests.length === 2);
    for (let i = 0; i < 50; i++) assert.equal(await token(), "token-1");
    assert.equal(server.requests.length, 2);
  });

  it("asks a function for the secret in the context of the call that is past it", async (t) => {
    const { AsyncLocalStorage } = await import("node:async_hooks");
    const als = new AsyncLocalStorage();
    /** @type {unknown[]} */
    const seen = [];
    const clientSecret = () => {
      seen.push(als.getStore());
      return "s3cr3t";
    };
    const { token, pass } = await aging(t, { refreshAhead: 600, clientSecret });
    await als.run("cold", token);
    pass(3_300);
    assert.equal(await als.run("due", token), "token-1");
    await until(async () => (await token()) === "token-2");
    assert.deepEqual(seen, ["cold", "due"]);
  });
});
