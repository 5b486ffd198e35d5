// @ts-check
// A fleet over a day, simulated: token requests and store operations, with and without a shared
// cache, a lock in it and refreshAhead. It follows src/auth/client_credentials/store.rs and
// policy.rs, whose numbers it repeats.
//
//   node bench/fleet.mjs [processes]
const PROCESSES = Number(process.argv[2] ?? 10_000);
const DAY = 86_400;
const LIFETIME = 3_600;
const USABLE = LIFETIME - 10;
/** Seconds between the calls of a process, on average. */
const BETWEEN_CALLS = 5;
/** Seconds in which the fleet starts. */
const ROLLOUT = 30;
const REQUEST = 0.3;
const OPERATION = 0.001;
const LOCKED = 2;
const PATIENCE = 5;

/** @typedef {{ cache: boolean, lock: boolean, ahead: number }} Options `ahead` is a fraction. */

/** @type {[string, Options][]} */
const FLEETS = [
  ["none", { cache: false, lock: false, ahead: 0 }],
  ["none, refreshAhead: 0.1", { cache: false, lock: false, ahead: 0.1 }],
  ["Keyv, which has no lock", { cache: true, lock: false, ahead: 0 }],
  ["Keyv, refreshAhead: 0.1", { cache: true, lock: false, ahead: 0.1 }],
  ["redisTokenCache", { cache: true, lock: true, ahead: 0 }],
  ["redisTokenCache, refreshAhead: 0.1", { cache: true, lock: true, ahead: 0.1 }],
];

/** The same numbers at each run. @param {number} seed */
function randomness(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What is to happen, the earliest first. */
class Events {
  /** @type {[time: number, happen: () => void][]} */
  #heap = [];

  /** @param {number} time @param {() => void} happen */
  add(time, happen) {
    const heap = this.#heap;
    let at = heap.push([time, happen]) - 1;
    for (let up = (at - 1) >> 1; at > 0 && heap[up][0] > time; up = (at - 1) >> 1) {
      [heap[at], heap[up], at] = [heap[up], heap[at], up];
    }
  }

  next() {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (heap.length === 0 || last === undefined) return first;
    heap[0] = last;
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && heap[child][0] < heap[least][0]) least = child;
      }
      if (least === at) return first;
      [heap[at], heap[least], at] = [heap[least], heap[at], least];
    }
  }
}

/** @param {Options} options */
function simulated({ cache, lock, ahead }) {
  const random = randomness(1);
  const events = new Events();
  const seconds = { request: new Uint32Array(DAY + 60), operation: new Uint32Array(DAY + 60) };
  /** The store: a token by when it was obtained, and when the lock ends. */
  let stored = Number.NEGATIVE_INFINITY;
  let lockedUntil = Number.NEGATIVE_INFINITY;
  let waits = 0;
  let longest = 0;
  const count = (/** @type {"request" | "operation"} */ what, /** @type {number} */ time) => {
    seconds[what][Math.floor(time)] += 1;
  };

  /**
   * A call that finds no token, or one that is due, which is then `current`.
   * @param {number} begun
   * @param {number} current when that token was obtained
   */
  function load(begun, current) {
    const isDue = current + USABLE > begun;
    const end = (/** @type {number} */ time, /** @type {number} */ obtained) => {
      if (!isDue) {
        waits += 1;
        longest = Math.max(longest, time - begun);
      }
      const due = obtained + USABLE - USABLE * ahead * (0.75 + random() / 4);
      const call = -Math.log(1 - random()) * BETWEEN_CALLS;
      const next = Math.max(time, ahead > 0 ? due : obtained + USABLE) + call;
      if (next < DAY) events.add(next, () => load(next, obtained));
    };
    const fetch = (/** @type {number} */ time, /** @type {() => void} */ stop) => {
      count("request", time);
      const ended = time + REQUEST;
      events.add(ended, () => {
        end(ended, time);
        if (!cache) return;
        count("operation", ended);
        events.add(ended + OPERATION, () => {
          stored = time;
          stop();
        });
      });
    };
    const seek = (/** @type {number} */ time, /** @type {number} */ pause, holds = false) => {
      count("operation", time);
      const found = stored > current && stored + USABLE > time;
      const answered = time + OPERATION;
      const unlock = () => {
        count("operation", answered);
        lockedUntil = Number.NEGATIVE_INFINITY;
      };
      if (found) {
        if (holds) unlock();
        return end(answered, stored);
      }
      if (!lock || holds || time - begun > PATIENCE)
        return fetch(answered, holds ? unlock : () => {});
      count("operation", answered);
      if (lockedUntil <= answered) {
        lockedUntil = answered + LOCKED;
        const again = answered + OPERATION;
        return events.add(again, () => seek(again, pause, true));
      }
      const again = answered + pause * (0.5 + random() / 2);
      events.add(again, () => seek(again, Math.min(2 * pause, 0.4)));
    };
    if (cache) seek(begun, 0.025);
    else fetch(begun, () => {});
  }

  for (let i = 0; i < PROCESSES; i++) {
    const start = random() * ROLLOUT;
    events.add(start, () => load(start, Number.NEGATIVE_INFINITY));
  }
  for (let event = events.next(); event; event = events.next()) event[1]();
  const sum = (/** @type {Uint32Array} */ counts) => counts.reduce((all, one) => all + one, 0);
  return {
    "token requests": sum(seconds.request),
    "most in a second": Math.max(...seconds.request),
    "store operations": sum(seconds.operation),
    "most in a second ": Math.max(...seconds.operation),
    "loads that a call waited for": waits,
    "longest wait, ms": Math.round(longest * 1_000),
  };
}

const rows = FLEETS.map(([name, options]) => [name, simulated(options)]);
console.log(`${PROCESSES} processes for a day, tokens of ${LIFETIME} s, by their cache:`);
console.table(Object.fromEntries(rows));
