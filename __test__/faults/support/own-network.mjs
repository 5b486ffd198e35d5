// @ts-check
/** Scripts in a network of their own: with its own loopback, name server and hosts. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { evaluation, ROOT, run } from "../../support/process.mjs";

const SETUP = `
  ip link set lo up && mount --bind "$1/resolv.conf" /etc/resolv.conf &&
  mount --bind "$1/hosts" /etc/hosts && shift && exec "$@"`;

// As root, or as one who may be root of his own.
const unshare = ["-mn", "-rmn"].find(
  (flags) => spawnSync("unshare", [flags, "ip", "link", "set", "lo", "up"]).status === 0,
);

/** Why tests of names cannot run here; on a machine of CI they fail then. */
export const skip = unshare || process.env.CI ? false : "unshare and ip are not allowed here";

/**
 * What the script prints as JSON, read, when it ends well and says nothing on stderr.
 *
 * @param {string} source an ES module, run in the package's folder
 * @param {{ resolvConf?: string, hosts?: string, limitMs?: number }} [network]
 */
export async function inOwnNetwork(
  source,
  { resolvConf = "nameserver 127.0.0.1\n", hosts = "127.0.0.1 localhost\n", limitMs } = {},
) {
  const folder = mkdtempSync(join(tmpdir(), "key0-network-"));
  try {
    writeFileSync(join(folder, "resolv.conf"), resolvConf);
    writeFileSync(join(folder, "hosts"), hosts);
    const argv = [unshare ?? "-mn", "sh", "-c", SETUP, "sh", folder];
    const node = [process.execPath, ...evaluation(source)];
    const { code, signal, stdout, stderr } = await run("unshare", [...argv, ...node], {
      cwd: ROOT,
      ...(limitMs ? { limitMs } : {}),
    });
    const end = Date.now();
    assert.deepEqual([code, signal, stderr], [0, null, ""]);
    return { ...JSON.parse(stdout), end };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
