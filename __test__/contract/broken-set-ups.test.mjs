// @ts-check
/**
 * Set-ups that are broken, as a table: what is wrong | what `console.error(error)` shows of it |
 * what the buyer sees. `node --test __test__/contract/broken-set-ups.test.mjs` prints it.
 */
import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, createSecretKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import {
  AccessTokenIssuer,
  createRemoteTokenIssuer,
  oauthClientCredentialsAuth,
  sharedSecretAuth,
  signedJwtAuth,
  validateKey0Token,
  validateToken,
} from "../../index.mjs";
import { authority, certificate } from "../support/certificates.mjs";
import { rejection } from "../support/errors.mjs";
import { RSA, RSA_PUBLIC } from "../support/keys.mjs";
import { CLIENT } from "../support/oauth-server.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { endedWell, runScript } from "../support/process.mjs";
import { httpServer, reply } from "../support/server.mjs";
import { CLAIMS, hs256, SECRET } from "../support/tokens.mjs";

/** @param {string} url @param {object} [config] */
async function issue(url, config) {
  return await createRemoteTokenIssuer({ url, ...config })(PAYMENT);
}

/** An issue by a backend that answers so. @param {import("../support/server.mjs").Answer} answer */
const answered = (answer, config = {}) => {
  return async (/** @type {any} */ t) => {
    const { url, origin } = await httpServer(t, answer);
    return { origin, error: await rejection(issue(url, config)) };
  };
};

/**
 * An issue whose OAuth server answers so.
 *
 * @param {import("../support/server.mjs").Answer} answer
 * @param {object} [config]
 */
const authorized = (answer, config) => {
  return async (/** @type {any} */ t) => {
    const { url, origin } = await httpServer(t, answer);
    const auth = oauthClientCredentialsAuth({ tokenUrl: url, ...CLIENT });
    return { origin, error: await rejection(issue("http://127.0.0.1:1/", { auth, ...config })) };
  };
};

/**
 * An issue by a server with such a certificate, whose authority is named or not.
 *
 * @param {import("../support/certificates.mjs").Spec} spec
 */
const secured = (spec, isNamed = true) => {
  return async (/** @type {any} */ t) => {
    const by = authority("an internal authority");
    const { pem: cert, key } = certificate("a server", { by, names: ["DNS:localhost"], ...spec });
    const options = { tls: { cert, key }, name: "localhost" };
    const { url, origin } = await httpServer(t, { token: "t" }, options);
    const folder = mkdtempSync(join(tmpdir(), "key0-authority-"));
    const file = join(folder, "authority.pem");
    writeFileSync(file, by.pem);
    const { NODE_EXTRA_CA_CERTS } = process.env;
    t.after(() => {
      rmSync(folder, { recursive: true });
      if (NODE_EXTRA_CA_CERTS === undefined) delete process.env.NODE_EXTRA_CA_CERTS;
      else process.env.NODE_EXTRA_CA_CERTS = NODE_EXTRA_CA_CERTS;
    });
    if (isNamed) process.env.NODE_EXTRA_CA_CERTS = file;
    else delete process.env.NODE_EXTRA_CA_CERTS;
    return { origin, error: await rejection(issue(url)) };
  };
};

const NEVER = () => {};
const HTML = `<!doctype html><title>500</title><p>key0 upstream 10.0.0.5 failed</p>`;
const REFUSED = { error: "invalid_client", error_description: "secret unknown" };

/**
 * Where ORIGIN is the server's.
 *
 * @type {[setUp: string, shown: string, buyer: string, run: (t: any) => Promise<any>][]}
 */
