// @ts-check
/** Every program of the README, as it stands there, in an app that has the packed package. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { addSdk, project, write } from "../support/apps.mjs";
import { RSA, RSA_PUBLIC } from "../support/keys.mjs";
import { ROOT, run } from "../support/process.mjs";

const text = readFileSync(join(ROOT, "README.md"), "utf8");
const programs = [...text.matchAll(/```js\n(.*?)```/gs)].map(([, source]) => source);

/** What the programs ask of their environment. */
const env = {
  BACKEND_SECRET: "s3cr3t",
  KEY0_PRIVATE_KEY: RSA.pkcs8.replaceAll("\n", "\\n"),
  KEY0_PUBLIC_KEY: RSA_PUBLIC.spki,
  CLIENT_ID: "key0",
  CLIENT_SECRET: "s3cr3t",
};

/** How a program ends, with `rest` behind it. @param {any} t @param {string} source */
async function ended(t, source, rest = "") {
  const app = project(t);
  await addSdk(app, "built");
  write(app, { "program.mjs": source + rest });
  const { code, stdout, stderr } = await run(process.execPath, ["program.mjs"], { cwd: app, env });
  return { code, stdout, stderr };
}

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
      "setKey0ErrorClass(",
    ]);
  });

  for (const [i, source] of programs.entries()) {
    it(`run: ${i + 1}`, async (t) => {
      const said = /^console\.log\(.*\); \/\/ (.*)$/m.exec(source)?.[1];
      const stdout = said ? `${said}\n` : "";
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
