// @ts-check
// How long servers take to shut down beside connections that were begun and not used, of the addon
// and of `fetch`: Node's https server, nginx and gunicorn, each over TLS. `node bench/shut-down.mjs`
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { createRemoteTokenIssuer } from "../index.mjs";
import { certificate } from "./certificate.mjs";

const folder = mkdtempSync(join(tmpdir(), "key0-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true }));
const { key, cert } = certificate(folder);
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
process.removeAllListeners("warning");

const venv = join(folder, "venv");
execFileSync("python3", ["-m", "venv", venv]);
execFileSync(join(venv, "bin/pip"), ["install", "-q", "gunicorn"]);
writeFileSync(
  join(folder, "app.py"),
  `def app(environ, start_response):
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "13")])
    return [b'{"token":"t"}']
`,
);
writeFileSync(
  join(folder, "server.mjs"),
  `import { readFileSync } from "node:fs";
  import { createServer } from "node:https";
  const [port, key, cert] = process.argv.slice(2);
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
    request.resume().on("end", () => response.end('{"token":"t"}'));
  }).listen(+port, "127.0.0.1");
  process.on("SIGTERM", () => server.close(() => process.exit()));`,
);
const nginxConf = (/** @type {number} */ port) => `daemon off; pid nginx.pid; error_log stderr crit;
  events {}
  http {
    access_log off;
    ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((it) => `${it}_temp_path ${it};`).join(" ")}
    server {
      listen 127.0.0.1:${port} ssl; ssl_certificate ${cert}; ssl_certificate_key ${key};
      location / { return 200 '{"token":"t"}'; }
    }
  }`;

/** @type {Record<string, (port: number) => [command: string, args: string[], signal: NodeJS.Signals]>} */
const SERVERS = {
  node: (port) => ["node", [join(folder, "server.mjs"), String(port), key, cert], "SIGTERM"],
  nginx: (port) => {
    writeFileSync(join(folder, "nginx.conf"), nginxConf(port));
    return ["nginx", ["-p", folder, "-c", "nginx.conf"], "SIGQUIT"];
  },
  "gunicorn, sync": (port) => gunicorn(port, "sync"),
  "gunicorn, gthread": (port) => gunicorn(port, "gthread"),
};

/** @param {number} port @param {string} kind @returns {[string, string[], NodeJS.Signals]} */
function gunicorn(port, kind) {
  const options = `--chdir ${folder} -b 127.0.0.1:${port} -k ${kind} -w 2 --certfile ${cert}
    --keyfile ${key} --log-level critical app:app`.split(/\s+/);
  return [join(venv, "bin/gunicorn"), options, "SIGTERM"];
}

/** @type {Record<string, (url: string) => () => Promise<unknown>>} */
const SIDES = {
  nobody: () => async () => {},
  addon: (url) => {
    const issue = createRemoteTokenIssuer({ url });
    return () => issue(PAYMENT);
  },
  fetch: (url) => () => fetch(url, { method: "POST" }).then((answer) => answer.json()),
};

const PAYMENT = { requestId: "r", challengeId: "c", resourceId: "p", planId: "b", txHash: "0x1" };

let port = 20_000 + (process.pid % 10_000);
for (const [server, start] of Object.entries(SERVERS)) {
  for (const [side, client] of Object.entries(SIDES)) {
    const times = [];
    for (let round = 0; round < 5; round++) {
      port++;
      const [command, args, signal] = start(port);
      const child = spawn(command, args, { stdio: ["ignore", "ignore", "inherit"] });
      const url = `https://127.0.0.1:${port}/`;
      await until(() => fetch(url).then((answer) => answer.text()));
      // The readiness check's own connection is gone by then.
      await after(4_500);
      const call = client(url);
      await call();
      // One takes the connection that is there; the others begin theirs, and are served by it.
      await Promise.all(Array.from({ length: 8 }, call));
      const begun = performance.now();
      child.kill(signal);
      await Promise.race([once(child, "exit"), after(60_000)]);
      times.push(performance.now() - begun);
      child.kill("SIGKILL");
    }
    times.sort((a, b) => a - b);
    const [least, , median, , most] = times.map((ms) => ms.toFixed(0));
    console.log(`${server.padEnd(18)} ${side.padEnd(7)} ${median} ms (${least} to ${most})`);
  }
}
process.exit();

/** @param {() => Promise<unknown>} ready */
async function until(ready) {
  for (let tries = 0; tries < 100; tries++) {
    try {
      return await ready();
    } catch {
      await after(100);
    }
  }
  throw new Error("the server does not start");
}
