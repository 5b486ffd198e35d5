// @ts-check
/**
 * Each Linux binary that `npm run pack:all` has packed, installed from its tarballs into an empty
 * app, offline, and run there by its own kind of Node.js.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { NPM } from "../../scripts/npm.mjs";
import { PLATFORMS, packageName } from "../../scripts/platforms.mjs";
import { arm64, installed, musl } from "../../scripts/tools.mjs";
import { packed, temporary, write } from "../support/apps.mjs";
import { RSA } from "../support/keys.mjs";
import { endedWell, ROOT, run } from "../support/process.mjs";
import { authority } from "../support/tls.mjs";

const DIST = join(ROOT, "dist");
const [SMOKE, WORKERS] = ["smoke.mjs", "workers.mjs"].map((name) =>
  readFileSync(fileURLToPath(new URL(name, import.meta.url)), "utf8"),
);
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const MAIN = join(DIST, `key0ai-native-${version}.tgz`);

/** @param {string} platform */
const tarball = (platform) => join(DIST, `key0ai-native-${platform}-${version}.tgz`);

/** Why a platform's tests do not run here. @param {string} platform */
const unless = (platform) => ({
  skip: existsSync(tarball(platform))
    ? false
    : `no dist/ tarball: npm run build:platform, pack:all`,
  timeout: 300_000,
});

/**
 * An app that asks for the package as a user's does. The registry's part is taken by the tarballs:
 * `overrides` says so to npm, `pnpm.overrides` to pnpm, `resolutions` to Yarn.
 *
 * @param {import("../support/apps.mjs").Test} t
 */
function app(t) {
  const folder = temporary(t);
  const here = PLATFORMS.filter(({ name }) => existsSync(tarball(name)));
  const local = Object.fromEntries(here.map((p) => [packageName(p), `file:${tarball(p.name)}`]));
  const manifest = {
    name: "app",
    version: "1.0.0",
    private: true,
    dependencies: { "@key0ai/native": `file:${MAIN}` },
    overrides: local,
    resolutions: { ...unbuilt(), ...local },
  };
  write(folder, {
    "package.json": JSON.stringify(manifest),
    "smoke.mjs": SMOKE,
    "workers.mjs": WORKERS,
  });
  return folder;
}

/** @type {Record<string, string> | undefined} */
let withoutBinary;

/** Yarn asks for all platforms, whatever it installs then: here some without their binaries. */
function unbuilt() {
  const missing = PLATFORMS.filter(({ name }) => !existsSync(tarball(name)));
  withoutBinary ??= Object.fromEntries(
    missing.map((p) => [packageName(p), `file:${packed(join(ROOT, "npm", p.name))}`]),
  );
  return withoutBinary;
}

/** @param {any} t @param {string} folder @param {string[]} program */
async function runs(t, folder, program) {
  const ca = authority(t);
  const { key, cert } = ca.issue();
  write(folder, { "key.pem": key, "certificate.pem": cert, "rsa.pem": RSA.pkcs8 });
  const [command, ...args] = program;
  const env = { NODE_EXTRA_CA_CERTS: ca.file };
  for (const files of [["smoke.mjs", "key.pem", "certificate.pem", "rsa.pem"], ["workers.mjs"]]) {
    const ended = await run(command, [...args, ...files], { cwd: folder, env, limitMs: 60_000 });
    endedWell(ended);
    assert.equal(ended.stdout, "all as it must be\n");
    assert.equal(ended.stderr, "");
  }
}

/**
 * Installs for this platform, or for another C library or CPU than this one's.
 *
 * @param {string} folder
 * @param {string[]} other
 */
async function npm(folder, ...other) {
  const quiet = ["--offline", "--no-audit", "--no-fund", "--loglevel=error"];
  const [program, ...own] = NPM;
  const args = [...own, "install", ...quiet, ...other];
  endedWell(await run(program, args, { cwd: folder, limitMs: 120_000 }));
}

/** The platform packages that are installed. @param {string} folder */
const platforms = (folder) =>
  readdirSync(join(folder, "node_modules/@key0ai")).filter((name) => name !== "native");

