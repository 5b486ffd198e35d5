// @ts-check
/**
 * A program of an app that has installed the package: workers load it one after the other, each the
 * only thread that has it, and the main thread after them. The allocator of musl's binary is another.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { isMainThread, parentPort, Worker } from "node:worker_threads";

async function work() {
  const { AccessTokenIssuer, signedJwtAuth } = await import("@key0ai/native");
  const issuer = new AccessTokenIssuer("s".repeat(32));
  const { Authorization: header } = await signedJwtAuth(issuer, "https://backend.example")();
  assert.match(header, /^Bearer ey/);
}

if (isMainThread) {
  for (let i = 0; i < 3; i += 1) {
    const worker = new Worker(new URL(import.meta.url));
    const ended = once(worker, "exit");
    assert.deepEqual(await once(worker, "message"), ["done"]);
    assert.deepEqual(await ended, [0]);
  }
  await work();
  console.log("all as it must be");
} else {
  await work();
  parentPort?.postMessage("done");
}
