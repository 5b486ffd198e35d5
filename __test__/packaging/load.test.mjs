// @ts-check
/** What `require` says where no binary fits: one error, with its reasons and cures; no signal. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const isMusl = !(/** @type {any} */ (process.report.getReport()).header.glibcVersionRuntime);
const [HERE, ELSEWHERE] = ["gnu", "musl"].map((libc) => `linux-${process.arch}-${libc}`);
const BUILT = join(ROOT, `key0-native.${HERE}.node`);
const SOURCE = "To build it from source, in a clone of its repository: npm run build && npm pack";
const OPTIONAL =
  "- optional dependencies were left out (--omit=optional, --no-optional): install them";
const LOCK =
  "- the lock file is another platform's, or npm's optional-dependency bug (npm/cli#4828):" +
  " remove node_modules and package-lock.json, then npm install";
const BUNDLED =
  "- the package was bundled: leave it external (Next.js:" +
  ' serverExternalPackages: ["@key0ai/native"])';
const MIXED =
  "- a file that was cut off, or files of two versions or platforms mixed:" +
  " remove node_modules, then npm install";
const FORBIDDEN =
  "This process may load no addon: start Node.js with --allow-addons beside --permission," +
  " and without --no-addons.";

const options = { skip: process.platform !== "linux" || isMusl ? "is about Linux, glibc" : false };