const CALLS = [
  [
    "a wrong host",
    "connecting to http://nope.invalid: host name not found (ENOTFOUND)",
    "Network error: host name not found (ENOTFOUND)",
    async () => ({ error: await rejection(issue("http://nope.invalid/")) }),
  ],
  [
    "the certificate of another host",
    "connecting to ORIGIN: Hostname/IP does not match certificate's altnames " +
      "(ERR_TLS_CERT_ALTNAME_INVALID): it is for backend.internal, 10.0.0.5",
    "Network error: Hostname/IP does not match certificate's altnames " +
      "(ERR_TLS_CERT_ALTNAME_INVALID)",
    secured({ names: ["DNS:backend.internal", "IP:10.0.0.5"] }),
  ],
  [
    "an internal authority that nobody has named",
    "connecting to ORIGIN: unable to verify the first certificate " +
      "(UNABLE_TO_VERIFY_LEAF_SIGNATURE): NODE_EXTRA_CA_CERTS can name a PEM file with its " +
      "authority's certificate",
    "Network error: unable to verify the first certificate (UNABLE_TO_VERIFY_LEAF_SIGNATURE)",
    secured({}, false),
  ],
  [
    "an expired certificate of an internal authority",
    "connecting to ORIGIN: certificate has expired (CERT_HAS_EXPIRED): the server's was valid " +
      "until 2021-02-03T04:05:06Z",
    "Network error: certificate has expired (CERT_HAS_EXPIRED)",
    secured({ until: "20210203040506Z" }),
  ],
  [
    "a certificate that is not valid yet",
    "connecting to ORIGIN: certificate is not yet valid (CERT_NOT_YET_VALID): the server's is " +
      "valid from 2048-02-03T04:05:06Z",
    "Network error: certificate is not yet valid (CERT_NOT_YET_VALID)",
    secured({ from: "20480203040506Z" }),
  ],
  [
    "a wrong client secret",
    "ORIGIN answered 401 (application/json, 63 bytes): invalid_client: secret unknown",
    "Failed to authenticate via OAuth: OAuth token request failed: 401 invalid_client",
    authorized((_, response) => {
      reply(response, REFUSED, 401, { "content-type": "application/json" });
    }),
  ],
  [
    "an OAuth server that writes expires_in as a string",
    "ORIGIN answered 200 (no content type, 40 bytes): expires_in must be a number, got a string",
    "Failed to authenticate via OAuth: Invalid OAuth response: missing access_token or expires_in",
    authorized((_, response) => reply(response, { access_token: "t", expires_in: "3600" })),
  ],
  [
    "a 500 with a page of HTML",
    "ORIGIN answered 500 (text/html, 69 bytes)",
    "Backend failed to issue token: 500",
    answered((_, response) => reply(response, HTML, 500, { "content-type": "text/html" })),
  ],
  [
    "a backend that hangs",
    "timed out after 1000 ms, waiting for the answer of ORIGIN",
    "Remote token issuance timed out",
    answered(NEVER, { timeoutMs: 1_000 }),
  ],
  [
    "an OAuth server that hangs",
    "timed out after 1000 ms, waiting for the token of ORIGIN",
    "Remote token issuance timed out",
    authorized(NEVER, { timeoutMs: 1_000 }),
  ],
];

describe("a call: set-up | console.error(error) shows | the buyer sees", () => {
  for (const [setUp, shown, buyer, run] of CALLS) {
    it(`${setUp} | ${shown} | ${buyer}`, async (t) => {
      const { error, origin } = await run(t);
      const reason = shown.replace("ORIGIN", origin);
      assert.equal(error.cause.message, reason);
      assert.equal(inspect(error).split("\n", 1)[0], `Key0Error: ${buyer}`);
      assert.ok(inspect(error).includes(reason), inspect(error));
      assert.equal(error.toJSON().message, buyer);
    });
  }

  it("each stands in docs/operations.md, with what mends it", () => {
    const page = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8");
    for (const [, shown] of CALLS) {
      assert.ok(page.includes(` | \`${shown.replace("ORIGIN", "…")}\` | `), shown);
    }
  });

  it("the page of HTML is in cause.body, whole", async (t) => {
    const { error } = await CALLS[7][3](t);
    assert.equal(error.cause.body, HTML);
  });
});

const unset = /** @type {any} */ (process.env.KEY0_IS_NOT_SET);
const quoted = JSON.stringify(RSA.pkcs8);
const endpoint = { tokenUrl: "http://127.0.0.1:1/", ...CLIENT };
const pem = "give it as PEM, a KeyObject's by export";

