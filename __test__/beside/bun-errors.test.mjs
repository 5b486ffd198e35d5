// @ts-check
/** What Bun shows of errors: the caller's code, and none of this package's. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runtime } from "../../scripts/tools.mjs";
import { project } from "../support/apps.mjs";
import { run } from "../support/process.mjs";

/** What Bun says on stderr of this program, a TypeScript one. @param {any} t */
async function shown(/** @type {any} */ t, /** @type {string} */ source) {
  const cwd = project(t, { "main.ts": source });
  const { stderr } = await run(runtime("bun"), ["main.ts"], { cwd, env: { NO_COLOR: "1" } });
  assert.doesNotMatch(stderr, /toError|worded|lib\/errors/, stderr);
  return stderr;
}

describe("Bun shows of an error", () => {
  it("that nobody catches at creation the line that is at fault", async (t) => {
    const stderr = await shown(
      t,
      `import { sharedSecretAuth } from "@key0ai/native";
      sharedSecretAuth("X-A", process.env.KEY0_IS_NOT_SET!);`,
    );
    assert.match(stderr, /sharedSecretAuth\("X-A", process\.env\.KEY0_IS_NOT_SET!\);\n +\^/);
    assert.match(stderr, /TypeError: secret must be a string, not undefined\n +at .*main\.ts:2:/);
  });

  it("of a call its fields, and the cause with its own", async (t) => {
    const stderr = await shown(
      t,
      `import { createRemoteTokenIssuer } from "@key0ai/native";
      await createRemoteTokenIssuer({ url: "http://127.0.0.1:1/" })({} as never).catch(console.error);`,
    );
    assert.match(stderr, /Key0Error: Network error: connection refused \(ECONNREFUSED\)/);
    assert.match(stderr, /error: connecting to http:\/\/127\.0\.0\.1:1: connection refused/);
    assert.match(stderr, /sent: false/);
  });

  it("of the caller's own code the line that threw", async (t) => {
    const stderr = await shown(
      t,
      `import { createRemoteTokenIssuer } from "@key0ai/native";
      const auth = async () => { throw new Error("no vault"); };
      await createRemoteTokenIssuer({ url: "http://127.0.0.1:1/", auth })({} as never)
        .catch(console.error);`,
    );
    assert.match(stderr, /Key0Error: Network error: no vault/);
    assert.match(stderr, /throw new Error\("no vault"\)/);
  });
});
