// @ts-check
// How many connections a steady load makes, beside the runtime's own `fetch`: over http and https,
// with no delay and with 10 ms each way, and in a burst of 256 after a quiet minute (`--quiet`).
// `node bench/connections.mjs`, `bun bench/connections.mjs`, on a release build.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { certificate } from "./certificate.mjs";

const CALLS = 20_000;
const DELAYED_CALLS = 6_400;
const AT_ONCE = [1, 8, 64, 256];
const PAYMENT = { requestId: "r", challengeId: "c", resourceId: "p", planId: "b", txHash: "0x1" };

const folder = mkdtempSync(join(tmpdir(), "key0-bench-"));
const { key, cert } = certificate(folder);
// Bun reads its certificates when it starts: so it is started again.
if (!process.env.NODE_EXTRA_CA_CERTS?.endsWith(".bench.pem")) {
  const file = join(folder, "ca.bench.pem");
  copyFileSync(cert, file);
  copyFileSync(key, `${file}.key`);
  const child = spawn(process.execPath, process.argv.slice(1), {
    stdio: "inherit",
    env: { ...process.env, NODE_EXTRA_CA_CERTS: file },
  });
  const [code] = await once(child, "exit");
  rmSync(folder, { recursive: true });
  process.exit(code);
}
rmSync(folder, { recursive: true });
const ca = process.env.NODE_EXTRA_CA_CERTS;

const { createRemoteTokenIssuer } = await import("../index.mjs");

/** @param {string} url */
const ours = (url) => {
  const issue = createRemoteTokenIssuer({ url, timeoutMs: 60_000 });
  return () => issue(PAYMENT);
};
/** @param {string} url */
const theirs = (url) => async () => {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(PAYMENT),
  });
  return response.json();
};
const SIDES = /** @type {const} */ ([
  ["addon", ours],
  ["fetch", theirs],
]);

const runtime = process.versions.bun ? `Bun ${process.versions.bun}` : `Node ${process.version}`;
console.log(runtime);
console.log("scheme  delay  at once  side   connections  handshakes  µs CPU an issue  a second");
for (const scheme of ["http", "https"]) {
  const tls = scheme === "https" ? [`${ca}.key`, ca] : [];
  const server = spawn(
    "node",
    [fileURLToPath(new URL("connections-server.mjs", import.meta.url)), "10", ...tls],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const [line] = await once(createInterface(server.stdout), "line");
  const [direct, delayed, control] = JSON.parse(line);
  /** @returns {Promise<any>} */
  const counted = async () => (await fetch(`http://127.0.0.1:${control}/`)).json();
  for (const [port, delay, calls] of [
    [direct, 0, CALLS],
    [delayed, 10, DELAYED_CALLS],
  ]) {
    for (const atOnce of delay ? [64, 256] : AT_ONCE) {
      for (const [name, side] of SIDES) {
        const call = side(`${scheme}://127.0.0.1:${port}/`);
        await counted();
        const { cpu, rate } = await load(call, calls, atOnce);
        await row(scheme, delay, String(atOnce), name, counted, cpu, rate);
        // Longer than either side keeps a connection that is idle.
        await after(5_500);
      }
    }
  }
  if (process.argv.includes("--quiet")) {
    for (const [name, side] of SIDES) {
      const call = side(`${scheme}://127.0.0.1:${direct}/`);
      await load(call, 256, 256);
      await after(61_000);
      await counted();
      const { cpu, rate } = await load(call, 256, 256);
      await row(scheme, 0, "burst", name, counted, cpu, rate);
    }
  }
  server.stdin.end();
  await once(server, "exit");
}

/**
 * @param {string} scheme
 * @param {number} delay
 * @param {string} atOnce
 * @param {string} name
 * @param {() => Promise<{ made: number, secured: number }>} counted
 * @param {number} cpu
 * @param {number} rate
 */
async function row(scheme, delay, atOnce, name, counted, cpu, rate) {
  const { made, secured } = await counted();
  const cells = [scheme.padEnd(6), delay, atOnce, name, made, secured, cpu.toFixed(1)];
  const widths = [6, 6, 8, 6, 12, 11, 16];
  const text = cells.map((cell, i) => String(cell).padStart(widths[i])).join(" ");
  console.log(`${text} ${rate.toFixed(0).padStart(9)}`);
}

/**
 * @param {() => Promise<unknown>} call
 * @param {number} calls
 * @param {number} atOnce
 */
async function load(call, calls, atOnce) {
  const [cpu, begun] = [process.cpuUsage(), performance.now()];
  let left = calls;
  const lane = async () => {
    while (left-- > 0) await call();
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  const { user, system } = process.cpuUsage(cpu);
  return { cpu: (user + system) / calls, rate: (calls / (performance.now() - begun)) * 1000 };
}
