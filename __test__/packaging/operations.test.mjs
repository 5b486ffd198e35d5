// @ts-check
/** The programs of `docs/operations.md` do what the page says, with servers on loopback. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { blocksOf } from "../support/pages.mjs";
import { ended } from "../support/programs-of-pages.mjs";
import { httpServer } from "../support/server.mjs";

const programs = blocksOf("docs/operations.md").map(({ source }) => source);

/** The program that has these words. @param {string} words */
function program(words) {
  const found = programs.find((source) => source.includes(words));
  assert.ok(found, words);
  return found;
}

const PARAMS = `{ requestId: "r", challengeId: "c", resourceId: "p", planId: "b", txHash: "t" }`;

describe("docs/operations.md", () => {
  it("rotates a secret between two calls", async (t) => {
    const backend = await httpServer(t);
    const source = program("function rotate").replace("https://backend.example/issue", backend.url);
    const rest = `
      await fetchResourceCredentials(${PARAMS});
      rotate("n3w");
      await fetchResourceCredentials(${PARAMS});`;
    assert.deepEqual(await ended(t, source, rest), { code: 0, stdout: "", stderr: "" });
    const secrets = backend.requests.map(({ headers }) => headers["x-internal-auth"]);
    assert.deepEqual(secrets, ["s3cr3t", "n3w"]);
  });

  it("keeps one strategy for each tenant", async (t) => {
    const rest = `
      const tenant = { id: "a", tokenUrl: "http://127.0.0.1:1/", secret: "s" };
      console.log(authOf(tenant) === authOf(tenant), authOf(tenant) === authOf({ ...tenant, id: "b" }));`;
    const { stdout } = await ended(t, program("function authOf"), rest);
    assert.equal(stdout, "true false\n");
  });
});
