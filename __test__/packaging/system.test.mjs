// @ts-check
/**
 * `npm test` on a machine without some of the programs that it calls: here, in a mount namespace in
 * which they cannot be executed, and `apt-get` writes down what it is asked.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { absence } from "../../scripts/system.mjs";
import { temporary, write } from "../support/apps.mjs";
import { ROOT, run } from "../support/process.mjs";

/** Hides the files of the first arguments, up to `--`; then runs the rest. */
const HIDDEN = `
  mount --bind "$1/apt-get" "$(command -v apt-get)" && cd "$2" && shift 2 &&
  while [ "$1" != -- ]; do mount --bind /dev/null "$1" || exit; shift; done && shift && exec "$@"`;
const RUST = ["cargo", "cargo-fmt", "cargo-clippy"];
const ANOTHER_USER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

const mayHide =
  spawnSync("unshare", ["-m", "mount", "--bind", "/dev/null", "/dev/null"]).status === 0;
const isDebian = existsSync("/usr/bin/apt-get");
const mayTest = mayHide && isDebian && process.getuid?.() === 0;
const skip =
  mayTest || process.env.CI
    ? absence("ip", "openssl", "nginx", "python3", "python3-venv", "strace", "valgrind")
    : "root may make a namespace on Debian";

/** The files that a shell could take for these programs, where there are any. */
function files(/** @type {string[]} */ names) {
  const folders = new Set([...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"]);
  return names.flatMap((name) =>
    [...folders].map((folder) => join(folder, name)).filter(existsSync),
  );
}

/**
 * What becomes of a program of Node's without some programs of the system.
 *
 * @param {import("node:test").TestContext} t
 * @param {string[]} hidden
 * @param {string[]} args
 * @param {{ user?: string[], env?: Record<string, string>, cwd?: string }} [options]
 */
async function without(t, hidden, args, { user = [], env, cwd = process.cwd() } = {}) {
  const folder = temporary(t);
  chmodSync(folder, 0o755);
  const programs = {
    "apt-get": `#!/bin/sh\necho "apt-get $*" >>"${folder}/asked"\n`,
    // Another user finds nothing in the home where rustup has put them.
    ...Object.fromEntries(RUST.map((name) => [`bin/${name}`, ""])),
  };
  write(folder, programs);
  for (const name of Object.keys(programs)) chmodSync(join(folder, name), 0o755);
  const PATH = [process.env.PATH, join(folder, "bin")].join(delimiter);
  const command = [...user, process.execPath, ...args];
  const isolated = ["-m", "sh", "-c", HIDDEN, "sh", folder, cwd, ...files(hidden), "--"];
  const options = { env: { CI: "", PATH, ...env }, limitMs: 180_000 };
  const { code, stdout, stderr } = await run("unshare", [...isolated, ...command], options);
  const asked = join(folder, "asked");
  return { code, stdout, stderr, asked: existsSync(asked) ? readFileSync(asked, "utf8") : "" };
}

const SYSTEM = ["scripts/system.mjs"];
const SOME = ["openssl", "nginx", "python3"];
const SOMES_NAMES = "openssl, nginx, python3, python3-venv";
const INSTALL =
  "apt-get install -q -y --no-install-recommends openssl nginx-light python3 python3-venv python3-pip";

describe("the set-up of npm test", { skip }, () => {
  it("says nothing where nothing is missing", async (t) => {
    assert.deepEqual(await without(t, [], SYSTEM), { code: 0, stdout: "", stderr: "", asked: "" });
  });

  it("installs what is missing, as root on Debian", async (t) => {
    const { stdout, asked } = await without(t, SOME, SYSTEM);
    assert.equal(stdout, `Missing: ${SOMES_NAMES}. Installing: ${INSTALL}\n`);
    assert.equal(asked, `apt-get update -q\n${INSTALL}\n`);
  });

  it("says what stays missing, and that its tests are skipped", async (t) => {
    const { code, stderr } = await without(t, SOME, SYSTEM);
    const line = `Missing: ${SOMES_NAMES}. Tests that need them are skipped. On Debian: ${INSTALL}\n`;
    assert.deepEqual({ code, stderr }, { code: 0, stderr: line });
  });

  it("installs nothing as another user, who is told", async (t) => {
    const ended = await without(t, SOME, SYSTEM, { user: ANOTHER_USER });
    const stderr = `Missing: ${SOMES_NAMES}. Tests that need them are skipped. On Debian: ${INSTALL}\n`;
    assert.deepEqual(ended, { code: 0, stdout: "", stderr, asked: "" });
  });

  it("fails where CI is set", async (t) => {
    const ended = await without(t, SOME, SYSTEM, { user: ANOTHER_USER, env: { CI: "true" } });
    const stderr = `Missing: ${SOMES_NAMES}. On Debian: ${INSTALL}\n`;
    assert.deepEqual(ended, { code: 1, stdout: "", stderr, asked: "" });
  });

  it("fails without a C compiler, of which all is built", async (t) => {
    const ended = await without(t, ["cc"], SYSTEM, { user: ANOTHER_USER });
    assert.equal(ended.code, 1);
    assert.match(
      ended.stderr,
      /^Missing: .*\bcc\b.*\. On Debian: apt-get install .*build-essential/,
    );
  });
});

describe("tests of a missing program", { skip }, () => {
  const PROGRAMS = fileURLToPath(new URL("../support/programs.mjs", import.meta.url));
  const SOURCE = `
    import { execFileSync } from "node:child_process";
    import { needing } from ${JSON.stringify(PROGRAMS)};
    needing("openssl")("openssl", () => void execFileSync("openssl", ["version"]));
    needing("python3", "openssl")("both", () => void execFileSync("openssl", ["version"]));
    needing()("none", () => {});
  `;

  /**
   * What `node --test` says of these, and how it ends.
   *
   * @param {import("node:test").TestContext} t
   * @param {string[]} hidden
   * @param {Record<string, string>} [env]
   */
  async function tested(t, hidden, env) {
    const folder = temporary(t);
    write(folder, { "some.test.mjs": SOURCE });
    const args = ["--test", "--test-reporter=tap", join(folder, "some.test.mjs")];
    const { code, stdout } = await without(t, hidden, args, { env });
    const results = [...stdout.matchAll(/^ *((?:not )?ok) \d+ - (\w+)(?: # SKIP (.*))?$/gm)];
    const skipped = Number(/^# skipped (\d+)$/m.exec(stdout)?.[1]);
    return { code, skipped, results: results.map(([, ...result]) => result.join(" ").trim()) };
  }

  it("are skipped and counted, each with the reason", async (t) => {
    assert.deepEqual(await tested(t, ["openssl", "python3"]), {
      code: 0,
      skipped: 2,
      results: [
        "ok openssl openssl not installed",
        "ok both openssl, python3 not installed",
        "ok none",
      ],
    });
  });

  it("run where it is another one that is missing", async (t) => {
    assert.deepEqual(await tested(t, ["python3"]), {
      code: 0,
      skipped: 1,
      results: ["ok openssl", "ok both python3 not installed", "ok none"],
    });
  });

  it("fail where CI is set", async (t) => {
    assert.deepEqual(await tested(t, ["openssl"], { CI: "true" }), {
      code: 1,
      skipped: 0,
      results: ["not ok openssl", "not ok both", "ok none"],
    });
  });

  // The others have a command of their own, which needs all of them.
  for (const folder of ["contract", "integration"]) {
    const files = readdirSync(join(ROOT, "__test__", folder))
      .map((name) => join(ROOT, "__test__", folder, name))
      .filter((file) => file.endsWith(".mjs"))
      .filter((file) => /support\/(child|nginx|tls)\.mjs/.test(readFileSync(file, "utf8")));

    it(`are skipped in each file of ${folder} that has some`, async (t) => {
      const { code, stdout } = await without(t, SOME, ["--test", "--test-reporter=tap", ...files]);
      const failed = stdout.match(/^ *not ok .*/gm) ?? [];
      assert.deepEqual({ code, failed }, { code: 0, failed: [] });
      assert.match(stdout, /# SKIP openssl not installed/);
    });
  }
});
