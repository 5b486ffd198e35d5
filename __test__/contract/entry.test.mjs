// @ts-check
/** The package's entries: `import` and `require` give the same objects. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, it } from "node:test";
import * as entry from "../../index.mjs";

/** Node.js 23 and newer give every CommonJS module's exports this name, too. */
const { "module.exports": _, ...imported } = /** @type {Record<string, unknown>} */ (entry);
const required = createRequire(import.meta.url)("../../index.js");

describe("the entry", () => {
  it("exports these names, and no others", () => {
    assert.deepEqual(Object.keys(imported).sort(), [
      "AccessTokenIssuer",
      "Key0Error",
      "createRemoteTokenIssuer",
      "noAuth",
      "oauthClientCredentialsAuth",
      "redisTokenCache",
      "setKey0ErrorClass",
      "sharedSecretAuth",
      "signedJwtAuth",
      "validateKey0Token",
      "validateToken",
    ]);
  });

  it("gives the same objects to import and require", () => {
    assert.deepEqual(Object.keys(required).sort(), Object.keys(imported).sort());
    for (const [name, value] of Object.entries(imported)) assert.equal(required[name], value, name);
  });
});
