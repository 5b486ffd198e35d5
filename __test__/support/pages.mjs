// @ts-check
/** The pages that people read, and what stands in them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./process.mjs";

/** The pages that are packed: the README, and whatever is in `docs/`. */
export const PACKED_PAGES = [
  "README.md",
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`)
    .sort(),
];

/** Those that only a clone has. */
export const OTHER_PAGES = ["CONTRIBUTING.md", "CHANGELOG.md"];

/** A block, which may stand in a list. */
const BLOCK = /^( *)```(\w+)\n(.*?)^\1```$/gms;

/** @param {string} page */
export function textOf(page) {
  return readFileSync(join(ROOT, page), "utf8");
}

/**
 * The code blocks of a page, in order, each with the line at which it begins.
 *
 * @param {string} page
 * @returns {{ kind: string, source: string, line: number }[]}
 */
export function blocksOf(page) {
  const text = textOf(page);
  return [...text.matchAll(BLOCK)].map(({ 1: indent, 2: kind, 3: lines, index }) => {
    const source = lines.replaceAll(new RegExp(`^${indent}`, "gm"), "");
    return { kind, source, line: text.slice(0, index).split("\n").length + 1 };
  });
}

/** A page without its code: what is prose, and where links are. @param {string} page */
export function proseOf(page) {
  return textOf(page)
    .replaceAll(BLOCK, "")
    .replaceAll(/`[^`\n]*`/g, "`code`");
}

/** The anchors of a page: its headings as GitHub makes them. @param {string} page */
export function anchorsOf(page) {
  const headings = textOf(page)
    .replaceAll(BLOCK, "")
    .matchAll(/^#+ (.*)$/gm);
  /** @type {Map<string, number>} */
  const seen = new Map();
  return [...headings].map(([, heading]) => {
    const slug = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(" ", "-");
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    return times === 0 ? slug : `${slug}-${times}`;
  });
}
