// @ts-check
/** A name server that never answers: a lookup cannot be cancelled, and holds up nobody. B40 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ROOT, run } from "../support/process.mjs";

// A network and a resolv.conf of its own, in which port 53 of 127.0.0.1 takes everything and
// says nothing.
const ISOLATED = `
  ip link set lo up && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"`;
const isolates = () =>
  spawnSync("unshare", ["-mn", "sh", "-c", "ip link set lo up"], { stdio: "ignore" }).status === 0;

const SOURCE = `
  import { createSocket } from "node:dgram";
  import { createServer } from "node:http";
  import { Worker } from "node:worker_threads";
  import { createRemoteTokenIssuer } from "./index.mjs";
  const socket = createSocket("udp4").bind(53, "127.0.0.1");
  await new Promise((go) => socket.once("listening", go));
  socket.unref();
  const issue = createRemoteTokenIssuer({ url: "http://silent.example/", timeoutMs: 300 });
  const timed = async (call) => {
    const started = performance.now();
    const code = await call.then(({ token }) => token, ({ code }) => code);
    return { code, ms: performance.now() - started };
  };
  const say = (result) =>
    process.stdout.write(JSON.stringify({ ...result, at: Date.now() }));
`;

describe("a silent name server", {
  skip: isolates() ? false : "unshare and ip are not allowed here",
}, () => {
  /** @type {string} */
  let folder;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "key0-dns-"));
    writeFileSync(join(folder, "resolv.conf"), "nameserver 127.0.0.1\noptions timeout:30\n");
  });

  after(() => rmSync(folder, { recursive: true }));

  /** What the script says, and how long after that its process ended. @param {string} source */
  async function said(source) {
    const argv = ["-mn", "sh", "-c", ISOLATED, "sh", join(folder, "resolv.conf")];
    const node = [process.execPath, "--input-type=module", "--eval", SOURCE + source];
    const ended = await run("unshare", [...argv, ...node], { cwd: ROOT });
    const end = Date.now();
    assert.deepEqual([ended.code, ended.signal, ended.stderr], [0, null, ""]);
    const { at, ...result } = JSON.parse(ended.stdout);
    return { ...result, exit: end - at };
  }

  it("is a timeout at the call's deadline, and the process ends", async (t) => {
    const { code, ms, exit } = await said("say(await timed(issue({})));");
    t.diagnostic(`${ms.toFixed(0)} ms; the process was gone ${exit} ms later`);
    assert.equal(code, "TOKEN_ISSUE_TIMEOUT");
    assert.ok(ms >= 299 && ms < 1_500, `${ms} ms`);
    assert.ok(exit < 1_000, `${exit} ms`);
  });

  it("does not hold up process.exit with lookups under way", async () => {
    const { exit } = await said(`
      for (let i = 0; i < 50; i += 1) issue({}).catch(() => {});
      setTimeout(() => { say({}); process.exit(0); }, 100);`);
    assert.ok(exit < 1_000, `${exit} ms`);
  });

  it("does not hold up a worker that ends", async () => {
    const { ms, exit } = await said(`
      const worker = new Worker(\`
        import { parentPort } from "node:worker_threads";
        import { createRemoteTokenIssuer } from "./index.mjs";
        const issue = createRemoteTokenIssuer({ url: "http://silent.example/" });
        for (let i = 0; i < 50; i += 1) issue({}).catch(() => {});
        parentPort.postMessage("calling");\`, { eval: true });
      await new Promise((go) => worker.once("message", go));
      const started = performance.now();
      await worker.terminate();
      say({ ms: performance.now() - started });`);
    assert.ok(ms < 1_000 && exit < 1_000, `${ms} and ${exit} ms`);
  });

  it("does not hold up a call to another host beside 600 lookups", async () => {
    const { code, ms } = await said(`
      const server = createServer((_, response) => response.end('{"token":"t"}'));
      await new Promise((go) => server.listen(0, "127.0.0.1", go));
      const calls = Array.from({ length: 600 }, () => issue({}).catch(() => {}));
      await new Promise((go) => setTimeout(go, 50));
      const url = "http://127.0.0.1:" + server.address().port;
      const result = await timed(createRemoteTokenIssuer({ url })({}));
      await Promise.all(calls);
      server.close();
      server.closeAllConnections();
      say(result);`);
    assert.equal(code, "t");
    assert.ok(ms < 1_000, `${ms} ms`);
  });
});
