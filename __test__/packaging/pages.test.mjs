// @ts-check
/**
 * Every page that is packed: its programs compile in a strict project that has the package, what
 * they say they print they print, and each link leads somewhere. A new page needs no line here.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, normalize } from "node:path";
import { describe, it } from "node:test";
import { installed } from "../../scripts/tools.mjs";
import { packedPackage, project, write } from "../support/apps.mjs";
import { anchorsOf, blocksOf, OTHER_PAGES, PACKED_PAGES, proseOf } from "../support/pages.mjs";
import { ROOT, run } from "../support/process.mjs";
import { ended, said } from "../support/programs-of-pages.mjs";

const require = createRequire(import.meta.url);
const typescript = require.resolve("typescript/package.json");
const tsc = join(dirname(typescript), JSON.parse(readFileSync(typescript, "utf8")).bin.tsc);
const { scripts } = require("../../package.json");

const CONFIG = {
  compilerOptions: {
    target: "es2022",
    lib: ["es2022", "esnext.disposable"],
    module: "nodenext",
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    noEmit: true,
    skipLibCheck: true,
    types: ["node"],
    paths: { "@key0ai/key0": [join(ROOT, "__test__/types/sdk.d.mts")] },
  },
  include: ["*.mts"],
};

/** Where a package is that programs import. @param {string} name */
function folderOf(name) {
  return name === "vitest" ? installed("vitest", { vitest: "^4.1" }) : ROOT;
}

/** @param {string} name */
function hasTypes(name) {
  const file = join(folderOf(name), "node_modules", name, "package.json");
  if (!existsSync(file)) return false;
  const { types, typings, exports } = JSON.parse(readFileSync(file, "utf8"));
  return Boolean(types ?? typings) || JSON.stringify(exports ?? "").includes('"types"');
}

/** Links the packages of these programs beside the app; one that is not here may be anything. */
function provide(/** @type {string} */ app, /** @type {string[]} */ sources) {
  const specifiers = sources.flatMap((source) =>
    [...source.matchAll(/(?:from |import |import\()"([^"]+)"/g)].map(([, name]) => name),
  );
  const others = specifiers.filter((name) => !/^(node:|\.|@key0ai\/)/.test(name));
  const names = others.map((name) => name.match(/^(?:@[^/]+\/)?[^/]+/)?.[0] ?? name);
  const unknown = others.filter((_, i) => !hasTypes(names[i]));
  for (const name of new Set(["@types", ...names])) {
    const [from, to] = [folderOf(name), app].map((folder) => join(folder, "node_modules", name));
    if (name !== "@types" && !hasTypes(name)) continue;
    mkdirSync(dirname(to), { recursive: true });
    symlinkSync(from, to);
  }
  const declared = unknown.map((name) => `declare module ${JSON.stringify(name)};\n`).join("");
  write(app, { "unknown.d.ts": declared });
}

/** What the compiler says about these programs, named by their lines. */
async function compiled(
  /** @type {any} */ t,
  /** @type {{ source: string, line: number }[]} */ programs,
) {
  const app = project(t);
  provide(
    app,
    programs.map(({ source }) => source),
  );
  const files = programs.map(({ source, line }) => [`line-${line}.mts`, `${source}export {};\n`]);
  const include = [...CONFIG.include, "unknown.d.ts"];
  const config = JSON.stringify({ ...CONFIG, include });
  write(app, { ...Object.fromEntries(files), "tsconfig.json": config });
  const { code, stdout, stderr } = await run(process.execPath, [tsc, "-p", "."], { cwd: app });
  return { code, said: stdout + stderr };
}

/** Packages of programs that `__test__/beside/pages.test.mjs` runs. */
const MOCKS = /from "(msw|nock|undici)"/;

for (const page of PACKED_PAGES) {
  describe(page, () => {
    const blocks = blocksOf(page);
    const programs = blocks.filter(({ kind }) => /^([cm]?[jt]s)$/.test(kind));

    it("names its programs and commands as they are looked for here", () => {
      const others = /^(javascript|typescript|[jt]sx|bash|shell|console)$/;
      assert.deepEqual(
        blocks.filter(({ kind }) => others.test(kind)),
        [],
      );
    });

    if (programs.length > 0) {
      it("has programs that compile in a strict project", async (t) => {
        assert.deepEqual(await compiled(t, programs), { code: 0, said: "" });
      });
    }

    const alone = programs.filter(({ source }) => !MOCKS.test(source));
    for (const { source, line } of alone.filter(({ source }) => said(source) !== "")) {
      it(`has a program, line ${line}, that prints what it says`, async (t) => {
        const stdout = said(source);
        assert.deepEqual(await ended(t, source), { code: 0, stdout, stderr: "" });
      });
    }

    it("has JSON that is JSON, and commands that a shell can read", async () => {
      for (const { kind, source } of blocks) {
        if (kind === "json") JSON.parse(source);
        if (kind !== "sh") continue;
        const { code, stderr } = await run("sh", ["-n", "-c", source]);
        assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, source);
        for (const [, name] of source.matchAll(/^(?:.*&& )?npm run ([\w:]+)/gm)) {
          assert.ok(name in scripts, `npm run ${name}`);
        }
      }
    });
  });
}

describe("each link", () => {
  for (const page of [...PACKED_PAGES, ...OTHER_PAGES]) {
    it(`of ${page} leads to a file or a heading`, () => {
      const links = [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
      for (const link of links.filter((target) => !/^https?:/.test(target))) {
        const [path, anchor] = link.split("#");
        const file = path ? normalize(join(dirname(page), path)) : page;
        assert.ok(existsSync(join(ROOT, file)), `${link}: ${file}`);
        if (anchor !== undefined) assert.ok(anchorsOf(file).includes(anchor), link);
      }
    });
  }

  it("of a packed page leads to what is packed", () => {
    const folder = join(packedPackage().project, "node_modules/@key0ai/native");
    for (const page of PACKED_PAGES) {
      for (const [, link] of proseOf(page).matchAll(/\]\(([^)#\s]+)/g)) {
        if (/^https?:/.test(link)) continue;
        assert.ok(existsSync(join(folder, dirname(page), link)), `${page}: ${link}`);
      }
    }
  });
});
