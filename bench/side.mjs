// @ts-check
// One side of the bench in a process of its own, on any runtime: `side.mjs <name>`. A line of JSON on
// stdin is what to do, the line on stdout what was measured. It ends with stdin.
import { createInterface } from "node:readline";
import { setTimeout as after } from "node:timers/promises";
import { SIDES } from "./works.mjs";

/**
 * @typedef {object} Round
 * @property {"load" | "first" | "burst" | "hang" | "calls" | "memory"} do
 * @property {string} work
 * @property {string} url
 * @property {number} atOnce
 * @property {number} batch calls between two looks at the clock
 * @property {number} ms
 * @property {number} calls
 * @property {boolean} loop whether to watch the event loop
 */

const works = await SIDES[process.argv[2]]();
/** @type {Map<string, import("./works.mjs").Call>} */
const calls = new Map();

/** What the rounds of one work share. @param {Round} round */
async function callOf({ work, url }) {
  const key = `${work} ${url}`;
  const call = calls.get(key) ?? (await works[work](url));
  calls.set(key, call);
  return call;
}

/** @type {Record<Round["do"], (round: Round) => unknown>} */
const DO = {
  /** So many at once, each lane's next call when its last one has ended. */
  async load(round) {
    const call = await callOf(round);
    const delay = round.loop ? watched() : () => ({});
    const { atOnce, batch, ms } = round;
    const times = /** @type {number[]} */ ([]);
    const [cpu, begun] = [process.cpuUsage(), performance.now()];
    const end = begun + ms;
    const lane = async () => {
      for (let last = performance.now(); last < end; ) {
        for (let i = 0; i < batch; i++) await call();
        const now = performance.now();
        times.push((now - last) / batch);
        last = now;
      }
    };
    await Promise.all(Array.from({ length: atOnce }, lane));
    const count = times.length * batch;
    const rate = (count / (performance.now() - begun)) * 1000;
    const { user, system } = process.cpuUsage(cpu);
    return { rate, cpu: (user + system) / count, ...shares(times), ...delay() };
  },

  /** The first call of this process, from its creation on, or so many milliseconds after it. */
  async first({ work, url, ms }) {
    let begun = performance.now();
    const call = await works[work](url);
    if (ms > 0) {
      await after(ms);
      begun = performance.now();
    }
    await call();
    return { first: performance.now() - begun };
  },

  /** All at once. */
  async burst(round) {
    const call = await callOf(round);
    const times = await Promise.all(
      Array.from({ length: round.calls }, async () => {
        const begun = performance.now();
        await call();
        return performance.now() - begun;
      }),
    );
    return shares(times);
  },

  /** So many calls. */
  async calls(round) {
    const call = await callOf(round);
    let left = round.calls;
    const lane = async () => {
      while (left-- > 0) await call();
    };
    const begun = performance.now();
    await Promise.all(Array.from({ length: round.atOnce }, lane));
    return { ms: performance.now() - begun };
  },

  /** Calls that nobody answers, begun and left. */
  async hang(round) {
    const call = await callOf(round);
    for (let left = round.calls; left > 0; left--) Promise.resolve(call()).catch(() => {});
    return {};
  },

  /** In KiB, what nobody needs collected. */
  async memory() {
    for (let times = 0; times < 3; times++) {
      collect();
      await after(50);
    }
    return { rss: process.memoryUsage.rss() / 1024 };
  },
};

function collect() {
  const { Bun, gc } = /** @type {any} */ (globalThis);
  if (Bun) Bun.gc(true);
  else gc?.();
}

/** In microseconds. @param {number[]} ms */
function shares(ms) {
  const sorted = Float64Array.from(ms).sort();
  const at = (/** @type {number} */ share) =>
    sorted[Math.floor((sorted.length - 1) * share)] * 1000;
  return { p50: at(0.5), p99: at(0.99) };
}

/**
 * How late timers come, in milliseconds. Made by hand: where calls leave the event loop no turn at
 * all, the runtimes' own histograms stay empty, and tell of no delay.
 */
function watched() {
  const delays = /** @type {number[]} */ ([]);
  let due = performance.now() + 1;
  const late = () => delays.push(Math.max(0, performance.now() - due));
  const timer = setInterval(() => {
    late();
    due = performance.now() + 1;
  }, 1);
  return () => {
    clearInterval(timer);
    late();
    return { loop: shares(delays).p99 / 1000 };
  };
}

console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface(process.stdin)) {
  const round = /** @type {Round} */ (JSON.parse(line));
  try {
    console.log(JSON.stringify(await DO[round.do](round)));
  } catch (error) {
    console.log(JSON.stringify({ failed: String(error) }));
  }
}
process.exit();