// B50
describe("require, where no binary fits", options, () => {
  it("names this platform, its package and the likely causes where none is installed", (t) => {
    const error = refused(app(t));

    assert.equal(
      error.message,
      [
        `@key0ai/native ${version} has no binary that it can load on ${HERE}.`,
        `It looked for the package @key0ai/native-${HERE}, version ${version}:`,
        `  Cannot find module '@key0ai/native-${HERE}'`,
        "Likely causes, and their cures:",
        OPTIONAL,
        LOCK,
        BUNDLED,
        SOURCE,
      ].join("\n"),
    );
    assert.equal(error.code, "ERR_KEY0_NO_BINARY");
    assert.deepEqual(error.attempts, [
      `MODULE_NOT_FOUND: Cannot find module '@key0ai/native-${HERE}'`,
    ]);
  });

  it("names the other libc's package where only that is installed", (t) => {
    const folder = app(t);
    install(folder, ELSEWHERE);

    assert.equal(
      line(refused(folder), 4),
      `- node_modules is another platform's (it has @key0ai/native-${ELSEWHERE}), copied from` +
        " another image or stage: install where it runs, or with npm install --os=linux" +
        ` --cpu=${process.arch} --libc=glibc`,
    );
  });

  it("says that a file is cut off, wherever it ends", (t) => {
    const folder = app(t);
    const whole = readFileSync(BUILT);
    const file = install(folder, HERE);
    for (const length of [64, 4096, whole.length >> 1, whole.length - 1]) {
      rmSync(file);
      writeFileSync(file, whole.subarray(0, length));
      const error = refused(folder);
      assert.equal(
        line(error, 2),
        `  ${file} is cut off: it has ${length} of ${whole.length} bytes`,
      );
      assert.deepEqual(error.message.split("\n").slice(3), [
        "Likely causes, and their cures:",
        MIXED,
        SOURCE,
      ]);
    }
  });

  it("says that a file is no ELF file, an empty one too", (t) => {
    const folder = app(t);
    for (const text of ["", "version https://git-lfs.github.com/spec/v1\n".repeat(9)]) {
      const file = install(folder, HERE, text);
      assert.equal(line(refused(folder), 2), `  ${file} is no 64-bit ELF file`);
    }
  });

  it("says that a file is for another CPU", (t) => {
    const folder = app(t);
    const bytes = readFileSync(BUILT);
    bytes.writeUInt16LE(process.arch === "x64" ? 183 : 62, 18);
    const file = install(folder, HERE, bytes);

    assert.equal(line(refused(folder), 2), `  ${file} is for another CPU than ${process.arch}`);
  });

  it("says that the platform package is of another version", (t) => {
    const folder = app(t);
    install(folder, HERE, undefined, "9.9.9");

    assert.equal(
      line(refused(folder), 2),
      `  @key0ai/native-${HERE} is of version 9.9.9, not ${version}`,
    );
  });

  it("says that the process forbids addons, and nothing else", (t) => {
    const folder = app(t);
    install(folder, HERE);
    const permission = process.allowedNodeEnvironmentFlags.has("--permission")
      ? "--permission"
      : "--experimental-permission";
    for (const flags of [["--no-addons"], [permission, "--allow-fs-read=*"]]) {
      const error = refused(folder, flags);
      assert.deepEqual(error.message.split("\n").slice(3), [FORBIDDEN, SOURCE], `${flags}`);
      assert.match(error.attempts[0], /^ERR_DLOPEN_DISABLED: /);
    }
  });

  it("tells an old glibc from the linker's words", (t) => {
    const folder = app(t);
    const bytes = readFileSync(BUILT);
    // The name of the newest version wanted is made one that no system has.
    const name = Buffer.from("GLIBC_2.3\0").subarray(0, 9);
    assert.ok(bytes.includes("GLIBC_"), "no glibc version in it");
    const at = bytes.indexOf(name);
    assert.ok(at > 0, "nothing asks for 2.3 something");
    bytes.write("GLIBC_9.9", at);
    install(folder, HERE, bytes);

    assert.equal(
      line(refused(folder), 4),
      "- this system's glibc is older than 2.28: a newer system",
    );
  });

  // D32
  it("names a mount on which nothing may be loaded", (t) => {
    const mounts = ["unshare", "--mount", "--propagation", "private"];
    if (spawnSync(mounts[0], [...mounts.slice(1), "true"]).status !== 0) {
      return t.skip("this user may make no mount namespace");
    }
    const folder = app(t);
    const mount = join(folder, "node_modules/@key0ai", `native-${HERE}`);
    mkdirSync(mount);
    const command =
      'mount -t tmpfs -o noexec tmpfs "$0" && cp -r "$1"/. "$0" && shift && exec "$@"';
    const place = mkdtempSync(join(tmpdir(), "key0-load-"));
    t.after(() => rmSync(place, { recursive: true }));
    const file = install(place, HERE);
    const start = [...mounts, "sh", "-c", command, mount, join(file, "..")];
    const error = refused(folder, [], {}, start);

    assert.deepEqual(error.message.split("\n").slice(3), [
      `The file is on ${mount}, which is mounted noexec: nothing there may be run or loaded.` +
        " Install on another mount, or mount it without noexec.",
      SOURCE,
    ]);
    assert.match(error.attempts[0], /^ERR_DLOPEN_FAILED: /);
  });

  it("says for other systems that there is none to install", (t) => {
    const error = refused(app(t), [], { platform: "freebsd" });

    assert.equal(
      error.message,
      [
        `@key0ai/native ${version} has no binary that it can load on freebsd-${process.arch}.`,
        "There is none for this platform; there are for linux-x64-gnu, linux-x64-musl," +
          " linux-arm64-gnu, linux-arm64-musl, darwin-x64, darwin-arm64, win32-x64-msvc," +
          " win32-arm64-msvc.",
        SOURCE,
      ].join("\n"),
    );
    assert.deepEqual(error.attempts, []);
  });

  it("says for WebAssembly that addons cannot be loaded there", (t) => {
    const error = refused(app(t), [], { arch: "wasm32" });

    assert.equal(
      line(error, 1),
      "There is none for WebAssembly (StackBlitz): addons cannot be loaded there.",
    );
  });
});

