// @ts-check
/** Every program of the README, as it stands there, in an app that has the packed package. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as api from "@key0ai/native";
import { blocksOf, textOf } from "../support/pages.mjs";
import { ended, said } from "../support/programs-of-pages.mjs";

const all = blocksOf("README.md").filter(({ kind }) => /^[jt]s$/.test(kind));
/** What needs a test runner or a logger is compiled, like all of them, by `pages.test.mjs`. */
const programs = all.map(({ source }) => source).filter((text) => !/"(vitest|pino)"/.test(text));

describe("the README's programs", () => {
  it("are one for each strategy, for a backend and for the SDK's class", () => {
    const names = /noAuth\(|sharedSecretAuth\(|signedJwtAuth\(|Auth\({|validate\w+\(|setKey0\w+\(/g;
    const calls = programs.map((source) => (source.match(names) ?? []).join(" "));
    assert.deepEqual(calls, [
      "noAuth(",
      "sharedSecretAuth(",
      "signedJwtAuth(",
      "validateKey0Token(",
      "Auth({",
      "validateToken(",
      "setKey0ErrorClass(",
      "sharedSecretAuth(",
    ]);
  });

  for (const [i, source] of programs.entries()) {
    it(`run: ${i + 1}`, async (t) => {
      const stdout = said(source);
      assert.deepEqual(await ended(t, source), { code: 0, stdout, stderr: "" });
    });
  }

  it("understand each other: the backend takes the issuer's token, and nobody else's", async (t) => {
    const issuer = programs[2].replace("fetchResourceCredentials =", "unused =");
    const backend = programs[3].replace(/^import { validate.*\n/m, "");
    const rest = `
      import { validateKey0Token } from "@key0ai/native";
      await new Promise((listening) => backend.listen(0, "127.0.0.1", listening));
      const url = "http://127.0.0.1:" + backend.address().port;
      const params = { requestId: "r", challengeId: "c", resourceId: "p", planId: "b", txHash: "t" };
      const call = (audience, key) => createRemoteTokenIssuer({
        url,
        auth: signedJwtAuth(key, audience),
      })(params).then(({ token }) => token, ({ message, cause }) => message + "; " + cause.body);
      const other = new AccessTokenIssuer("x".repeat(32));
      console.log(await call("https://backend.example", issuer));
      console.log(await call("https://other.example", issuer));
      console.log(await call("https://backend.example", other));
      backend.close();`;
    const { stdout, stderr } = await ended(t, issuer + backend, rest);
    assert.equal(stderr, "");
    assert.deepEqual(stdout.split("\n"), [
      "key-1",
      "Backend failed to issue token: 403; for another service or audience",
      "Backend failed to issue token: 401; Invalid token signature",
      "",
    ]);
  });
});

describe("the README's index", () => {
  const [index] = textOf("README.md").split("\n## API\n")[1].split("\n## ");

  it("links each export to its section", () => {
    const linked = [...index.matchAll(/^\| \[`(\w+)`\]\(/gm)].map(([, name]) => name);
    assert.deepEqual(
      linked.sort(),
      Object.keys(api)
        .filter((name) => name !== "default")
        .sort(),
    );
  });
});