/** @type {[setUp: string, shown: string, create: () => unknown][]} */
const CREATIONS = [
  [
    "an unset variable for sharedSecretAuth",
    "TypeError: secret must be a string, not undefined",
    () => sharedSecretAuth("X-Internal-Auth", unset),
  ],
  [
    "an unset variable for new AccessTokenIssuer",
    "Error: HS256 algorithm requires secret",
    () => new AccessTokenIssuer({ secret: unset }),
  ],
  [
    "an unset variable for an RS256 issuer",
    "Error: RS256 algorithm requires privateKey",
    () => new AccessTokenIssuer({ algorithm: "RS256", privateKey: unset }),
  ],
  [
    "an unset variable for the bare secret of signedJwtAuth's issuer",
    "Error: HS256 algorithm requires secret",
    () => signedJwtAuth(new AccessTokenIssuer(unset), "https://backend.internal"),
  ],
  [
    "an unset variable for oauthClientCredentialsAuth",
    "TypeError: clientSecret must be a string, not undefined",
    () => oauthClientCredentialsAuth({ ...endpoint, clientSecret: unset }),
  ],
  [
    "a quoted key",
    "TypeError: privateKey is not usable: quotes around the PEM: remove them",
    () => new AccessTokenIssuer({ algorithm: "RS256", privateKey: quoted }),
  ],
  [
    "a KeyObject as a private key",
    `TypeError: privateKey is not usable: an object: ${pem}({ type: "pkcs8", format: "pem" })`,
    () =>
      new AccessTokenIssuer({
        algorithm: "RS256",
        privateKey: /** @type {any} */ (createPrivateKey(RSA.pkcs8)),
      }),
  ],
  [
    "a Buffer as a secret",
    "TypeError: secret is not usable: an object: give it as a string, a Buffer's by toString()",
    () => new AccessTokenIssuer({ secret: /** @type {any} */ (Buffer.from(SECRET)) }),
  ],
];

describe("a start: set-up | console.error(error) shows | no buyer sees anything", () => {
  for (const [setUp, shown, create] of CREATIONS) {
    it(`${setUp} | ${shown} |`, () => {
      /** @type {unknown} */
      let thrown;
      try {
        create();
      } catch (error) {
        thrown = error;
      }
      assert.equal(inspect(thrown).split("\n", 1)[0], shown);
    });
  }

  it("an empty secret for sharedSecretAuth | a warning, once |", async () => {
    const ended = await runScript(`
      import { sharedSecretAuth } from "./index.mjs";
      for (const secret of ["", " \\n", ""]) await sharedSecretAuth("X-A", secret)();
    `);
    endedWell(ended);
    const warnings = ended.stderr.match(/the secret given to sharedSecretAuth is empty/g);
    assert.equal(warnings?.length, 1, ended.stderr);
  });
});

const HEADER = `Bearer ${hs256(CLAIMS)}`;

/** @type {[setUp: string, shown: string, buyer: string, run: () => Promise<unknown>][]} */
const VALIDATIONS = [
  [
    "an unset variable for validateKey0Token",
    "Error: HS256 algorithm requires secret",
    "HS256 algorithm requires secret",
    () => validateKey0Token(HEADER, { secret: unset }),
  ],
  [
    "an unset variable for its public key",
    "Error: RS256 algorithm requires publicKey",
    "RS256 algorithm requires publicKey",
    () => validateKey0Token(HEADER, { algorithm: "RS256", publicKey: unset }),
  ],
  [
    "a KeyObject as its public key",
    `Error: publicKey is not usable: an object: ${pem}({ type: "spki", format: "pem" })`,
    `publicKey is not usable: an object: ${pem}({ type: "spki", format: "pem" })`,
    () => {
      const publicKey = /** @type {any} */ (createPublicKey(RSA_PUBLIC.spki));
      return validateKey0Token(HEADER, { algorithm: "RS256", publicKey });
    },
  ],
  [
    "an unset variable for validateToken",
    "Key0Error: secret is not usable: there is none",
    "secret is not usable: there is none",
    () => validateToken(HEADER, { secret: unset }),
  ],
  [
    "a KeyObject as its secret",
    "Key0Error: secret is not usable: an object: give it as a string, a Buffer's by toString()",
    "secret is not usable: an object: give it as a string, a Buffer's by toString()",
    () => {
      const secret = /** @type {any} */ (createSecretKey(SECRET, "utf8"));
      return validateToken(HEADER, { secret });
    },
  ],
];

