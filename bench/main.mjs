// @ts-check
// The addon beside its peers, on the same work and on each runtime: a table, results.json and the
// README's chart. On a release build (`npm run build`); how figures are made is in NOTES.md.
//
//   npm run bench                                       everything, some ten minutes
//   npm run bench -- --quick                            a look, about a minute
//   npm run bench -- --only remote,hs256 --runtime bun  some rows, some runtimes
//   npm run bench -- --chart                            the chart anew, from results.json
//   npm run bench -- --markdown                         a table for a page, from results.json
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { certificate } from "./certificate.mjs";
import { charts } from "./chart.mjs";
import { Child } from "./children.mjs";
import { measure } from "./measure.mjs";
import { markdown, shown, summary, verdicts } from "./report.mjs";
import { ROWS } from "./rows.mjs";
import { labelOf, NAMES, peersFolder, runtimeOf, rust } from "./runtimes.mjs";

/** @import { Runtime } from "./runtimes.mjs" */

const ROOT = fileURLToPath(new URL("..", import.meta.url));

const {
  quick,
  chart,
  markdown: asked,
  only,
  runtime,
} = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    chart: { type: "boolean", default: false },
    markdown: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    runtime: { type: "string", default: "" },
  },
}).values;

if (chart || asked) {
  const kept = JSON.parse(readFileSync(join(ROOT, "bench/results.json"), "utf8"));
  if (chart) write(join(ROOT, "bench"), kept);
  if (asked) console.log(markdown(kept.rows));
  process.exit();
}

const words = only.split(",");
const rows = ROWS.filter((row) => words.some((word) => row.id.includes(word)));
const isPart = quick || only !== "" || runtime !== "";
const wanted = runtime
  ? runtime.split(",")
  : quick && !only
    ? ["node-26", "bun", "bun-musl"]
    : NAMES;
const length = quick
  ? { rounds: 3, ms: 60, warmMs: 60, processes: 2 }
  : { rounds: 5, ms: 250, warmMs: 400, processes: 11 };

const began = performance.now();
const programs = rust();
const folder = mkdtempSync(join(tmpdir(), "key0-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true }));
const { key, cert } = certificate(folder);
const server = new Child([programs.server, key, cert]);
const ports = await server.next();
/** @type {NodeJS.ProcessEnv} */
const env = { ...process.env, NODE_EXTRA_CA_CERTS: cert, KEY0_BENCH_PEERS: peersFolder() };
delete env.NODE_OPTIONS;

/** @type {Map<string, Runtime | string>} */
const runtimes = new Map(NAMES.map((name) => [name, runtimeOf(name)]));
const results = {
  date: new Date().toISOString().slice(0, 16),
  commit:
    git("rev-parse", "--short", "HEAD") +
    (git("status", "--porcelain", "-uno") ? " and changes" : ""),
  machine: `${cpus().length} cores, ${cpus()[0].model}`,
  rows: /** @type {import("./report.mjs").Result[]} */ ([]),
};
console.log(`${results.machine}; ${results.commit}; ${length.rounds} rounds of ${length.ms} ms`);

for (const row of rows) {
  if (quick && row.slow) continue;
  for (const name of NAMES) {
    const sides = row.sides[name];
    if (!sides || !wanted.includes(name)) continue;
    const found = /** @type {Runtime | string} */ (runtimes.get(name));
    if (typeof found === "string") {
      results.rows.push({
        id: row.id,
        title: row.title,
        name,
        runtime: name,
        absent: found,
        sides: [],
        targets: [],
      });
    } else {
      const context = { row, runtime: found, runtimes, programs, server, ports, env, length };
      const samples = await measure(context, sides);
      const label = (/** @type {string} */ side) => labelOf(side, found);
      results.rows.push(summary(row, name, found.title, samples, label));
    }
    console.log(shown(/** @type {any} */ (results.rows.at(-1))));
  }
}
await server.end();

const target = join(ROOT, isPart ? "target/bench" : "bench");
mkdirSync(target, { recursive: true });
write(target, results);
console.log(`\n${verdicts(results.rows)}`);
const seconds = ((performance.now() - began) / 1000).toFixed(0);
console.log(`\n${target}/results.json and its charts, after ${seconds} s`);

/** @param {string} folder @param {import("./chart.mjs").Results} results */
function write(folder, results) {
  writeFileSync(join(folder, "results.json"), `${JSON.stringify(results, null, 2)}\n`);
  for (const [name, svg] of Object.entries(charts(results))) writeFileSync(join(folder, name), svg);
}

/** @param {string[]} args */
function git(...args) {
  return execFileSync("git", args, { cwd: ROOT, encoding: "utf8" }).trim();
}
