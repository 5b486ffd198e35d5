// @ts-check
/**
 * The configurations of `docs/bundlers.md`, as they stand there: each builds an app that uses the
 * addon, which runs from its output (B52).
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { transform } from "esbuild";
import { installed, runtime } from "../../scripts/tools.mjs";
import { addSdk, packedPackage, program, project, temporary, write } from "../support/apps.mjs";
import { endedWell, ROOT, run } from "../support/process.mjs";
import { closedPort, httpServer, reply } from "../support/server.mjs";

const PAGE = readFileSync(join(ROOT, "docs/bundlers.md"), "utf8");

/** The text of a code block that begins so. @param {string} kind @param {string} beginning */
function block(kind, beginning) {
  const blocks = [...PAGE.matchAll(new RegExp(`\`\`\`${kind}\n(.*?)\`\`\``, "gs"))];
  const found = blocks.map(([, text]) => text).find((text) => text.startsWith(beginning));
  assert.ok(found, `${beginning} in docs/bundlers.md`);
  return found;
}

const MAIN = `
  import { createRemoteTokenIssuer, Key0Error, sharedSecretAuth } from "@key0ai/native";
  const auth = sharedSecretAuth("X-A", "s3cr3t");
  const [, , url] = process.argv;
  const params = { challengeId: "c" };
  const { token } = await createRemoteTokenIssuer({ url, auth })(params);
  const error = await createRemoteTokenIssuer({ url: "http://127.0.0.1:1/" })(params).catch((e) => e);
  console.log(token, error instanceof Key0Error, error.code);
`;
/** CommonJS has no await at its top. */
const WRAPPED = `${MAIN.replace(/(import .*;)(.*)/s, "$1\n(async () => {$2})();")}`;

before(() => {
  packedPackage();
});

/** An app with these tools in its `node_modules`. @param {any} t @param {string} main */
function app(t, main, tools = "") {
  const folder = project(t, { "package.json": '{"private":true}', "main.mjs": main });
  for (const name of tools ? readdirSync(join(tools, "node_modules")) : []) {
    const place = join(folder, "node_modules", name);
    if (!name.startsWith(".")) symlinkSync(join(tools, "node_modules", name), place);
  }
  return folder;
}

/** @param {string} cwd @param {string} program @param {string[]} args */
async function builds(cwd, program, ...args) {
  endedWell(await run(program, args, { cwd, limitMs: 300_000, env: QUIET }));
}

const QUIET = { NEXT_TELEMETRY_DISABLED: "1", CI: "1", NO_COLOR: "1" };

/** Asserts what the bundle prints, which nothing but its folder's packages can help. */
async function runs(/** @type {any} */ t, /** @type {string} */ cwd, /** @type {string} */ file) {
  const backend = await httpServer(t);
  const { stdout, stderr } = await run(process.execPath, [file, backend.url], { cwd });
  assert.deepEqual({ stdout, stderr }, { stdout: "t true TOKEN_ISSUE_FAILED\n", stderr: "" });
  assert.equal(backend.requests[0].headers["x-a"], "s3cr3t");
}

describe("a bundle that leaves the package external", () => {
  it("of esbuild runs", async (t) => {
    const folder = app(t, MAIN);
    const [, ...args] = block("sh", "esbuild main.mjs").trim().split(" ");
    await builds(folder, join(ROOT, "node_modules/.bin/esbuild"), ...args, "--log-level=error");
    await runs(t, folder, "out/main.mjs");
  });

  it("of webpack runs", async (t) => {
    const tools = installed("webpack", { webpack: "^5", "webpack-cli": "^6" });
    const folder = app(t, WRAPPED, tools);
    write(folder, { "webpack.config.mjs": block("js", "// webpack.config.mjs") });
    await builds(folder, process.execPath, "node_modules/webpack-cli/bin/cli.js");
    await runs(t, folder, "out/main.cjs");
  });

  it("of Rollup runs", async (t) => {
    const folder = app(t, MAIN, installed("rollup", { rollup: "^4" }));
    write(folder, { "rollup.config.mjs": block("js", "// rollup.config.mjs") });
    await builds(
      folder,
      process.execPath,
      "node_modules/rollup/dist/bin/rollup",
      "--config",
      "--silent",
    );
    await runs(t, folder, "out/main.mjs");
  });
});

/** What issues for one payment, and how the engine's class is named in it. */
const PAYMENT = program("payment", "esm");
const NAMINGS = {
  "that names the class": `${block("js", "import { Key0Error }")}\n${PAYMENT}`,
  "that imports from the entry /key0": PAYMENT.replace("@key0ai/native", "@key0ai/native/key0"),
};