describe("a validator: set-up | console.error(error) shows | the buyer sees", () => {
  for (const [setUp, shown, buyer, run] of VALIDATIONS) {
    it(`${setUp} | ${shown} | ${buyer}`, async () => {
      const error = await rejection(run());
      assert.equal(inspect(error).split("\n", 1)[0], shown);
      assert.equal(error.message, buyer);
    });
  }

  it("a header is still looked at before the key", async () => {
    const secret = /** @type {any} */ (createSecretKey(SECRET, "utf8"));
    const [key0, token] = await Promise.all([
      rejection(validateKey0Token(undefined, { secret })),
      rejection(validateToken(undefined, { secret })),
    ]);
    assert.equal(key0.message, "Missing or malformed Authorization header");
    assert.equal(token.message, "Missing or malformed Authorization header");
  });
});

/** What `call` gives while the clock says so. @template T */
function at(/** @type {number} */ seconds, /** @type {() => T} */ call) {
  const { now } = Date;
  Date.now = () => seconds * 1000;
  try {
    return call();
  } finally {
    Date.now = now;
  }
}

describe("a clock 90 s behind: set-up | console.error(error) shows | the buyer sees", () => {
  const NOON = Date.UTC(2026, 10, 27, 12) / 1000;
  const EXPIRED =
    '"exp" claim timestamp check failed: issued at 2026-11-27T11:58:30Z, expired at ' +
    "2026-11-27T11:59:30Z, while the clock says 2026-11-27T12:00:00Z";
  const EARLY =
    '"nbf" claim timestamp check failed: issued at 2026-11-27T12:01:30Z, valid from ' +
    "2026-11-27T12:01:30Z, while the clock says 2026-11-27T12:00:00Z";
  const issuer = new AccessTokenIssuer(SECRET);

  it(`the issuer's, to the backend | Token expired: ${EXPIRED} |`, async () => {
    const { token } = await at(NOON - 90, () => issuer.sign(CLAIMS, 60));
    const refused = (/** @type {() => Promise<unknown>} */ call) => rejection(at(NOON, call));
    const config = { secret: SECRET };
    const backend = await refused(() => validateKey0Token(`Bearer ${token}`, config));
    assert.equal(backend.message, "Token expired");
    assert.equal(backend.cause.message, EXPIRED);
    const sdk = await refused(() => validateToken(`Bearer ${token}`, config));
    assert.equal(sdk.toJSON().message, "Access token expired");
    assert.equal(sdk.cause.message, EXPIRED);
    const own = await refused(() => issuer.verify(token));
    assert.equal(own.message, '"exp" claim timestamp check failed');
    assert.equal(own.cause.message, EXPIRED);
  });

  it(`the backend's, of a token that has a nbf | ${EARLY} |`, async () => {
    const times = { iat: NOON + 90, nbf: NOON + 90, exp: NOON + 3600 };
    const header = `Bearer ${hs256({ ...CLAIMS, ...times })}`;
    const early = await rejection(at(NOON, () => validateToken(header, { secret: SECRET })));
    assert.equal(early.toJSON().message, "Invalid access token");
    assert.equal(early.cause.message, EARLY);
  });

  it("ten minutes are no clock's fault: the times are left out", async () => {
    const header = `Bearer ${hs256({ ...CLAIMS, exp: NOON - 600 })}`;
    const old = await rejection(at(NOON, () => validateToken(header, { secret: SECRET })));
    assert.equal(old.cause.message, '"exp" claim timestamp check failed');
  });
});
