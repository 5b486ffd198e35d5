// @ts-check
/** validateToken: what the SDK's servers answer a buyer whose token is no good. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { validateToken } from "../../index.mjs";
import { BLEMISHED, MALFORMED } from "../support/authorization.mjs";
import { rejection, rejectsWith } from "../support/errors.mjs";
import { RSA_PUBLIC } from "../support/keys.mjs";
import { CLAIMS, FAR, hs256, now, SECRET } from "../support/tokens.mjs";

/** @param {string} code @param {string} message */
const unauthorized = (code, message) => ({ code, message, httpStatus: 401 });
const HEADER = unauthorized("INVALID_REQUEST", "Missing or malformed Authorization header");
const INVALID = unauthorized("INVALID_REQUEST", "Invalid access token");

/** As JavaScript callers call it, whatever the types say. */
const validate = (/** @type {any} */ header, /** @type {any} */ config = { secret: SECRET }) =>
  validateToken(header, config);

/** A good token's payload, changed. @param {object} [change] */
const payload = (change = {}) => ({ ...CLAIMS, iat: now(), exp: FAR, ...change });

describe("validateToken gives", () => {
  it("the claims of a token, extra ones too", async () => {
    const claims = payload({ nbf: 0.5, nested: { deep: [null] }, text: "é\0" });
    assert.deepEqual(await validate(`Bearer ${hs256(claims)}`), claims);
  });

  it("the claims of a token without exp", async () => {
    assert.deepEqual(await validate(`Bearer ${hs256(CLAIMS)}`), CLAIMS);
  });

  it("a claim named __proto__ as data", async () => {
    const text = JSON.stringify(CLAIMS).replace("{", '{"__proto__":{"admin":true},');
    const claims = await validate(`Bearer ${hs256(text)}`);
    assert.ok(Object.hasOwn(claims, "__proto__"));
    assert.equal(claims.admin, undefined);
  });
});

// B33
describe("validateToken and the header", () => {
  for (const header of MALFORMED) {
    it(`refuses ${inspect(header).slice(0, 30)}`, () => rejectsWith(validate(header), HEADER));
  }

  for (const header of BLEMISHED) {
    it(`refuses ${JSON.stringify(header.replace(/[\w-]{16,}/g, "…"))}`, () =>
      rejectsWith(validate(header), { ...INVALID, cause: { code: "ERR_JWS_INVALID" } }));
  }

  it("looks at it before the secret", () => rejectsWith(validate("Basic x", {}), HEADER));
});

describe("validateToken and its secret", () => {
  /** @param {string} message */
  const ours = (message) => ({
    code: "INTERNAL_ERROR",
    message,
    httpStatus: 500,
    cause: { code: "ERR_KEY0_CONFIG" },
  });

  for (const secret of [undefined, null, "", 42]) {
    it(`calls ${inspect(secret)} the service's fault, even where the empty key signed`, async () => {
      for (const signer of ["", String(secret)]) {
        const header = `Bearer ${hs256(payload(), { secret: signer })}`;
        const expected = ours("secret is not usable: there is none");
        await rejectsWith(validate(header, { secret }), expected);
      }
    });
  }

  it("calls one that everyone may know the service's fault", async () => {
    const secret = RSA_PUBLIC.spki;
    const header = `Bearer ${hs256(payload(), { secret })}`;
    const expected = ours("secret is not usable: public key: everyone may know it");
    await rejectsWith(validate(header, { secret }), expected);
  });
});

describe("validateToken says that a token is invalid", () => {
  it("and shows it nowhere", async () => {
    const token = hs256(payload(), { secret: "x" });
    const error = await rejectsWith(validate(`Bearer ${token}`), INVALID);
    assert.ok(!inspect(error, { depth: 12, showHidden: true }).includes(token));
  });

  it("for each call with an error of its own", async () => {
    const calls = [1, 2].map(() => rejection(validate("Bearer token")));
    const [first, second] = await Promise.all(calls);
    assert.notEqual(first, second);
  });
});
