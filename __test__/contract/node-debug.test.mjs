// @ts-check
/** The lines that `NODE_DEBUG=key0` prints: each step as it happens, and no secret. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { gate } from "../support/gate.mjs";
import { endedWell, evaluation, ROOT, runScript } from "../support/process.mjs";
import { httpServer, reply } from "../support/server.mjs";

const skip = process.versions.deno || process.versions.bun ? "NODE_DEBUG is not read here" : false;
const env = { NODE_DEBUG: "key0" };

/** The beginning of each script, whose first arguments are the URLs of a backend and a token server. */
const BEGIN = `
  import { setTimeout as pause } from "node:timers/promises";
  import { createRemoteTokenIssuer, oauthClientCredentialsAuth } from "./index.mjs";
  import { MemoryStore } from "./__test__/support/token-cache.mjs";
  const [backend, tokenUrl] = process.argv.slice(1);
  const client = { tokenUrl, clientId: "client-1", clientSecret: "s3cr3t-of-the-client" };
  const oauth = (config) => oauthClientCredentialsAuth({ ...client, ...config });
  const failed = (call) => call.then(() => process.exit(1), () => {});
`;

/**
 * What a script prints whose backend and token server answer so, without numbers that differ.
 *
 * @param {any} t
 * @param {string} source
 * @param {{
 *   backend?: object | import("../support/server.mjs").Answer,
 *   token?: object | import("../support/server.mjs").Answer,
 *   name?: string,
 * }} [servers]
 */
async function printed(t, source, { backend: issued = ISSUED, token = TOKEN, name } = {}) {
  const backend = await httpServer(t, issued, { name });
  const idp = await httpServer(t, token);
  const args = [`${backend.url}?key=s3cr3t-of-the-url`, idp.url];
  const ended = await runScript(BEGIN + source, { args, env });
  endedWell(ended);
  assert.doesNotMatch(ended.stderr, /s3cr3t|client-1|Bearer|\?/);
  return ended.stderr
    .trim()
    .split("\n")
    .map((line) =>
      line
        .replace(/^KEY0 \d+: /, "")
        .replace(backend.origin, "BACKEND")
        .replace(idp.origin, "IDP")
        .replace(/[\d.]+ ms/g, "# ms")
        .replace(/until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, "until DATE")
        .replace(/resolved to [\d.:, a-f]+$/, "resolved to ADDRESSES"),
    );
}

const ISSUED = { token: "s3cr3t-issued" };
const TOKEN = { access_token: "s3cr3t-token", expires_in: 3600 };
const NEW = ["connected", "sent", "answered 200"];
/** @param {string} whom @param {string[]} steps */
const steps = (whom, ...steps) => steps.map((step) => `${whom} +# ms ${step}`);

