// @ts-check
/** new AccessTokenIssuer: the keys it takes, and what it says of those that it does not. */
import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import * as addon from "../../index.mjs";
import { CANARY, showsNoCanary } from "../support/errors.mjs";
import {
  CERTIFICATE,
  EC,
  ED25519,
  ENCRYPTED,
  RSA,
  RSA_PUBLIC,
  SHORT_RSA,
} from "../support/keys.mjs";
import { CLAIMS, readHs256, readRs256, SECRET } from "../support/tokens.mjs";

/** As JavaScript callers call it, whatever the types say. */
const { AccessTokenIssuer } = /** @type {any} */ (addon);

/** @param {any} config */
const signed = async (config) => (await new AccessTokenIssuer(config).sign(CLAIMS, 60)).token;

/** Asserts that a configuration is refused with this whole sentence. */
function refused(/** @type {any} */ config, /** @type {string} */ sentence) {
  assert.throws(
    () => new AccessTokenIssuer(config),
    (/** @type {Error} */ error) => {
      assert.ok(error instanceof Error);
      assert.equal(error.message, sentence);
      return true;
    },
  );
}

/** Asserts that a private key is refused, by name and kind, and that no part of it is shown. */
function refusedKey(/** @type {string} */ privateKey, /** @type {RegExp} */ kind) {
  assert.throws(
    () => new AccessTokenIssuer({ algorithm: "RS256", privateKey }),
    (/** @type {Error} */ error) => {
      assert.ok(error instanceof Error);
      assert.match(error.message, /\bprivateKey\b/);
      assert.match(error.message, kind);
      const shown = inspect(error, { depth: 12, showHidden: true });
      for (const line of privateKey.split(/[\r\n]|\\n/).filter((line) => line.length >= 16)) {
        if (!line.startsWith("-----")) assert.ok(!shown.includes(line), "shows the key");
      }
      return true;
    },
  );
}

