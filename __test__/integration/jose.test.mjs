// @ts-check
/** JWTs made here and verified by `jose` and by `node:crypto` alone, and the other way about. */
import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { describe, it } from "node:test";
import { EncryptJWT, errors, importPKCS8, jwtVerify, SignJWT, UnsecuredJWT } from "jose";
import {
  AccessTokenIssuer,
  signedJwtAuth,
  validateKey0Token,
  validateToken,
} from "../../index.mjs";
import { rejection } from "../support/errors.mjs";
import { RSA, RSA_PUBLIC } from "../support/keys.mjs";
import {
  CLAIMS,
  FAR,
  hs256,
  now,
  readHs256,
  readRs256,
  rs256,
  SECRET,
} from "../support/tokens.mjs";

const OTHER = "another secret of 32 characters!";
const bytes = (/** @type {string} */ text) => new TextEncoder().encode(text);

/** Claims that a port to another language gets wrong. */
const ODD = {
  ...CLAIMS,
  sub: 'größe \u{1f511} \u2028 "\\/',
  aud: ["a", "b"],
  nbf: 0.5,
  number: 0.1 + 0.2,
  large: Number.MAX_SAFE_INTEGER,
  nested: { "": [null, true, {}] },
};

const HS256 = {
  alg: "HS256",
  issuers: { "of a secret": new AccessTokenIssuer(SECRET) },
  joseKey: bytes(SECRET),
  joseVerifies: bytes(SECRET),
  config: { secret: SECRET },
  read: (/** @type {string} */ token) => readHs256(token),
  make: (/** @type {object} */ payload) => hs256(payload),
};

const RS256 = {
  alg: "RS256",
  issuers: {
    "of a PKCS#8 key": new AccessTokenIssuer({ algorithm: "RS256", privateKey: RSA.pkcs8 }),
    "of a PKCS#1 key": new AccessTokenIssuer({ algorithm: "RS256", privateKey: RSA.pkcs1 }),
    // B30
    "of a key whose line breaks are escaped": new AccessTokenIssuer({
      algorithm: "RS256",
      privateKey: RSA.pkcs8.replaceAll("\n", "\\n"),
    }),
  },
  joseKey: createPrivateKey(RSA.pkcs8),
  joseVerifies: createPublicKey(RSA_PUBLIC.spki),
  config: /** @type {const} */ ({ algorithm: "RS256", publicKey: RSA_PUBLIC.spki }),
  read: (/** @type {string} */ token) => readRs256(token, RSA_PUBLIC.spki),
  make: (/** @type {object} */ payload) => rs256(payload, RSA.pkcs8),
};

