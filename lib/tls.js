// @ts-check
"use strict";

/**
 * What says whom TLS trusts: the environment, and the `tls` option. Where that, or a part of it, is
 * a function, it is read again at each call.
 *
 * @typedef {{ ca?: unknown, cert?: unknown, key?: unknown, passphrase?: unknown }} Parts
 * @typedef {{ setTls(tls: object, nowMs: number): undefined | import("../binding").ErrorRecord }} Handle
 */

const { isRecord, nameAndMessage, readable } = require("./errors.js");

const NAMES = /** @type {const} */ (["ca", "cert", "key", "passphrase"]);

/**
 * What the border reads, and what is called before each call of `handle`.
 * @param {any} option
 */
function tlsOption(option) {
  /** @type {Parts} */
  let last = {};
  let changes = false;
  /** @returns {unknown} */
  const read = () => {
    const given = called("tls", option);
    if (typeof given !== "object" || given === null) return given;
    const parts = Object.create(null);
    for (const name of NAMES) {
      const field = `tls.${name}`;
      const part = readable(field, () => given[name]);
      const value = called(field, part);
      parts[name] = readable(field, () => pem(value));
    }
    return parts;
  };
  /** @param {string} field @param {any} value */
  const called = (field, value) => {
    if (typeof value !== "function") return value;
    changes = true;
    const given = readable(field, () => value());
    // A promise is refused. That it rejects, too, nobody else will hear of.
    if (require("node:util").types.isPromise(given)) given.catch(() => {});
    return given;
  };
  const parts = read();
  if (!changes) return { parts, renew: undefined };
  last = /** @type {Parts} */ (parts);
  /** The last problem that was warned of. @type {unknown} */
  let warned;
  /** @param {Handle} handle */
  const renew = (handle) => {
    let problem;
    try {
      const now = /** @type {Parts} */ (read());
      if (NAMES.every((name) => now?.[name] === last?.[name])) return;
      const outcome = handle.setTls(Object(now), Date.now());
      if (isRecord(outcome)) problem = outcome.message;
      else last = now;
    } catch (error) {
      [, problem] = nameAndMessage(error);
    }
    // A file that is just being written: what was read before still opens doors.
    if (problem !== undefined && problem !== warned) process.emitWarning(`${problem} ${STAYS}`);
    warned = problem;
  };
  return { parts, renew };
}

/** Text as it is, bytes as text, a list joined; anything else is for the border to refuse. @param {any} value @returns {unknown} */
function pem(value) {
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteOffset, byteLength } = value;
    return Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
  }
  if (!Array.isArray(value)) return value;
  const texts = value.map(pem);
  return texts.every((text) => typeof text === "string") ? texts.join("\n") : value;
}

/**
 * The environment variables that choose trusted CAs, if any is set: a worker's `process.env` is its
 * own.
 */
function environment() {
  const file = variable("SSL_CERT_FILE");
  const folder = variable("SSL_CERT_DIR");
  const extra = variable("NODE_EXTRA_CA_CERTS");
  const verified = variable("NODE_TLS_REJECT_UNAUTHORIZED");
  const none = file === undefined && folder === undefined && extra === undefined;
  return none && verified === undefined ? undefined : [file, folder, extra, verified];
}

/** One that is set, not one that somebody put on `Object.prototype`. @param {string} name */
function variable(name) {
  const { env } = process;
  const value = env[name];
  return typeof value === "string" && Object.hasOwn(env, name) ? value : undefined;
}

const STAYS = "(what was read before stays in use)";

module.exports = { environment, tlsOption, variable };
