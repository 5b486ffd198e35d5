// @ts-check
/**
 * Connecting to a name with several addresses, beside Node's `fetch` (D20), and once more with that
 * `fetch` as driver: each address answers, refuses or is dead (its queue is full, so that it takes no
 * SYN). In a network of its own.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inOwnNetwork, skip } from "./support/own-network.mjs";

/** Of each family those that answer, refuse and are dead, by number. */
const ADDRESSES = {
  4: (/** @type {number} */ kind, /** @type {number} */ n) => `127.0.${kind + 1}.${n + 1}`,
  6: (/** @type {number} */ kind, /** @type {number} */ n) => `fd00::${kind + 1}:${n + 1}`,
};
const KINDS = ["answers", "refuses", "dead"];
/** Neither side waits longer for a dead address. */
const LIMIT_MS = 2_000;
/** What may lie between them: the head start of an address, and the machine's noise. */
const MOST_BETWEEN_MS = 300;

/** Every order of two to four addresses of these kinds. */
const orders = [2, 3, 4].flatMap((length) =>
  Array.from({ length: 3 ** length }, (_, number) =>
    Array.from({ length }, (_, place) => Math.floor(number / 3 ** place) % 3),
  ),
);
/** The first families of the addresses, in turn. */
const FAMILIES = /** @type {(4 | 6)[][]} */ ([[4], [6], [4, 6], [6, 4]]);
const cases = FAMILIES.flatMap((families, f) =>
  orders.map((kinds, i) => ({
    name: `o${f}-${i}.test`,
    addresses: kinds.map((kind, n) => ADDRESSES[families[n % families.length]](kind, n)),
    text: kinds.map((kind, n) => `IPv${families[n % families.length]} ${KINDS[kind]}`).join(", "),
  })),
);

// It answers on all addresses of the first kind; those of the third have a queue of one, filled.
const SOURCE = `
  import { execFileSync, spawn } from "node:child_process";
  import { once } from "node:events";
  import { createServer } from "node:http";
  import { createRemoteTokenIssuer } from "./index.mjs";
  // Systems that have no address but those of loopback look no name up.
  const ip = (...words) => execFileSync("ip", words);
  ip("link", "add", "v0", "type", "veth", "peer", "name", "v1");
  ip("addr", "add", "10.0.0.1/24", "dev", "v0");
  ip("addr", "add", "fd01::1/64", "dev", "v0", "nodad");
  for (const end of ["v0", "v1"]) ip("link", "set", end, "up");
  const numbers = [1, 2, 3, 4];
  for (const kind of [1, 2, 3]) {
    for (const n of numbers) ip("addr", "add", "fd00::" + kind + ":" + n, "dev", "lo");
  }
  const server = createServer((_, response) => response.end('{"token":"t"}'));
  await new Promise((go) => server.listen(0, "127.0.1.1", go));
  const { port } = server.address();
  const others = [...numbers.slice(1).map((n) => "127.0.1." + n), ...numbers.map((n) => "fd00::1:" + n)];
  for (const address of others) {
    const other = createServer((_, response) => response.end('{"token":"t"}'));
    await new Promise((go) => other.listen(port, address, go));
  }
  const dead = spawn("python3", ["-c", \`
import socket, sys
held = []
for address in [f"127.0.3.{n}" for n in range(1, 5)] + [f"fd00::3:{n}" for n in range(1, 5)]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family)
    listener.bind((address, int(sys.argv[1])))
    listener.listen(0)
    queued = socket.create_connection((address, int(sys.argv[1])))
    held += [listener, queued]
print("ready", flush=True)
sys.stdin.read()\`, port], { stdio: ["pipe", "pipe", "inherit"] });
  await once(dead.stdout, "data");
  const timed = async (call) => {
    const begun = performance.now();
    let facts;
    const outcome = await call.then(() => "answers", (error) => {
      const { name, code, message, cause } = error;
      facts = { ...cause, message, why: cause?.message };
      if (name === "TimeoutError" || code === "TOKEN_ISSUE_TIMEOUT") return "waits";
      return cause?.code ?? String(error);
    });
    return { outcome, facts, ms: Math.round(performance.now() - begun) };
  };
  // A connection each.
  const alone = (url, init = {}) =>
    fetch(url, { ...init, method: "POST", headers: { ...init.headers, connection: "close" } });
  const measured = async (name) => {
    const url = "http://" + name + ":" + port + "/";
    const issue = (fetch) => createRemoteTokenIssuer({ url, timeoutMs: LIMIT, fetch })({});
    const ours = await timed(issue());
    const driven = await timed(issue(alone));
    const theirs = await timed(alone(url, { signal: AbortSignal.timeout(LIMIT) }));
    const isLike = ({ outcome, ms }) =>
      outcome === theirs.outcome && Math.abs(ms - theirs.ms) <= BETWEEN;
    return { name, ours, driven, theirs, differ: !isLike(ours) || !isLike(driven) };
  };
  const results = [];
  const left = [...CASES];
  const lane = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      results.push(await measured(name));
    }
  };
  await Promise.all(Array.from({ length: 24 }, lane));
  // Measured again alone, where the others' work does not count.
  const again = [];
  for (const result of results) again.push(result.differ ? await measured(result.name) : result);
  dead.stdin.end();
  console.log(JSON.stringify({ results: again }));
  process.exit(0);
`;

// Other runtimes have a `fetch` of their own, with rules of its own; that of Node 26 waits longer
// for each address.
const isNode = !process.versions.bun && !process.versions.deno;
const isTimed = isNode && Number(process.versions.node.split(".")[0]) < 26;
const elsewhere = isTimed ? skip : "fetch has other times here";

describe("a name with several addresses", { skip: elsewhere }, () => {
  it("is reached as fetch reaches it, whichever of them answer, refuse or are dead", async (t) => {
    const hosts = cases.flatMap(({ name, addresses }) => addresses.map((it) => `${it} ${name}`));
    const { results } = await inOwnNetwork(
      SOURCE.replace("CASES", JSON.stringify(cases.map(({ name }) => name)))
        .replaceAll("LIMIT", String(LIMIT_MS))
        .replace("BETWEEN", String(MOST_BETWEEN_MS)),
      { hosts: ["127.0.0.1 localhost", ...hosts, ""].join("\n"), limitMs: 180_000 },
    );
    assert.equal(results.length, cases.length);
    const differing = results.filter((/** @type {any} */ { differ }) => differ);
    for (const { name, ours, driven, theirs } of differing) {
      const { text } = cases.find((it) => it.name === name) ?? {};
      const told = (/** @type {any} */ { outcome, ms }) => `${outcome} after ${ms} ms`;
      t.diagnostic(`${text}: ${told(ours)}, driven ${told(driven)}, fetch ${told(theirs)}`);
    }
    t.diagnostic(`${results.length} orders, ${differing.length} differ`);
    assert.deepEqual(differing, []);
    for (const { name, ours, driven } of results) {
      // Whether its driver has connected, only the native client can tell while it goes on.
      const why = ours.facts?.why?.replace("connecting to", "waiting for the answer of");
      const told = ours.outcome === "waits" ? { ...ours.facts, why, sent: true } : ours.facts;
      assert.deepEqual(driven.facts, told, name);
    }
  });
});
