// @ts-check
/** Backends on Express 5, Hono and Fastify 5 that check each strategy, and refuse an impostor. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import {
  AccessTokenIssuer,
  createRemoteTokenIssuer,
  noAuth,
  sharedSecretAuth,
  signedJwtAuth,
  validateKey0Token,
} from "../../index.mjs";
import { rejectsWith } from "../support/errors.mjs";
import { ISSUER } from "../support/exchanges.mjs";
import { RSA, RSA_PUBLIC } from "../support/keys.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { SECRET } from "../support/tokens.mjs";
import { FRAMEWORKS } from "./support/backends.mjs";
import { oidcProvider } from "./support/oidc-provider.mjs";

const AUDIENCE = "https://seller.example";
const refused = ISSUER.refused(401, "Unauthorized");
// B38: what is in Latin-1 goes out in Latin-1.
const SHARED_SECRET = "gehälter&pässwörter";

const oauth = await oidcProvider({ after });

/**
 * What a backend on any framework checks; `arrived` gets each payment that was taken.
 *
 * @param {any[]} arrived
 * @returns {import("./support/backends.mjs").Seller}
 */
function seller(arrived) {
  /** @param {import("../../index.js").ValidatorConfig} config */
  const jwt = (config) => (/** @type {(name: string) => string | undefined} */ header) =>
    validateKey0Token(header("authorization"), config).then(
      ({ resourceId }) => resourceId === AUDIENCE,
      () => false,
    );
  /** Each answer kept: RFC 7662 §4 allows a while. */
  const introspected = new Map();
  return {
    checks: {
      "/none": async (header) => !header("authorization") && !header("x-internal-auth"),
      "/shared-secret": async (header) => header("x-internal-auth") === SHARED_SECRET,
      "/jwt-hs256": jwt({ secret: SECRET }),
      "/jwt-rs256": jwt({ algorithm: "RS256", publicKey: RSA_PUBLIC.spki }),
      "/oauth": async (header) => {
        const token = /^Bearer (.+)$/.exec(header("authorization") ?? "")?.[1] ?? "";
        if (!introspected.has(token)) introspected.set(token, oauth.introspect(token));
        const { active, scope } = await introspected.get(token);
        return active === true && scope === "credentials:issue";
      },
    },
    issue(payment) {
      arrived.push(payment);
      return { token: `key-for-${payment.challengeId}`, tokenType: "ApiKey" };
    },
  };
}

const other = new AccessTokenIssuer("another secret of 32 characters!");
const HS256 = new AccessTokenIssuer(SECRET);
const RS256 = new AccessTokenIssuer({ algorithm: "RS256", privateKey: RSA.pkcs8 });

const STRATEGIES = [
  {
    name: "noAuth",
    path: "/none",
    auth: noAuth(),
    impostors: { "who brings a secret": sharedSecretAuth("X-Internal-Auth", SHARED_SECRET) },
  },
  {
    name: "sharedSecretAuth",
    path: "/shared-secret",
    auth: sharedSecretAuth("X-Internal-Auth", SHARED_SECRET),
    impostors: {
      "without a secret": noAuth(),
      "with another one": sharedSecretAuth("X-Internal-Auth", "gehalter&passworter"),
    },
  },
  {
    name: "signedJwtAuth, HS256",
    path: "/jwt-hs256",
    auth: signedJwtAuth(HS256, AUDIENCE),
    impostors: {
      "without a token": noAuth(),
      "with another secret": signedJwtAuth(other, AUDIENCE),
      "with a token for another backend": signedJwtAuth(HS256, "https://other.example"),
      "with a token that has expired": signedJwtAuth(HS256, AUDIENCE, 0),
      "with a token of RS256": signedJwtAuth(RS256, AUDIENCE),
    },
  },
  {
    name: "signedJwtAuth, RS256",
    path: "/jwt-rs256",
    auth: signedJwtAuth(RS256, AUDIENCE),
    impostors: {
      "without a token": noAuth(),
      "with a token of HS256": signedJwtAuth(HS256, AUDIENCE),
      "with a token for another backend": signedJwtAuth(RS256, "https://other.example"),
      "with a token that has expired": signedJwtAuth(RS256, AUDIENCE, 0),
    },
  },
  {
    name: "oauthClientCredentialsAuth",
    path: "/oauth",
    auth: oauth.auth({}),
    impostors: {
      "without a token": noAuth(),
      "with a JWT": signedJwtAuth(HS256, AUDIENCE),
      "with a token without the scope": oauth.auth({ scopes: [] }),
    },
  },
];

for (const [framework, serve] of Object.entries(FRAMEWORKS)) {
  /** @type {any[]} */
  const arrived = [];
  const { origin, shutDown, drop } = await serve(seller(arrived));
  after(() => {
    drop();
    return shutDown();
  });

  describe(`a backend on ${framework}`, () => {
    for (const { name, path, auth, impostors } of STRATEGIES) {
      const url = `${origin}${path}`;

      it(`takes payments with ${name}`, async () => {
        arrived.length = 0;
        const issued = await createRemoteTokenIssuer({ url, auth })(PAYMENT);
        const token = `key-for-${PAYMENT.challengeId}`;
        assert.deepEqual(issued, { token, tokenType: "ApiKey" });
        assert.deepEqual(arrived, [PAYMENT]);
      });

      for (const [impostor, theirs] of Object.entries(impostors)) {
        it(`with ${name} refuses one ${impostor}`, async () => {
          arrived.length = 0;
          const call = createRemoteTokenIssuer({ url, auth: theirs })(PAYMENT);
          await rejectsWith(call, refused);
          assert.deepEqual(arrived, []);
        });
      }
    }

    it("takes a hundred payments at once by each strategy, each once", async () => {
      arrived.length = 0;
      const calls = STRATEGIES.flatMap(({ name, path, auth }) => {
        const issue = createRemoteTokenIssuer({ url: `${origin}${path}`, auth });
        return Array.from({ length: 100 }, async (_, i) => {
          const challengeId = `${name}-${i}`;
          const { token } = await issue({ ...PAYMENT, challengeId });
          assert.equal(token, `key-for-${challengeId}`);
        });
      });
      await Promise.all(calls);
      assert.equal(arrived.length, 500);
      assert.equal(new Set(arrived.map(({ challengeId }) => challengeId)).size, 500);
    });

    it("refuses a hundred impostors at once and takes a payment after them", async () => {
      arrived.length = 0;
      const url = `${origin}/jwt-hs256`;
      const auth = signedJwtAuth(other, AUDIENCE);
      const impostor = createRemoteTokenIssuer({ url, auth });
      const calls = Array.from({ length: 100 }, () => impostor(PAYMENT));
      for (const call of calls) call.catch(() => {});
      for (const call of calls) await rejectsWith(call, refused);
      await createRemoteTokenIssuer({ url, auth: signedJwtAuth(HS256, AUDIENCE) })(PAYMENT);
      assert.deepEqual(arrived, [PAYMENT]);
    });
  });
}
