// @ts-check
/**
 * setKey0ErrorClass: errors are instances of our class and of the SDK's. Classes are set for the
 * whole process, so every test works on a copy of the package of its own.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { copyOfPackage } from "../support/copies.mjs";
import { rejection } from "../support/errors.mjs";

/** Another unrelated class of the SDK's shape at each call. */
function sdkClass() {
  return class Key0Error extends Error {
    /** @param {string} code @param {string} message */
    constructor(code, message, httpStatus = 400) {
      super(message);
      this.name = "Key0Error";
      this.code = code;
      this.httpStatus = httpStatus;
    }

    toJSON() {
      return { by: "the SDK" };
    }
  };
}

/** An error that the addon makes. @param {typeof import("../../index.mjs")} addon */
const failure = (addon) => rejection(addon.validateToken("", { secret: "s" }));

describe("before a class is set", () => {
  it("the SDK's errors are none of ours, and ours none of the SDK's", async (t) => {
    const addon = await copyOfPackage(t);
    const Sdk = sdkClass();
    assert.equal(new Sdk("INTERNAL_ERROR", "m") instanceof addon.Key0Error, false);
    assert.equal((await failure(addon)) instanceof Sdk, false);
  });
});

describe("once the SDK's class is set", () => {
  it("every error of ours is an instance of both: earlier ones, users' own, the addon's", async (t) => {
    const addon = await copyOfPackage(t);
    const { Key0Error, setKey0ErrorClass } = addon;
    class Refused extends Key0Error {}
    const earlier = [
      await failure(addon),
      new Key0Error("INTERNAL_ERROR", "m"),
      new Refused("INTERNAL_ERROR", "m"),
    ];
    const Sdk = sdkClass();
    setKey0ErrorClass(Sdk);
    const later = [
      await failure(addon),
      new Key0Error("INTERNAL_ERROR", "m"),
      new Refused("INTERNAL_ERROR", "m"),
    ];
    for (const error of [...earlier, ...later]) {
      assert.ok(error instanceof Key0Error && error instanceof Sdk && error instanceof Error);
      assert.equal(error.name, "Key0Error");
      assert.equal(error.toJSON().type, "Error");
    }
  });

  it("errors of the SDK's class, and of classes derived from it, are ours", async (t) => {
    const { Key0Error, setKey0ErrorClass } = await copyOfPackage(t);
    const Sdk = sdkClass();
    class Derived extends Sdk {}
    const earlier = new Sdk("INTERNAL_ERROR", "m");
    setKey0ErrorClass(Sdk);
    for (const error of [earlier, new Sdk("INTERNAL_ERROR", "m"), new Derived("A", "m")]) {
      assert.ok(error instanceof Key0Error);
      assert.deepEqual(error.toJSON(), { by: "the SDK" });
    }
  });

  it("errors of the SDK's class are not of users' classes derived from ours", async (t) => {
    const { Key0Error, setKey0ErrorClass } = await copyOfPackage(t);
    const Sdk = sdkClass();
    class Refused extends Key0Error {}
    setKey0ErrorClass(Sdk);
    assert.equal(new Sdk("INTERNAL_ERROR", "m") instanceof Refused, false);
    assert.equal(new Key0Error("INTERNAL_ERROR", "m") instanceof Refused, false);
    assert.equal(new Refused("INTERNAL_ERROR", "m") instanceof Refused, true);
  });

  it("other values are still none", async (t) => {
    const { Key0Error, setKey0ErrorClass } = await copyOfPackage(t);
    setKey0ErrorClass(sdkClass());
    for (const value of [null, undefined, 42, {}, new Error("m"), Object.create(null)]) {
      assert.equal(/** @type {any} */ (value) instanceof Key0Error, false);
    }
  });

  it("it may be set again, to no effect", async (t) => {
    const { Key0Error, setKey0ErrorClass } = await copyOfPackage(t);
    const Sdk = sdkClass();
    setKey0ErrorClass(Sdk);
    setKey0ErrorClass(Sdk);
    assert.ok(new Key0Error("INTERNAL_ERROR", "m") instanceof Sdk);
  });

  it("another class replaces it", async (t) => {
    const { Key0Error, setKey0ErrorClass } = await copyOfPackage(t);
    const [First, Second] = [sdkClass(), sdkClass()];
    setKey0ErrorClass(First);
    setKey0ErrorClass(Second);
    const error = new Key0Error("INTERNAL_ERROR", "m");
    assert.deepEqual([error instanceof First, error instanceof Second], [false, true]);
    assert.equal(new First("INTERNAL_ERROR", "m") instanceof Key0Error, false);
    assert.equal(new Second("INTERNAL_ERROR", "m") instanceof Key0Error, true);
  });

  it("a class that derives from another error class may be it", async (t) => {
    const { Key0Error, setKey0ErrorClass } = await copyOfPackage(t);
    class Base extends Error {}
    const Sdk = class extends Base {
      code = "INTERNAL_ERROR";
      httpStatus = 500;
    };
    setKey0ErrorClass(Sdk);
    const error = new Key0Error("INTERNAL_ERROR", "m");
    assert.ok(error instanceof Sdk && error instanceof Base);
  });
});

