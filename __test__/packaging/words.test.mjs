// @ts-check
/** The words of the pages and of `index.d.ts`: spelt as in British English, and plain. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { installed } from "../../scripts/tools.mjs";
import { OTHER_PAGES, PACKED_PAGES, proseOf, textOf } from "../support/pages.mjs";
import { run } from "../support/process.mjs";

const PAGES = [...PACKED_PAGES, ...OTHER_PAGES, "index.d.ts"];

describe("the words of the pages", () => {
  // `cspell.json` has the project's own words: editors read it, too.
  it("are spelt right", async () => {
    const cspell = join(installed("cspell", { cspell: "9.8.0" }), "node_modules/cspell/bin.mjs");
    const args = [cspell, "lint", "--no-progress", "--no-summary", "--no-color", ...PAGES];
    const { code, stdout, stderr } = await run(process.execPath, args, { limitMs: 60_000 });
    assert.deepEqual({ code, said: stdout + stderr }, { code: 0, said: "" });
  });

  for (const page of PAGES) {
    it(`are plain in ${page}`, () => {
      const prose = proseOf(page).replaceAll(/\s+(?:\* )?/g, " ");
      const found = RIDDLES.flatMap((riddle) => prose.match(riddle)?.[0] ?? []);
      assert.deepEqual(found, []);
    });
  }
});

it("a link in index.d.ts is followed by a word: at a line's end editors lose the space", () => {
  assert.doesNotMatch(textOf("index.d.ts"), /\{@link [^}]*\}$/m);
});

/** What a native reader stumbled over: turns of other languages, and jokes. */
const RIDDLES = [
  /\banew\b/i, // again
  /\bto be had\b/i, // could be obtained
  /\bone hopes\b/i, // none expected
  /\banswers? no 2xx\b/i, // answers with a non-2xx status
  /\bno 2xx\b/i, // a status other than 2xx
  /\bwhat is no \w+/i, // whatever is not a …
  /\bjoined by blanks\b/i, // by spaces
  /\bhas \d+ seconds\b/i, // times out after
  /\bhas \d[\d.]* MB\b/i, // is … MB
  /\bwith joy\b/i,
  /\bwhat names a\b/i, // including
];
