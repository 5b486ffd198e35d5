// @ts-check
// The README's chart from the results, for light and for dark pages. Bars begin at zero, and each
// panel says what is better.

/** @import { Result } from "./report.mjs" */
/** @typedef {{ date: string, commit: string, machine: string, rows: Result[] }} Results */

const THEMES = {
  light: { text: "#1f2328", quiet: "#59636e", line: "#d1d9e0", ours: "#0969da", others: "#afb8c1" },
  dark: { text: "#f0f6fc", quiet: "#9198a1", line: "#3d444d", ours: "#4493f8", others: "#565f69" },
};

/**
 * Each a row's metric for some sides on all runtimes.
 * @type {{ title: string, unit: string, row: string, metric: string, sides: string[], isOwnScale?: boolean }[]}
 */
const PANELS = [
  {
    title: "Remote issue, 64 at a time",
    unit: "issues a second, more is better",
    row: "remote-64",
    metric: "rate",
    sides: ["addon", "undici", "fetch"],
  },
  {
    title: "CPU of the same issue",
    unit: "µs an issue, less is better; each runtime to its own scale",
    row: "remote-64",
    metric: "cpu",
    sides: ["addon", "undici", "fetch"],
    isOwnScale: true,
  },
  {
    title: "HS256 header",
    unit: "headers a second, more is better",
    row: "hs256-header",
    metric: "rate",
    sides: ["addon", "crypto", "jose"],
  },
  {
    title: "HS256 verify",
    unit: "tokens a second, more is better",
    row: "hs256-verify",
    metric: "rate",
    sides: ["addon", "crypto", "jose"],
  },
];

const WIDTH = 880;
const MARGIN = 24;
const COLUMN = (WIDTH - 3 * MARGIN) / 2;
const LABEL = 128;
const VALUE = 60;
const BAR = 14;
const STEP = 19;

/** Files by name. @param {Results} results */
export function charts(results) {
  return {
    "chart-light.svg": chart(results, THEMES.light),
    "chart-dark.svg": chart(results, THEMES.dark),
  };
}

/** @param {Results} results @param {typeof THEMES.light} theme */
function chart({ date, commit, machine, rows }, theme) {
  const panels = PANELS.map((panel) => drawn(panel, rows, theme));
  let [y, body] = [MARGIN, ""];
  for (let i = 0; i < panels.length; i += 2) {
    const pair = panels.slice(i, i + 2);
    pair.forEach(({ svg }, column) => {
      body += `<g transform="translate(${MARGIN + column * (COLUMN + MARGIN)} ${y})">${svg}</g>\n`;
    });
    y += Math.max(...pair.map(({ height }) => height)) + MARGIN;
  }
  const note = `Medians; whiskers from the least to the most of all rounds. undici with its default Agent. ${machine}; ${commit}, ${date.slice(0, 10)}.`;
  body += text(MARGIN, y, note, theme.quiet, 'font-size="11"');
  const height = y + 16;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(described(rows))}" font-family="-apple-system,'Segoe UI','Noto Sans',Helvetica,Arial,sans-serif">
${body}
</svg>
`;
}

/** @param {typeof PANELS[number]} panel @param {Result[]} rows @param {typeof THEMES.light} theme */
function drawn({ title, unit, row, metric, sides, isOwnScale }, rows, theme) {
  const groups = rows
    .filter((result) => result.id === row && !result.absent)
    .map(({ runtime, sides: all }) => ({
      runtime: runtime.replace(/^(\w+) (\d+)\.(\d+)\.\d+/, (_, name, major, minor) =>
        name === "Node" ? `Node ${major}` : `${name} ${major}.${minor}`,
      ),
      bars: sides.flatMap((name) => {
        const side = all.find(({ side }) => side === name);
        const figure = side?.figures[metric];
        return figure ? [{ name, label: brief(name), ...figure }] : [];
      }),
    }));
  const mosts = groups.map(({ bars }) => Math.max(...bars.map(({ most }) => most)));
  let svg = text(0, 12, title, theme.text, 'font-size="15" font-weight="600"');
  svg += text(0, 29, unit, theme.quiet, 'font-size="11"');
  let y = 44;
  for (const [index, { runtime, bars }] of groups.entries()) {
    const scale = (COLUMN - LABEL - VALUE) / (isOwnScale ? mosts[index] : Math.max(...mosts));
    svg += text(0, y + 11, runtime, theme.text, 'font-size="12" font-weight="600"');
    for (const { name, label, median, least, most } of bars) {
      const [end, middle] = [LABEL + median * scale, y + BAR / 2];
      const isOurs = name === "addon";
      svg += text(
        LABEL - 6,
        y + 11,
        label,
        isOurs ? theme.text : theme.quiet,
        'font-size="11" text-anchor="end"',
      );
      svg += `<rect x="${LABEL}" y="${y}" width="${px(Math.max(median * scale, 1))}" height="${BAR}" rx="2" fill="${isOurs ? theme.ours : theme.others}"/>`;
      svg += `<path d="M${px(LABEL + least * scale)} ${middle}H${px(LABEL + most * scale)}" stroke="${theme.text}" stroke-width="1" opacity="0.6"/>`;
      const at = Math.max(end, LABEL + most * scale) + 6;
      svg += text(
        at,
        y + 11,
        number(median),
        isOurs ? theme.text : theme.quiet,
        `font-size="11"${isOurs ? ' font-weight="600"' : ""}`,
      );
      y += STEP;
    }
    y += 8;
  }
  svg += `<path d="M${LABEL} 40V${y - 8}" stroke="${theme.line}"/>`;
  return { svg, height: y };
}

/** @param {string} side */
const brief = (side) => (side === "addon" ? "addon" : side === "crypto" ? "node:crypto" : side);

/** @param {number} value */
function number(value) {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(0)} k`;
  if (value >= 1e3) return `${(value / 1e3).toFixed(1)} k`;
  return value.toPrecision(3);
}

/** @param {number} value */
const px = (value) => value.toFixed(1);

/** @param {number} x @param {number} y @param {string} words @param {string} colour @param {string} rest */
function text(x, y, words, colour, rest) {
  return `<text x="${px(x)}" y="${px(y)}" fill="${colour}" ${rest}>${escaped(words)}</text>\n`;
}

/** The same in words. @param {Result[]} rows */
function described(rows) {
  return PANELS.flatMap(({ title, row, metric, sides }) =>
    rows
      .filter(({ id, absent }) => id === row && !absent)
      .map(({ runtime, sides: all }) => {
        const values = sides.flatMap((name) => {
          const figure = all.find(({ side }) => side === name)?.figures[metric];
          return figure ? [`${brief(name)} ${number(figure.median)}`] : [];
        });
        return `${title}, ${metric}, ${runtime}: ${values.join(", ")}.`;
      }),
  ).join(" ");
}

/** @param {string} words */
function escaped(words) {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
