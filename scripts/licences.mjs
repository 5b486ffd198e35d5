// @ts-check
// The licences of everything that is linked into a platform's binary, as one text.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** What the compiler links in, besides the crates. */
const RUNTIME = [
  "std, core, alloc (Rust's standard library): MIT OR Apache-2.0",
  "libunwind and compiler-rt (of LLVM): Apache-2.0 WITH LLVM-exception",
];

/** @param {string} triple */
export function licences(triple) {
  const linked = crates(triple);
  /** Crates by the text of a licence of theirs. @type {Map<string, string[]>} */
  const texts = new Map();
  for (const crate of linked) {
    for (const text of licenceTexts(crate)) {
      texts.set(text, [...(texts.get(text) ?? []), crate.name]);
    }
  }
  const covered = new Set([...texts.values()].flat());
  const bare = linked.filter(({ name }) => !covered.has(name)).map(({ name }) => name);
  return [
    "What is linked into this binary, and under which licences.\n",
    ...linked.map(({ name, version, license }) => `${name} ${version}: ${license}`),
    ...RUNTIME,
    ...(bare.length > 0 ? [`\nWithout a licence file of their own: ${bare.join(", ")}`] : []),
    ...[...texts].map(([text, names]) => `\n${"-".repeat(79)}\n${names.join(", ")}\n\n${text}`),
    "",
  ].join("\n");
}

/**
 * The crates that are linked for a target, by name: no build script's, no procedural macro's.
 * @param {string} triple
 * @returns {{ name: string, version: string, license: string, manifest_path: string }[]}
 */
function crates(triple) {
  // The tree knows which are linked, the metadata where they are.
  const edges = ["--edges=normal,no-proc-macro", "--prefix=none", "--format={p}"];
  const tree = cargo("tree", `--target=${triple}`, ...edges);
  const linked = new Set([...tree.matchAll(/^(\S+) v(\S+)$/gm)].map(([, ...crate]) => `${crate}`));
  /** @type {{ packages: any[] }} */
  const { packages } = JSON.parse(cargo("metadata", "--format-version=1"));
  return packages
    .filter(({ name, version }) => linked.has(`${[name, version]}`))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** @param {string[]} args */
function cargo(...args) {
  return execFileSync("cargo", [...args, "--locked"], { encoding: "utf8", maxBuffer: 2 ** 27 });
}

/** @param {{ manifest_path: string }} crate */
function licenceTexts({ manifest_path }) {
  const folder = dirname(manifest_path);
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && NAMES.test(entry.name))
    .map(({ name }) => readFileSync(join(folder, name), "utf8").replaceAll("\r\n", "\n").trim());
}

const NAMES = /^(un)?licen[cs]e|^copy(ing|right)|^notice/i;
