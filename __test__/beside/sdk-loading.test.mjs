// @ts-check
/** An SDK that is hard to load, or not there: calls fail as ever, in time, and one warning helps. */
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { before, describe, it } from "node:test";
import { runtime } from "../../scripts/tools.mjs";
import { addSdk, packedPackage, project, temporary, write, writeSdk } from "../support/apps.mjs";
import { endedWell, run } from "../support/process.mjs";

const WARNING =
  /Warning: @key0ai\/key0 is installed but cannot be loaded from here, so that its engine retries timeouts of this package: name its class by setKey0ErrorClass\(Key0Error\) \(.+\)$/m;

before(() => {
  packedPackage();
});

/** @typedef {import("../support/apps.mjs").Test} Test */

/**
 * What a project prints, read as JSON, and its stderr.
 *
 * @param {Test} t
 * @param {Parameters<typeof addSdk>[1] | null} sdk
 * @param {string} source
 * @param {string[]} [command]
 */
async function printed(t, sdk, source, command = [process.execPath]) {
  const folder = project(t, { "main.mjs": PRELUDE + source, "other.mjs": "" });
  if (sdk) await addSdk(folder, sdk);
  const [file, ...args] = command;
  const ended = await run(file, [...args, "main.mjs"], { cwd: folder });
  endedWell(ended);
  return { report: JSON.parse(ended.stdout), stderr: ended.stderr };
}

const PRELUDE = `
  import {
    createRemoteTokenIssuer,
    Key0Error,
    setKey0ErrorClass,
    validateToken,
  } from "@key0ai/native";

  const fail = () => validateToken("", { secret: "s" }).catch((error) => error);
  const failToIssue = () =>
    createRemoteTokenIssuer({ url: "http://127.0.0.1:1/" })({ n: 1n }).catch((error) => error);
  const failedThen = async (fail) => {
    const began = performance.now();
    const error = await fail();
    return { error, ms: performance.now() - began };
  };
  const print = (report) => console.log(JSON.stringify(report));
  const gate = {};
  gate.opened = new Promise((open) => { globalThis.open = open; });
  gate.resolved = new Promise((resolve) => { gate.resolve = resolve; });
  globalThis.gate = gate;
`;

/** Fails twice, and three times at once before that. */
const FAILING = `
  const errors = [...(await Promise.all([fail(), fail(), fail()])), await fail()];
  print(errors.map((error) => [error instanceof Key0Error, error.message]));`;
const FAILED = Array(4).fill([true, "Missing or malformed Authorization header"]);

const CLASS = `
  export class Key0Error extends Error {
    constructor(code, message) { super(message); this.code = code; this.httpStatus = 400; }
  }`;

describe("an SDK that is not installed", () => {
  for (const name of /** @type {const} */ (["node-20", "node-26", "bun", "deno"])) {
    it(`is not missed on ${name}`, async (t) => {
      const { report, stderr } = await printed(t, null, FAILING, command(name));
      assert.deepEqual(report, FAILED);
      assert.equal(stderr, "");
    });
  }
});

describe("an SDK that cannot be loaded gives one warning that names the cure", () => {
  for (const name of /** @type {const} */ (["node-20", "node-22", "node-24", "node-26", "deno"])) {
    it(`in TypeScript, on ${name}`, async (t) => {
      const { report, stderr } = await printed(t, "typescript", FAILING, command(name));
      assert.deepEqual(report, FAILED);
      warnsOnce(stderr);
    });
  }

  const entries = {
    "whose import throws": "throw new Error('no wallet');",
    "whose import throws no error": "throw undefined;",
    "that lacks a package": 'import "not-installed";',
    "that is no JavaScript": "export class {",
    "without the class": "export const createKey0 = 1;",
    "whose class is no error": "export class Key0Error {}",
  };
  for (const [what, entry] of Object.entries(entries)) {
    for (const name of /** @type {const} */ (["node-20", "node-26", "bun", "deno"])) {
      it(`${what}, on ${name}`, async (t) => {
        const { report, stderr } = await printed(t, { entry }, FAILING, command(name));
        assert.deepEqual(report, FAILED);
        warnsOnce(stderr);
      });
    }
  }

  for (const name of /** @type {const} */ (["node-20", "node-26", "bun", "deno"])) {
    it(`at the first failure and not before, on ${name}`, async (t) => {
      const source = `
        createRemoteTokenIssuer({ url: "http://127.0.0.1:1/" });
        const { resolved } = gate;
        await resolved;
        for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
        console.error("not yet");
        await fail();
        print("end");`;
      const throwing = {
        entry: "await 0; globalThis.gate.resolve(); throw new Error('no wallet');",
      };
      const { stderr } = await printed(t, throwing, source, command(name));
      assert.match(stderr, /^not yet\n/);
      warnsOnce(stderr);
    });
  }

  it("and is none of its business once the class was named by hand", async (t) => {
    const source = `setKey0ErrorClass(class Key0Error extends Error {}); ${FAILING}`;
    const { report, stderr } = await printed(t, "typescript", source);
    assert.deepEqual(report, FAILED);
    assert.equal(stderr, "");
  });
});

