// @ts-check
/**
 * What the strategies refuse at creation: an error that names the argument and hides the secret.
 * `createRemoteTokenIssuer` and `AccessTokenIssuer` have files of their own.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import * as addon from "../../index.mjs";
import { CANARY, refusesField } from "../support/errors.mjs";
import { SECRET } from "../support/tokens.mjs";

/** As JavaScript callers call it, whatever the types say. */
const { oauthClientCredentialsAuth, sharedSecretAuth, signedJwtAuth } = /** @type {any} */ (addon);
const { AccessTokenIssuer } = addon;

describe("sharedSecretAuth refuses", () => {
  for (const name of [undefined, null, 42, {}, ["X-A"], Symbol("s"), new String("X-A")]) {
    it(`a headerName of ${inspect(name)}, which is no string`, () => {
      refusesField(() => sharedSecretAuth(name, CANARY), TypeError, "headerName");
    });
  }

  for (const name of ["", " ", "X A", " X-A", "X-A\n", "X:A", "X-Ä", "X\0", "密", "a,b", '"X"']) {
    it(`a headerName of ${JSON.stringify(name)}, which is no HTTP token`, () => {
      refusesField(() => sharedSecretAuth(name, CANARY), TypeError, "headerName");
    });
  }

  // an unset variable of the environment
  for (const secret of [undefined, null, 42, {}, [CANARY], Symbol("s")]) {
    it(`a secret of ${inspect(secret)}, which is no string`, () => {
      refusesField(() => sharedSecretAuth("X-A", secret), TypeError, "secret");
    });
  }

  it("a secret that is missing", () => {
    refusesField(() => sharedSecretAuth("X-A"), TypeError, "secret");
  });

  // B38
  for (const bad of ["\r", "\n", "\r\n", "\n ", "\0", "\u0100", "密", "\u{1f600}", "\ud800"]) {
    it(`a secret with ${JSON.stringify(bad)} inside`, () => {
      refusesField(() => sharedSecretAuth("X-A", CANARY + bad + CANARY), TypeError, "secret");
    });
  }

  for (const bad of ["\0", "\u0100"]) {
    it(`a secret with ${JSON.stringify(bad)} at an end`, () => {
      refusesField(() => sharedSecretAuth("X-A", bad + CANARY), TypeError, "secret");
      refusesField(() => sharedSecretAuth("X-A", CANARY + bad), TypeError, "secret");
    });
  }
});

describe("signedJwtAuth refuses", () => {
  for (const issuer of [undefined, null, {}, "issuer", 42, { sign: "t" }, { sign: undefined }]) {
    it(`an issuer of ${inspect(issuer)}, which cannot sign`, () => {
      refusesField(() => signedJwtAuth(issuer, "audience"), TypeError, "issuer");
    });
  }

  // B27
  for (const ttl of ["60", null, 60n, true, {}, [60]]) {
    it(`${inspect(ttl)} as the lifetime of our own issuer's tokens`, () => {
      const issuer = new AccessTokenIssuer(SECRET);
      refusesField(() => signedJwtAuth(issuer, "audience", ttl), TypeError, "ttlSeconds");
    });
  }

  for (const ttl of [Number.NaN, Infinity, -Infinity]) {
    it(`${ttl} as the lifetime of our own issuer's tokens`, () => {
      const issuer = new AccessTokenIssuer(SECRET);
      refusesField(() => signedJwtAuth(issuer, "audience", ttl), RangeError, "ttlSeconds");
    });
  }
});

describe("oauthClientCredentialsAuth refuses", () => {
  const good = { tokenUrl: "https://idp.internal/token", clientId: "id", clientSecret: CANARY };
  const create = (/** @type {object} */ change) => () =>
    oauthClientCredentialsAuth({ ...good, ...change });

  for (const config of [undefined, null, "config", 42]) {
    it(`${inspect(config)} in place of a configuration`, () => {
      assert.throws(() => oauthClientCredentialsAuth(config), TypeError);
    });
  }

  // B37
  const urls = [
    ...[undefined, null, 42, {}, ""],
    ...["token", "/token", "//x", "unix:/s", "http+unix://s", "file:///x", "ftp://x", "http://"],
  ];
  for (const tokenUrl of urls) {
    it(`a tokenUrl of ${inspect(tokenUrl)}`, () => {
      refusesField(create({ tokenUrl }), TypeError, "tokenUrl");
    });
  }

  it("a tokenUrl of another scheme without showing its password", () => {
    const tokenUrl = `ftp://user:${encodeURIComponent(CANARY)}@idp.internal/token`;
    refusesField(create({ tokenUrl }), TypeError, "tokenUrl");
    refusesField(create({ tokenUrl: new URL(tokenUrl) }), TypeError, "tokenUrl");
  });

  for (const field of ["clientId", "clientSecret"]) {
    for (const value of [undefined, null, 42, [CANARY]]) {
      it(`a ${field} of ${inspect(value)}`, () => {
        refusesField(create({ [field]: value }), TypeError, field);
      });
    }
  }

  for (const scopes of ["read write", {}, 42, new Set(["read"])]) {
    it(`scopes of ${inspect(scopes)}, which are no array`, () => {
      refusesField(create({ scopes }), TypeError, "scopes");
    });
  }
});
