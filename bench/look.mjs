// @ts-check
// What it costs that each call looks whether somebody has replaced `fetch`, watches or traces: at
// most 50 ns, and no system call.
//
//   npm run build && node bench/look.mjs
//
// The looks alone, in batches beside an empty function. Then whole issues of two processes in turn,
// in one of which KEY0_NATIVE_FETCH=0 has turned off the look for a replaced `fetch`; and the system
// calls of both, by `strace -c`, in two runs of which one makes a thousand issues more.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createRemoteTokenIssuer } from "../index.mjs";
import { absence } from "../scripts/system.mjs";

const ROUNDS = 15;
const BATCH = 2_000_000;
const ISSUES = 10_000;
const MORE = 1_000;
const OWN = fileURLToPath(import.meta.url);
const at = (/** @type {string} */ name) => fileURLToPath(new URL(`guard/${name}`, import.meta.url));

if (process.argv[2]) {
  await side(process.argv[2]);
} else {
  console.table(looks());
  const server = spawn(process.execPath, [at("server.mjs")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [url] = await once(createInterface(server.stdout), "line");
  console.table(await issues(url));
  console.table(absence("strace") ? absence("strace") : systemCalls(url));
  server.stdin.end();
}

/** In nanoseconds of CPU, without the loop and the call of a function that does nothing. */
function looks() {
  const require = createRequire(import.meta.url);
  const { along, isWatched, issues } = require("../lib/diagnostics.js");
  const { routeTo } = require("../lib/route.js");
  const [on, off] = [{}, { fetch: false }].map((config) =>
    routeTo("https://backend.example/issue", config),
  );
  /** @type {Record<string, () => unknown>} */
  const works = {
    nothing: () => undefined,
    "who sends": () => on.sender(),
    "who sends, KEY0_NATIVE_FETCH=0": () => off.sender(),
    "who watches": () => isWatched(issues),
    "whose span": () => along(undefined, false),
    "all three": () => isWatched(issues) || on.sender() || along(undefined, false),
  };
  /** @type {Record<string, number[]>} */
  const times = {};
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, work] of Object.entries(works)) {
      const before = process.cpuUsage();
      for (let i = 0; i < BATCH; i++) if (work() === i) throw new Error("it gives a number");
      // The first one warms up.
      if (round > 0) times[name] = [...(times[name] ?? []), spent(before) / BATCH];
    }
  }
  const ns = (/** @type {number} */ us) => Number((1e3 * us).toFixed(1));
  const { nothing } = times;
  return Object.fromEntries(
    Object.entries(times).map(([name, each]) => [
      name,
      {
        ns: ns(median(each) - median(nothing)),
        least: ns(Math.min(...each) - Math.min(...nothing)),
      },
    ]),
  );
}

/** µs of CPU an issue, 64 at a time, of two processes in turn. @param {string} url */
async function issues(url) {
  const sides = { "with the look": {}, "KEY0_NATIVE_FETCH=0": { KEY0_NATIVE_FETCH: "0" } };
  const children = Object.entries(sides).map(([name, env]) => {
    const child = spawn(process.execPath, [OWN, url], {
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "inherit"],
    });
    return {
      name,
      child,
      lines: createInterface(child.stdout),
      each: /** @type {number[]} */ ([]),
    };
  });
  for (let round = 0; round <= ROUNDS; round++) {
    for (const { child, lines, each } of children) {
      child.stdin.write("again\n");
      const [line] = await once(lines, "line");
      if (round > 0) each.push(Number(line));
    }
  }
  for (const { child } of children) child.stdin.end();
  return Object.fromEntries(
    children.map(({ name, each }) => {
      const us = (/** @type {number} */ it) => Number(it.toFixed(2));
      return [name, { "µs of CPU": us(median(each)), least: us(Math.min(...each)) }];
    }),
  );
}

/** Issues at each line of stdin, and says what one has cost. @param {string} url */
async function side(url) {
  const issue = createRemoteTokenIssuer({ url: `${url}issue`, secret: "s3cr3t-of-both" });
  const params = { requestId: "r", challengeId: "c", resourceId: "p", planId: "b", txHash: "0x1" };
  for await (const _ of createInterface(process.stdin)) {
    let left = ISSUES;
    const lane = async () => {
      while (left-- > 0) await issue(params);
    };
    const before = process.cpuUsage();
    await Promise.all(Array.from({ length: 64 }, lane));
    console.log(spent(before) / ISSUES);
  }
}

/** System calls an issue, one at a time. @param {string} url */
function systemCalls(url) {
  const out = join(tmpdir(), `key0-look-${process.pid}`);
  const total = (/** @type {number} */ count, /** @type {object} */ env) => {
    const work = [process.execPath, at("work.mjs"), url, `issue*${count}*1`];
    execFileSync("strace", ["-f", "-c", "-o", out, ...work], { env: { ...process.env, ...env } });
    return Number(/^100\.00\s+\S+\s+\S+\s+(\d+)/m.exec(readFileSync(out, "utf8"))?.[1]);
  };
  const each = (env = {}) => Number(((total(200 + MORE, env) - total(200, env)) / MORE).toFixed(2));
  try {
    return { "with the look": each(), "KEY0_NATIVE_FETCH=0": each({ KEY0_NATIVE_FETCH: "0" }) };
  } finally {
    rmSync(out, { force: true });
  }
}

/** In microseconds. @param {NodeJS.CpuUsage} before */
function spent(before) {
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** @param {number[]} values */
function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
