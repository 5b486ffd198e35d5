// @ts-check
// Runs the tests on each runtime that is supported (from npm's registry):
//
//   npm run test:runtimes                 on all of them but the one that runs npm test
//   npm run test:runtimes -- bun node-24  on these
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { runtime } from "./tools.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

/** How a runtime runs test files, in processes of their own where it can. */
const NODE = ["--test", "--test-reporter=dot"];
/** @type {Record<string, string[]>} */
const RUNTIMES = {
  deno: ["test", "--allow-all", "--no-check", "--quiet", "--reporter=dot"],
  // Its own limit for a test is 5 s.
  bun: ["test", "--dots", "--timeout", "100000"],
  "node-20": NODE,
  "node-22": NODE,
  "node-24": NODE,
  "node-26": NODE,
  // This one, with everything in its threads.
  workers: ["scripts/test-workers.mjs"],
};
/** The slowest takes 5 minutes on a quiet machine, and a file of its 40 seconds. */
const LIMIT_MS = { all: 15 * 60_000, file: 8 * 60_000 };
/** Those whose files would share one process otherwise, in which nothing ends a test that hangs. */
const BY_FILE = new Set(["deno"]);
const FOLDERS = ["contract", "integration", "faults", "examples"];
const files = FOLDERS.flatMap((folder) =>
  readdirSync(`__test__/${folder}`)
    .filter((name) => name.endsWith(".test.mjs"))
    .map((name) => `./__test__/${folder}/${name}`),
);

const own = `node-${process.versions.node.split(".")[0]}`;
const wanted = process.argv.slice(2);
const queue = wanted.length > 0 ? wanted : Object.keys(RUNTIMES).filter((name) => name !== own);
/** What failed, each with the end of what it said: by a runtime's name, its file's where known. */
const failed = /** @type {Map<string, string>} */ (new Map());

/**
 * What a program says, and its status; one that does not end is ended.
 *
 * @param {string} file
 * @param {string[]} args
 * @param {number} [limitMs]
 */
async function said(file, args, limitMs = LIMIT_MS.all) {
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] });
  const parts = /** @type {Buffer[]} */ ([]);
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => parts.push(part));
  const limit = setTimeout(() => {
    parts.push(Buffer.from(`\nended after ${limitMs / 60_000} minutes\n`));
    child.kill("SIGKILL");
    // What it has started may still hold them.
    for (const stream of [child.stdout, child.stderr]) stream.destroy();
  }, limitMs);
  const [status] = await once(child, "close");
  clearTimeout(limit);
  return { status, text: stripVTControlCharacters(Buffer.concat(parts).toString()) };
}

/**
 * Runs tests, and gives what they said.
 *
 * @param {string} name of what is run
 * @param {string} program
 * @param {string[]} args
 * @param {number} [limitMs]
 */
async function tried(name, program, args, limitMs) {
  const { status, text } = await said(program, args, limitMs);
  if (status !== 0) failed.set(name, text.trimEnd().split("\n").slice(-30).join("\n"));
  return text;
}

/**
 * What the tests say on a runtime.
 *
 * @param {string} name
 * @param {string} program
 */
async function tested(name, program) {
  const args = RUNTIMES[name];
  if (!BY_FILE.has(name)) return tried(name, program, [...args, ...files]);
  let all = "";
  for (const file of files) {
    all += await tried(`${name} ${file}`, program, [...args, file], LIMIT_MS.file);
  }
  return all;
}

/** Runs what is left in the queue, one after the other. */
async function run() {
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    if (!RUNTIMES[name]) throw new Error(`no such runtime: ${name}`);
    const program = name === "workers" ? process.execPath : runtime(/** @type {any} */ (name));
    const version = (await said(program, ["--version"])).text.split("\n")[0];
    const started = performance.now();
    // What tests start as `process.execPath` is this one, too.
    const text = await tested(name, program);
    const seconds = ((performance.now() - started) / 1_000).toFixed(0);
    console.log(`\n── ${name} (${version}) in ${seconds} s\n${text}`);
  }
}

// Three at a time: the tests wait more than they work. With two, two cores are idle for half the time.
await Promise.all([run(), run(), run()]);
// Once more at the end, which is what is kept of a long log.
for (const [name, text] of failed) console.log(`\n── FAILED: ${name}\n${text}`);
console.log(failed.size > 0 ? `\nFAILED: ${[...failed.keys()].join(", ")}` : "\nall passed");
process.exit(failed.size > 0 ? 1 : 0);
