// @ts-check
/** The programs of the pages about testing and observability, beside the packages that they use. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { transform } from "esbuild";
import { installed } from "../../scripts/tools.mjs";
import { project, write } from "../support/apps.mjs";
import { blocksOf } from "../support/pages.mjs";
import { endedWell, run } from "../support/process.mjs";

const MOCKS = { msw: "^2.11", nock: "^14.0", undici: "^7.16" };
const OPENTELEMETRY = {
  "@opentelemetry/api": "^1.9",
  "@opentelemetry/sdk-trace-base": "^2.1",
  "@opentelemetry/sdk-trace-node": "^2.1",
};

for (const page of ["docs/testing.md", "docs/observability.md"]) {
  describe(page, () => {
    for (const { source, line } of blocksOf(page).filter(({ kind }) => /^[jt]s$/.test(kind))) {
      it(`has a program, line ${line}, that prints what it says`, async (t) => {
        const app = project(t);
        link(installed("mocks", MOCKS), app);
        link(installed("opentelemetry", OPENTELEMETRY), app);
        const { code } = await transform(source, { loader: "ts", format: "esm" });
        write(app, { "program.mjs": code });
        const ended = await run(process.execPath, ["program.mjs"], { cwd: app });
        endedWell(ended);
        const said = [...source.matchAll(/(?:^console\.log\(.*\); |^)\/\/ (.*)$/gm)];
        assert.equal(ended.stdout, said.map(([, words]) => `${words}\n`).join(""));
      });
    }
  });
}

/** Links what is installed in one folder into another's. @param {string} from @param {string} to */
function link(from, to) {
  const names = readdirSync(join(from, "node_modules")).flatMap((name) =>
    name.startsWith("@")
      ? readdirSync(join(from, "node_modules", name)).map((rest) => `${name}/${rest}`)
      : [name],
  );
  for (const name of names.filter((it) => !it.startsWith("."))) {
    const [source, target] = [from, to].map((folder) => join(folder, "node_modules", name));
    if (existsSync(target)) continue;
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(source, target);
  }
}
