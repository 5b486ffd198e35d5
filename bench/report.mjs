// @ts-check
// Figures as they are kept and shown.
import { median, paired } from "./rows.mjs";

/** @import { Row } from "./rows.mjs" */
/** @import { Measured } from "./measure.mjs" */
/** @typedef {{ median: number, least: number, most: number }} Figure of all rounds */
/**
 * @typedef {object} Side
 * @property {string} side
 * @property {string} label
 * @property {string} [failed]
 * @property {Record<string, Figure>} figures
 * @property {{ rate: number, cpu: number }} [times] what the addon has of its rate and its CPU
 */
/**
 * @typedef {object} Result of one row on one runtime
 * @property {string} id
 * @property {string} title
 * @property {string} name of the runtime
 * @property {string} runtime its name with its version
 * @property {string} [absent] why it was not measured
 * @property {Side[]} sides
 * @property {{ wanted: string, figure: number | null, met: boolean }[]} targets
 */

/**
 * @param {Row} row
 * @param {string} name
 * @param {string} runtime
 * @param {Measured[]} measured
 * @param {(side: string) => string} labelOf
 * @returns {Result}
 */
export function summary(row, name, runtime, measured, labelOf) {
  const bySide = Object.fromEntries(measured.map(({ side, samples }) => [side, samples]));
  const sides = measured.map(({ side, samples, failed }) => ({
    side,
    label: labelled(side, labelOf),
    ...(failed && { failed }),
    ...(side !== "addon" && bySide.addon?.rate && samples.rate && { times: timesOf(bySide, side) }),
    figures: Object.fromEntries(
      Object.entries(samples).map(([metric, values]) => [
        metric,
        {
          median: short(median(values)),
          least: short(Math.min(...values)),
          most: short(Math.max(...values)),
        },
      ]),
    ),
  }));
  const targets = (row.targets ?? [])
    .filter(({ on }) => on.includes(/** @type {any} */ (name)))
    .map(({ wanted, figure, met }) => {
      const value = figure(bySide);
      return { wanted, figure: Number.isFinite(value) ? short(value) : null, met: met(value) };
    });
  return { id: row.id, title: row.title, name, runtime, sides, targets };
}

/** @param {Record<string, import("./rows.mjs").Samples>} sides @param {string} side */
function timesOf(sides, side) {
  const of = (/** @type {string} */ metric) =>
    short(paired(sides, side, metric, (ours, theirs) => ours / theirs));
  return { rate: of("rate"), cpu: of("cpu") };
}

/** @param {string} side @param {(side: string) => string} labelOf */
function labelled(side, labelOf) {
  const [, name, scheme, atOnce] = side.match(/^([^@#]+)(?:@(\w+))?(?:#(\d+))?$/) ?? [];
  return (
    labelOf(name) + (scheme ? ` over ${scheme}` : "") + (atOnce ? `, ${atOnce} at a time` : "")
  );
}

/** @param {number} value */
const short = (value) => Number(value.toPrecision(4));

/** How a metric is written, in the order of the columns. @type {[string, (value: number) => string][]} */
const COLUMNS = [
  ["rate", (value) => `${grouped(value)}/s`],
  ["cpu", (value) => `${fixed(value)} µs CPU`],
  ["p50", (value) => `p50 ${time(value)}`],
  ["p99", (value) => `p99 ${time(value)}`],
  ["loop", (value) => `loop p99 ${fixed(value)} ms`],
  ["connections", (value) => `${value} new connections`],
  ["full", (value) => `${value} full handshakes`],
  ["resumed", (value) => `${value} resumed`],
  ["first", (value) => `${fixed(value)} ms`],
  ["rss", (value) => `${fixed(value)} KiB`],
  ["grown", (value) => `${fixed(value)} MiB more`],
  ["requests", (value) => `${value} token requests`],
  ["ms", (value) => `${fixed(value)} ms`],
  ["mib", (value) => `${fixed(value)} MiB`],
  ["unpacked", (value) => `${grouped(value)} bytes`],
  ["packed", (value) => `${grouped(value)} packed`],
];

/** @param {number} value */
const grouped = (value) => Math.round(value).toLocaleString("en");
/** @param {number} us */
const time = (us) => (us >= 1_000 ? `${fixed(us / 1_000)} ms` : `${fixed(us)} µs`);
/** @param {number} value */
const fixed = (value) => (Math.abs(value) >= 100 ? grouped(value) : value.toPrecision(3));

/** The rows of a table, as text. @param {Result} result */
export function shown({ title, runtime, absent, sides, targets }) {
  const lines = [`\n── ${title} · ${runtime}`];
  if (absent) lines.push(`  not measured: ${absent}`);
  const width = Math.max(0, ...sides.map(({ label }) => label.length));
  for (const { label, failed, figures } of sides) {
    const cells = COLUMNS.filter(([metric]) => figures[metric]).map(([metric, write], index) => {
      const { median, least, most } = figures[metric];
      const spread =
        index === 0 && median > 0 ? ` ±${Math.round(((most - least) / median) * 50)} %` : "";
      return (write(median) + spread).padStart(index === 0 ? 19 : 16);
    });
    lines.push(`  ${label.padEnd(width)} ${failed ? `  failed: ${failed}` : cells.join(" ")}`);
  }
  for (const { wanted, figure, met } of targets) {
    const verdict =
      figure === null ? "not measured" : `${fixed(figure)}, ${met ? "met" : "NOT met"}`;
    lines.push(`    ${wanted}: ${verdict}`);
  }
  return lines.join("\n");
}

/** What was wanted and is, in a line each. @param {Result[]} rows */
export function verdicts(rows) {
  const all = rows.flatMap(({ title, runtime, targets }) =>
    targets.map((target) => ({ title, runtime, ...target })),
  );
  const lines = all.map(({ title, runtime, wanted, figure, met }) => {
    const verdict = figure === null ? "–" : met ? "met" : "NOT met";
    const cells = [title.padEnd(58), runtime.padEnd(17), wanted.padEnd(44)];
    return `${cells.join(" ")} ${(figure === null ? "–" : fixed(figure)).padStart(7)}  ${verdict}`;
  });
  const count = all.filter(({ met }) => met).length;
  return [...lines, `${count} of ${all.length} met`].join("\n");
}

/** Beside whom the README shows the addon. */
const SHOWN = ["fetch", "undici", "crypto", "jose", "closure"];

/** The README's table: rates, and what the addon has of its peers' rates and CPU. @param {Result[]} rows */
export function markdown(rows) {
  const lines = rows.flatMap(({ title, runtime, sides }) => {
    const ours = sides.find(({ side }) => side === "addon")?.figures;
    if (!ours?.rate) return [];
    const against = sides.filter(({ side, times }) => times && SHOWN.includes(side));
    return against.map(
      ({ label, times }) =>
        `| ${title} | ${runtime} | ${grouped(ours.rate.median)}/s, ${fixed(ours.cpu.median)} µs | ${label} | ${times?.rate.toPrecision(3)} | ${times?.cpu.toPrecision(3)} |`,
    );
  });
  const head = "| Work | Runtime | The addon: rate, CPU | Against | Times its rate | Of its CPU |";
  return [head, "|---|---|---|---|---|---|", ...lines].join("\n");
}
