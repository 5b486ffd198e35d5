// @ts-check
/** Whether there may be a release: what `package.json` has to name is its owner's to say. */
import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { temporary } from "../support/apps.mjs";
import { ROOT, run } from "../support/process.mjs";

const NAMED = {
  repository: { type: "git", url: "git+https://example.com/key0/native.git" },
  homepage: "https://example.com/key0",
  bugs: { url: "https://example.com/key0/bugs" },
};

/** What the check says of a copy whose `package.json` has these fields. */
async function checked(
  /** @type {any} */ t,
  /** @type {object} */ fields,
  notes = "0.0.1\n\nNew.",
) {
  const folder = temporary(t);
  cpSync(join(ROOT, "scripts"), join(folder, "scripts"), { recursive: true });
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  for (const name of Object.keys(NAMED)) delete manifest[name];
  const text = JSON.stringify({ ...manifest, version: "0.0.1", ...fields });
  writeFileSync(join(folder, "package.json"), text);
  writeFileSync(join(folder, "CHANGELOG.md"), `# Changes\n\n## ${notes}\n`);
  const { code, stderr } = await run(process.execPath, ["scripts/release.mjs", "check"], {
    cwd: folder,
  });
  return { code, stderr };
}

describe("the check before a release", () => {
  it("names what package.json lacks", async (t) => {
    const lacks = (/** @type {string} */ fields) => ({
      code: 1,
      stderr: `package.json lacks ${fields}: its owner has to name them before a release\n`,
    });
    assert.deepEqual(await checked(t, {}), lacks("repository.url, homepage, bugs.url"));
    const { homepage, ...rest } = NAMED;
    assert.deepEqual(await checked(t, rest), lacks("homepage"));
  });

  it("passes where all is named and the changes have a version", async (t) => {
    assert.deepEqual(await checked(t, NAMED), { code: 0, stderr: "" });
    const said = "CHANGELOG.md has 0.0.1 as not released\n";
    const early = await checked(t, NAMED, "0.0.1 (not released yet)\n\nNew.");
    assert.deepEqual(early, { code: 1, stderr: said });
  });
});