describe("an SDK whose import takes long", () => {
  const SLOW = { entry: `await gate.opened; ${CLASS}` };

  /**
   * The second is held up for as long as the first, and begins some milliseconds after it.
   * @type {Record<string, [fail: string, atLeast: number, atMost: number]>}
   */
  const failures = {
    "calls that failed for half a second": ["failToIssue", 450, 5_000],
    "refused tokens for 50 ms": ["fail", 25, 400],
  };
  for (const [what, [fail, least, most]] of Object.entries(failures)) {
    it(`holds up the first ${what}, and counts once it is there`, async (t) => {
      const { report, stderr } = await printed(
        t,
        SLOW,
        `
        const [first, second] = await Promise.all([failedThen(${fail}), failedThen(${fail})]);
        const third = await failedThen(${fail});
        globalThis.open();
        const { Key0Error: Sdk } = await import("@key0ai/key0");
        print({
          ms: [first.ms, second.ms, third.ms],
          areSdks: [first, second, third, await failedThen(${fail})].map(
            ({ error }) => error instanceof Sdk),
        });`,
      );
      assert.deepEqual(report.areSdks, [true, true, true, true]);
      const [first, second, third] = report.ms;
      for (const ms of [first, second]) assert.ok(ms >= least && ms < most, `${ms} ms`);
      assert.ok(third < least, `${third} ms`);
      assert.equal(stderr, "");
    });
  }

  it("does not hold up a call that succeeds meanwhile", async (t) => {
    const { report } = await printed(
      t,
      SLOW,
      `
      import { noAuth, sharedSecretAuth, AccessTokenIssuer } from "@key0ai/native";
      const issuer = new AccessTokenIssuer("s".repeat(32));
      const claims = { sub: "s", jti: "j", resourceId: "r", planId: "p", txHash: "x" };
      let failed = false;
      const failure = fail().then(() => { failed = true; });
      await noAuth()();
      const { token } = await issuer.sign(claims, 60);
      await issuer.verify(token);
      const before = failed;
      await failure;
      print([before, failed]);`,
    );
    assert.deepEqual(report, [false, true]);
  });

  it("replaces no class that was named by hand in the meantime", async (t) => {
    const { report } = await printed(
      t,
      SLOW,
      `
      const first = await fail();
      class Named extends Error {}
      setKey0ErrorClass(Named);
      globalThis.open();
      const { Key0Error: Sdk } = await import("@key0ai/key0");
      await new Promise(setImmediate);
      print([first instanceof Named, first instanceof Sdk]);`,
    );
    assert.deepEqual(report, [true, false]);
  });

  // Deno itself ends with an error where a module's top-level await never does.
  for (const name of /** @type {const} */ (["node-20", "node-26", "bun"])) {
    it(`for ever lets the process end, on ${name}`, async (t) => {
      const { report } = await printed(t, SLOW, "print((await fail()).code);", command(name));
      assert.equal(report, "INVALID_REQUEST");
    });

    it(`for ever lets the process end where nothing failed, on ${name}`, async (t) => {
      const source = `print(typeof createRemoteTokenIssuer({ url: "http://127.0.0.1:1/" }));`;
      const { report, stderr } = await printed(t, SLOW, source, command(name));
      assert.equal(report, "function");
      assert.equal(stderr, "");
    });
  }

  it("is waited for in real time, whatever timers a test fakes", async (t) => {
    const { report } = await printed(
      t,
      SLOW,
      `
      import { mock } from "node:test";
      mock.timers.enable({ apis: ["setTimeout", "setInterval", "setImmediate", "Date"] });
      print((await fail()).code);`,
    );
    assert.equal(report, "INVALID_REQUEST");
  });
});

describe("only issuers, and errors of this package, make it look", () => {
  const COUNTING = { entry: `globalThis.loaded = true; globalThis.gate.resolve(); ${CLASS}` };
  /** @type {Record<string, [call: string, looks: boolean]>} */
  const calls = {
    "a wrong configuration": ["createRemoteTokenIssuer({ url: 'nowhere' })", false],
    "a plain error of the verifier": ["validateKey0Token('', { secret: 's' })", false],
    "an issuer, though nothing failed": [
      "createRemoteTokenIssuer({ url: 'http://127.0.0.1:1' })",
      true,
    ],
    "a refused token": ["validateToken('', { secret: 's' })", true],
    "a strategy that fails": [
      "oauthClientCredentialsAuth({ tokenUrl: 'http://127.0.0.1:1', clientId: 'c', clientSecret: 's' })()",
      true,
    ],
  };
  for (const [what, [call, looks]] of Object.entries(calls)) {
    it(`${what}: ${looks ? "yes" : "no"}`, async (t) => {
      const { report } = await printed(
        t,
        COUNTING,
        `
        import { oauthClientCredentialsAuth, validateKey0Token } from "@key0ai/native";
        try { await ${call}; } catch {}
        // Begun later, an import of another file would end later.
        await (${looks} ? gate.resolved : import("./other.mjs"));
        print(globalThis.loaded === true);`,
      );
      assert.equal(report, looks);
    });
  }
});

