// @ts-check
/** oauthClientCredentialsAuth: how long a token is kept. The wall clock is Date.now(). */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { rejectsWith } from "../support/errors.mjs";
import { oauthFailed } from "../support/exchanges.mjs";
import { oauth } from "../support/oauth-server.mjs";
import { reply } from "../support/server.mjs";

const START = 1_700_000_000_000;

/**
 * A provider whose endpoint numbers its tokens, and a wall clock to set.
 *
 * @param {import("node:test").TestContext} t
 * @param {number | string} expiresIn A string is JSON's text.
 * @param {() => unknown} [onRequest]
 */
async function numbered(t, expiresIn, onRequest = () => {}) {
  let wall = START;
  t.mock.method(Date, "now", () => wall);
  let count = 0;
  const { auth } = await oauth(t, (_, response) => {
    onRequest();
    reply(response, `{"access_token":"t${++count}","expires_in":${expiresIn}}`);
  });
  return {
    /** The number of the token that a call gives at this many ms from the start. */
    async at(/** @type {number} */ ms) {
      wall = START + ms;
      return Number((await auth()).Authorization.slice("Bearer t".length));
    },
    set: (/** @type {number} */ ms) => {
      wall = START + ms;
    },
  };
}

describe("a token is kept", () => {
  it("until 10 s before its end, to the millisecond", async (t) => {
    const { at } = await numbered(t, 3600);
    assert.equal(await at(0), 1);
    assert.equal(await at(3_589_999), 1);
    assert.equal(await at(3_590_000), 2);
    assert.equal(await at(3_590_000 + 3_589_999), 2);
    assert.equal(await at(3_590_000 + 3_590_000), 3);
  });

  it("for a fractional lifetime", async (t) => {
    const { at } = await numbered(t, 3600.5);
    assert.equal(await at(0), 1);
    assert.equal(await at(3_590_499), 1);
    assert.equal(await at(3_590_500), 2);
  });

  it("from the moment before it was asked for", async (t) => {
    // the answer takes 1,000 s
    const { at, set } = await numbered(t, 3600, () => set(1_000_000));
    assert.equal(await at(0), 1);
    assert.equal(await at(3_589_999), 1);
    assert.equal(await at(3_590_000), 2);
  });

  for (const forever of ["1e400", 2 ** 53 + 2, "1e300"]) {
    it(`without end where it expires in ${forever} s`, async (t) => {
      const { at } = await numbered(t, forever);
      assert.equal(await at(0), 1);
      assert.equal(await at(1e15), 1);
      assert.equal(await at(Number.MAX_SAFE_INTEGER - START), 1);
    });
  }

  it("by its own provider", async (t) => {
    const first = await oauth(t);
    const second = await oauth(t);
    await Promise.all([first.auth(), second.auth()]);
    assert.equal(first.server.requests.length, 1);
    assert.equal(second.server.requests.length, 1);
  });
});

describe("a token is fetched anew", () => {
  for (const short of [10, 9.9, 1, 0, -0, -5, "-1e400"]) {
    it(`at every call where it expires in ${short} s`, async (t) => {
      const { at } = await numbered(t, short);
      assert.equal(await at(0), 1);
      assert.equal(await at(0), 2);
      assert.equal(await at(0), 3);
    });
  }

  // B26
  it("where the wall clock has gone back before it was obtained", async (t) => {
    const { at } = await numbered(t, 3600);
    assert.equal(await at(0), 1);
    assert.equal(await at(-1), 2);
    assert.equal(await at(-7_200_000), 3);
    assert.equal(await at(-7_200_000), 3);
  });

  // B26
  it("where the wall clock has gone forward beyond its end, as after a suspend", async (t) => {
    const { at } = await numbered(t, 3600);
    assert.equal(await at(0), 1);
    assert.equal(await at(4_000_000), 2);
  });

  it("after a failure, which is not remembered", async (t) => {
    let count = 0;
    const { auth, server } = await oauth(t, (_, response) => {
      if (++count < 3) reply(response, "busy", 503);
      else reply(response, { access_token: "t", expires_in: 3600 });
    });
    const busy = oauthFailed("OAuth token request failed: 503");
    await rejectsWith(auth(), busy);
    await rejectsWith(auth(), busy);
    assert.deepEqual(await auth(), { Authorization: "Bearer t" });
    assert.deepEqual(await auth(), { Authorization: "Bearer t" });
    assert.equal(server.requests.length, 3);
  });

  it("though an earlier one was kept, where the fetch after its end fails", async (t) => {
    let count = 0;
    let wall = START;
    t.mock.method(Date, "now", () => wall);
    const { auth } = await oauth(t, (_, response) => {
      if (++count === 2) reply(response, "busy", 503);
      else reply(response, { access_token: `t${count}`, expires_in: 3600 });
    });
    assert.deepEqual(await auth(), { Authorization: "Bearer t1" });
    wall += 3_600_000;
    await rejectsWith(auth(), oauthFailed("OAuth token request failed: 503"));
    assert.deepEqual(await auth(), { Authorization: "Bearer t3" });
  });
});
