// @ts-check
// Where the time of RS256 goes: the key once, the signatures on threads of their own.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AccessTokenIssuer, signedJwtAuth } from "../../index.mjs";
import { RSA } from "../support/keys.mjs";

const CLAIMS = { sub: "s", jti: "j", resourceId: "r", planId: "p", txHash: "t" };
const SIGNATURES = 100;

/**
 * How many of these are done when the event loop comes round for the first time.
 * @param {() => Promise<unknown>} sign
 */
async function doneAtFirstTurn(sign) {
  let done = 0;
  const count = () => void done++;
  const signatures = Array.from({ length: SIGNATURES }, () => sign().then(count));
  const atFirstTurn = await new Promise((resolve) => setImmediate(() => resolve(done)));
  await Promise.all(signatures);
  assert.equal(done, SIGNATURES);
  return atFirstTurn;
}

describe("an RS256 issuer", () => {
  const privateKey = RSA.pkcs8;
  const issuer = new AccessTokenIssuer({ algorithm: "RS256", privateKey });

  it("does not hold the event loop while it signs", async () => {
    assert.ok((await doneAtFirstTurn(() => issuer.sign(CLAIMS, 60))) < SIGNATURES);
  });

  it("does not hold it for signedJwtAuth either", async () => {
    assert.ok((await doneAtFirstTurn(signedJwtAuth(issuer, "a"))) < SIGNATURES);
  });

  it("reads its key at creation, and never again", async () => {
    let reads = 0;
    const config = {
      algorithm: /** @type {const} */ ("RS256"),
      get privateKey() {
        reads++;
        return privateKey;
      },
    };
    const once = new AccessTokenIssuer(config);
    await once.sign(CLAIMS, 60);
    await once.sign(CLAIMS, 60);
    assert.equal(reads, 1);
  });
});

describe("an HS256 issuer", () => {
  it("signs at once: a hop to another thread takes longer than the signature", async () => {
    const issuer = new AccessTokenIssuer("a secret of thirty-two characters");
    assert.equal(await doneAtFirstTurn(() => issuer.sign(CLAIMS, 60)), SIGNATURES);
    assert.equal(await doneAtFirstTurn(signedJwtAuth(issuer, "a")), SIGNATURES);
  });
});