describe("setKey0ErrorClass refuses, and changes nothing,", () => {
  const unusable = [
    ...[undefined, null, 42, "Key0Error", {}, Symbol("s"), new Error("m")],
    ...[() => {}, function Key0Error() {}, class Key0Error {}, Object, Error],
  ];
  for (const value of unusable) {
    it(`${inspect(value).split("\n")[0]}`, async (t) => {
      const { Key0Error, setKey0ErrorClass } = await copyOfPackage(t);
      const Sdk = sdkClass();
      setKey0ErrorClass(Sdk);
      assert.throws(() => setKey0ErrorClass(/** @type {any} */ (value)), TypeError);
      assert.ok(new Key0Error("INTERNAL_ERROR", "m") instanceof Sdk);
      assert.ok(new Sdk("INTERNAL_ERROR", "m") instanceof Key0Error);
      assert.equal(/** @type {any} */ (new Error("m")) instanceof Key0Error, false);
    });
  }

  it("our own class, and one derived from it", async (t) => {
    const { Key0Error, setKey0ErrorClass } = await copyOfPackage(t);
    class Derived extends Key0Error {}
    for (const own of [Key0Error, Derived, class extends Derived {}]) {
      assert.throws(() => setKey0ErrorClass(own), TypeError);
    }
    const error = new Derived("INTERNAL_ERROR", "m");
    assert.ok(error instanceof Derived && error instanceof Key0Error && error instanceof Error);
  });
});

// B53
describe("two copies of the package", () => {
  it("know nothing of each other by themselves", async (t) => {
    const [a, b] = [await copyOfPackage(t), await copyOfPackage(t)];
    assert.notEqual(a.Key0Error, b.Key0Error);
    assert.equal((await failure(a)) instanceof b.Key0Error, false);
    assert.equal((await failure(b)) instanceof a.Key0Error, false);
  });

  it("can be pointed at each other one way, and not in a circle", async (t) => {
    const [a, b] = [await copyOfPackage(t), await copyOfPackage(t)];
    a.setKey0ErrorClass(b.Key0Error);
    assert.throws(() => b.setKey0ErrorClass(a.Key0Error), TypeError);
    for (const error of [await failure(a), await failure(b)]) {
      assert.ok(error instanceof a.Key0Error);
      assert.ok(error instanceof b.Key0Error === true);
    }
    assert.equal(/** @type {any} */ (new Error("m")) instanceof a.Key0Error, false);
    assert.equal(/** @type {any} */ (new Error("m")) instanceof b.Key0Error, false);
  });

  it("can both be pointed at the SDK", async (t) => {
    const [a, b] = [await copyOfPackage(t), await copyOfPackage(t)];
    const Sdk = sdkClass();
    a.setKey0ErrorClass(Sdk);
    b.setKey0ErrorClass(Sdk);
    for (const error of [await failure(a), await failure(b), new Sdk("INTERNAL_ERROR", "m")]) {
      assert.ok(error instanceof a.Key0Error && error instanceof Sdk);
      assert.ok(error instanceof b.Key0Error);
    }
  });
});
