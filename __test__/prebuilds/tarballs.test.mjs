// @ts-check
/** What the tarballs of `npm run pack:all` hold: these files, and nothing of where they were made. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { before, describe, it } from "node:test";
import { faults } from "../../scripts/binary.mjs";
import { binaryName, PLATFORMS, packageName, THIRD_PARTY } from "../../scripts/platforms.mjs";
import { temporary } from "../support/apps.mjs";
import { PACKED_PAGES } from "../support/pages.mjs";
import { ROOT } from "../support/process.mjs";

const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

/** A tarball's contents in a folder, and their names. @param {any} t @param {string} name */
function unpacked(t, name) {
  const folder = temporary(t);
  // From standard input: to GNU's tar on Windows a drive's letter is a host.
  const input = readFileSync(join(ROOT, "dist", name));
  execFileSync("tar", ["-xzf", "-"], { cwd: folder, input });
  const root = join(folder, "package");
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const names = files.map((file) => relative(root, join(file.parentPath, file.name)));
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return { root, names: names.map((name) => name.replaceAll("\\", "/")).sort(), manifest };
}

describe("the main package", () => {
  before(() => assert.ok(existsSync(join(ROOT, "dist")), "npm run pack:all makes dist/"));

  it("holds exactly these files", (t) => {
    const { names } = unpacked(t, `key0ai-native-${version}.tgz`);
    assert.deepEqual(names, [
      "CHANGELOG.md",
      "LICENSE",
      ...PACKED_PAGES,
      "index.d.mts",
      "index.d.ts",
      "index.js",
      "index.mjs",
      "key0.d.mts",
      "key0.d.ts",
      "key0.js",
      "key0.mjs",
      "lib/access-token.js",
      "lib/at-load.js",
      "lib/auth.js",
      "lib/causes.js",
      "lib/diagnostics.js",
      "lib/errands.js",
      "lib/errors.js",
      "lib/fetch.js",
      "lib/fields.js",
      "lib/load.js",
      "lib/oauth.js",
      "lib/part.js",
      "lib/providers.js",
      "lib/redis-token-cache.js",
      "lib/remote-token-issuer.js",
      "lib/resolve.js",
      "lib/route.js",
      "lib/sdk.js",
      "lib/stack.js",
      "lib/tls.js",
      "package.json",
    ]);
  });

  it("asks for each platform's package in exactly its own version", (t) => {
    const { manifest } = unpacked(t, `key0ai-native-${version}.tgz`);
    const expected = PLATFORMS.map((platform) => [packageName(platform), version]);
    assert.deepEqual(manifest.optionalDependencies, Object.fromEntries(expected));
  });

  it("has neither a script nor a dependency", (t) => {
    const { manifest } = unpacked(t, `key0ai-native-${version}.tgz`);
    for (const key of ["scripts", "dependencies", "devDependencies", "overrides", "napi"]) {
      assert.equal(manifest[key], undefined, key);
    }
  });

  it("names no path of the machine that made it, and no source map", (t) => {
    const { root, names } = unpacked(t, `key0ai-native-${version}.tgz`);
    for (const name of names) {
      const text = readFileSync(join(root, name), "utf8");
      assert.doesNotMatch(text, /sourceMappingURL|\/root\/|\/home\//, name);
      assert.ok(!text.includes(ROOT), name);
    }
  });
});

for (const platform of PLATFORMS) {
  const tarball = `key0ai-native-${platform.name}-${version}.tgz`;
  const skip = existsSync(join(ROOT, "dist", tarball)) ? false : "not built here";
  describe(packageName(platform), { skip }, () => {
    it("holds exactly these files", (t) => {
      const { names } = unpacked(t, tarball);
      const expected = ["LICENSE", "README.md", THIRD_PARTY, binaryName(platform), "package.json"];
      assert.deepEqual(names, expected.sort());
    });

    // B51
    it("is small, needs what every system has, and names no path of a machine", (t) => {
      const { root } = unpacked(t, tarball);
      assert.deepEqual(faults(platform, join(root, binaryName(platform))), []);
    });

    it("is of the main package's version, for this platform alone", (t) => {
      const { manifest } = unpacked(t, tarball);
      const { os, cpu, libc } = platform;
      assert.deepEqual(
        [manifest.version, manifest.os, manifest.cpu, manifest.libc, manifest.scripts],
        [version, [os], [cpu], libc && [libc], undefined],
      );
    });
  });
}
