// @ts-check
/**
 * Errors are instances of the SDK's own class, whatever runs the project: the SDK's engine repeats
 * a call that failed twice, and never one that timed out, which the backend may still serve.
 */
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { before, describe, it } from "node:test";
import { build } from "esbuild";
import { installed, runtime } from "../../scripts/tools.mjs";
import {
  addSdk,
  packed,
  packedPackage,
  program,
  project,
  temporary,
  write,
  writeSdk,
} from "../support/apps.mjs";
import { endedWell, run } from "../support/process.mjs";
import { httpServer, reply } from "../support/server.mjs";

const require = createRequire(import.meta.url);
const TSX = join(dirname(require.resolve("tsx/package.json")), "dist/cli.mjs");
const node = process.execPath;
const PNPM = { pnpm: "^10" };

before(() => {
  packedPackage();
});

/** @typedef {import("../support/apps.mjs").Test} Test */

/** The backends that the projects call. @param {Test} t */
async function backends(t) {
  const failing = await httpServer(t, (_, response) => reply(response, "no", 500));
  const silent = await httpServer(t, () => {});
  return { failing, silent };
}

/**
 * Runs `main.ts` or what was made of it.
 *
 * @param {Test} t
 * @param {string} cwd
 * @param {string[]} command
 */
async function outcome(t, cwd, command) {
  const { failing, silent } = await backends(t);
  const [file, ...args] = command;
  const ended = await run(file, [...args, failing.url, silent.url], { cwd });
  endedWell(ended);
  const report = JSON.parse(ended.stdout);
  const calls = { failing: failing.requests.length, silent: silent.requests.length };
  return { report, calls, stderr: ended.stderr };
}

/**
 * Asserts that the engine knows every error, and that there is one copy of the SDK.
 *
 * @param {Test} t
 * @param {string} cwd
 * @param {string[]} command
 */
async function engineKnows(t, cwd, command) {
  const { report, calls, stderr } = await outcome(t, cwd, command);
  assert.deepEqual(report, {
    failing: {
      isOurs: true,
      isSdks: true,
      answer: {
        status: 502,
        body: {
          type: "Error",
          code: "TOKEN_ISSUE_FAILED",
          message: "Backend failed to issue token: 500",
        },
      },
    },
    silent: {
      isOurs: true,
      isSdks: true,
      answer: {
        status: 504,
        body: {
          type: "Error",
          code: "TOKEN_ISSUE_TIMEOUT",
          message: "Remote token issuance timed out",
        },
      },
    },
    earlierIsSdks: true,
    sdksIsOurs: true,
    loads: 1,
  });
  assert.deepEqual(calls, { failing: 3, silent: 1 });
  assert.equal(stderr, "");
}

/** @param {"esm" | "cjs"} format */
const manifest = (format) => ({
  "package.json": JSON.stringify({
    private: true,
    type: format === "esm" ? "module" : "commonjs",
  }),
});

const FORMATS = /** @type {const} */ (["esm", "cjs"]);
const NODES = /** @type {const} */ (["node-20", "node-22", "node-24", "node-26"]);

