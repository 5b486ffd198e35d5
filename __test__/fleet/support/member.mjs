// @ts-check
/**
 * A process of a fleet. It is told what to do by messages, `{ id, calls }` or `{ id, until }`, and
 * answers `{ id, tokens, failures }`: the different tokens it got, and why calls failed.
 */
import diagnostics from "node:diagnostics_channel";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { oauthClientCredentialsAuth, redisTokenCache } from "../../../index.mjs";
import { cacheOf } from "./caches.mjs";

const { store, folder, config, tlsFolder } = JSON.parse(process.argv[2]);
if (tlsFolder) {
  const read = (/** @type {string} */ name) => readFileSync(join(tlsFolder, name));
  // Looked at before each call, as files that are replaced are.
  config.tls = { ca: read("ca"), cert: () => read("cert"), key: () => read("key") };
}
const cache = await cacheOf(createRequire(join(folder, "here.cjs")), store, redisTokenCache);
const auth = oauthClientCredentialsAuth({ ...config, cache });
const send = /** @type {NonNullable<typeof process.send>} */ (process.send).bind(process);

let storeFailures = 0;
diagnostics.subscribe("key0:cache:error", () => {
  storeFailures += 1;
});

/** @type {Set<string>} */
const tokens = new Set();
/** @type {string[]} */
const failures = [];
let done = 0;

async function call() {
  try {
    const { Authorization } = await auth();
    tokens.add(Authorization);
  } catch (error) {
    failures.push(/** @type {Error} */ (error).message);
  }
  done += 1;
}

process.on("message", async (/** @type {any} */ { id, calls, until }) => {
  if (calls) await Promise.all(Array.from({ length: calls }, call));
  while (until && Date.now() < until) {
    await Promise.all(Array.from({ length: 20 }, call));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  send({ id, tokens: [...tokens], failures, done, storeFailures });
});
// Its owner is gone.
process.on("disconnect", () => process.exit());
// Connected before anybody counts.
await cache?.get("warm");
send({ ready: true });
