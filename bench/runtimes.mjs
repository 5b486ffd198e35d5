// @ts-check
// The runtimes of the bench, and how each side is started in them.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { installed, musl, runtime } from "../scripts/tools.mjs";

/** @typedef {"node-20" | "node-26" | "bun" | "bun-musl"} Name */
/**
 * @typedef {object} Runtime
 * @property {string} title with its version
 * @property {string[]} command
 * @property {NodeJS.ProcessEnv} env
 * @property {string} fetch what is behind its `fetch`
 */

export const NAMES = /** @type {Name[]} */ (["node-20", "node-26", "bun", "bun-musl"]);

/** Exactly these, so that figures of two runs are of the same code. */
export const PEERS = {
  "@node-rs/jsonwebtoken": "0.5.11",
  "fast-jwt": "6.3.6",
  jose: "6.2.18",
  jsonwebtoken: "9.0.3",
  "openid-client": "6.9.0",
  undici: "8.13.1",
  // Node 20 is too old for 8.
  "undici-7": "npm:undici@7.30.2",
};

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MUSL_BINARY = `${ROOT}npm/linux-x64-musl/key0-native.linux-x64-musl.node`;
const RUST = `${ROOT}target/peers/release/`;

/** Where the peers from npm are. */
export const peersFolder = () => installed("bench-peers", PEERS);

/** The runtime, or why there is none. @param {Name} name @returns {Runtime | string} */
export function runtimeOf(name) {
  try {
    if (name !== "bun-musl") return described([runtime(name)], {});
    if (!existsSync(MUSL_BINARY)) {
      return "no musl binary: npm run build:platform -- --target x86_64-unknown-linux-musl";
    }
    return described(musl().bun, { NAPI_RS_NATIVE_LIBRARY_PATH: MUSL_BINARY }, " of musl");
  } catch (error) {
    return String(/** @type {any} */ (error).message).split("\n")[0];
  }
}

/** @param {string[]} command @param {NodeJS.ProcessEnv} env @returns {Runtime} */
function described([program, ...args], env, suffix = "") {
  const script = "console.log(JSON.stringify(process.versions))";
  const said = execFileSync(program, [...args, "-e", script], { encoding: "utf8" });
  const { bun, node, undici } = JSON.parse(said);
  const title = bun ? `Bun ${bun}${suffix}` : `Node ${node}`;
  const fetch = bun ? "Bun's own" : `undici ${undici}`;
  const flags = bun ? [] : ["--expose-gc"];
  return { title, command: [program, ...args, ...flags], env, fetch };
}

/** The server and the sides in Rust, built. @returns {{ server: string, side: string }} */
export function rust() {
  const manifest = `${ROOT}bench/peers/Cargo.toml`;
  const args = ["build", "--release", "--quiet", "--manifest-path", manifest];
  // From there, for the settings beside it.
  execFileSync("cargo", args, { cwd: `${ROOT}bench/peers`, stdio: "inherit" });
  return { server: `${RUST}server`, side: `${RUST}side` };
}

/** What a side is, with versions. @param {string} side @param {Runtime} runtime */
export function labelOf(side, { title, fetch }) {
  const isOld = title.startsWith("Node 20");
  const undici = isOld ? PEERS["undici-7"].replace("npm:undici@", "") : PEERS.undici;
  /** @type {Record<string, string>} */
  const labels = {
    addon: "the addon",
    closure: "a plain async closure",
    "n-api": "one N-API call",
    fetch: `fetch (${fetch})`,
    "bun:fetch": "fetch of Bun, beside it",
    undici: `undici ${undici}, default Agent`,
    "undici-64": `undici ${undici}, Agent({ connections: 64 })`,
    "openid-client": `openid-client ${PEERS["openid-client"]}`,
    jose: `jose ${PEERS.jose}`,
    crypto: "node:crypto by hand",
    "fast-jwt": `fast-jwt ${PEERS["fast-jwt"]}`,
    jsonwebtoken: `jsonwebtoken ${PEERS.jsonwebtoken}`,
    "node-rs": `@node-rs/jsonwebtoken ${PEERS["@node-rs/jsonwebtoken"]}`,
    "rust:core": "Rust: the core alone",
    "rust:reqwest": "Rust: reqwest",
    "rust:legacy": "Rust: hyper-util's legacy::Client",
    "rust:jsonwebtoken": "Rust: jsonwebtoken",
    "rust:aws-lc": "Rust: aws-lc's primitive alone",
  };
  return labels[side] ?? side;
}
