// @ts-check
/** Vitest and Jest with the addon in the project's tests: realms, resets, mocks, fake timers. */
import assert from "node:assert/strict";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { installed, runtime } from "../../scripts/tools.mjs";
import { packedPackage, project } from "../support/apps.mjs";
import { run } from "../support/process.mjs";
import { closedPort, httpServer, reply } from "../support/server.mjs";

const TESTS = readFileSync(new URL("runners/addon.test.js", import.meta.url), "utf8");
const VITEST = { vitest: "^4.1" };
const JEST = { jest: "^30" };
// Both have their own vm contexts; Vitest's threads and forks have none.
const POOLS = ["threads", "forks", "vmThreads", "vmForks"];
/** For a test. Their own is 5 s. */
const LIMIT_MS = 60_000;

before(() => {
  packedPackage();
});

/** What the tests ask of their environment. @param {import("../support/server.mjs").Test} t */
async function environment(t) {
  const grant = { access_token: "a", expires_in: 3600 };
  const servers = [
    await httpServer(t),
    await httpServer(t, () => {}),
    await httpServer(t, (_, response) => reply(response, grant)),
  ];
  const [BACKEND, SILENT, TOKEN_URL] = servers.map(({ url }) => url);
  return { BACKEND, SILENT, TOKEN_URL, CLOSED: `http://127.0.0.1:${await closedPort()}/`, CI: "1" };
}

/** A project with these tests. @param {any} t @param {string} head */
function projectOf(t, head) {
  return project(t, { "package.json": '{"private":true}', "addon.test.js": head + TESTS });
}

describe("Vitest", () => {
  for (const pool of POOLS) {
    it(`--pool=${pool} passes, and ends`, async (t) => {
      const head = `
        import { afterEach, describe, expect, it, vi as runner } from "vitest";
        import { createRequire } from "node:module";
        const require = createRequire(import.meta.url);
        // In its contexts nothing forgets a package.
        const RESETS = ${!pool.startsWith("vm")};
        const load = () => import("@key0ai/native");
        function fresh() {
          for (const file of Object.keys(require.cache)) delete require.cache[file];
          return require("@key0ai/native");
        }`;
      const app = projectOf(t, head);
      const vitest = join(installed("vitest", VITEST), "node_modules/vitest");
      // As it stands in a project.
      symlinkSync(vitest, join(app, "node_modules/vitest"));
      const options = [`--pool=${pool}`, "--reporter=json", `--testTimeout=${LIMIT_MS}`];
      const args = [join(vitest, "vitest.mjs"), "run", ...options];
      const ended = await run(process.execPath, args, {
        cwd: app,
        env: await environment(t),
      });
      const said = `${ended.stdout}\n${ended.stderr}`;
      const report = JSON.parse(ended.stdout.slice(ended.stdout.indexOf("{")));
      assert.deepEqual([report.numPassedTests, report.numFailedTests], [8, 0], said);
      assert.equal(ended.code, 0, said);
      assert.doesNotMatch(said, /close timed out|hanging/i);
    });
  }
});

describe("Jest", () => {
  it("--detectOpenHandles passes, ends by itself and has nothing to report", async (t) => {
    const head = `
      const runner = jest;
      const RESETS = true;
      const load = async () => require("@key0ai/native");
      function fresh() {
        jest.resetModules();
        return require("@key0ai/native");
      }`;
    const app = projectOf(t, head);
    const jest = join(installed("jest", JEST), "node_modules/jest/bin/jest.js");
    const options = ["--detectOpenHandles", "--json", `--testTimeout=${LIMIT_MS}`];
    const args = [jest, ...options, "--rootDir", app];
    const ended = await run(process.execPath, args, {
      cwd: app,
      env: await environment(t),
    });
    const said = `${ended.stdout}\n${ended.stderr}`;
    const report = JSON.parse(ended.stdout);
    assert.deepEqual([report.numPassedTests, report.numFailedTests], [8, 0], said);
    assert.equal(ended.code, 0, said);
    assert.doesNotMatch(said, /did not exit|open handle/i);
  });
});

describe("Bun", () => {
  it("passes what the others pass of mocks of fetch and of servers", async (t) => {
    const head = `
      import { afterEach, describe, expect, it, mock, spyOn } from "bun:test";
      const runner = { fn: mock, restoreAllMocks: () => mock.restore(), spyOn, useRealTimers() {} };
      const load = () => import("@key0ai/native");`;
    const app = projectOf(t, head);
    // The others forget modules, fake timers or mock a package, which Bun does otherwise.
    const names = "the addon (works$|is answered by|calls a spy|refuses)";
    const args = [
      "test",
      "addon.test.js",
      "--test-name-pattern",
      names,
      "--timeout",
      String(LIMIT_MS),
    ];
    const env = await environment(t);
    const ended = await run(runtime("bun"), args, { cwd: app, env });
    const said = `${ended.stdout}\n${ended.stderr}`;
    assert.match(said, /\b4 pass\n(.*\n)? *0 fail/, said);
    assert.equal(ended.code, 0, said);
  });
});
