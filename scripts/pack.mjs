// @ts-check
// Makes the tarballs exactly as they would be published, into dist/: the main package, and each
// platform's whose binary `npm run build:platform` has built into its folder of npm/.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { faults } from "./binary.mjs";
import { npm } from "./npm.mjs";
import { binaryName, PLATFORMS, packageName } from "./platforms.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

rmSync("dist", { recursive: true, force: true });
mkdirSync("dist");
pack(main());
for (const platform of PLATFORMS) {
  const folder = join("npm", platform.name);
  const binary = join(folder, binaryName(platform));
  if (!existsSync(binary)) {
    console.log(`${packageName(platform)}: not built here`);
    continue;
  }
  const wrong = faults(platform, binary);
  if (wrong.length > 0) throw new Error(`${binary}:\n  ${wrong.join("\n  ")}`);
  pack(folder);
}

/** The main package in a folder of its own: no binary, and what users have no use for left out. */
function main() {
  const folder = "target/pack";
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const manifest = JSON.parse(readFileSync("package.json", "utf8"));
  for (const key of ["scripts", "devDependencies", "overrides", "napi"]) delete manifest[key];
  manifest.files = manifest.files.filter((/** @type {string} */ name) => !name.endsWith(".node"));
  manifest.optionalDependencies = Object.fromEntries(
    PLATFORMS.map((platform) => [packageName(platform), manifest.version]),
  );
  for (const name of [...manifest.files, "README.md", "LICENSE"]) {
    cpSync(name, join(folder, name), { recursive: true });
  }
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  return folder;
}

/** @param {string} folder */
function pack(folder) {
  const args = ["pack", "--json", "--loglevel=error", "--pack-destination", "dist", `./${folder}`];
  const [{ filename, size, unpackedSize }] = JSON.parse(npm(args));
  console.log(`dist/${filename}: ${size} bytes packed, ${unpackedSize} unpacked`);
}
