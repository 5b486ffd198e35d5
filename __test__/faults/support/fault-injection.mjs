// @ts-check
/** The addon in the dev profile with points at which a test can have a panic. */
import { execFileSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../support/process.mjs";

/**
 * Builds it into `folder`; gives its path, for `NAPI_RS_NATIVE_LIBRARY_PATH`.
 *
 * @param {string} folder
 */
export function addonWithFaults(folder) {
  const args = ["build", "--lib", "--features", "fault-injection", "--message-format", "json"];
  const output = execFileSync("cargo", args, {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const files = output
    .split("\n")
    .filter((line) => line.includes('"compiler-artifact"'))
    .map((line) => JSON.parse(line))
    .filter(({ target }) => target.name === "key0_native")
    .flatMap(({ filenames }) => filenames);
  const library = files.find((name) => /\.(so|dylib|dll)$/.test(name));
  const addon = join(folder, "key0-native.node");
  copyFileSync(library, addon);
  return addon;
}
