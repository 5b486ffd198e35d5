// @ts-check
// The rows of the bench: what is done, by which sides on which runtimes, and what is wanted of it.
//
// A side is `name`, or `rust:name` and `bun:name`, which run elsewhere; with `@http` or `#64` behind
// it that side alone has another scheme, or so many calls at once.

/** @typedef {import("./runtimes.mjs").Name} Runtime */
/** @typedef {Record<string, number[]>} Samples a metric's values, one a round */
/**
 * @typedef {object} Target
 * @property {Runtime[]} on
 * @property {string} wanted in words
 * @property {(sides: Record<string, Samples>) => number} figure `NaN` where a side is missing
 * @property {(figure: number) => boolean} met
 */
/**
 * @typedef {object} Row
 * @property {string} id what `--only` looks for
 * @property {string} title
 * @property {"load" | "first" | "burst" | "memory" | "growth" | "cold" | "require" | "size"} kind
 * @property {Partial<Record<Runtime, string[]>>} sides
 * @property {Target[]} [targets]
 * @property {string} [work]
 * @property {string} [path] at the server
 * @property {"http" | "https"} [scheme]
 * @property {number} [atOnce]
 * @property {number} [batch] calls between two looks at the clock: many where one takes no time
 * @property {boolean} [oneCore]
 * @property {boolean} [loop] whether the event loop is watched
 * @property {number} [ms] of `first`: between creation and the call
 * @property {boolean} [slow] left out by `--quick`
 */

const NODES = /** @type {Runtime[]} */ (["node-20", "node-26"]);
const BUNS = /** @type {Runtime[]} */ (["bun", "bun-musl"]);
const ALL = [...NODES, ...BUNS];
/** Where the peers of the tokens are measured too: they do not differ much on the others. */
const TWO = /** @type {Runtime[]} */ (["node-26", "bun"]);

/** @param {Runtime[]} names @param {string[]} sides */
const on = (names, ...sides) => Object.fromEntries(names.map((name) => [name, sides]));

/** @param {number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return (low + high) / 2;
}

/**
 * The median over the rounds of what the addon's value makes with the other's.
 * @param {Record<string, Samples>} sides
 * @param {string} against
 * @param {string} metric
 * @param {(ours: number, theirs: number) => number} made
 */
export function paired(sides, against, metric, made) {
  const [ours, theirs] = [sides.addon?.[metric], sides[against]?.[metric]];
  if (!ours || !theirs) return Number.NaN;
  return median(ours.map((value, round) => made(value, theirs[round] ?? Number.NaN)));
}

/** @type {Record<string, string>} */
const NOUNS = {
  rate: "the rate",
  cpu: "the CPU",
  p99: "the p99",
  first: "the time",
  rss: "the memory",
};

/**
 * At least (of a rate) or at most (of anything else) so many times the other's.
 * @param {Runtime[]} on @param {string} against @param {Record<string, number>} wanted
 * @returns {Target[]}
 */
const times = (on, against, wanted) =>
  Object.entries(wanted).map(([metric, bound]) => ({
    on,
    wanted: `${metric === "rate" ? "≥" : "≤"} ${round(bound)} × ${NOUNS[metric]} of ${against}`,
    figure: (sides) => paired(sides, against, metric, (ours, theirs) => ours / theirs),
    met: (figure) => (metric === "rate" ? figure >= bound : figure <= bound),
  }));

/** @param {Runtime[]} on @param {string} metric @param {number} bound @param {string} unit @returns {Target[]} */
const atMost = (on, metric, bound, unit) => [
  {
    on,
    wanted: `≤ ${bound} ${unit}`,
    figure: ({ addon }) => (addon?.[metric] ? median(addon[metric]) : Number.NaN),
    met: (figure) => figure <= bound,
  },
];

/** @param {number} value */
const round = (value) => Number(value.toPrecision(3));

/** @type {Target} */
const LEVEL = {
  on: ALL,
  wanted: "from 16 on at least 0.8 of the best",
  figure: (sides) => {
    const rates = Object.entries(sides)
      .filter(([side]) => Number(side.split("#")[1]) >= 16)
      .map(([, { rate }]) => median(rate));
    return Math.min(...rates) / Math.max(...rates);
  },
  met: (figure) => figure >= 0.8,
};

