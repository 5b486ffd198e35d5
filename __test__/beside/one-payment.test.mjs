// @ts-check
/**
 * One payment, one POST: the engine repeats whatever is no timeout of its own class, so that class
 * has to be found wherever the SDK may be (D01, D02, D03).
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { NPM } from "../../scripts/npm.mjs";
import { installed, runtime } from "../../scripts/tools.mjs";
import { addSdk, packedPackage, project, temporary, write, writeSdk } from "../support/apps.mjs";
import { endedWell, run } from "../support/process.mjs";
import { httpServer, reply } from "../support/server.mjs";
import { paymentProject, WAYS } from "../support/ways.mjs";

const NATIVE = "node_modules/@key0ai/native";
const OFFLINE = ["--offline", "--no-audit", "--no-fund", "--loglevel=error"];

/** Installed before the tests, whose servers would wait for it. */
let pnpm = "";

before(() => {
  packedPackage();
  pnpm = join(installed("pnpm", { pnpm: "^10" }), "node_modules/pnpm/bin/pnpm.cjs");
});

/** @typedef {import("../support/apps.mjs").Test} Test */

/** @param {string} app */
async function linkNative(app) {
  const [npm, ...args] = NPM;
  endedWell(await run(npm, [...args, "install", ...OFFLINE, "../native"], { cwd: app }));
}

/** @param {string} file */
const read = (file) => JSON.parse(readFileSync(file, "utf8"));

/**
 * Asserts that a backend that never answers gets one POST for one payment, and the buyer a 504.
 *
 * @param {Test} t
 * @param {string[]} command
 * @param {{ cwd: string, env?: Record<string, string> }} options
 */
async function issuesOnce(t, [file, ...args], options) {
  const silent = await httpServer(t, () => {});
  const ended = await run(file, [...args, silent.url], options);
  endedWell(ended);
  assert.deepEqual(JSON.parse(ended.stdout), {
    status: 504,
    body: {
      type: "Error",
      code: "TOKEN_ISSUE_TIMEOUT",
      message: "Remote token issuance timed out",
    },
  });
  assert.equal(silent.requests.length, 1, "POSTs");
  assert.equal(ended.stderr, "");
}

describe("D01: what is moved before the first failure", { concurrency: 2 }, () => {
  for (const way of WAYS) {
    for (const moved of ["", "/node_modules"]) {
      it(`${moved === "" ? "the release's folder" : moved}, ${way.named}`, async (t) => {
        const outer = temporary(t);
        const release = join(outer, "release");
        const { main, files } = paymentProject(way);
        await cp(project(t, files), release, { recursive: true });
        await addSdk(release, way.sdk);
        const env = { MOVED: release + moved, ...(way.isTsx ? { LATER: "1" } : {}) };
        await issuesOnce(t, [...way.command, join(release, main)], { cwd: release, env });
      });
    }
  }

  it("and comes back is found again", async (t) => {
    const folder = project(t, {
      "main.mjs": `
        import { renameSync } from "node:fs";
        import { createRemoteTokenIssuer, noAuth } from "@key0ai/native";
        // The first of all loads what issuers need.
        noAuth();
        renameSync("node_modules", "gone");
        const fail = () => createRemoteTokenIssuer({ url: "http://127.0.0.1:1/" })({ n: 1n }).catch(
          (error) => error);
        const error = await fail();
        renameSync("gone", "node_modules");
        const { Key0Error } = await import("@key0ai/key0");
        const before = error instanceof Key0Error;
        for (const end = performance.now() + 30_000; performance.now() < end; ) {
          await fail();
          if (error instanceof Key0Error) break;
        }
        console.log(JSON.stringify([before, error instanceof Key0Error]));`,
    });
    await addSdk(folder, "built as ESM");
    const ended = await run(process.execPath, ["main.mjs"], { cwd: folder });
    endedWell(ended);
    assert.deepEqual(JSON.parse(ended.stdout), [false, true]);
  });
});

