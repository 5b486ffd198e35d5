// @ts-check
// Holds the addon to what its work costs, in numbers that do not depend on how busy a machine is:
//
//   npm run guard              fails where something costs more than guard.json says
//   npm run guard -- --renew   writes into guard.json what it costs now: on purpose, with a reason
//
// Instructions are those of the addon's own binary (Rust, hyper, AWS-LC), as callgrind counts them
// while Node.js calls it. valgrind shows every program the same CPU, one with AVX2 and without
// SHA-NI: so AWS-LC chooses the same code on every machine that has AVX2. System calls are those of
// the whole process, by `strace -c`, in two runs of which one makes a thousand calls more; `write` alone
// is how often one thread wakes another, since a request goes out by `sendto`. Threads that wait for a
// CPU wake each other more often, never less: so the least of some runs counts.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { absence } from "../scripts/system.mjs";
import { ownInstructions } from "./guard/callgrind.mjs";
import { compared } from "./guard/compared.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const COUNTS = join(ROOT, "bench/guard.json");
const BINARY = "key0-native.linux-x64-gnu.node";

/** Counted calls of each work, after so many that warm it up. */
const INSTRUCTIONS = { warm: 100, calls: 400 };
const WORKS = [
  "HS256 header",
  "HS256 verify",
  "cached OAuth header",
  "issue",
  "issue, large answer",
];
const SYSTEM_CALLS = { warm: 200, calls: 1_000, runs: 3 };
/** How many at a time. */
const AT_ONCE = [1, 64];

if (process.platform !== "linux" || process.arch !== "x64") {
  console.log("guard: counts are kept for Linux on x64 alone");
  process.exit();
}

const folder = mkdtempSync(join(tmpdir(), "key0-guard-"));
process.on("exit", () => rmSync(folder, { recursive: true }));
// A debug build, or an older one, would be counted as this one.
execFileSync(process.execPath, [join(ROOT, "scripts/build.mjs"), "--release"], {
  cwd: ROOT,
  stdio: "inherit",
});

const server = spawn(process.execPath, [join(ROOT, "bench/guard/server.mjs")], {
  stdio: ["pipe", "pipe", "inherit"],
});
const [url] = await once(createInterface(server.stdout), "line");
const counted = {
  instructions: unless("valgrind") ?? instructions(),
  systemCalls: unless("strace") ?? systemCalls(),
};
server.stdin.end();

const rustc = execFileSync("rustc", ["--version"], { encoding: "utf8" }).split(" ")[1];
const kept = JSON.parse(readFileSync(COUNTS, "utf8"));
if (process.argv.includes("--renew")) {
  writeFileSync(COUNTS, `${JSON.stringify({ ...kept, rustc, ...counted }, null, 2)}\n`);
} else {
  // Another compiler makes other code.
  const { sameRustc, otherRustc, systemCalls, ofOneCall } = kept.tolerance;
  const instructions = rustc === kept.rustc ? sameRustc : otherRustc;
  console.log(`rustc ${rustc}, counts of ${kept.rustc}`);
  const works = [
    ...compared("instructions", kept.instructions, counted.instructions, instructions),
    ...compared("system calls", kept.systemCalls, counted.systemCalls, systemCalls, ofOneCall),
  ];
  for (const { line } of works) console.log(line);
  if (works.some(({ isDearer }) => isDearer)) {
    console.log(
      `\nDearer than bench/guard.json says. Where that is meant: npm run guard -- --renew, and why in the commit.`,
    );
    process.exit(1);
  }
}

/** Nothing, where a program is there; else it is said that it is not. @param {string} program */
function unless(program) {
  const why = absence(program);
  if (!why) return undefined;
  console.log(`guard: ${why}, not counted`);
  return {};
}

/** Of one call, by work. @returns {Record<string, number>} */
function instructions() {
  const { warm, calls } = INSTRUCTIONS;
  const out = join(folder, "callgrind");
  const counts = [warm, calls].flatMap((count) => WORKS.map((work) => `${work}*${count}`));
  const { stderr, status, error } = spawnSync(
    "valgrind",
    [
      "--tool=callgrind",
      `--callgrind-out-file=${out}`,
      // What `os.loadavg()` calls: the file with the next number begins there.
      "--dump-before=uv_loadavg",
      ...[process.execPath, join(ROOT, "bench/guard/work.mjs"), url, ...counts],
    ],
    { encoding: "utf8", env: steady() },
  );
  if (status !== 0) throw error ?? new Error(`valgrind: ${stderr}`);
  return Object.fromEntries(
    WORKS.map((work, index) => {
      const text = readFileSync(`${out}.${WORKS.length + index + 1}`, "utf8");
      return [work, Math.round(ownInstructions(text, BINARY) / calls)];
    }),
  );
}

/** Of one call, by how many there are at a time. @returns {Record<string, number>} */
function systemCalls() {
  const { warm, calls } = SYSTEM_CALLS;
  /** @type {Record<string, number>} */
  const counts = {};
  for (const atOnce of AT_ONCE) {
    const less = least(`issue*${warm}*${atOnce}`);
    const more = less && least(`issue*${warm + calls}*${atOnce}`);
    // A container may forbid that one process looks at another.
    if (!less || !more) return {};
    for (const kind of /** @type {const} */ (["all", "write"])) {
      const each = Number(((more[kind] - less[kind]) / calls).toFixed(2));
      counts[`issue, ${atOnce} at a time${kind === "all" ? "" : `, ${kind}`}`] = each;
    }
  }
  return counts;
}

/** The fewest system calls of some processes that do this. @param {string} work */
function least(work) {
  const { runs } = SYSTEM_CALLS;
  const of = [];
  for (let run = 0; run < runs; run++) {
    const these = totals(work);
    if (!these) return undefined;
    of.push(these);
  }
  return {
    all: Math.min(...of.map(({ all }) => all)),
    write: Math.min(...of.map(({ write }) => write)),
  };
}

/** The system calls of a process that does this: all, and those to write. @param {string} work */
function totals(work) {
  const out = join(folder, "strace");
  const own = [process.execPath, join(ROOT, "bench/guard/work.mjs"), url, work];
  const { stderr, status, error } = spawnSync("strace", ["-f", "-c", "-o", out, ...own], {
    encoding: "utf8",
    env: steady(),
  });
  if (/ptrace/i.test(stderr ?? "")) {
    console.log(`guard: system calls are not counted: ${stderr.trim().split("\n")[0]}`);
    return undefined;
  }
  if (status !== 0) throw error ?? new Error(`strace: ${stderr}`);
  // "% time, seconds, usecs/call, calls, errors, syscall"
  const rows = readFileSync(out, "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
  const calls = (/** @type {string} */ name) =>
    Number(rows.find((row) => row.at(-1) === name)?.[3] ?? 0);
  return { all: calls("total"), write: calls("write") };
}

/** Nothing of the caller's that changes what Node.js does. */
function steady() {
  const { PATH, HOME } = process.env;
  return { PATH, HOME };
}