const ISSUE = /** @type {const} */ ({
  kind: "load",
  work: "issue",
  path: "/issue",
  scheme: "http",
  batch: 1,
});
const TOKENS = /** @type {const} */ ({ kind: "load", atOnce: 1, batch: 64 });
const JWT = ["jose", "crypto", "fast-jwt", "jsonwebtoken", "node-rs"];
const RUST_HTTP = ["rust:core", "rust:reqwest", "rust:legacy"];
const RUST_JWT = ["rust:core", "rust:jsonwebtoken", "rust:aws-lc"];

/** @type {Row[]} */
export const ROWS = [
  {
    ...ISSUE,
    id: "remote-1",
    title: "remote issue, one at a time",
    atOnce: 1,
    sides: {
      ...on(NODES, "addon", "fetch", "undici", "undici-64", ...RUST_HTTP),
      ...on(BUNS, "addon", "fetch", "rust:core"),
    },
    targets: [
      ...times(NODES, "fetch", { rate: 3 }),
      ...times(NODES, "undici", { rate: 1.3, p99: 1 }),
      ...times(BUNS, "fetch", { rate: 1.2, cpu: 0.85 }),
      ...times(ALL, "rust:core", { rate: 0.75 }),
    ],
  },
  {
    ...ISSUE,
    id: "remote-64",
    title: "remote issue, 64 at a time",
    atOnce: 64,
    sides: {
      ...on(NODES, "addon", "fetch", "undici", "undici-64", "bun:fetch", ...RUST_HTTP),
      ...on(BUNS, "addon", "fetch", "rust:core"),
    },
    targets: [
      ...times(NODES, "fetch", { rate: 10, cpu: 1 / 13 }),
      ...times(NODES, "undici", { rate: 2, cpu: 0.45 }),
      ...times(BUNS, "fetch", { rate: 1.3, cpu: 0.85 }),
      ...times(ALL, "rust:core", { rate: 0.75 }),
      ...times(NODES, "bun:fetch", { cpu: 15 / 17 }),
    ],
  },
  {
    ...ISSUE,
    id: "remote-512",
    title: "remote issue, 512 at a time",
    atOnce: 512,
    sides: {
      ...on(NODES, "addon", "fetch", "undici-64", "rust:core"),
      ...on(BUNS, "addon", "fetch", "rust:core"),
    },
    targets: times(BUNS, "fetch", { rate: 1.5 }),
  },
  {
    ...ISSUE,
    id: "remote-one-core",
    title: "remote issue, 64 at a time, on one core",
    atOnce: 64,
    oneCore: true,
    sides: on(ALL, "addon", "fetch"),
    targets: [...times(BUNS, "fetch", { rate: 1.1 }), ...times(NODES, "fetch", { rate: 14 })],
  },
  {
    ...ISSUE,
    id: "growth",
    title: "remote issue, from 1 to 1,024 at a time",
    sides: on(ALL, "addon#1", "addon#4", "addon#16", "addon#64", "addon#256", "addon#1024"),
    targets: [LEVEL],
  },
  {
    ...ISSUE,
    id: "https-64",
    title: "https issue, 64 at a time, warm",
    scheme: "https",
    atOnce: 64,
    sides: {
      ...on(NODES, "addon", "addon@http", "fetch", "undici", "rust:core"),
      ...on(BUNS, "addon", "addon@http", "fetch"),
    },
    targets: [
      ...times(BUNS, "fetch", { rate: 1.2, cpu: 0.9 }),
      ...times(NODES, "fetch", { rate: 8 }),
      ...times(NODES, "undici", { rate: 2 }),
      {
        on: ALL,
        wanted: "≤ 8 µs of CPU more than over http",
        figure: (sides) => paired(sides, "addon@http", "cpu", (ours, theirs) => ours - theirs),
        met: (figure) => figure <= 8,
      },
    ],
  },
  {
    id: "https-first",
    title: "first https call of a process, its creation included",
    kind: "first",
    work: "issue",
    path: "/issue",
    scheme: "https",
    sides: on(ALL, "addon", "fetch"),
    targets: times(ALL, "fetch", { first: 1 }),
  },
  {
    id: "https-first-later",
    title: "first https call of a process, 100 ms after its creation",
    kind: "first",
    work: "issue",
    path: "/issue",
    scheme: "https",
    ms: 100,
    sides: on(ALL, "addon", "fetch"),
    targets: times(ALL, "fetch", { first: 1 }),
  },
  {
    id: "https-burst",
    title: "cold burst of 64 over https",
    kind: "burst",
    work: "issue",
    path: "/issue",
    scheme: "https",
    sides: { ...on(NODES, "addon", "fetch", "undici"), ...on(BUNS, "addon", "fetch") },
    targets: [...times(BUNS, "fetch", { p99: 1 }), ...times(NODES, "fetch", { p99: 0.25 })],
  },
  {
    ...TOKENS,
    id: "hs256-header",
    title: "HS256 header",
    work: "header-hs256",
    sides: {
      ...on(TWO, "addon", ...JWT, "n-api", ...RUST_JWT),
      "node-20": ["addon", "jose", "crypto"],
      "bun-musl": ["addon", "jose", "crypto"],
    },
    targets: [
      ...times(NODES, "crypto", { rate: 2.5 }),
      ...times(BUNS, "crypto", { rate: 2 }),
      ...times(NODES, "jose", { rate: 70 }),
      ...times(BUNS, "jose", { rate: 45 }),
    ],
  },
  {
    ...TOKENS,
    id: "hs256-verify",
    title: "HS256 verify",
    work: "verify-hs256",
    sides: {
      ...on(TWO, "addon", ...JWT, "rust:core", "rust:jsonwebtoken"),
      "node-20": ["addon", "jose", "crypto"],
      "bun-musl": ["addon", "jose", "crypto"],
    },
    targets: times(ALL, "jose", { rate: 50 }),
  },
  {
    ...TOKENS,
    id: "rs256-header",
    title: "RS256 2048 header, 16 at a time",
    work: "header-rs256",
    atOnce: 16,
    batch: 1,
    loop: true,
    sides: {
      ...on(TWO, "addon", ...JWT, ...RUST_JWT),
      "node-20": ["addon", "jose", "rust:aws-lc"],
      "bun-musl": ["addon", "jose", "rust:aws-lc"],
    },
    targets: [
      ...times(ALL, "rust:aws-lc", { rate: 0.92 }),
      ...atMost(ALL, "loop", 5, "ms of event-loop delay, p99"),
    ],
  },
  {
    ...TOKENS,
    id: "rs256-verify",
    title: "RS256 2048 verify",
    work: "verify-rs256",
    batch: 16,
    sides: {
      ...on(TWO, "addon", ...JWT, "rust:core", "rust:jsonwebtoken"),
      "node-20": ["addon", "jose"],
      "bun-musl": ["addon", "jose"],
    },
    targets: times(ALL, "jose", { rate: 4 }),
  },
  {
    ...TOKENS,
    id: "static-header",
    title: "static header",
    work: "static",
    batch: 1024,
    sides: on(ALL, "addon", "closure"),
    targets: times(ALL, "closure", { rate: 0.9 }),
  },
  {
    ...TOKENS,
    id: "cached-header",
    title: "header of a cached OAuth token",
    work: "cached",
    path: "/kept-token",
    batch: 256,
    sides: on(ALL, "addon", "closure"),
    targets: times(ALL, "closure", { rate: 0.9 }),
  },
  {
    ...TOKENS,
    id: "oauth-token",
    title: "OAuth token fetched anew at each call",
    work: "token",
    path: "/token",
    batch: 1,
    sides: on(TWO, "addon", "openid-client"),
  },
  {
    id: "oauth-cold",
    title: "1,000 callers of a cold OAuth cache",
    kind: "cold",
    work: "token",
    path: "/kept-token",
    sides: on(ALL, "addon", "openid-client"),
    targets: [
      {
        on: ALL,
        wanted: "1 token request",
        figure: ({ addon }) => (addon ? median(addon.requests) : Number.NaN),
        met: (figure) => figure === 1,
      },
    ],
  },
  {
    id: "memory",
    title: "memory of an issue under way, 5,000 at once",
    kind: "memory",
    work: "hang",
    path: "/hang",
    sides: on(ALL, "addon", "fetch"),
    targets: atMost(ALL, "rss", 16, "KiB"),
  },
  {
    id: "million",
    title: "memory after 200,000 issues and after a million",
    kind: "growth",
    work: "issue",
    path: "/issue",
    slow: true,
    sides: on(TWO, "addon"),
    targets: [
      {
        on: ALL,
        wanted: "≤ 1 MiB more",
        figure: ({ addon }) => (addon ? addon.grown[0] : Number.NaN),
        met: (figure) => figure <= 1,
      },
    ],
  },
  {
    id: "require",
    title: 'require("@key0ai/native")',
    kind: "require",
    sides: on(ALL, "addon"),
    targets: [...atMost(NODES, "ms", 4, "ms"), ...atMost(NODES, "mib", 3.5, "MiB")],
  },
  {
    id: "size",
    title: "size of the binary",
    kind: "size",
    sides: on(["node-26", "bun-musl"], "addon"),
  },
];