describe("an HS256 issuer", () => {
  for (const [name, config] of /** @type {[string, any][]} */ ([
    ["a string", SECRET],
    ["a secret", { secret: SECRET }],
    ["a secret and the algorithm", { secret: SECRET, algorithm: "HS256" }],
    ["an algorithm of undefined", { secret: SECRET, algorithm: undefined }],
  ])) {
    it(`is made of ${name}`, async () => {
      assert.equal(readHs256(await signed(config)).header, '{"alg":"HS256"}');
    });
  }

  it("needs a secret", () => {
    for (const config of [{}, { secret: undefined }, { secret: "" }, { algorithm: "HS256" }]) {
      refused(config, "HS256 algorithm requires secret");
    }
  });

  it("needs 32 characters", () => {
    const sentence = "ACCESS_TOKEN_SECRET must be at least 32 characters";
    refused("x".repeat(31), sentence);
    refused({ secret: "x".repeat(31) }, sentence);
    // UTF-16 units count, as `String.length` does: 31 of them in 62 bytes, then in 60
    refused("é".repeat(31), sentence);
    refused(`${"\u{1f600}".repeat(15)}x`, sentence);
  });

  it("counts characters as String.length does", async () => {
    const secret = "\u{1f600}".repeat(16);
    readHs256(await signed(secret), secret);
  });

  // B32: a secret of a file ends in a line break, and is another one without it
  for (const secret of [`${SECRET}\n`, ` ${SECRET} `, `${SECRET}\0é密\u{1f600}`]) {
    it(`keys with every byte of ${JSON.stringify(secret)}`, async () => {
      readHs256(await signed(secret), Buffer.from(secret));
    });
  }

  it("keys with every byte of a secret of any length", async () => {
    // Around the lengths at which the border reads a string another way.
    for (const letter of ["a", "é", "密", "😀", "\ud800"]) {
      for (let bytes = 2030; bytes < 2060; bytes++) {
        const letters = Math.floor(bytes / Buffer.byteLength(letter));
        const rest = "x".repeat(bytes - letters * Buffer.byteLength(letter));
        for (const secret of [letter.repeat(letters) + rest, rest + letter.repeat(letters)]) {
          readHs256(await signed(secret), secret);
        }
      }
    }
  });

  it("does not look at a private key", async () => {
    for (const privateKey of ["no PEM", 42, null, EC.pkcs8]) {
      readHs256(await signed({ secret: SECRET, privateKey }));
    }
  });

  const rsaPublic = createPublicKey(RSA_PUBLIC.spki);
  const spki = rsaPublic.export({ format: "der", type: "spki" });
  const everyoneKnows = {
    "a public key": RSA_PUBLIC.spki,
    "an RSA public key": RSA_PUBLIC.pkcs1,
    "a certificate": CERTIFICATE,
    "a public key with blanks around": `  ${RSA_PUBLIC.spki}\n`,
    "a public key in one line": RSA_PUBLIC.spki.replaceAll("\n", "\\n"),
    // D35
    "base64 of a public key's PEM": Buffer.from(RSA_PUBLIC.spki).toString("base64"),
    "base64 of a public key": spki.toString("base64"),
    "base64url of a public key": spki.toString("base64url"),
    "base64 of a certificate": CERTIFICATE.replace(/-----.*-----/g, ""),
    "a public key's JWK": JSON.stringify(rsaPublic.export({ format: "jwk" })),
    "an EC key's JWK": JSON.stringify(createPublicKey(EC.spki).export({ format: "jwk" })),
    "a JWKS": JSON.stringify({ keys: [rsaPublic.export({ format: "jwk" })] }),
    "a line of authorized_keys": `ssh-rsa AAAAB3NzaC1yc2E${"A".repeat(300)} me@here`,
    "a line of known_hosts": `here ecdsa-sha2-nistp256 AAAAE2VjZHNh${"A".repeat(100)}`,
    "an X509 CERTIFICATE": CERTIFICATE.replaceAll("CERTIFICATE", "X509 CERTIFICATE"),
    "a TRUSTED CERTIFICATE": CERTIFICATE.replaceAll("CERTIFICATE", "TRUSTED CERTIFICATE"),
    "a public key in lower case": RSA_PUBLIC.spki.toLowerCase(),
    "a public key with tabs": RSA_PUBLIC.spki.replaceAll(" ", "\t"),
  };
  for (const [name, secret] of Object.entries(everyoneKnows)) {
    it(`refuses ${name} as its secret: everyone may know it`, () => {
      const kind = /certificate/i.test(name) ? "certificate" : "public key";
      const message = `secret is not usable: ${kind}: everyone may know it`;
      for (const config of [secret, { secret }]) {
        assert.throws(() => new AccessTokenIssuer(config), { name: "TypeError", message });
      }
    });
  }

  it("takes a private key's PEM or JWK for the secret that it is", async () => {
    const jwk = JSON.stringify(createPrivateKey(RSA.pkcs8).export({ format: "jwk" }));
    for (const secret of [RSA.pkcs8, EC.sec1, ENCRYPTED, jwk]) {
      readHs256(await signed(secret), secret);
    }
  });
});

