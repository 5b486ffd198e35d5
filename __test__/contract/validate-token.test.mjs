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
const EXPIRED = unauthorized("CHALLENGE_EXPIRED", "Access token expired");
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

  // B28
  it("an iat of the future as it is", async () => {
    const claims = payload({ iat: now() + 120 });
    assert.deepEqual(await validate(`Bearer ${hs256(claims)}`), claims);
  });

  // B29
  for (const exp of ["4102444800.25", "4.1024448e9", "1e400"]) {
    it(`an exp of ${exp}`, async () => {
      const text = JSON.stringify(CLAIMS).replace("{", `{"exp":${exp},`);
      assert.equal((await validate(`Bearer ${hs256(text)}`)).exp, Number(exp));
    });
  }

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

describe("validateToken says that a token expired", () => {
  it("once its second has come", async (t) => {
    const clock = t.mock.method(Date, "now", () => 1_699_999_999_999);
    const header = `Bearer ${hs256({ ...CLAIMS, exp: 1_700_000_000 })}`;
    assert.equal((await validate(header)).exp, 1_700_000_000);
    clock.mock.mockImplementation(() => 1_700_000_000_000);
    await rejectsWith(validate(header), EXPIRED);
  });

  it("before it looks at nbf", () =>
    rejectsWith(validate(`Bearer ${hs256(payload({ exp: 1, nbf: FAR }))}`), EXPIRED));
});

describe("validateToken says that a token is invalid", () => {
  const tokens = {
    "another secret's": hs256(payload(), { secret: "x" }),
    "that has expired, of another secret": hs256({ exp: 1 }, { secret: "x" }),
    "that is none": "no.such.one",
    "whose payload is no object": hs256("[]"),
    "by HS384": hs256(payload(), { header: { alg: "HS384" }, hash: "sha384" }),
    "by HS512": hs256(payload(), { header: { alg: "HS512" }, hash: "sha512" }),
    "by none": hs256(payload(), { header: { alg: "none" } }),
    "with crit": hs256(payload(), { header: { alg: "HS256", crit: ["x"], x: 1 } }),
    "that is not yet valid": hs256(payload({ nbf: FAR })),
    // B29
    "whose exp is no number": hs256(payload({ exp: `${FAR}` })),
    "whose nbf is no number": hs256(payload({ nbf: "0" })),
    "whose iat is no number": hs256(payload({ iat: "0" })),
    "whose nbf is no number, and that has expired": hs256(payload({ exp: 1, nbf: "0" })),
  };
  for (const [name, token] of Object.entries(tokens)) {
    it(`one ${name}`, async () => {
      const error = await rejectsWith(validate(`Bearer ${token}`), INVALID);
      assert.ok(!inspect(error, { depth: 12, showHidden: true }).includes(token));
    });
  }

  for (const secret of [undefined, null, "", 42]) {
    it(`for a secret of ${inspect(secret)}, even where the empty key signed`, async () => {
      for (const signer of ["", String(secret)]) {
        const header = `Bearer ${hs256(payload(), { secret: signer })}`;
        await rejectsWith(validate(header, { secret }), INVALID);
      }
    });
  }

  it("for a secret that everyone may know", async () => {
    const secret = RSA_PUBLIC.spki;
    await rejectsWith(validate(`Bearer ${hs256(payload(), { secret })}`, { secret }), INVALID);
  });

  it("for each call with an error of its own", async () => {
    const calls = [1, 2].map(() => rejection(validate("Bearer token")));
    const [first, second] = await Promise.all(calls);
    assert.notEqual(first, second);
  });
});
