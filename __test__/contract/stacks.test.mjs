// @ts-check
/** The stack of an error that this package made: its caller first, no frame of the package above. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  AccessTokenIssuer,
  createRemoteTokenIssuer,
  oauthClientCredentialsAuth,
  setKey0ErrorClass,
  sharedSecretAuth,
  signedJwtAuth,
  validateKey0Token,
  validateToken,
} from "../../index.mjs";
import { SECRET } from "../support/tokens.mjs";

const NOBODY = "http://127.0.0.1:1/";
const CLAIMS = { sub: "s", jti: "j", resourceId: "r", planId: "p", txHash: "x" };
const OAUTH = { tokenUrl: NOBODY, clientId: "c", clientSecret: "s" };
const foreign = /** @type {any} */ ({ sign: () => ({ token: 1 }) });
const anything = /** @type {any} */ (undefined);
const unreadable = /** @type {any} */ ({
  get url() {
    throw new Error("unreadable");
  },
});

/** @type {Record<string, () => Promise<unknown>>} */
const CALLS = {
  "an issuer": () => createRemoteTokenIssuer({ url: NOBODY })(anything),
  "an issuer whose strategy failed": () =>
    createRemoteTokenIssuer({ url: NOBODY, auth: oauthClientCredentialsAuth(OAUTH) })(anything),
  "an issuer whose auth gave what is no header": () =>
    createRemoteTokenIssuer({ url: NOBODY, auth: async () => anything })(anything),
  "an issuer whose params cannot be sent": () =>
    createRemoteTokenIssuer({ url: NOBODY })(/** @type {any} */ ({ n: 1n })),
  "a strategy by itself": () => oauthClientCredentialsAuth(OAUTH)(),
  "signedJwtAuth with an issuer of others": () => signedJwtAuth(foreign, "a")(),
  validateToken: () => validateToken("", { secret: SECRET }),
  validateKey0Token: () => validateKey0Token("", { secret: SECRET }),
  sign: () => new AccessTokenIssuer(SECRET).sign(CLAIMS, Number.NaN),
  verify: () => new AccessTokenIssuer(SECRET).verify("no token"),
  verifyWithFallback: () => new AccessTokenIssuer(SECRET).verifyWithFallback("no token", []),
  "sign of another receiver": () => AccessTokenIssuer.prototype.sign.call(anything, CLAIMS, 60),
};

/** @type {Record<string, () => unknown>} */
const CREATIONS = {
  createRemoteTokenIssuer: () => createRemoteTokenIssuer({ url: "nowhere" }),
  "a configuration that cannot be read": () => createRemoteTokenIssuer(unreadable),
  oauthClientCredentialsAuth: () => oauthClientCredentialsAuth({ ...OAUTH, clientId: "" }),
  sharedSecretAuth: () => sharedSecretAuth("X-A", anything),
  signedJwtAuth: () => signedJwtAuth(anything, "a"),
  AccessTokenIssuer: () => new AccessTokenIssuer("short"),
  setKey0ErrorClass: () => setKey0ErrorClass(/** @type {any} */ (Error)),
};

describe("the first frame is the caller's", () => {
  for (const [what, call] of Object.entries(CALLS)) {
    it(what, async () => {
      async function buyPhoto() {
        await call();
      }
      await assert.rejects(buyPhoto, (error) => {
        assert.match(frames(error)[0], /stacks\.test\.mjs:\d/);
        assert.ok(frames(error).some((frame) => /at (?:async )?buyPhoto /.test(frame)));
        return true;
      });
    });
  }

  for (const [what, create] of Object.entries(CREATIONS)) {
    it(`at creation: ${what}`, () => {
      assert.throws(create, (error) => {
        assert.match(frames(error)[0], /stacks\.test\.mjs:\d/);
        return true;
      });
    });
  }
});

describe("no other frame goes", () => {
  it("of a caller that this package called", async () => {
    const auth = async () => {
      await validateToken("", { secret: SECRET });
      return {};
    };
    const call = createRemoteTokenIssuer({ url: NOBODY, auth })(anything);
    await assert.rejects(call, (error) => {
      assert.match(frames(error)[0], /stacks\.test\.mjs:\d/);
      assert.ok(frames(error).some((frame) => /remote-token-issuer\.js:\d/.test(frame)));
      return true;
    });
  });

  it("where a message looks like frames", () => {
    const name = `X\n    at own (${new URL("../../index.js", import.meta.url).pathname}:1:1)`;
    assert.throws(
      () => sharedSecretAuth(name, "s"),
      (error) => {
        assert.ok(error instanceof Error);
        assert.ok(error.stack?.startsWith(`${error.name}: ${error.message}\n    at `), error.stack);
        return true;
      },
    );
  });

  it("where there is no stack", () => {
    const { stackTraceLimit } = Error;
    try {
      Error.stackTraceLimit = 0;
      assert.throws(() => sharedSecretAuth("X-A", anything), TypeError);
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  });
});

/** What follows a stack's head. @param {unknown} error */
function frames(error) {
  assert.ok(error instanceof Error);
  const { name, message, stack } = error;
  const head = `${name}: ${message}\n`;
  assert.ok(stack?.startsWith(head), stack);
  return String(stack).slice(head.length).split("\n");
}