describe("an RS256 issuer", () => {
  /** @param {string} pem */
  const oneLine = (pem) => pem.trim().replaceAll("\n", " ");
  /** @param {string} pem */
  const escaped = (pem) => pem.replaceAll("\n", "\\n");
  const readable = {
    "PKCS#8": RSA.pkcs8,
    "PKCS#1": RSA.pkcs1,
    CRLF: RSA.pkcs8.replaceAll("\n", "\r\n"),
    "blanks around": `\n  ${RSA.pkcs8}\t\n`,
    "one line with blanks": oneLine(RSA.pkcs8),
    // B30
    "escaped line breaks": escaped(RSA.pkcs8),
    "line breaks escaped twice": RSA.pkcs8.replaceAll("\n", "\\\\n"),
    "escaped CRLF": RSA.pkcs8.replaceAll("\n", "\\r\\n"),
    "PKCS#1 with escaped line breaks": escaped(RSA.pkcs1),
  };
  for (const [name, privateKey] of Object.entries(readable)) {
    it(`reads a PEM: ${name}`, async () => {
      const token = await signed({ algorithm: "RS256", privateKey });
      assert.equal(readRs256(token, RSA_PUBLIC.spki).header, '{"alg":"RS256"}');
    });
  }

  it("does not look at a secret", async () => {
    for (const secret of ["short", 42, null, RSA_PUBLIC.spki]) {
      readRs256(
        await signed({ algorithm: "RS256", privateKey: RSA.pkcs8, secret }),
        RSA_PUBLIC.spki,
      );
    }
  });

  it("needs a private key", () => {
    for (const config of [{}, { privateKey: undefined }, { privateKey: "" }, { secret: SECRET }]) {
      refused({ algorithm: "RS256", ...config }, "RS256 algorithm requires privateKey");
    }
  });

  // B31, B30
  const der = createPrivateKey(RSA.pkcs8).export({ format: "der", type: "pkcs8" });
  const wrong = /** @type {[string, string, RegExp][]} */ ([
    ["an EC key", EC.pkcs8, /EC key: RS256 needs RSA/],
    ["an EC key in SEC1", EC.sec1, /EC key: RS256 needs RSA/],
    ["an Ed25519 key", ED25519.pkcs8, /Ed25519 key: RS256 needs RSA/],
    ["an encrypted key", ENCRYPTED, /encrypted private key: decrypt it first/],
    ["a public key", RSA_PUBLIC.spki, /public key/],
    ["an RSA public key", RSA_PUBLIC.pkcs1, /public key/],
    ["an EC public key", EC.spki, /public key/],
    ["a certificate", CERTIFICATE, /certificate/],
    ["an HMAC secret", SECRET, /no PEM/],
    ["1024 bits", SHORT_RSA.pkcs8, /1024 bits.*2048/],
    ["a PEM in quotes", `"${escaped(RSA.pkcs8)}"`, /quotes/],
    ["a PEM in single quotes", `'${RSA.pkcs8}'`, /quotes/],
    ["base64 of a PEM", Buffer.from(RSA.pkcs8).toString("base64"), /base64 of a PEM/],
    ["base64 of DER", der.toString("base64"), /no PEM/],
    ["a damaged PEM", RSA.pkcs8.replace(/\n.{60}/, "\n"), /damaged|no PEM/],
  ]);
  for (const [name, privateKey, kind] of wrong) {
    it(`refuses ${name} by its kind`, () => {
      refusedKey(privateKey, kind);
    });
  }

  for (const privateKey of [42, {}, Buffer.from(RSA.pkcs8), createPublicKey(RSA_PUBLIC.spki)]) {
    it(`refuses a private key that is no string (${privateKey.constructor.name})`, () => {
      const config = { algorithm: "RS256", privateKey };
      assert.throws(() => new AccessTokenIssuer(config), /\bprivateKey\b/);
    });
  }
});

describe("an issuer", () => {
  for (const algorithm of ["ES256", "none", "hs256", "HS512", "", 256]) {
    it(`refuses ${inspect(algorithm)} for an algorithm`, () => {
      const config = { algorithm, secret: SECRET, privateKey: RSA.pkcs8 };
      assert.throws(() => new AccessTokenIssuer(config), /\balgorithm\b/);
    });
  }

  for (const secret of [42, {}, [SECRET], Buffer.from(SECRET)]) {
    it(`refuses a secret that is no string (${inspect(secret)})`, () => {
      assert.throws(() => new AccessTokenIssuer({ secret }), /\bsecret\b/);
    });
  }

  for (const config of [undefined, null, 42, true]) {
    it(`refuses ${config} in place of a configuration`, () => {
      assert.throws(() => new AccessTokenIssuer(config), Error);
    });
  }

  it("does not show a secret that it refuses", () => {
    for (const config of [CANARY, { secret: CANARY }, { algorithm: CANARY }]) {
      assert.throws(
        () => new AccessTokenIssuer(config),
        (error) => {
          showsNoCanary(error);
          return true;
        },
      );
    }
  });

  it("is a class", () => {
    assert.throws(() => AccessTokenIssuer(SECRET), TypeError);
    assert.equal(AccessTokenIssuer.name, "AccessTokenIssuer");
    assert.ok(new AccessTokenIssuer(SECRET) instanceof AccessTokenIssuer);
  });
});
