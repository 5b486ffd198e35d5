// @ts-check
// What `require("@key0ai/native")` costs a process: time and resident memory, medians of processes
// that do nothing else. Run it on a release build.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const PROCESSES = 41;
const SOURCE = `
  const before = process.memoryUsage.rss();
  const started = process.hrtime.bigint();
  require(${JSON.stringify(fileURLToPath(new URL("../index.js", import.meta.url)))});
  const ns = Number(process.hrtime.bigint() - started);
  console.log(JSON.stringify([ns / 1e6, (process.memoryUsage.rss() - before) / 2 ** 20]));`;

const costs = Array.from({ length: PROCESSES }, () =>
  JSON.parse(execFileSync(process.execPath, ["-e", SOURCE], { encoding: "utf8" })),
);
const [ms, mib] = [0, 1].map((i) => {
  const sorted = costs.map((cost) => cost[i]).sort((a, b) => a - b);
  return sorted[Math.floor(PROCESSES / 2)];
});
console.log(`require: ${ms.toFixed(2)} ms, ${mib.toFixed(2)} MiB`);
