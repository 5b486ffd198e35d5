// @ts-check
/** Which platforms there are is said once, in package.json; every other place agrees. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { binaryName, manifest, PLATFORMS } from "../../scripts/platforms.mjs";
import { ROOT } from "../support/process.mjs";

/** @param {string[]} path */
const read = (...path) => readFileSync(join(ROOT, ...path), "utf8");

/** @param {string} text @param {RegExp} pattern */
const all = (text, pattern) => [...text.matchAll(pattern)].map(([, found]) => found).sort();

const names = PLATFORMS.map(({ name }) => name).sort();
const triples = PLATFORMS.map(({ triple }) => triple).sort();

describe("the platforms of package.json", () => {
  it("are eight, by the names that npm's packages have", () => {
    assert.deepEqual(names, [
      ...["darwin-arm64", "darwin-x64"],
      ...["linux-arm64-gnu", "linux-arm64-musl", "linux-x64-gnu", "linux-x64-musl"],
      ...["win32-arm64-msvc", "win32-x64-msvc"],
    ]);
  });

  it("have a folder each in npm/, with the package.json that they ask for", () => {
    assert.deepEqual(readdirSync(join(ROOT, "npm")).sort(), names);
    const main = JSON.parse(read("package.json"));
    for (const platform of PLATFORMS) {
      const own = JSON.parse(read("npm", platform.name, "package.json"));
      assert.deepEqual(own, JSON.parse(JSON.stringify(manifest(platform, main))));
    }
  });

  it("are those that the loader looks for, and writes out for bundlers", () => {
    const loader = read("lib", "load.js");
    const list = /const PLATFORMS = \[(.*?)\]/s.exec(loader)?.[1] ?? "";
    assert.deepEqual(all(list, /"([^"]+)"/g), names);
    assert.deepEqual(all(loader, /return require\("#native-([^"]+)"\)/g), names);
    assert.deepEqual(all(loader, /return require\.resolve\("@key0ai\/native-([^"]+)"\)/g), names);
    const files = all(loader, /require\("\.\.\/(key0-native[^"]+)"\)/g);
    assert.deepEqual(files, PLATFORMS.map(binaryName).sort());
  });

  it("are those that the workflow builds", () => {
    const workflow = read(".github", "workflows", "ci.yml");
    assert.deepEqual(all(workflow, /\{ target: ([\w-]+), runner:/g), triples);
  });

  it("are those of the README's table", () => {
    const table =
      /\n## Runtimes and platforms\n(.*?)\n## /s.exec(`${read("README.md")}\n## `)?.[1] ?? "";
    const named = [...table.matchAll(/^\| (\w+) ([^|]+?) \|/gm)].flatMap(([, os, kinds]) => {
      const cpus = kinds.match(/x64|arm64/g) ?? [];
      const libc = /glibc|musl/.exec(kinds)?.[0];
      return cpus.map((cpu) => [os, cpu, libc].filter(Boolean).join(" "));
    });
    const OS = { linux: "Linux", darwin: "macOS", win32: "Windows" };
    const wanted = PLATFORMS.map(({ os, cpu, libc }) =>
      [OS[/** @type {keyof typeof OS} */ (os)], cpu, libc].filter(Boolean).join(" "),
    );
    assert.deepEqual(named.sort(), wanted.sort());
  });
});
