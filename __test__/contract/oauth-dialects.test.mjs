// @ts-check
/** What token servers say otherwise than the SDK wants it, taken where an option asks for it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { refusesField, rejectsWith } from "../support/errors.mjs";
import { oauthFailed } from "../support/exchanges.mjs";
import { oauth, oauthOf } from "../support/oauth-server.mjs";
import { reply } from "../support/server.mjs";

/**
 * How often a server is asked by two calls, the second so many seconds after the first.
 *
 * @param {any} t
 * @param {unknown} expires_in
 * @param {object} config
 * @param {number} seconds
 */
async function requests(t, expires_in, config, seconds) {
  const { server, auth } = await oauth(t, { access_token: "t", expires_in }, { ...config });
  const begun = Date.now();
  t.mock.timers.enable({ apis: ["Date"], now: begun });
  await auth();
  t.mock.timers.setTime(begun + seconds * 1000);
  await auth();
  t.mock.timers.reset();
  return server.requests.length;
}

describe("defaultExpiresInSeconds", () => {
  for (const expires_in of [
    undefined,
    null,
    "soon",
    "",
    true,
    {},
    "inf",
    "-Infinity",
    "NaN",
    "60s",
  ]) {
    it(`is the lifetime where expires_in is ${JSON.stringify(expires_in)}`, async (t) => {
      const config = { defaultExpiresInSeconds: 100 };
      assert.equal(await requests(t, expires_in, config, 89), 1);
      assert.equal(await requests(t, expires_in, config, 91), 2);
    });
  }

  for (const expires_in of ["3600", " 3600 ", "3600.0", "3.6e3", 3600, 3600.5]) {
    it(`yields to an expires_in of ${JSON.stringify(expires_in)}`, async (t) => {
      const config = { defaultExpiresInSeconds: 100 };
      assert.equal(await requests(t, expires_in, config, 3589), 1);
      assert.equal(await requests(t, expires_in, config, 3591), 2);
    });
  }
});

describe("expiryBufferSeconds", () => {
  it("is the time before its end in which a token is no longer used", async (t) => {
    const config = { expiryBufferSeconds: 600 };
    assert.equal(await requests(t, 3600, config, 2999), 1);
    assert.equal(await requests(t, 3600, config, 3001), 2);
  });

  it("may be none", async (t) => {
    assert.equal(await requests(t, 3600, { expiryBufferSeconds: 0 }, 3599), 1);
    assert.equal(await requests(t, 3600, { expiryBufferSeconds: 0 }, 3601), 2);
  });

  it("is half of a short lifetime at most", async (t) => {
    const config = { expiryBufferSeconds: 10 };
    assert.equal(await requests(t, 8, config, 3), 1);
    assert.equal(await requests(t, 8, config, 5), 2);
  });

  it("is 10 where it is not given, whatever the lifetime", async (t) => {
    assert.equal(await requests(t, 10, {}, 0), 2);
    assert.equal(await requests(t, 60, {}, 49), 1);
    assert.equal(await requests(t, 60, {}, 51), 2);
  });
});

describe("tokenType", () => {
  const sentence = "Invalid OAuth response: token_type is not Bearer";

  for (const token_type of ["Bearer", "bearer", "BEARER"]) {
    it(`takes ${token_type}`, async (t) => {
      const answer = { access_token: "t", expires_in: 60, token_type };
      const { auth } = await oauth(t, answer, { tokenType: "Bearer" });
      assert.deepEqual(await auth(), { Authorization: "Bearer t" });
    });
  }

  it("refuses another type, which the cause has", async (t) => {
    const answer = { access_token: "t0ken-of-another-type", expires_in: 60, token_type: "DPoP" };
    const { auth } = await oauth(t, answer, { tokenType: "Bearer" });
    const cause = { message: /: its token_type is DPoP$/, status: 200, sent: true };
    const error = await rejectsWith(auth(), oauthFailed(sentence, cause));
    assert.ok(!`${error.stack}${error.cause.stack}`.includes("t0ken-of-another-type"));
  });

  for (const token_type of [undefined, null, 7]) {
    it(`refuses one that is ${JSON.stringify(token_type)}`, async (t) => {
      const answer = { access_token: "t", expires_in: 60, token_type };
      const { auth } = await oauth(t, answer, { tokenType: "Bearer" });
      const cause = { message: /: it has no token_type$/ };
      await rejectsWith(auth(), oauthFailed(sentence, cause));
    });
  }

  it("is not looked at where it is not given", async (t) => {
    const { auth } = await oauth(t, { access_token: "t", expires_in: 60, token_type: "DPoP" });
    assert.deepEqual(await auth(), { Authorization: "Bearer t" });
  });
});

describe("an OAuth error", () => {
  it("has its description and its page in the cause, and its code alone in the message", async (t) => {
    const answer = {
      error: "invalid_scope",
      error_description: "not yours",
      error_uri: "https://docs.test/scopes",
    };
    const { auth } = await oauth(t, (_, response) => reply(response, answer, 400));
    const expected = oauthFailed("OAuth token request failed: 400 invalid_scope", {
      message: /: invalid_scope: not yours: https:\/\/docs\.test\/scopes$/,
      body: JSON.stringify(answer),
    });
    await rejectsWith(auth(), expected);
  });
});

describe("oauthClientCredentialsAuth refuses", () => {
  for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    it(`an expiryBufferSeconds of ${wrong}`, () => {
      const config = { expiryBufferSeconds: wrong };
      refusesField(() => oauthOf("http://127.0.0.1/", config), RangeError, "expiryBufferSeconds");
    });
  }

  for (const wrong of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    it(`a defaultExpiresInSeconds of ${wrong}`, () => {
      const config = { defaultExpiresInSeconds: wrong };
      const create = () => oauthOf("http://127.0.0.1/", config);
      refusesField(create, RangeError, "defaultExpiresInSeconds");
    });
  }

  for (const field of ["expiryBufferSeconds", "defaultExpiresInSeconds"]) {
    it(`${field} as a string`, () => {
      const create = () => oauthOf("http://127.0.0.1/", { [field]: "60" });
      refusesField(create, TypeError, field);
    });
  }

  for (const tokenType of ["DPoP", "", 1]) {
    it(`a tokenType of ${JSON.stringify(tokenType)}`, () => {
      refusesField(() => oauthOf("http://127.0.0.1/", { tokenType }), TypeError, "tokenType");
    });
  }
});
