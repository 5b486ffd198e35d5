// @ts-check
/** Key0Error: its shape, and what the buyer is sent of it. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { Key0Error } from "../../index.mjs";

describe("a Key0Error", () => {
  it("is an Error with code, message and status", () => {
    const error = new Key0Error("PAYMENT_FAILED", "no funds", 402);
    assert.ok(error instanceof Key0Error && error instanceof Error);
    const { name, code, message, httpStatus } = error;
    assert.deepEqual(
      { name, code, message, httpStatus },
      { name: "Key0Error", code: "PAYMENT_FAILED", message: "no funds", httpStatus: 402 },
    );
  });

  for (const rest of [[], [undefined]]) {
    it(`has status 400 where ${rest.length === 0 ? "none" : "undefined"} is given`, () => {
      assert.equal(new Key0Error("INVALID_REQUEST", "m", ...rest).httpStatus, 400);
    });
  }

  it("has code, httpStatus and details as own properties, details without a value too", () => {
    const error = new Key0Error("INVALID_REQUEST", "m");
    for (const name of ["code", "httpStatus", "details"])
      assert.ok(Object.hasOwn(error, name), name);
    assert.equal(error.details, undefined);
  });

  it("keeps the details that it was given", () => {
    const details = { reason: "limit" };
    assert.equal(new Key0Error("INVALID_REQUEST", "m", 400, details).details, details);
  });

  it("has a stack that names it and shows where it was made", () => {
    function seller() {
      return new Key0Error("INVALID_REQUEST", "bad request");
    }
    assert.match(String(seller().stack), /^Key0Error: bad request\n\s+at seller /);
    assert.match(inspect(seller()), /Key0Error: bad request/);
    assert.equal(String(seller()), "Key0Error: bad request");
  });

  it("can be derived from", () => {
    class Refused extends Key0Error {
      constructor() {
        super("PAYMENT_FAILED", "refused", 402);
      }
    }
    const error = new Refused();
    assert.ok(error instanceof Refused && error instanceof Key0Error && error instanceof Error);
    assert.equal(error.code, "PAYMENT_FAILED");
    assert.deepEqual(error.toJSON(), { type: "Error", code: "PAYMENT_FAILED", message: "refused" });
    assert.ok(!(new Key0Error("PAYMENT_FAILED", "m") instanceof Refused));
  });

  it("is one class for import and require", () => {
    const required = createRequire(import.meta.url)("../../index.js");
    assert.equal(required.Key0Error, Key0Error);
  });

  it("needs new", () => {
    assert.throws(() => Reflect.apply(/** @type {any} */ (Key0Error), undefined, []), TypeError);
    assert.equal(Key0Error.name, "Key0Error");
  });
});

describe("toJSON of a Key0Error", () => {
  it("gives type, code and message, in this order", () => {
    const error = new Key0Error("TX_UNCONFIRMED", "wait", 409);
    assert.equal(
      JSON.stringify(error),
      '{"type":"Error","code":"TX_UNCONFIRMED","message":"wait"}',
    );
  });

  for (const details of [{ reason: "limit" }, {}]) {
    it(`gives details of ${JSON.stringify(details)}`, () => {
      const error = new Key0Error("TX_UNCONFIRMED", "wait", 409, details);
      const expected = { type: "Error", code: "TX_UNCONFIRMED", message: "wait", details };
      assert.deepEqual(error.toJSON(), expected);
    });
  }

  for (const details of [undefined, null, 0, "", false]) {
    it(`leaves out details of ${JSON.stringify(details)}`, () => {
      const error = new Key0Error("TX_UNCONFIRMED", "wait", 409, /** @type {any} */ (details));
      assert.deepEqual(Object.keys(error.toJSON()), ["type", "code", "message"]);
    });
  }

  it("never gives the cause", () => {
    const error = new Key0Error("TX_UNCONFIRMED", "wait");
    Object.defineProperty(error, "cause", { value: new Error("inner"), enumerable: true });
    assert.deepEqual(Object.keys(error.toJSON()), ["type", "code", "message"]);
  });
});

describe("instanceof Key0Error", () => {
  const others = [null, undefined, 42, "Key0Error", {}, new Error("m"), () => {}, Key0Error];
  for (const value of others) {
    it(`is false for ${inspect(value).split("\n")[0]}`, () => {
      assert.equal(/** @type {any} */ (value) instanceof Key0Error, false);
    });
  }

  it("is false for an object that only looks like one", () => {
    const lookalike = { name: "Key0Error", code: "INTERNAL_ERROR", message: "m", httpStatus: 500 };
    assert.equal(/** @type {any} */ (lookalike) instanceof Key0Error, false);
  });
});
