// @ts-check
/** Processes that share a store. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { CLIENTS } from "./stores.mjs";

const MEMBER = fileURLToPath(new URL("member.mjs", import.meta.url));

/**
 * @typedef {object} Done
 * @property {string[]} tokens
 * @property {string[]} failures
 * @property {number} done
 * @property {number} storeFailures
 *
 * @typedef {object} Member
 * @property {(calls: number) => Promise<Done>} calls So many at once.
 * @property {(ms: number) => Promise<Done>} load Calls for so long.
 * @property {() => void} kill By SIGKILL.
 */

/**
 * So many of them, ready to call.
 *
 * @param {import("../../support/server.mjs").Test} t
 * @param {number} size
 * @param {{ kind: string, url: string } | undefined} store
 * @param {Record<string, unknown>} config of the provider
 * @param {string} [tlsFolder] where the files `ca`, `cert` and `key` of its `tls` are
 * @returns {Promise<Member[]>}
 */
export function fleet(t, size, store, config, tlsFolder) {
  return Promise.all(Array.from({ length: size }, () => member(t, store, config, tlsFolder)));
}

/**
 * @param {import("../../support/server.mjs").Test} t
 * @param {{ kind: string, url: string } | undefined} store
 * @param {Record<string, unknown>} config
 * @param {string} [tlsFolder]
 * @returns {Promise<Member>}
 */
async function member(t, store, config, tlsFolder) {
  const child = fork(MEMBER, [JSON.stringify({ store, folder: CLIENTS, config, tlsFolder })]);
  t.after(() => child.kill("SIGKILL"));
  let last = 0;
  /** @type {Map<number, (done: Done) => void>} */
  const waiting = new Map();
  await new Promise((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`a member ended with ${code}`)));
    child.on("message", (/** @type {any} */ message) => {
      if (message.ready) resolve(undefined);
      else waiting.get(message.id)?.(message);
    });
  });
  /** @param {object} what @returns {Promise<Done>} */
  const tell = (what) =>
    new Promise((resolve) => {
      last += 1;
      waiting.set(last, resolve);
      child.send({ id: last, ...what });
    });
  return {
    calls: (calls) => tell({ calls }),
    load: (ms) => tell({ until: Date.now() + ms }),
    kill: () => void child.kill("SIGKILL"),
  };
}