/** An app that has SDK and addon, the binary in a package of its own, as they are published. */
async function appWithSdk(/** @type {any} */ t, /** @type {Record<string, string>} */ files) {
  const folder = project(t, { "package.json": '{"private":true}', ...files });
  await addSdk(folder, "typescript");
  const scope = join(folder, "node_modules/@key0ai");
  const [binary] = readdirSync(join(scope, "native")).filter((name) => name.endsWith(".node"));
  const [, platform] = binary.split(".");
  cpSync(join(ROOT, "npm", platform), join(scope, `native-${platform}`), { recursive: true });
  renameSync(join(scope, "native", binary), join(scope, `native-${platform}`, binary));
  return folder;
}

/**
 * Asserts that the output, moved away from what it was built of, issues once for one payment, and
 * that Bun asks no registry for anything.
 */
async function issuesOnce(
  /** @type {any} */ t,
  /** @type {string} */ folder,
  /** @type {string[]} */ command,
) {
  const elsewhere = temporary(t);
  cpSync(join(folder, "out"), join(elsewhere, "out"), { recursive: true });
  if (existsSync(join(folder, "kept"))) {
    cpSync(join(folder, "kept"), join(elsewhere, "node_modules"), { recursive: true });
  }
  rmSync(folder, { recursive: true });
  const silent = await httpServer(t, () => {});
  const registry = await httpServer(t, (_, response) => reply(response, "{}", 404));
  const env = { BUN_CONFIG_REGISTRY: registry.url, BUN_INSTALL_CACHE_DIR: elsewhere };
  const [file, ...args] = command;
  const program = file.startsWith("out/") ? join(elsewhere, file) : file;
  const ended = await run(program, [...args, silent.url], { cwd: elsewhere, env });
  endedWell(ended);
  assert.equal(JSON.parse(ended.stdout).body.code, "TOKEN_ISSUE_TIMEOUT");
  assert.equal(silent.requests.length, 1, "POSTs");
  assert.deepEqual(registry.requests, []);
}

// D06
describe("SDK, addon and binary in one bundle,", () => {
  for (const [naming, main] of Object.entries(NAMINGS)) {
    it(`of esbuild, ${naming}`, async (t) => {
      const { code } = await transform(main, { format: "cjs" });
      const folder = await appWithSdk(t, { "main.cjs": code });
      const [, ...args] = block("sh", "esbuild main.cjs").trim().split(" ");
      await builds(folder, join(ROOT, "node_modules/.bin/esbuild"), ...args, "--log-level=error");
      await issuesOnce(t, folder, [process.execPath, "out/main.cjs"]);
    });

    for (const command of ["bun build main.mjs --target", "bun build main.mjs --compile"]) {
      it(`of ${command}, ${naming}`, async (t) => {
        const folder = await appWithSdk(t, { "main.mjs": main });
        const [, ...args] = block("sh", command).trim().split(" ");
        await builds(folder, runtime("bun"), ...args);
        const isProgram = command.endsWith("--compile");
        await issuesOnce(t, folder, isProgram ? ["out/main"] : [runtime("bun"), "out/main.js"]);
      });
    }
  }
});

/** A program of Bun that issues, of a package as a clone builds it: its binary is in it. */
const bunCommands = ["bun build main.mjs --target", "bun build main.mjs --compile"];
describe("addon and binary in one bundle, of a package built from a clone,", () => {
  for (const command of bunCommands) {
    it(`of ${command}, runs without node_modules`, async (t) => {
      const folder = app(t, MAIN);
      const [, ...args] = block("sh", command).trim().split(" ");
      await builds(folder, runtime("bun"), ...args);
      const elsewhere = temporary(t);
      cpSync(join(folder, "out"), join(elsewhere, "out"), { recursive: true });
      rmSync(folder, { recursive: true });
      const isProgram = command.endsWith("--compile");
      if (isProgram) assert.deepEqual(readdirSync(join(elsewhere, "out")), ["main"]);
      const backend = await httpServer(t);
      // Where Bun puts the binary that a program has in it, to be loaded.
      const TMPDIR = temporary(t);
      const [file, ...rest] = isProgram ? ["out/main"] : [runtime("bun"), "out/main.js"];
      const program = isProgram ? join(elsewhere, file) : file;
      const env = { TMPDIR };
      const ended = await run(program, [...rest, backend.url], { cwd: elsewhere, env });
      assert.equal(ended.stdout, "t true TOKEN_ISSUE_FAILED\n", ended.stderr);
      const put = readdirSync(TMPDIR).filter((name) => name.endsWith(".node"));
      assert.equal(put.length, isProgram ? 1 : 0);
    });
  }
});

