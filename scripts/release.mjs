// @ts-check
// The parts of a release, as `.ci/run` calls them in the release workflow:
//
//   node scripts/release.mjs check     whether there may be one
//   node scripts/release.mjs assets    dist/: all tarballs, checksums, SBOMs; and notes.md
//   node scripts/release.mjs publish   dist/'s tarballs to npm, the main package last
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { npm } from "./npm.mjs";
import { PLATFORMS, packageName } from "./platforms.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const { name, version } = manifest;

/** @param {string} packageName */
const tarball = (packageName) => `${packageName.slice(1).replace("/", "-")}-${version}.tgz`;
/** In the order in which they go out: nobody gets the main package before its binary. */
const PACKAGES = [...PLATFORMS.map(packageName), name];

const parts = { check, assets, publish };
const part = parts[/** @type {keyof typeof parts} */ (process.argv[2])];
if (!part) fail(`Usage: node scripts/release.mjs ${Object.keys(parts).join(" | ")}`);
part();

function check() {
  // Provenance names the repository; the pages' links and people lead to the others.
  const { repository, homepage, bugs } = manifest;
  const named = { "repository.url": repository?.url, homepage, "bugs.url": bugs?.url ?? bugs };
  const missing = Object.entries(named).filter(([, value]) => typeof value !== "string");
  if (missing.length > 0) {
    const fields = missing.map(([field]) => field).join(", ");
    fail(`package.json lacks ${fields}: its owner has to name them before a release`);
  }
  notes();
}

function assets() {
  // The main package, in a fresh dist/; the others were packed where they were built and run.
  npm(["run", "--silent", "pack:all"], { stdio: "inherit" });
  for (const file of PLATFORMS.map((platform) => tarball(packageName(platform)))) {
    copyFileSync(join("platforms", file), join("dist", file));
  }
  for (const { triple } of PLATFORMS) {
    const bom = ["--format=json", "--spec-version=1.5", "--no-build-deps", `--target=${triple}`];
    execFileSync("cargo", ["cyclonedx", ...bom, "--override-filename=bom"], { stdio: "inherit" });
    renameSync("bom.json", join("dist", `sbom-${triple}.cdx.json`));
  }
  const sums = readdirSync("dist").map((file) => {
    const sum = createHash("sha256").update(readFileSync(join("dist", file)));
    return `${sum.digest("hex")}  ${file}\n`;
  });
  writeFileSync("dist/SHA256SUMS", sums.join(""));
  writeFileSync("notes.md", notes());
}

/** What the change log says of this version. */
function notes() {
  const [, ...sections] = readFileSync("CHANGELOG.md", "utf8").split(/^## /m);
  const own = sections.find((section) => section.split(/\s/, 1)[0] === version);
  if (!own || /^.*not released/.test(own)) fail(`CHANGELOG.md has ${version} as not released`);
  return own.replace(/^.*\n+/, "");
}

function publish() {
  for (const packageName of PACKAGES) {
    if (isPublished(packageName)) {
      // A release that was cut off is begun again.
      console.log(`${packageName}@${version} is there already`);
      continue;
    }
    const tag = version.includes("-") ? "next" : "latest";
    const args = ["publish", `./dist/${tarball(packageName)}`, "--provenance", "--access=public"];
    args.push(`--tag=${tag}`);
    npm(args, { stdio: "inherit" });
  }
}

/** @param {string} packageName */
function isPublished(packageName) {
  try {
    npm(["view", `${packageName}@${version}`, "version"], { stdio: "pipe" });
    return true;
  } catch (error) {
    if (String(/** @type {any} */ (error).stderr).includes("E404")) return false;
    throw error;
  }
}

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(message);
  process.exit(1);
}