describe("linux-x64-gnu", unless("linux-x64-gnu"), () => {
  it("is installed by npm, alone, and runs", async (t) => {
    const folder = app(t);
    await npm(folder, "--libc=glibc");
    assert.deepEqual(platforms(folder), ["native-linux-x64-gnu"]);
    await runs(t, folder, [process.execPath]);
  });

  it("is installed by pnpm, and runs", async (t) => {
    const pnpm = join(installed("pnpm", { pnpm: "^10" }), "node_modules/pnpm/bin/pnpm.cjs");
    const folder = app(t);
    const args = [pnpm, "install", "--offline", "--store-dir", join(temporary(t), "store")];
    endedWell(await run(process.execPath, args, { cwd: folder, limitMs: 120_000 }));
    await runs(t, folder, [process.execPath]);
  });

  for (const linker of ["node-modules", "pnp"]) {
    it(`is installed by Yarn (${linker}), and runs`, async (t) => {
      const yarn = join(
        installed("yarn", { "@yarnpkg/cli-dist": "^4" }),
        "node_modules/@yarnpkg/cli-dist/bin/yarn.js",
      );
      const folder = app(t);
      const settings = { nodeLinker: linker, enableNetwork: false, enableTelemetry: false };
      // Of another platform's package Yarn looks for the archive that it has not made, where it is
      // a file: so it takes all of them.
      const supportedArchitectures = {
        os: ["linux", "darwin", "win32"],
        cpu: ["x64", "arm64"],
        libc: ["glibc", "musl"],
      };
      // Yarn would refuse to make a lock file in CI.
      const rest = {
        enableImmutableInstalls: false,
        enableGlobalCache: false,
        pnpEnableEsmLoader: linker === "pnp",
      };
      writeFileSync(
        join(folder, ".yarnrc.yml"),
        JSON.stringify({ ...settings, ...rest, supportedArchitectures }),
      );
      endedWell(await run(process.execPath, [yarn, "install"], { cwd: folder, limitMs: 120_000 }));
      const program = linker === "pnp" ? [yarn, "node", "--no-warnings"] : [];
      await runs(t, folder, [process.execPath, ...program]);
    });
  }
});

describe("linux-x64-musl", unless("linux-x64-musl"), () => {
  /** @type {ReturnType<typeof musl>} */
  let programs;

  before(() => {
    programs = musl();
  });

  for (const name of /** @type {const} */ (["node", "bun"])) {
    it(`is installed by npm, alone, and runs on ${name} of musl`, async (t) => {
      const folder = app(t);
      await npm(folder, "--libc=musl");
      assert.deepEqual(platforms(folder), ["native-linux-x64-musl"]);
      await runs(t, folder, programs[name]);
    });
  }
});

describe("linux-arm64-musl", unless("linux-arm64-musl"), () => {
  it("is installed by npm, alone, and runs on node of musl under qemu", async (t) => {
    const { node } = musl("arm64");
    const folder = app(t);
    await npm(folder, "--libc=musl", "--cpu=arm64");
    assert.deepEqual(platforms(folder), ["native-linux-arm64-musl"]);
    await runs(t, folder, node);
  });
});

describe("linux-arm64-gnu", unless("linux-arm64-gnu"), () => {
  it("is installed by npm, alone, and runs under qemu", async (t) => {
    const program = arm64();
    const folder = app(t);
    await npm(folder, "--libc=glibc", "--cpu=arm64");
    assert.deepEqual(platforms(folder), ["native-linux-arm64-gnu"]);
    await runs(t, folder, program);
  });
});

const { platform, arch } = process;
const own = platform === "win32" ? `win32-${arch}-msvc` : `${platform}-${arch}`;

describe("the platform of this machine", platform === "linux" ? { skip: "above" } : {}, () => {
  it("is installed by npm, alone, and runs", unless(own), async (t) => {
    const folder = app(t);
    await npm(folder);
    assert.deepEqual(platforms(folder), [`native-${own}`]);
    await runs(t, folder, [process.execPath]);
  });
});
