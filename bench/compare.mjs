// @ts-check
// Side by side with what the SDK does: both sides in turn in one process, five rounds, the median
// of the ratios. `npm run bench`, on a release build; absolute figures are this machine's own.

import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { jwtVerify, SignJWT } from "jose";
import {
  AccessTokenIssuer,
  createRemoteTokenIssuer,
  noAuth,
  signedJwtAuth,
  validateKey0Token,
} from "../index.mjs";

const ROUNDS = 5;
const SECRET = "a secret of thirty-two characters";
const KEY = new TextEncoder().encode(SECRET);
const CLAIMS = { sub: "key0-service", resourceId: "b", planId: "system", txHash: "system-auth" };
const PAYMENT = { requestId: "r", challengeId: "c", resourceId: "p", planId: "b", txHash: "0x1" };

/** @type {[work: string, other: string, calls: number, atOnce: number, ours: Call, theirs: Call][]} */
const rows = [];
/** @typedef {() => Promise<unknown>} Call */

const header = signedJwtAuth(new AccessTokenIssuer(SECRET), "b", 3600);
const joseHeader = async () => {
  const jwt = new SignJWT({ ...CLAIMS, jti: randomUUID() }).setProtectedHeader({ alg: "HS256" });
  const token = await jwt.setIssuedAt().setExpirationTime("1h").sign(KEY);
  return { Authorization: `Bearer ${token}` };
};
rows.push(["HS256 header", "jose", 20_000, 1, header, joseHeader]);

const { Authorization } = await header();
const token = Authorization.slice("Bearer ".length);
rows.push([
  "HS256 verify",
  "jose",
  20_000,
  1,
  () => validateKey0Token(Authorization, { secret: SECRET }),
  () => jwtVerify(token, KEY, { algorithms: ["HS256"] }),
]);

const backend = fork(fileURLToPath(new URL("./backend.mjs", import.meta.url)));
const [port] = await once(backend, "message");
const url = `http://127.0.0.1:${port}/`;
const issue = createRemoteTokenIssuer({ url, auth: noAuth() });
const fetched = async () => {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(PAYMENT),
    signal: AbortSignal.timeout(10_000),
  });
  const { token, tokenType = "Bearer" } = /** @type {any} */ (await response.json());
  return { token, tokenType };
};
rows.push(["issue, 64 at a time", "fetch", 6_400, 64, () => issue(PAYMENT), fetched]);
rows.push(["issue, one at a time", "fetch", 1_000, 1, () => issue(PAYMENT), fetched]);

for (const [work, other, calls, atOnce, ours, theirs] of rows) {
  const samples = /** @type {Awaited<ReturnType<typeof measured>>[][]} */ ([]);
  for (let round = 0; round <= ROUNDS; round++) {
    const sample = [await measured(ours, calls, atOnce), await measured(theirs, calls, atOnce)];
    // The first warms up.
    if (round > 0) samples.push(sample);
  }
  const median = (/** @type {number[]} */ values) => values.sort((a, b) => a - b)[ROUNDS >> 1];
  const rate = (/** @type {number} */ side) => median(samples.map((s) => s[side].rate));
  const ratio = median(samples.map(([a, b]) => a.rate / b.rate));
  const cpu = median(samples.map(([a, b]) => b.cpu / a.cpu));
  console.log(
    `${work.padEnd(22)} ${rate(0).toFixed(0).padStart(8)}/s against ${rate(1)
      .toFixed(0)
      .padStart(7)}/s (${other}): ${ratio.toFixed(1)} times the rate, 1/${cpu.toFixed(1)} the CPU`,
  );
}
backend.disconnect();

/**
 * @param {Call} call
 * @param {number} calls
 * @param {number} atOnce
 */
async function measured(call, calls, atOnce) {
  const [cpu, begun] = [process.cpuUsage(), process.hrtime.bigint()];
  let left = calls;
  const lane = async () => {
    while (left-- > 0) await call();
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  const { user, system } = process.cpuUsage(cpu);
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  return { rate: calls / seconds, cpu: (user + system) / calls };
}