for (const { alg, issuers, joseKey, joseVerifies, config, read, make } of [HS256, RS256]) {
  const options = { algorithms: [alg] };

  for (const [name, issuer] of Object.entries(issuers)) {
    describe(`a token by an ${alg} issuer ${name}`, () => {
      it("is verified by jose, its claims as they were given", async () => {
        const before = now();
        const { token } = await issuer.sign(ODD, 60);
        const { payload, protectedHeader } = await jwtVerify(token, joseVerifies, options);
        const { iat, exp, ...claims } = payload;
        assert.deepEqual(claims, ODD);
        assert.deepEqual(protectedHeader, { alg });
        assert.ok(iat !== undefined && iat >= before && iat <= now());
        assert.equal(exp, iat + 60);
      });

      it("is verified by node:crypto, its text the one that JSON.stringify gives", async () => {
        const { header, payload } = read((await issuer.sign(ODD, 60)).token);
        assert.equal(header, JSON.stringify({ alg }));
        const { iat } = JSON.parse(payload);
        assert.equal(payload, JSON.stringify({ ...ODD, iat, exp: iat + 60 }));
      });

      // B34
      it("has the lifetime that was asked for in place of the caller's", async () => {
        const claims = { ...CLAIMS, exp: 9_999_999_999, iat: 1 };
        const { token } = await issuer.sign(claims, 60);
        const { payload } = await jwtVerify(token, joseVerifies, options);
        assert.equal(/** @type {number} */ (payload.exp) - /** @type {number} */ (payload.iat), 60);
        assert.equal(read(token).payload.match(/"(iat|exp)":/g)?.length, 2);
      });

      it("is verified by jose where signedJwtAuth asked for it", async () => {
        const audience = "https://seller.example";
        const { Authorization } = await signedJwtAuth(issuer, audience, 90)();
        const token = Authorization.replace(/^Bearer /, "");
        const { payload } = await jwtVerify(token, joseVerifies, options);
        const { iat, exp, jti, ...claims } = payload;
        assert.deepEqual(claims, {
          sub: "key0-service",
          resourceId: audience,
          planId: "system",
          txHash: "system-auth",
        });
        assert.match(
          jti ?? "",
          /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
        );
        assert.equal(exp, /** @type {number} */ (iat) + 90);
      });

      it("is refused by jose with one bit of its signature changed", async () => {
        const { token } = await issuer.sign(CLAIMS, 60);
        const error = await rejection(jwtVerify(altered(token), joseVerifies, options));
        assert.ok(error instanceof errors.JWSSignatureVerificationFailed);
      });
    });
  }

  describe(`an ${alg} token by jose`, () => {
    const jose = () => new SignJWT(ODD).setProtectedHeader({ alg, typ: "JWT", kid: "key-1" });
    const lasting = () => jose().setIssuedAt().setExpirationTime("2h");

    it("is verified by validateKey0Token, its claims as they were given", async () => {
      const token = await lasting().sign(joseKey);
      const { iat, exp, ...claims } = await validateKey0Token(`Bearer ${token}`, config);
      assert.deepEqual(claims, ODD);
      assert.equal(exp, /** @type {number} */ (iat) + 7_200);
    });

    it("without a lifetime is verified", async () => {
      const token = await jose().sign(joseKey);
      assert.deepEqual(await validateKey0Token(`Bearer ${token}`, config), ODD);
    });

    // B28
    it("of a machine whose clock is two minutes ahead is verified", async () => {
      const iat = now() + 120;
      const token = await jose()
        .setIssuedAt(iat)
        .setExpirationTime(iat + 60)
        .sign(joseKey);
      assert.equal((await validateKey0Token(`Bearer ${token}`, config)).iat, iat);
    });

    it("that has expired is refused for that", async () => {
      const token = await jose()
        .setExpirationTime(now() - 1)
        .sign(joseKey);
      const { message } = await rejection(validateKey0Token(`Bearer ${token}`, config));
      assert.equal(message, "Token expired");
    });

    it("with one bit of its signature changed is refused", async () => {
      const token = altered(await lasting().sign(joseKey));
      const { message } = await rejection(validateKey0Token(`Bearer ${token}`, config));
      assert.equal(message, "Invalid token signature");
    });
  });

  describe(`an ${alg} token by node:crypto alone`, () => {
    it("is verified by jose and by validateKey0Token alike", async () => {
      const token = make({ ...ODD, exp: FAR });
      const { payload } = await jwtVerify(token, joseVerifies, options);
      assert.deepEqual(await validateKey0Token(`Bearer ${token}`, config), payload);
    });
  });
}

describe("an HS256 token by jose", () => {
  const issuer = new AccessTokenIssuer(SECRET);
  const token = () =>
    new SignJWT(ODD)
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime(FAR)
      .sign(bytes(SECRET));

  it("is verified by an issuer of its secret", async () => {
    assert.deepEqual(await issuer.verify(await token()), { ...ODD, exp: FAR });
  });

  it("is verified by an issuer that has its secret to fall back on", async () => {
    const claims = await new AccessTokenIssuer(OTHER).verifyWithFallback(await token(), [SECRET]);
    assert.deepEqual(claims, { ...ODD, exp: FAR });
  });

  it("is verified by validateToken", async () => {
    const claims = await validateToken(`Bearer ${await token()}`, { secret: SECRET });
    assert.deepEqual(claims, { ...ODD, exp: FAR });
  });

  it("of a secret beyond ASCII is verified: both take its UTF-8", async () => {
    const secret = "geheimnis über schlüssel \u{1f511} und türen";
    const signed = await new SignJWT(CLAIMS)
      .setProtectedHeader({ alg: "HS256" })
      .sign(bytes(secret));
    assert.deepEqual(await new AccessTokenIssuer(secret).verify(signed), CLAIMS);
    const { token: own } = await new AccessTokenIssuer(secret).sign(CLAIMS, 60);
    assert.equal((await jwtVerify(own, bytes(secret))).payload.jti, CLAIMS.jti);
  });
});

