// @ts-check
/** A second copy of the package, as pnpm or a bundled dependency makes one (B53). */
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "./process.mjs";

/**
 * Copies what the package publishes to a folder that ends with the test, and loads it from there.
 *
 * @param {{ after(fn: () => unknown): void }} t
 * @returns {Promise<typeof import("../../index.mjs")>}
 */
export async function copyOfPackage(t) {
  const folder = folderOfCopy(t);
  const copy = await import(pathToFileURL(join(folder, "index.mjs")).href);
  const required = createRequire(join(folder, "x.js"))("./index.js");
  if (required.Key0Error !== copy.Key0Error) throw new Error("import and require are two copies");
  return copy;
}

/**
 * The same, not loaded yet.
 *
 * @param {{ after(fn: () => unknown): void }} t
 */
export function folderOfCopy(t) {
  const folder = mkdtempSync(join(tmpdir(), "key0-copy-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const published = /^(index\.m?js|package\.json|lib|key0-native\..+\.node)$/;
  for (const name of readdirSync(ROOT).filter((name) => published.test(name))) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  return folder;
}