describe("the SDK in a bundle that leaves the addon external,", () => {
  for (const [name, program] of [
    ["Node", process.execPath],
    ["Bun", runtime("bun")],
  ]) {
    it(`with the class named, run by ${name}`, async (t) => {
      const folder = await appWithSdk(t, { "main.mjs": NAMINGS["that names the class"] });
      const [, ...args] = block("sh", "esbuild main.mjs").trim().split(" ");
      await builds(folder, join(ROOT, "node_modules/.bin/esbuild"), ...args, "--log-level=error");
      // The SDK stays installed beside it, too: another copy.
      renameSync(join(folder, "node_modules"), join(folder, "kept"));
      await issuesOnce(t, folder, [program, "out/main.mjs"]);
    });
  }
});

it("a bundle of webpack that forgot it says what to write", async (t) => {
  const tools = installed("webpack", { webpack: "^5", "webpack-cli": "^6" });
  const folder = app(t, WRAPPED, tools);
  const config = block("js", "// webpack.config.mjs").replace(/^ *externals.*\n/m, "");
  write(folder, { "webpack.config.mjs": config });
  const built = await run(process.execPath, ["node_modules/webpack-cli/bin/cli.js"], {
    cwd: folder,
    env: QUIET,
  });
  rmSync(join(folder, "node_modules"), { recursive: true });
  const ended = await run(process.execPath, ["out/main.cjs", "http://127.0.0.1:1/"], {
    cwd: folder,
  });
  assert.notEqual(built.code === 0 && ended.code === 0, true);
  const said = built.code === 0 ? ended.stderr : built.stdout;
  assert.match(said, /leave it external|appropriate loader/);
});

describe("Next.js with output: standalone", { timeout: 300_000 }, () => {
  const ROUTE = `
    import { createRemoteTokenIssuer, Key0Error, sharedSecretAuth } from "@key0ai/native";
    export const dynamic = "force-dynamic";
    export async function GET(request) {
      const url = new URL(request.url).searchParams.get("url");
      const auth = sharedSecretAuth("X-A", "s3cr3t");
      const { token } = await createRemoteTokenIssuer({ url, auth })({ challengeId: "c" });
      const failed = createRemoteTokenIssuer({ url: "http://127.0.0.1:1/" })({});
      const error = await failed.catch((reason) => reason);
      return Response.json([token, error instanceof Key0Error, error.code]);
    }`;
  const LAYOUT =
    "export default ({ children }) => <html lang='en'><body>{children}</body></html>;\n";

  it("serves a route that issues, from its output alone", async (t) => {
    const tools = installed("next", { next: "^16", react: "^19", "react-dom": "^19" });
    const folder = app(t, "");
    // Turbopack follows no link out of a project.
    cpSync(join(tools, "node_modules"), join(folder, "node_modules"), { recursive: true });
    write(folder, {
      "next.config.mjs": block("js", "// next.config.mjs"),
      "app/layout.jsx": LAYOUT,
      "app/issue/route.js": ROUTE,
    });
    await builds(folder, process.execPath, "node_modules/next/dist/bin/next", "build");
    const elsewhere = temporary(t);
    cpSync(join(folder, ".next/standalone"), elsewhere, {
      recursive: true,
      verbatimSymlinks: true,
    });
    mkdirSync(join(elsewhere, ".next"), { recursive: true });
    rmSync(folder, { recursive: true });
    const backend = await httpServer(t);
    const origin = await started(t, elsewhere);
    const query = new URLSearchParams({ url: backend.url });
    const answer = await fetch(`${origin}/issue?${query}`);
    assert.deepEqual(await answer.json(), ["t", true, "TOKEN_ISSUE_FAILED"]);
  });
});

/** The address of the server that Next.js has put out, once it is ready. */
async function started(/** @type {any} */ t, /** @type {string} */ cwd) {
  const PORT = String(await closedPort());
  const env = { PATH: process.env.PATH, ...QUIET, PORT, HOSTNAME: "127.0.0.1" };
  const child = spawn(process.execPath, ["server.js"], { cwd, env });
  const ended = once(child, "exit");
  t.after(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  let said = "";
  const ready = new Promise((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        said += text;
        if (said.includes("Ready")) resolve(true);
      });
    }
  });
  assert.equal(await Promise.race([ready, ended]), true, said);
  return `http://127.0.0.1:${PORT}`;
}
