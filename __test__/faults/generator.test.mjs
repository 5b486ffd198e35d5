// @ts-check
/**
 * Random arguments for every exported function: no crash, no hang, no message without a name, no
 * secret, no rejection that nobody handles. A seed gives the same calls again.
 *
 *     CALLS=10000 SEED=7 node --test __test__/faults/generator.test.mjs
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import * as key0 from "../../index.mjs";
import { endedWell, run } from "../support/process.mjs";
import { closedPort, httpServer, reply } from "../support/server.mjs";

const PROGRAM = fileURLToPath(new URL("support/random-calls.mjs", import.meta.url));
const { CALLS = "2000", SEED = String(Date.now() % 2 ** 32) } = process.env;

const METHODS = ["sign", "verify", "verifyWithFallback"];
const NAMES = [
  ...Object.keys(key0).filter((name) => !["default", "module.exports"].includes(name)),
  ...METHODS.map((method) => `AccessTokenIssuer.${method}`),
];

describe(`${CALLS} calls with random arguments of seed ${SEED}`, { concurrency: 2 }, () => {
  /** @type {string[]} */
  let urls;
  const ends = /** @type {(() => void)[]} */ ([]);

  before(async () => {
    const server = await httpServer(
      { after: (end) => ends.push(/** @type {() => void} */ (end)) },
      (_, response) => reply(response, { token: "t", access_token: "t", expires_in: 1 }),
    );
    urls = [server.url, `http://127.0.0.1:${await closedPort()}/`];
  });

  after(() => {
    for (const end of ends) end();
  });

  for (const name of NAMES) {
    it(`${name} breaks no rule`, async (t) => {
      const args = [PROGRAM, name, SEED, CALLS, ...urls];
      const ended = await run(process.execPath, args, { limitMs: 300_000 });
      endedWell(ended);
      // Random secrets may be empty, which is warned of once.
      const warned =
        /^.*Warning: the secret given to sharedSecretAuth is empty.*\n(.*--trace-.*\n)?/;
      assert.equal(ended.stderr.replace(name === "sharedSecretAuth" ? warned : "", ""), "");
      const { broken, messages, ...figures } = JSON.parse(ended.stdout);
      assert.deepEqual(broken, []);
      assert.equal(figures.calls, Number(CALLS));
      t.diagnostic(JSON.stringify(figures));
    });
  }
});
