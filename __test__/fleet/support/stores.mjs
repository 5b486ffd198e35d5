// @ts-check
/** Redis and PostgreSQL as Debian packs them: on 127.0.0.1, a free port, a data folder of their own. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installed } from "../../../scripts/tools.mjs";

/** The folder with the clients and Keyv's stores. */
export const CLIENTS = installed("token-stores", {
  ioredis: "6.0.0",
  redis: "6.3.1",
  keyv: "5.6.0",
  "@keyv/redis": "5.1.6",
  "@keyv/postgres": "2.2.3",
});

/** @typedef {import("../../support/server.mjs").Test} Test */

/**
 * A Redis that can be stopped and started again on its port.
 *
 * @param {Test} t
 * @param {string[]} [more] of its arguments
 */
export async function redisServer(t, more = []) {
  const folder = mkdtempSync(join(tmpdir(), "key0-redis-"));
  const port = await freePort();
  /** @type {import("node:child_process").ChildProcess | undefined} */
  let child;
  const start = async () => {
    const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
    child = spawn("redis-server", [...args, ...more], { stdio: "ignore" });
    await reachable(port);
  };
  const stop = async () => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  };
  t.after(async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await start();
  /** One command, by Redis's own client. @param {string[]} command */
  const cli = (...command) => {
    const args = ["-h", "127.0.0.1", "-p", `${port}`, ...command];
    return spawnSync("redis-cli", args, { encoding: "utf8" }).stdout.trim();
  };
  return { url: `redis://127.0.0.1:${port}`, port, start, stop, cli };
}

/** Two nodes of a Redis cluster, each with half of its slots. @param {Test} t */
export async function redisCluster(t) {
  const more = ["--cluster-enabled", "yes"];
  const nodes = [await redisServer(t, more), await redisServer(t, more)];
  nodes[0].cli("CLUSTER", "ADDSLOTSRANGE", "0", "8191");
  nodes[1].cli("CLUSTER", "ADDSLOTSRANGE", "8192", "16383");
  nodes[1].cli("CLUSTER", "SET-CONFIG-EPOCH", "2");
  nodes[0].cli("CLUSTER", "MEET", "127.0.0.1", `${nodes[1].port}`);
  const isReady = (/** @type {typeof nodes[0]} */ { cli }) =>
    /cluster_state:ok/.test(cli("CLUSTER", "INFO"));
  while (!nodes.every(isReady)) await new Promise((resolve) => setTimeout(resolve, 50));
  return nodes;
}

/**
 * A PostgreSQL, started as nobody where this is root, whom it refuses.
 *
 * @param {Test} t
 */
export async function postgresServer(t) {
  const folder = mkdtempSync(join(tmpdir(), "key0-postgres-"));
  const port = await freePort();
  const isRoot = process.getuid?.() === 0;
  const user = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
  if (isRoot) chownSync(folder, NOBODY, NOBODY);
  const [programs] = readdirSync("/usr/lib/postgresql").map((version) =>
    join("/usr/lib/postgresql", version, "bin"),
  );
  const options = { ...user, cwd: folder, encoding: /** @type {const} */ ("utf8") };
  const data = join(folder, "data");
  const made = spawnSync(
    join(programs, "initdb"),
    ["-D", data, "-U", "key0", "-A", "trust", "--no-sync", "--locale=C"],
    options,
  );
  if (made.status !== 0) throw new Error(made.stderr);
  const settings = [`port=${port}`, "listen_addresses=127.0.0.1", `unix_socket_directories=`];
  const child = spawn(
    join(programs, "postgres"),
    ["-D", data, "-F", ...settings.flatMap((setting) => ["-c", setting])],
    { ...options, stdio: "ignore" },
  );
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    // Its connections are ended, not waited for.
    child.kill("SIGINT");
    await once(child, "exit");
  };
  t.after(async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await reachable(port);
  return { url: `postgresql://key0@127.0.0.1:${port}/postgres`, stop };
}

const NOBODY = 65_534;

/** Settles when something listens on `port`. @param {number} port */
async function reachable(port) {
  for (;;) {
    const socket = net.connect(port, "127.0.0.1");
    const isThere = await new Promise((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A port on which nothing listens. */
async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}
