// @ts-check
/** A fleet that shares its token by Keyv: in a real Redis, in a real PostgreSQL. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { CLIENT } from "../support/oauth-server.mjs";
import { needing } from "../support/programs.mjs";
import { httpServer, reply } from "../support/server.mjs";
import { fleet } from "./support/fleet.mjs";
import { postgresServer, redisServer } from "./support/stores.mjs";

/** @type {[string, string, (t: any) => Promise<{ url: string, stop: () => Promise<void> }>][]} */
const STORES = [
  ["Keyv on Redis", "redis-server", redisServer],
  ["Keyv on PostgreSQL", "postgres", postgresServer],
];

for (const [kind, program, start] of STORES) {
  const it = needing(program);

  describe(kind, () => {
    it("gives the processes that come later the first one's token", async (t) => {
      const { url } = await start(t);
      const server = await httpServer(t, (_, response) =>
        reply(response, { access_token: "t", expires_in: 3600 }),
      );
      const config = { ...CLIENT, tokenUrl: server.url };
      const [first, ...others] = await fleet(t, 4, { kind, url }, config);
      assert.deepEqual((await first.calls(200)).tokens, ["Bearer t"]);
      const done = await Promise.all(others.map((member) => member.calls(200)));
      for (const { tokens, failures, storeFailures } of done) {
        assert.deepEqual([tokens, failures, storeFailures], [["Bearer t"], [], 0]);
      }
      assert.equal(server.requests.length, 1);
    });

    it("loses no call when it is stopped under load", async (t) => {
      const { url, stop } = await start(t);
      const server = await httpServer(t, (_, response) =>
        reply(response, { access_token: "t", expires_in: 11 }),
      );
      const config = { ...CLIENT, tokenUrl: server.url };
      const members = await fleet(t, 2, { kind, url }, config);
      const loads = members.map((member) => member.load(5_000));
      await new Promise((end) => setTimeout(end, 1_500));
      await stop();
      for (const { failures, done } of await Promise.all(loads)) {
        assert.deepEqual(failures, []);
        assert.ok(done > 100, `${done} calls`);
      }
    });
  });
}