describe("the engine knows our errors", { concurrency: 2 }, () => {
  for (const format of FORMATS) {
    it(`on Bun, the SDK in TypeScript, the project ${format}`, async (t) => {
      const main = format === "esm" ? "main.ts" : "main.cjs";
      const text = format === "esm" ? program("main") : program("main", "cjs");
      const folder = project(t, { ...manifest(format), [main]: text });
      await addSdk(folder, "typescript");
      await engineKnows(t, folder, [runtime("bun"), main]);
    });

    for (const name of NODES) {
      it(`under tsx on ${name}, the SDK in TypeScript, the project ${format}`, async (t) => {
        const folder = project(t, { ...manifest(format), "main.ts": program("main") });
        await addSdk(folder, "typescript");
        await engineKnows(t, folder, [runtime(name), TSX, "main.ts"]);
      });

      it(`on ${name}, the SDK built, the project ${format}`, async (t) => {
        const folder = project(t, { ...manifest(format), "main.js": program("main", format) });
        await addSdk(folder, "built");
        await engineKnows(t, folder, [runtime(name), "main.js"]);
      });
    }
  }

  for (const name of /** @type {const} */ (["node-20", "node-26", "bun", "deno"])) {
    it(`on ${name}, the SDK built for import alone`, async (t) => {
      const folder = project(t, { ...manifest("esm"), "main.js": program("main", "esm") });
      await addSdk(folder, "built for import alone");
      const run = name === "deno" ? ["run", "--allow-all", "--quiet"] : [];
      await engineKnows(t, folder, [runtime(name), ...run, "main.js"]);
    });
  }

  for (const name of /** @type {const} */ (["node-22", "node-24", "node-26", "bun"])) {
    it(`on ${name}, the SDK an ES module that the project has required`, async (t) => {
      const folder = project(t, { ...manifest("cjs"), "main.js": program("main", "cjs") });
      await addSdk(folder, "built as ESM");
      await engineKnows(t, folder, [runtime(name), "main.js"]);
    });
  }

  for (const format of FORMATS) {
    it(`in pnpm's layout, the SDK built, the project ${format}`, async (t) => {
      const sdk = temporary(t);
      await writeSdk(sdk, "built");
      const folder = temporary(t);
      write(folder, {
        "package.json": JSON.stringify({
          type: format === "esm" ? "module" : "commonjs",
          dependencies: {
            "@key0ai/native": `file:${packedPackage().tarball}`,
            "@key0ai/key0": `file:${packed(sdk)}`,
          },
        }),
        "main.js": program("main", format),
      });
      const pnpm = join(installed("pnpm", PNPM), "node_modules/pnpm/bin/pnpm.cjs");
      const store = ["--offline", "--store-dir", join(folder, ".store")];
      endedWell(await run(node, [pnpm, "install", ...store], { cwd: folder }));
      await engineKnows(t, folder, [node, "main.js"]);
    });
  }
});

describe("in a bundle that holds SDK and addon, the engine knows our errors", () => {
  const NAMED = `
    import { Key0Error } from "@key0ai/key0";
    import { setKey0ErrorClass } from "@key0ai/native";
    setKey0ErrorClass(Key0Error);
    import "./main.ts";`;
  /** The same project with nothing changed but where the names come from. */
  const entry = program("main").replaceAll('"@key0ai/native"', '"@key0ai/native/key0"');
  const cures = {
    "by setKey0ErrorClass": { "entry.ts": NAMED, "main.ts": program("main") },
    'by the entry "@key0ai/native/key0"': { "entry.ts": entry },
  };
  for (const [cure, files] of Object.entries(cures)) {
    it(cure, async (t) => {
      const folder = project(t, { ...manifest("esm"), ...files });
      await addSdk(folder, "typescript");
      const { warnings } = await build({
        absWorkingDir: folder,
        entryPoints: ["entry.ts"],
        outfile: "out/main.cjs",
        bundle: true,
        platform: "node",
        loader: { ".node": "copy" },
        logLevel: "silent",
      });
      assert.deepEqual(
        warnings.map(({ text }) => text),
        [],
      );
      const out = temporary(t);
      cpSync(join(folder, "out"), out, { recursive: true });
      await engineKnows(t, out, [node, "main.cjs"]);
    });
  }
});

describe("nothing of the SDK is loaded before an issuer is created or a call fails", () => {
  /** @type {[string, (folder: string) => Promise<string[]>][]} */
  const runs = [
    ["on Node, the SDK built", async () => [node, "late.mjs"]],
    ["on Bun, the SDK in TypeScript", async () => [runtime("bun"), "late.ts"]],
    ["under tsx, the SDK in TypeScript", async () => [node, TSX, "late.ts"]],
  ];
  for (const [what, command] of runs) {
    it(what, async (t) => {
      const folder = project(t, {
        ...manifest("esm"),
        "late.ts": program("late"),
        "late.mjs": program("late", "esm"),
      });
      await addSdk(folder, what.includes("TypeScript") ? "typescript" : "built");
      const [file, ...args] = await command(folder);
      const ended = await run(file, args, { cwd: folder });
      endedWell(ended);
      assert.deepEqual(JSON.parse(ended.stdout), {
        token: "string",
        created: "TypeError",
        before: 0,
        after: 1,
        isSdks: true,
        end: 1,
      });
    });
  }
});
