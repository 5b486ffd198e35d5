// @ts-check
/** docs/features.md: what its cells name stands where they say, in the packages as npm has them. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, it } from "node:test";
import { installed } from "../../scripts/tools.mjs";
import { ROOT } from "../support/process.mjs";

const page = readFileSync(join(ROOT, "docs/features.md"), "utf8");
const [, ...tables] = page.split(/^## /m);

/** The packages of each column, as the page's first table has their versions. */
const COLUMNS = {
  "`openid-client`": ["openid-client", "oauth4webapi"],
  "`simple-oauth2`": ["simple-oauth2"],
  "`@badgateway`": ["@badgateway/oauth2-client"],
  "AWS SDK": ["@aws-sdk/token-providers", "@smithy/core"],
  Google: ["google-auth-library", "gaxios"],
};
const VERSIONS = Object.fromEntries(
  Object.values(COLUMNS)
    .flat()
    .map((name) => {
      const [, version] = page.match(new RegExp(`\`${name}\`[ |]+(\\d+\\.\\d+\\.\\d+)`)) ?? [];
      return [name, version];
    }),
);

/** The files below a folder that are of interest, none of a package inside. @param {string} folder */
function below(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(js|ts|md|mjs|rs)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.slice(folder.length).includes("node_modules"));
}

/** The rows of a table: what is compared, and the cells by their column. @param {string} table */
function rowsOf(table) {
  const lines = table.split("\n").filter((line) => line.startsWith("| "));
  const [head, ...rows] = lines.map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  return rows.map((cells) => ({
    what: cells[0],
    cells: Object.fromEntries(cells.slice(1).map((cell, i) => [head[i + 1], cell])),
    size: [cells.length, head.length],
  }));
}

/**
 * What a cell says that is not so: of the files that it names and of what should stand in them.
 *
 * @param {string} cell
 * @param {string[]} files of the column
 * @param {string[]} [others] where names are looked for that come without a file
 */
function untrue(cell, files, others = files) {
  const terms = [...cell.matchAll(/`([^`]+)`/g)].map(([, term]) => term);
  const isFile = (/** @type {string} */ term) => /\.(js|d\.ts|md|mjs|rs)$/.test(term);
  const named = terms.filter(isFile).map((name) => ({
    name,
    found: files.filter((file) => basename(file) === name),
  }));
  const missing = named.filter(({ found }) => found.length === 0).map(({ name }) => name);
  const places = named.flatMap(({ found }) => found);
  if (cell.includes("o4w")) places.push(...files.filter((file) => file.includes("oauth4webapi")));
  const texts = (places.length > 0 ? places : others).map((file) => readFileSync(file, "utf8"));
  const absent = terms.filter(
    (term) => !isFile(term) && !texts.some((text) => text.includes(term)),
  );
  return [...missing, ...absent];
}

describe("docs/features.md", () => {
  it("compares the same columns everywhere", () => {
    assert.equal(tables.length, 3);
    for (const { what, cells, size } of tables.flatMap(rowsOf)) {
      assert.equal(size[0], size[1], what);
      assert.deepEqual(Object.keys(cells).slice(1, -1), Object.keys(COLUMNS));
    }
  });

  it("names what this package has", () => {
    const files = [...below(join(ROOT, "src")), ...below(join(ROOT, "__test__"))];
    const api = [join(ROOT, "index.d.ts")];
    for (const { what, cells } of tables.flatMap(rowsOf)) {
      // Options stand beside the tests of what they do.
      const cell = cells["This package"];
      assert.deepEqual(untrue(cell, files, api), [], what);
    }
  });

  for (const [column, packages] of Object.entries(COLUMNS)) {
    it(`says of ${column} what stands there`, () => {
      for (const name of packages) assert.ok(VERSIONS[name], name);
      const folder = join(
        installed("token-clients", VERSIONS, ["--ignore-scripts"]),
        "node_modules",
      );
      const files = packages.flatMap((name) => below(join(folder, name)));
      for (const { what, cells } of tables.flatMap(rowsOf)) {
        assert.deepEqual(untrue(cells[column], files), [], `${what}: ${cells[column]}`);
      }
    });
  }
});