describe("an issuer's verify and jose refuse", () => {
  const issuer = new AccessTokenIssuer(SECRET);
  const good = hs256({ ...CLAIMS, exp: FAR });
  const [header, payload, signature] = good.split(".");

  /** @type {Record<string, string | (() => Promise<string>)>} */
  const tokens = {
    "an expired token": hs256({ ...CLAIMS, exp: now() - 1 }),
    "a token that expires now": hs256({ ...CLAIMS, exp: now() }),
    "a token not yet valid": hs256({ ...CLAIMS, nbf: now() + 600 }),
    // B29
    "an exp that is a string": hs256({ ...CLAIMS, exp: String(FAR) }),
    "an nbf that is a string": hs256({ ...CLAIMS, nbf: "0" }),
    "an iat that is a string": hs256({ ...CLAIMS, iat: "0" }),
    "an exp of null": hs256({ ...CLAIMS, exp: null }),
    "another secret": hs256(CLAIMS, { secret: OTHER }),
    "a changed payload": `${header}.${Buffer.from("{}").toString("base64url")}.${signature}`,
    "a missing signature": `${header}.${payload}.`,
    "two parts": `${header}.${payload}`,
    "four parts": `${good}.x`,
    "no token at all": "token",
    "the empty string": "",
    "a header that is no JSON": `${Buffer.from("alg").toString("base64url")}.${payload}.${signature}`,
    "a header without alg": hs256(CLAIMS, { header: {} }),
    "a header that is an array": hs256(CLAIMS, { header: [] }),
    "a payload that is no JSON": hs256("claims"),
    "a payload that is an array": hs256([]),
    "alg none": new UnsecuredJWT(CLAIMS).encode(),
    "alg HS512": hs256(CLAIMS, { header: { alg: "HS512" }, hash: "sha512" }),
    "alg hs256 in small letters": hs256(CLAIMS, { header: { alg: "hs256" } }),
    "alg RS256": rs256(CLAIMS, RSA.pkcs8),
    "an encrypted token": () =>
      new EncryptJWT(CLAIMS)
        .setProtectedHeader({ alg: "dir", enc: "A128CBC-HS256" })
        .encrypt(bytes(SECRET)),
  };

  for (const [name, made] of Object.entries(tokens)) {
    it(`${name}, by the same code`, async () => {
      const token = typeof made === "string" ? made : await made();
      const by = {
        jose: await rejection(jwtVerify(token, bytes(SECRET), { algorithms: ["HS256"] })),
        here: await rejection(issuer.verify(token)),
      };
      assert.deepEqual(
        { code: by.here.code, claim: by.here.claim },
        { code: by.jose.code, claim: by.jose.claim },
        `${by.here.message} – ${by.jose.message}`,
      );
    });
  }
});

describe("keys of jose", () => {
  it("and keys here read the same PEM", async () => {
    const key = await importPKCS8(RSA.pkcs8, "RS256");
    const token = await new SignJWT(CLAIMS).setProtectedHeader({ alg: "RS256" }).sign(key);
    for (const publicKey of Object.values(RSA_PUBLIC)) {
      const config = /** @type {const} */ ({ algorithm: "RS256", publicKey });
      assert.deepEqual(await validateKey0Token(`Bearer ${token}`, config), CLAIMS);
    }
  });
});

/** The token with the first bit of its signature changed. @param {string} token */
function altered(token) {
  const [header, payload, signature] = token.split(".");
  const changed = Buffer.from(signature, "base64url");
  changed[0] ^= 0x80;
  return `${header}.${payload}.${changed.toString("base64url")}`;
}
