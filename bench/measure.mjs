// @ts-check
// How each kind of row is measured: the sides, each a process of its own, in turn, round by round.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { sizes } from "../scripts/binary.mjs";
import { Child } from "./children.mjs";

/** @import { Row, Samples } from "./rows.mjs" */
/** @import { Runtime } from "./runtimes.mjs" */
/**
 * @typedef {object} Context
 * @property {Row} row
 * @property {Runtime} runtime
 * @property {Map<string, Runtime | string>} runtimes
 * @property {{ side: string }} programs
 * @property {Child} server
 * @property {Record<string, number>} ports
 * @property {NodeJS.ProcessEnv} env
 * @property {{ rounds: number, ms: number, warmMs: number, processes: number }} length
 */
/** @typedef {{ side: string, samples: Samples, failed?: string }} Measured */

const FILE = fileURLToPath(new URL("side.mjs", import.meta.url));
const ENTRY = fileURLToPath(new URL("../index.js", import.meta.url));
const LIBRARY = fileURLToPath(new URL("../key0-native.linux-x64-gnu.node", import.meta.url));
/** In a burst. */
const BURST = 64;
const HUNG = 5_000;
const CALLERS = 1_000;

/** What the sides of one row did on one runtime. @param {Context} context @param {string[]} sides */
export function measure(context, sides) {
  return MEASURES[context.row.kind](context, sides);
}

/** @type {Record<Row["kind"], (context: Context, sides: string[]) => Promise<Measured[]>>} */
const MEASURES = {
  load: (context, sides) =>
    inRounds(context, sides, async (child, side, isFirst) => {
      const { row, length } = context;
      const { atOnce = 1, batch = 1, loop = false } = row;
      const ms = isFirst ? length.warmMs : length.ms;
      await context.server.ask("counts");
      const sample = await child.ask({
        do: "load",
        work: row.work,
        url: urlOf(context, side),
        atOnce: Number(side.split("#")[1] ?? atOnce),
        batch,
        loop,
        ms,
      });
      const { connections } = await context.server.ask("counts");
      return row.path ? { ...sample, connections } : sample;
    }),

  // Where tickets of an earlier connection are at hand, all connections closed.
  burst: (context, sides) =>
    inRounds(context, sides, async (child, side, isFirst) => {
      const round = { work: context.row.work, url: urlOf(context, side) };
      if (isFirst) await child.ask({ do: "calls", calls: 1, atOnce: 1, ...round });
      await context.server.ask("drop");
      // Closing takes no time that matters, but it takes some.
      await new Promise((later) => setTimeout(later, 50));
      await context.server.ask("counts");
      const sample = await child.ask({ do: "burst", calls: BURST, ...round });
      const { full_handshakes, resumed_handshakes } = await context.server.ask("counts");
      return { ...sample, full: full_handshakes, resumed: resumed_handshakes };
    }),

  first: (context, sides) =>
    inProcesses(context, sides, async (child, side) => {
      const { work, ms = 0 } = context.row;
      return child.ask({ do: "first", work, url: urlOf(context, side), ms });
    }),

  memory: (context, sides) =>
    inProcesses(
      context,
      sides,
      async (child, side) => {
        const { server } = context;
        const url = urlOf(context, side);
        await child.ask({
          do: "calls",
          work: "issue",
          url: url.replace("/hang", "/issue"),
          calls: 2_000,
          atOnce: 64,
        });
        const { rss } = await child.ask({ do: "memory" });
        await server.ask("counts");
        await child.ask({ do: "hang", work: "hang", url, calls: HUNG });
        for (let there = 0, tries = 0; there < HUNG && tries < 300; tries++) {
          await new Promise((later) => setTimeout(later, 50));
          there += (await server.ask("counts")).hanging;
        }
        const after = await child.ask({ do: "memory" });
        return { rss: (after.rss - rss) / HUNG };
      },
      3,
    ),

  growth: (context, sides) =>
    inProcesses(
      withRoomHeld(context),
      sides,
      async (child, side) => {
        const round = {
          do: "calls",
          work: context.row.work,
          url: urlOf(context, side),
          atOnce: 64,
        };
        await child.ask({ ...round, calls: 200_000 });
        const early = await child.ask({ do: "memory" });
        await child.ask({ ...round, calls: 800_000 });
        const late = await child.ask({ do: "memory" });
        return { mib: late.rss / 1024, grown: (late.rss - early.rss) / 1024 };
      },
      1,
    ),

  cold: (context, sides) =>
    inProcesses(
      context,
      sides,
      async (child, side) => {
        const round = { work: context.row.work, url: urlOf(context, side) };
        await context.server.ask("counts");
        const { ms } = await child.ask({ do: "calls", calls: CALLERS, atOnce: CALLERS, ...round });
        const { token_requests } = await context.server.ask("counts");
        return { requests: token_requests, ms };
      },
      3,
    ),

  async require({ runtime, env, length }) {
    const source = `
      const before = process.memoryUsage.rss();
      const begun = performance.now();
      require(${JSON.stringify(ENTRY)});
      const ms = performance.now() - begun;
      console.log(JSON.stringify([ms, (process.memoryUsage.rss() - before) / 2 ** 20]));`;
    const [program, ...args] = runtime.command;
    const samples = /** @type {Samples} */ ({ ms: [], mib: [] });
    for (let left = length.processes * 2; left > 0; left--) {
      const options = { env: { ...env, ...runtime.env }, encoding: /** @type {const} */ ("utf8") };
      const { stdout, stderr } = spawnSync(program, [...args, "-e", source], options);
      if (!stdout) return [{ side: "addon", samples, failed: stderr }];
      const [ms, mib] = JSON.parse(stdout);
      samples.ms.push(ms);
      samples.mib.push(mib);
    }
    return [{ side: "addon", samples }];
  },

  async size({ runtime }) {
    const { unpacked, packed } = sizes(runtime.env.NAPI_RS_NATIVE_LIBRARY_PATH ?? LIBRARY);
    return [{ side: "addon", samples: { unpacked: [unpacked], packed: [packed] } }];
  },
};

