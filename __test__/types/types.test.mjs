// @ts-check
// index.d.ts against the contract, by the compiler: what it must accept, equal and refuse, and
// every example in its comments.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const declarations = readFileSync(join(here, "../../index.d.ts"), "utf8");
const typescript = createRequire(import.meta.url).resolve("typescript/package.json");
const tsc = join(dirname(typescript), JSON.parse(readFileSync(typescript, "utf8")).bin.tsc);

/** @param {string} project what the compiler says about it: nothing where all is well */
function compile(project) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, "-p", project], {
    encoding: "utf8",
  });
  return { status, said: stdout + stderr };
}

describe("index.d.ts", () => {
  it("has the contract's shapes, accepts what the SDK accepts and refuses what cannot work", () => {
    assert.deepEqual(compile(here), { status: 0, said: "" });
  });

  it("has examples that compile, one for each function and class that is called, and one type", (t) => {
    const examples = [...declarations.matchAll(/ \* ```ts\n(.*?) \* ```\n/gs)].map(([, lines]) =>
      lines.replaceAll(/^ \* ?/gm, ""),
    );
    assert.equal(examples.length, 12);
    const folder = mkdtempSync(join(here, "examples-"));
    t.after(() => rmSync(folder, { recursive: true }));
    examples.forEach((text, i) => {
      writeFileSync(join(folder, `${i + 1}.mts`), text);
    });
    const config = { extends: "../tsconfig.json", include: ["*.mts"] };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    assert.deepEqual(compile(folder), { status: 0, said: "" });
  });
});
