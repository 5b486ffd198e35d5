// @ts-check
/** Who uses whom in `src/`: no rooms, and no files of `src/http`, use each other in a circle. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { ROOT } from "../support/process.mjs";

const NAME = "(?:crate|super|self|[a-z_]+)(?:::\\w+)*";

/** What a file says without its comments and tests. @param {string} text */
const product = (text) =>
  text
    .replace(/\/\/.*/g, "")
    .replace(/^#\[cfg\(test\)\]\n(?:#.*\n)*(?:.*;\n|.*\{\n[\s\S]*?^\}\n)/gm, "")
    .replace(/pub\(in [\w:]+\)/g, "pub");

/** The paths of a tree as `use` has them. @param {string} tree @returns {string[]} */
function paths(tree) {
  const [, before, inner] = /^(.*?)\{([\s\S]*)\}$/.exec(tree.trim()) ?? [];
  if (inner === undefined) return [tree.trim().replace(/ as \w+$/, "")];
  let depth = 0;
  const parts = [""];
  for (const character of inner) {
    if (character === "{") depth += 1;
    if (character === "}") depth -= 1;
    if (character === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += character;
  }
  return parts.filter((part) => part.trim()).flatMap((part) => paths(before + part.trim()));
}

/**
 * The modules of a crate, each with those that it uses. What a module exports of its children is
 * followed to where it stands.
 *
 * @param {Record<string, string>} files what stands in them, by module: `a::b`; the crate is ``
 */
function uses(files) {
  const texts = Object.fromEntries(
    Object.entries(files).map(([name, text]) => [name, product(text)]),
  );
  const USE = /^ *(pub(?:\(\w+\))? )?use ([^;]+);/gm;
  const imports = (/** @type {string} */ text, /** @type {boolean} */ isExport) =>
    [...text.matchAll(USE)]
      .filter(([, pub]) => (pub !== undefined) === isExport)
      .flatMap(([, , tree]) => paths(tree));
  const exported = Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [
      name,
      new Map(imports(text, true).map((path) => [path.split("::").at(-1), path])),
    ]),
  );

  /** The module in which a path ends. @returns {string | undefined} */
  function end(/** @type {string} */ path, /** @type {string} */ from) {
    const rest = path.split("::");
    let at = from === "" ? [] : from.split("::");
    if (rest[0] === "crate") at = [];
    else if (rest[0] === "super")
      for (const step of rest) if (step === "super") at = at.slice(0, -1);
    if (/^(crate|super|self)$/.test(rest[0])) {
      while (/^(crate|super|self)$/.test(rest[0])) rest.shift();
    } else if (!([...at, rest[0]].join("::") in texts)) return undefined;
    while (rest.length > 0 && [...at, rest[0]].join("::") in texts) {
      at.push(/** @type {string} */ (rest.shift()));
    }
    const module = at.join("::");
    const onward = exported[module]?.get(rest[0]);
    return (onward && end(onward, module)) ?? module;
  }

  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => {
      const body = text.replace(USE, "").match(new RegExp(`(?<![\\w:])${NAME}`, "g")) ?? [];
      const named = body.filter((path) => path.includes("::"));
      const ends = [...imports(text, false), ...named].map((path) => end(path, name));
      const others = ends.filter((other) => other !== undefined && other !== name);
      return [name, new Set(/** @type {string[]} */ (others))];
    }),
  );
}

/** Circles among them, each from one of its members to itself. @param {Record<string, Set<string>>} graph */
function circles(graph) {
  const done = new Set();
  /** @type {string[][]} */
  const found = [];
  const walk = (/** @type {string} */ at, /** @type {string[]} */ way) => {
    if (way.includes(at)) found.push([...way.slice(way.indexOf(at)), at]);
    if (done.has(at)) return;
    done.add(at);
    for (const next of graph[at] ?? []) walk(next, [...way, at]);
  };
  for (const name of Object.keys(graph)) walk(name, []);
  return found;
}

/** Those of a graph, with the names that `called` gives them. */
function grouped(
  /** @type {Record<string, Set<string>>} */ graph,
  /** @type {(name: string) => string} */ called,
) {
  /** @type {Record<string, Set<string>>} */
  const groups = {};
  for (const [name, others] of Object.entries(graph)) {
    const group = called(name);
    groups[group] ??= new Set();
    for (const other of others) if (called(other) !== group) groups[group].add(called(other));
  }
  return groups;
}

const SOURCES = join(ROOT, "src");
const files = Object.fromEntries(
  readdirSync(SOURCES, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".rs") && file !== "lib.rs")
    .map((file) => [
      file.replaceAll(/[\\/]/g, "::").replace(/\.rs$/, ""),
      readFileSync(join(SOURCES, file), "utf8"),
    ]),
);
const ofTests = Object.entries(files).flatMap(([name, text]) =>
  [...text.matchAll(/^#\[cfg\(test\)\]\nmod (\w+);/gm)].map(([, child]) => `${name}::${child}`),
);
for (const name of ofTests) delete files[name];
const all = uses({ "": "", ...files });
delete all[""];

describe("src/", () => {
  it("has no circle among the files of src/http", () => {
    const isOfHttp = (/** @type {string} */ name) => /^http(::|$)/.test(name);
    const room = Object.fromEntries(Object.entries(all).filter(([name]) => isOfHttp(name)));
    assert.ok(Object.keys(room).length > 30);
    assert.deepEqual(circles(room), []);
  });

  it("has no circle among its rooms, of which the border is the highest", () => {
    const rooms = grouped(all, (name) => name.split("::")[0]);
    assert.deepEqual(circles(rooms), []);
    assert.ok(rooms.js.has("http") && rooms.http.has("error"));
    const above = Object.keys(rooms).filter((name) => rooms[name].has("js"));
    assert.deepEqual(above, []);
  });
});

describe("a circle is found", () => {
  for (const [how, a] of Object.entries({
    "by an import": "use super::b::{self, C};",
    "by a tree of imports": "use crate::{x::{Y}, room::{b::C}};",
    "by a path": "fn f() -> super::b::C {}",
    "by what a room exports": "use super::C;",
  })) {
    it(how, () => {
      const room = "mod a;\nmod b;\npub use b::C;\n";
      const graph = uses({ "": "mod room;", room, "room::a": a, "room::b": "use super::a::D;" });
      assert.deepEqual(circles(graph), [["room::a", "room::b", "room::a"]]);
    });
  }

  it("and none where only a test or a comment says it", () => {
    const a = "// super::b::C\n#[cfg(test)]\nmod tests {\n    use super::super::b::C;\n}\n";
    const graph = uses({ "": "", room: "", "room::a": a, "room::b": "use super::a::D;" });
    assert.deepEqual(circles(graph), []);
  });
});
