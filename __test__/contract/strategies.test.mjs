// @ts-check
/** noAuth and sharedSecretAuth: headers that never change. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { noAuth, sharedSecretAuth } from "../../index.mjs";

describe("noAuth", () => {
  it("gives no headers", async () => {
    assert.deepEqual(await noAuth()(), {});
  });

  it("gives a fresh object at every call", async () => {
    const auth = noAuth();
    assert.notEqual(await auth(), await auth());
  });

  it("gives a real promise", async () => {
    const headers = noAuth()();
    assert.ok(headers instanceof Promise);
    await headers;
  });
});

describe("sharedSecretAuth", () => {
  it("gives name and value exactly as given", async () => {
    assert.deepEqual(await sharedSecretAuth("x-API-kEy", "s3cr3t")(), { "x-API-kEy": "s3cr3t" });
  });

  it("gives a fresh object at every call", async () => {
    const auth = sharedSecretAuth("X-A", "s");
    const first = await auth();
    first["X-A"] = "changed by its owner";
    assert.deepEqual(await auth(), { "X-A": "s" });
  });

  it("gives a real promise", async () => {
    const headers = sharedSecretAuth("X-A", "s")();
    assert.ok(headers instanceof Promise);
    await headers;
  });

  it("needs no receiver", async () => {
    const { auth } = { auth: sharedSecretAuth("X-A", "s") };
    assert.deepEqual(await Reflect.apply(auth, undefined, []), { "X-A": "s" });
  });

  // B32, B38: what is dropped or encoded on sending stays in what the provider gives
  const kept = ["", "s3cr3t\n", "\r\n\ts ", " padded ", "tab\there", "pässwörd", "ÿ"];
  for (const value of kept) {
    it(`keeps ${JSON.stringify(value)} as it is`, async () => {
      assert.deepEqual(await sharedSecretAuth("X-A", value)(), { "X-A": value });
    });
  }

  it("takes every character of an HTTP token in a name", async () => {
    const name = "!#$%&'*+-.^_`|~09azAZ";
    assert.deepEqual(await sharedSecretAuth(name, "s")(), { [name]: "s" });
  });

  it("takes __proto__ for the name that it is", async () => {
    const headers = await sharedSecretAuth("__proto__", "s")();
    assert.deepEqual(Object.entries(headers), [["__proto__", "s"]]);
  });
});