describe("an application that requires the SDK after it has created an issuer", () => {
  /** @type {[import("../../scripts/tools.mjs").Runtime, "built" | "built as ESM"][]} */
  const runs = [
    ["node-20", "built"],
    ["node-24", "built"],
    ["node-24", "built as ESM"],
    ["bun", "built as ESM"],
  ];
  for (const [name, kind] of runs) {
    it(`is not disturbed, and has one copy of it: ${name}, the SDK ${kind}`, async (t) => {
      const main = `
        const { createRemoteTokenIssuer } = require("@key0ai/native");
        const issue = createRemoteTokenIssuer({ url: "http://127.0.0.1:1/" });
        const { Key0Error } = require("@key0ai/key0");
        issue({}).catch((error) => {
          const loads = globalThis[Symbol.for("stand-in loads")];
          console.log(JSON.stringify([error instanceof Key0Error, loads]));
        });`;
      const folder = project(t, { "main.cjs": main });
      await addSdk(folder, kind);
      const ended = await run(runtime(name), ["main.cjs"], { cwd: folder });
      endedWell(ended);
      assert.equal(ended.stderr, "");
      assert.deepEqual(JSON.parse(ended.stdout), [true, 1]);
    });
  }
});

describe("a search that found nothing", () => {
  for (const name of /** @type {const} */ (["node-20", "node-24", "bun"])) {
    it(`is made again at a later failure, once a second at most, on ${name}`, async (t) => {
      const sdk = temporary(t);
      await writeSdk(sdk, { entry: CLASS });
      const { report } = await printed(
        t,
        null,
        `
        import { cpSync, existsSync } from "node:fs";
        const error = await failToIssue();
        const began = performance.now();
        cpSync(${JSON.stringify(sdk)}, "node_modules/@key0ai/key0", { recursive: true });
        const { Key0Error: Sdk } = await import("./node_modules/@key0ai/key0/index.js");
        let failures = 0;
        for (; !(error instanceof Sdk); failures += 1) await failToIssue();
        print({ ms: performance.now() - began, failures });`,
        command(name),
      );
      assert.ok(report.ms > 900 && report.ms < 30_000, `${report.ms} ms`);
      assert.ok(report.failures > 10, `${report.failures} failures`);
    });
  }
});

// B53
describe("two projects' copies in one process", () => {
  for (const name of /** @type {const} */ (["node-20", "node-26", "bun"])) {
    it(`find each its own SDK, on ${name}`, async (t) => {
      const source = `export { fail }; export { Key0Error }; export * as sdk from "@key0ai/key0";`;
      const folders = [project(t), project(t)];
      for (const folder of folders) {
        await addSdk(folder, "built");
        write(folder, { "main.mjs": PRELUDE + source });
      }
      const [a, b] = folders.map((folder) => JSON.stringify(`${folder}/main.mjs`));
      const main = `
        import * as a from ${a};
        import * as b from ${b};
        const [ofA, ofB] = [await a.fail(), await b.fail()];
        const facts = (error) => [a.Key0Error, a.sdk.Key0Error, b.Key0Error, b.sdk.Key0Error].map(
          (errorClass) => error instanceof errorClass);
        console.log(JSON.stringify([facts(ofA), facts(ofB)]));`;
      write(folders[0], { "both.mjs": main });
      const ended = await run(runtime(name), ["both.mjs"], { cwd: folders[0] });
      endedWell(ended);
      assert.deepEqual(JSON.parse(ended.stdout), [
        [true, true, false, false],
        [false, false, true, true],
      ]);
    });
  }

  it("share an SDK where there is one for both", async (t) => {
    const [outer, inner] = [project(t), "node_modules/other/node_modules/@key0ai"];
    await addSdk(outer, "built");
    cpSync(`${outer}/node_modules/@key0ai/native`, `${outer}/${inner}/native`, { recursive: true });
    write(outer, {
      "node_modules/other/main.mjs": `${PRELUDE} export { fail, Key0Error };`,
      "main.mjs": `${PRELUDE}
        import * as other from "./node_modules/other/main.mjs";
        import { Key0Error as Sdk } from "@key0ai/key0";
        const errors = [await fail(), await other.fail()];
        print(errors.map((error) => [Sdk, Key0Error, other.Key0Error].map(
          (errorClass) => error instanceof errorClass)));`,
    });
    const ended = await run(process.execPath, ["main.mjs"], { cwd: outer });
    endedWell(ended);
    assert.deepEqual(JSON.parse(ended.stdout), [
      [true, true, true],
      [true, true, true],
    ]);
  });
});

/** @param {import("../../scripts/tools.mjs").Runtime} name */
function command(name) {
  return name === "deno" ? [runtime(name), "run", "--allow-all", "--quiet"] : [runtime(name)];
}

/** @param {string} stderr */
function warnsOnce(stderr) {
  assert.match(stderr, WARNING);
  assert.equal(stderr.split("Warning:").length, 2, stderr);
}