/**
 * Each side's process lives for all rounds; the first round warms up.
 * @param {Context} context
 * @param {string[]} sides
 * @param {(child: Child, side: string, isFirst: boolean) => Promise<Record<string, number>>} round
 */
async function inRounds(context, sides, round) {
  const measured = sides.map((side) => ({
    side,
    samples: /** @type {Samples} */ ({}),
    failed: "",
  }));
  /** @type {Map<string, Child>} */
  const children = new Map();
  for (let turn = 0; turn <= context.length.rounds; turn++) {
    for (const it of measured) {
      if (it.failed) continue;
      try {
        const child = children.get(it.side) ?? (await started(context, it.side));
        children.set(it.side, child);
        const sample = await round(child, it.side, turn === 0);
        if (turn > 0) add(it.samples, sample);
      } catch (error) {
        it.failed = String(/** @type {any} */ (error).message);
      }
    }
  }
  for (const child of children.values()) await child.end();
  return measured;
}

/**
 * A new process for each value.
 * @param {Context} context
 * @param {string[]} sides
 * @param {(child: Child, side: string) => Promise<Record<string, number>>} value
 * @param {number} [most]
 */
async function inProcesses(context, sides, value, most = Number.POSITIVE_INFINITY) {
  const measured = sides.map((side) => ({
    side,
    samples: /** @type {Samples} */ ({}),
    failed: "",
  }));
  for (let left = Math.min(context.length.processes, most); left > 0; left--) {
    for (const it of measured) {
      if (it.failed) continue;
      try {
        const child = await started(context, it.side);
        try {
          add(it.samples, await value(child, it.side));
        } finally {
          await child.end();
        }
      } catch (error) {
        it.failed = String(/** @type {any} */ (error).message);
      }
    }
  }
  return measured;
}

/** @param {Samples} samples @param {Record<string, number>} sample */
function add(samples, sample) {
  for (const [metric, value] of Object.entries(sample)) {
    samples[metric] ??= [];
    samples[metric].push(value);
  }
}

/**
 * V8 keeps its room for new objects as large as the last burst made it, 5 to 14 MiB, up and down:
 * held small, so that what issues leave is seen.
 * @param {Context} context
 * @returns {Context}
 */
function withRoomHeld(context) {
  const { command, title } = context.runtime;
  if (!title.startsWith("Node")) return context;
  const held = [...command, "--max-semi-space-size=1"];
  return { ...context, runtime: { ...context.runtime, command: held } };
}

/** The process of a side, ready. @param {Context} context @param {string} side */
async function started({ row, runtime, runtimes, programs, env }, side) {
  const [name] = side.split(/[@#]/);
  const [first, second] = name.split(":");
  // Of two cores the second is the server's, then.
  const pinned = row.oneCore ? ["taskset", "-c", "0"] : [];
  if (first === "rust") return new Child([...pinned, programs.side, second], env);
  const other = second ? runtimes.get(first) : runtime;
  if (!other || typeof other === "string") throw new Error(`${other}`);
  const command = [...pinned, ...other.command, FILE, second ?? first];
  const child = new Child(command, { ...env, ...other.env });
  await child.next();
  return child;
}

/** @param {Context} context @param {string} side */
function urlOf({ row, ports }, side) {
  const scheme = side.split("@")[1] ?? row.scheme ?? "http";
  return `${scheme}://127.0.0.1:${ports[scheme]}${row.path ?? "/"}`;
}