describe("require", options, () => {
  it("loads the platform package, under --permission with --allow-addons too", (t) => {
    const folder = app(t);
    install(folder, HERE);
    const permission = process.allowedNodeEnvironmentFlags.has("--permission")
      ? "--permission"
      : "--experimental-permission";

    assert.equal(run(folder, []).stdout, "loaded\n");
    const flags = [permission, "--allow-addons", `--allow-fs-read=${folder}/*`];
    assert.equal(run(folder, flags).stdout, "loaded\n");
  });

  it("loads what NAPI_RS_NATIVE_LIBRARY_PATH names, in place of what is installed", (t) => {
    const folder = app(t);
    cpSync(BUILT, join(folder, "elsewhere.node"));
    const named = (/** @type {string} */ path) => {
      const env = { ...process.env, NAPI_RS_NATIVE_LIBRARY_PATH: path };
      return run(folder, [], {}, [], env).stdout;
    };
    assert.equal(named(join(folder, "elsewhere.node")), "loaded\n");
    assert.equal(named("elsewhere.node"), "loaded\n");

    install(folder, HERE);
    const error = JSON.parse(named("nowhere.node"));
    assert.equal(error.code, "ERR_KEY0_NO_BINARY");
    const file = join(folder, "nowhere.node");
    const problem = `NAPI_RS_NATIVE_LIBRARY_PATH names ${file}, which cannot be loaded: ENOENT: `;
    assert.ok(error.message.startsWith(problem), error.message);
  });

  it("starts no other process and asks no name server to tell glibc from musl", (t) => {
    const folder = app(t);
    install(folder, HERE);
    const watch = `
      const forbid = (object, name) => { object[name] = () => { throw new Error(name); }; };
      for (const name of ["exec", "execSync", "spawn", "spawnSync"]) {
        forbid(require("node:child_process"), name);
      }
      forbid(process.report, "getReport");
    `;
    writeFileSync(join(folder, "watch.cjs"), watch);

    assert.equal(run(folder, ["--require", "./watch.cjs"]).stdout, "loaded\n");
  });
});

/** An app with the main package alone, as its tarball holds it. @param {import("node:test").TestContext} t */
function app(t) {
  const folder = mkdtempSync(join(tmpdir(), "key0-load-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const main = join(folder, "node_modules/@key0ai/native");
  mkdirSync(main, { recursive: true });
  for (const name of ["package.json", "index.js", "lib"]) {
    cpSync(join(ROOT, name), join(main, name), { recursive: true });
  }
  return folder;
}

/**
 * Puts a platform package there, with the addon that was built here or with other bytes.
 *
 * @param {string} folder
 * @param {string} platform
 * @param {string | Buffer} [bytes]
 * @param {string} [installed]
 */
function install(folder, platform, bytes, installed = version) {
  const place = join(folder, `node_modules/@key0ai/native-${platform}`);
  const file = join(place, `key0-native.${platform}.node`);
  mkdirSync(place, { recursive: true });
  const manifest = { name: `@key0ai/native-${platform}`, version: installed };
  const main = `key0-native.${platform}.node`;
  writeFileSync(join(place, "package.json"), JSON.stringify({ ...manifest, main }));
  if (bytes === undefined) cpSync(BUILT, file);
  else writeFileSync(file, bytes);
  return file;
}

/**
 * @param {string} folder
 * @param {string[]} flags
 * @param {{ platform?: string, arch?: string }} [system] What the process takes itself for.
 * @param {string[]} [start] The command that starts it.
 */
function run(folder, flags, system = {}, start = [], env = process.env) {
  const script = `
    const system = ${JSON.stringify(system)};
    for (const [name, value] of Object.entries(system)) {
      Object.defineProperty(process, name, { value });
    }
    try {
      require("@key0ai/native");
      console.log("loaded");
    } catch ({ message, code, cause }) {
      const attempts = (cause.errors ?? [cause]).map(({ code, message }) =>
        (code ? code + ": " : "") + message.split("\\n")[0]);
      console.log(JSON.stringify({ message, code, attempts }));
    }
  `;
  writeFileSync(join(folder, "main.cjs"), script);
  const [file, ...args] = [...start, process.execPath, ...flags, "main.cjs"];
  const ended = spawnSync(file, args, {
    cwd: folder,
    encoding: "utf8",
    env,
  });
  assert.deepEqual(
    { status: ended.status, signal: ended.signal },
    { status: 0, signal: null },
    ended.stderr,
  );
  return ended;
}

/**
 * What `require` threw.
 *
 * @param {string} folder
 * @param {string[]} [flags]
 * @param {{ platform?: string, arch?: string }} [system]
 * @param {string[]} [start]
 * @returns {{ message: string, code: string, attempts: string[] }}
 */
function refused(folder, flags = [], system, start) {
  return JSON.parse(run(folder, flags, system, start).stdout);
}

/** @param {{ message: string }} error @param {number} index */
function line(error, index) {
  return error.message.split("\n")[index];
}