describe("NODE_DEBUG=key0", { skip }, () => {
  it("prints a line a step, with the origin and milliseconds, and no secret", async (t) => {
    const source = `
      const issue = createRemoteTokenIssuer({ url: backend, secret: "s3cr3t-value" });
      await issue({});
      await issue({});
    `;
    assert.deepEqual(await printed(t, source, { name: "localhost" }), [
      "issue BACKEND begun",
      ...steps("issue BACKEND", "resolved to ADDRESSES", ...NEW),
      "issue BACKEND # ms done",
      "issue BACKEND begun",
      ...steps("issue BACKEND", "reused a connection", "sent", "answered 200"),
      "issue BACKEND # ms done",
    ]);
  });

  it("prints each line as it happens: of a call that hangs, what it waits for", async (t) => {
    const release = gate();
    const { url } = await httpServer(t, async (_, response) => {
      await release.opened;
      reply(response);
    });
    const source = `${BEGIN} await createRemoteTokenIssuer({ url: backend })({});`;
    const child = spawn(process.execPath, evaluation(source, [url]), {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    t.after(() => child.kill());
    for await (const line of createInterface(child.stderr)) {
      // Nothing is answered before the line is here.
      if (/ sent$/.test(line)) release.open();
    }
    const [code] = child.exitCode === null ? await once(child, "exit") : [child.exitCode];
    assert.equal(code, 0);
  });

  it("tells of a fetch that sends", async (t) => {
    const source = "await createRemoteTokenIssuer({ url: backend, fetch })({});";
    assert.deepEqual(await printed(t, source), [
      "issue BACKEND begun",
      ...steps("issue BACKEND", "sent by fetch", "answered 200"),
      "issue BACKEND # ms done",
    ]);
  });

  it("tells who waits for a token, who asks for it, and until when it is kept", async (t) => {
    const source = `
      const auth = oauth({ clientSecret: async () => "s3cr3t-of-the-vault" });
      await Promise.all([auth(), auth()]);
      await auth();
    `;
    const lines = await printed(t, source);
    assert.deepEqual(
      lines.sort(),
      [
        ...steps("token IDP", ...NEW, "asks for clientSecret", "cached until DATE"),
        "token IDP +# ms waits for the load of another call",
        ...["# ms done", "# ms done", "# ms done (cached)", "begun", "begun", "begun"].map(
          (end) => `token IDP ${end}`,
        ),
      ].sort(),
    );
  });

  it("tells of a token that a backend rejects, and of the other one", async (t) => {
    let last = 0;
    const backend = (/** @type {any} */ _, /** @type {any} */ response) =>
      ++last === 1 ? reply(response, "", 401) : reply(response);
    const source = "await createRemoteTokenIssuer({ url: backend, auth: oauth() })({});";
    assert.deepEqual(await printed(t, source, { backend }), [
      "issue BACKEND begun",
      "token IDP begun",
      ...steps("token IDP", ...NEW, "cached until DATE"),
      "token IDP # ms done",
      ...steps("issue BACKEND", "connected", "sent", "answered 401"),
      "issue BACKEND +# ms rejected the token, another one is asked for",
      "token IDP begun",
      ...steps("token IDP", "reused a connection", "sent", "answered 200", "cached until DATE"),
      "token IDP # ms done",
      ...steps("issue BACKEND", "reused a connection", "sent", "answered 200"),
      "issue BACKEND # ms done",
    ]);
  });

  for (const [lifetime, kept] of /** @type {[number, string][]} */ ([
    [10, "not cached, it ends too soon"],
    [2 ** 60, "cached without an end"],
    [1e14, "cached until DATE"],
  ])) {
    it(`says of a token that lives ${lifetime} s that it is ${kept}`, async (t) => {
      const token = { ...TOKEN, expires_in: lifetime };
      assert.deepEqual(await printed(t, "await oauth()();", { token }), [
        "token IDP begun",
        ...steps("token IDP", ...NEW, kept),
        "token IDP # ms done",
      ]);
    });
  }

  it("tells of the shared cache: a token in it, a lock, a failure", async (t) => {
    const source = `
      const cache = new MemoryStore();
      const lock = cache.lock.bind(cache);
      let locked = 0;
      cache.lock = (...of) => (++locked === 1 ? false : lock(...of));
      await oauth({ cache })();
      // What is stored then is behind the call.
      while (cache.values.size === 0) await pause(1);
      await oauth({ cache })();
      cache.get = () => Promise.reject(new Error("s3cr3t of the store"));
      await oauth({ cache })();
    `;
    assert.deepEqual(await printed(t, source), [
      "token IDP begun",
      "token IDP +# ms waits for another process, which fetches it",
      ...steps("token IDP", ...NEW, "cached until DATE"),
      "token IDP # ms done",
      "token IDP begun",
      ...steps("token IDP", "found in the shared cache", "cached until DATE"),
      "token IDP # ms done",
      "token IDP begun",
      "token IDP +# ms the shared cache failed at get",
      ...steps("token IDP", "reused a connection", "sent", "answered 200", "cached until DATE"),
      "token IDP # ms done",
    ]);
  });

  it("tells of attempts and of the pauses between them", async (t) => {
    const source = `
      const retry = { attempts: 2, minDelayMs: 1, maxDelayMs: 1 };
      await failed(oauth({ retry })());
    `;
    const token = (/** @type {any} */ _, /** @type {any} */ response) => reply(response, "", 503);
    assert.deepEqual(await printed(t, source, { token }), [
      "token IDP begun",
      ...steps("token IDP", "connected", "sent", "answered 503", "is asked again after # ms"),
      ...steps("token IDP", "reused a connection", "sent", "answered 503"),
      "token IDP # ms failed: INTERNAL_ERROR",
    ]);
  });

  it("tells that nobody is asked during a cool-down", async (t) => {
    const source = `
      const auth = oauth({ coolDownMs: 60_000 });
      await failed(auth());
      await failed(auth());
    `;
    const token = (/** @type {any} */ _, /** @type {any} */ response) => reply(response, "", 429);
    const lines = await printed(t, source, { token });
    assert.deepEqual(lines.slice(-3), [
      "token IDP begun",
      "token IDP +# ms failed just before, and is not asked again yet",
      "token IDP # ms failed: INTERNAL_ERROR",
    ]);
  });

  it("tells of a token that is replaced in the background", async (t) => {
    const source = `
      const auth = oauth({ refreshAhead: 600 });
      await auth();
      const { now } = Date;
      Date.now = () => now() + 3_500_000;
      const { Authorization } = await auth();
      while ((await auth()).Authorization === Authorization) await pause(1);
      // What goes on in the background holds up no process. Its lines come before a later call's.
      await createRemoteTokenIssuer({ url: backend })({});
    `;
    let last = 0;
    const token = (/** @type {any} */ _, /** @type {any} */ response) =>
      reply(response, { access_token: `s3cr3t-${++last}`, expires_in: 3600 });
    const lines = await printed(t, source, { token });
    const background = lines.filter((line) => /^token .* \+# ms /.test(line)).slice(4);
    assert.deepEqual(background, [
      "token IDP +# ms is due, and replaced in the background",
      ...steps("token IDP", "reused a connection", "sent", "answered 200", "cached until DATE"),
    ]);
  });

  it("holds up no process and no worker that ends in the middle of a call", async (t) => {
    const silent = await httpServer(t, () => {});
    const source = `
      import { Worker } from "node:worker_threads";
      const worker = new Worker(\`
        const { createRemoteTokenIssuer } = require("./index.js");
        const { parentPort, workerData } = require("node:worker_threads");
        const issue = createRemoteTokenIssuer({ url: workerData });
        for (let i = 0; i < 20; i += 1) issue({}).catch(() => {});
        parentPort.postMessage("calling");\`,
        { eval: true, execArgv: [], workerData: process.argv[1] });
      await new Promise((go) => worker.once("message", go));
      await worker.terminate();
      const { createRemoteTokenIssuer } = await import("./index.mjs");
      createRemoteTokenIssuer({ url: process.argv[1], timeoutMs: 100 })({}).catch(() => {});
    `;
    const ended = await runScript(source, { args: [silent.url], env });
    endedWell(ended);
    assert.match(ended.stderr, /failed: TOKEN_ISSUE_TIMEOUT\n$/);
  });

  it("lets what prints a line load the package anew", async (t) => {
    const lines = await printed(
      t,
      `
      import { createRequire } from "node:module";
      const require = createRequire(process.cwd() + "/");
      const write = process.stderr.write.bind(process.stderr);
      let anew;
      process.stderr.write = (text, ...rest) => {
        if (text.includes("sent")) {
          for (const file of Object.keys(require.cache)) delete require.cache[file];
          anew ??= require("./index.js").createRemoteTokenIssuer({ url: backend });
        }
        return write(text, ...rest);
      };
      await createRemoteTokenIssuer({ url: backend })({});
      await anew({});`,
    );
    assert.deepEqual(lines.slice(-4), [
      ...steps("issue BACKEND", "reused a connection", "sent", "answered 200"),
      "issue BACKEND # ms done",
    ]);
  });
});