describe("D02: an SDK that only the application sees", { concurrency: 2 }, () => {
  for (const way of WAYS) {
    it(`the package linked by npm install ../folder, ${way.named}`, async (t) => {
      const outer = temporary(t);
      const app = join(outer, "app");
      await cp(join(packedPackage().project, NATIVE), join(outer, "native"), { recursive: true });
      const { main, files } = paymentProject(way);
      write(app, files);
      await linkNative(app);
      await addSdk(app, way.sdk);
      await issuesOnce(t, [...way.command, join("app", main)], { cwd: outer });
    });
  }

  for (const way of WAYS.filter(({ sdk }) => sdk !== "built")) {
    it(`a pnpm workspace without hoisting, ${way.named}`, async (t) => {
      const workspace = temporary(t);
      const [app, native, sdk] = ["app", "native", "key0"].map((name) => join(workspace, name));
      await cp(join(packedPackage().project, NATIVE), native, { recursive: true });
      const { devDependencies: _, ...manifest } = read(join(native, "package.json"));
      write(native, { "package.json": JSON.stringify(manifest) });
      await writeSdk(sdk, way.sdk);
      write(workspace, {
        "pnpm-workspace.yaml": "packages: [app, native, key0]\n",
        ".npmrc": "hoist=false\nauto-install-peers=false\n",
        "package.json": "{}",
      });
      const { main, files } = paymentProject(way);
      const dependencies = { "@key0ai/native": "workspace:*", "@key0ai/key0": "workspace:*" };
      write(app, files);
      const ofApp = { ...read(join(app, "package.json")), name: "app", dependencies };
      write(app, { "package.json": JSON.stringify(ofApp) });
      const args = ["install", "--offline", "--store-dir", join(workspace, ".store")];
      endedWell(await run(process.execPath, [pnpm, ...args], { cwd: workspace }));
      await issuesOnce(t, [...way.command, main], { cwd: app });
    });
  }

  it("in the working directory of a program that lies elsewhere", async (t) => {
    const way = WAYS[0];
    const outer = temporary(t);
    const app = join(outer, "app");
    await cp(join(packedPackage().project, NATIVE), join(outer, "native"), { recursive: true });
    write(app, paymentProject(way).files);
    await linkNative(app);
    await addSdk(app, way.sdk);
    write(outer, { "runner/run.cjs": 'require(process.cwd() + "/main.js");' });
    await issuesOnce(t, [...way.command, "../runner/run.cjs"], { cwd: app });
  });
});

describe("D03: on Bun without node_modules no registry is asked", () => {
  /** @param {Test} t @param {string} source @param {Record<string, string>} [files] */
  async function asked(t, source, files) {
    const registry = await httpServer(t, (_, response) => reply(response, "{}", 404));
    const folder = temporary(t);
    const native = join(temporary(t), "native");
    await cp(join(packedPackage().project, NATIVE), native, { recursive: true });
    write(folder, { "main.mjs": source.replaceAll("NATIVE", join(native, "index.mjs")), ...files });
    const ended = await run(runtime("bun"), ["main.mjs"], {
      cwd: folder,
      env: { BUN_CONFIG_REGISTRY: registry.url, BUN_INSTALL_CACHE_DIR: join(folder, ".cache") },
    });
    endedWell(ended);
    return { requests: registry.requests.map(({ target }) => target), stdout: ended.stdout };
  }

  it("by an application's own import of a package it is: the registry would hear of it", async (t) => {
    const { requests } = await asked(t, `await import("@key0ai/key0").catch(() => {});`);
    assert.deepEqual(requests, ["/issue/@key0ai%2fkey0"]);
  });

  it("by failures", async (t) => {
    const { requests, stdout } = await asked(
      t,
      `
      import { createRemoteTokenIssuer, validateToken } from "NATIVE";
      const issue = createRemoteTokenIssuer({ url: "http://127.0.0.1:1/" });
      const errors = [await issue({}).catch((e) => e), await validateToken("", { secret: "s" }).catch((e) => e)];
      console.log(errors.map(({ code }) => code).join());`,
    );
    assert.equal(stdout, "TOKEN_ISSUE_FAILED,INVALID_REQUEST\n");
    assert.deepEqual(requests, []);
  });

  it("by a package that has no binary", async (t) => {
    const { requests, stdout } = await asked(
      t,
      `
      import { readdirSync, rmSync } from "node:fs";
      import { dirname, join } from "node:path";
      const folder = dirname("NATIVE");
      for (const name of readdirSync(folder)) if (name.endsWith(".node")) rmSync(join(folder, name));
      await import("NATIVE").catch(({ code }) => console.log(code));`,
    );
    assert.equal(stdout, "ERR_KEY0_NO_BINARY\n");
    assert.deepEqual(requests, []);
  });
});
