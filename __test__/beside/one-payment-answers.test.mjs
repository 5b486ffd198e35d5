// @ts-check
/**
 * One payment, one POST: an answer that `fetch` takes is taken, however odd, since the engine would
 * have the backend issue again (D04, D05).
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { before, describe, it } from "node:test";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { addSdk, packedPackage, project, temporary } from "../support/apps.mjs";
import { endedWell, run } from "../support/process.mjs";
import { httpServer, reply } from "../support/server.mjs";
import { authority } from "../support/tls.mjs";
import { paymentProject, WAYS } from "../support/ways.mjs";

before(() => {
  packedPackage();
});

/** @typedef {import("../support/apps.mjs").Test} Test */
/** @typedef {import("../support/ways.mjs").Way} Way */

const ISSUED = { token: "t", tokenType: "Bearer" };

/** One of each runtime. */
const RUNTIMES = WAYS.filter(
  ({ named }, at) =>
    WAYS.findIndex((way) => way.named.split(",")[0] === named.split(",")[0]) === at,
);

/**
 * What the buyers of a project get.
 *
 * @param {Test} t
 * @param {Way} way
 * @param {string[]} urls
 * @param {Record<string, string>} [env]
 */
async function outcomes(t, way, urls, env) {
  const { main, files } = paymentProject(way);
  const cwd = project(t, files);
  await addSdk(cwd, way.sdk);
  const [file, ...args] = way.command;
  const ended = await run(file, [...args, main, ...urls], { cwd, env });
  endedWell(ended);
  return ended.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

describe("D04: Python's http.server in ssl, without Content-Length and without close_notify", () => {
  const BACKEND = `
import http.server, ssl, sys
class Backend(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        print("POST", flush=True)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"token": "t"}')
    def log_message(self, *_):
        pass
certificate, version = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate)
context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
server = http.server.HTTPServer(("127.0.0.1", 0), Backend)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
`;

  for (const version of ["TLSv1_2", "TLSv1_3"]) {
    for (const way of RUNTIMES) {
      it(`${version}, ${way.named}`, async (t) => {
        const ca = authority(t);
        const { key, cert } = ca.issue();
        const certificate = join(temporary(t), "certificate.pem");
        writeFileSync(certificate, key + cert);
        const backend = spawn("python3", ["-c", BACKEND, certificate, version], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        const ended = once(backend, "exit");
        t.after(async () => {
          backend.kill();
          await ended;
        });
        const lines = /** @type {string[]} */ ([]);
        const said = createInterface(backend.stdout).on("line", (line) => lines.push(line));
        await once(said, "line");

        const env = { NODE_EXTRA_CA_CERTS: ca.file };
        const [outcome] = await outcomes(t, way, [`https://127.0.0.1:${lines[0]}/issue`], env);
        assert.deepEqual(outcome, ISSUED);
        backend.kill();
        await ended;
        assert.deepEqual(lines.slice(1), ["POST"]);
      });
    }
  }
});

describe("D05: Content-Encoding names what is no coding, or is brotli", () => {
  const TOKEN = '{"token":"t"}';
  /** @type {Record<string, string | Buffer>} */
  const BODIES = {
    "UTF-8": TOKEN,
    none: TOKEN,
    binary: TOKEN,
    "aws-chunked": TOKEN,
    "8bit": TOKEN,
    json: TOKEN,
    br: brotliCompressSync(TOKEN),
    "aws-chunked, gzip": gzipSync(TOKEN),
  };
  for (const way of RUNTIMES) {
    it(way.named, async (t) => {
      const servers = await Promise.all(
        Object.entries(BODIES).map(([coding, body]) =>
          httpServer(t, (_, response) => {
            reply(response, body, 200, { "Content-Encoding": coding });
          }),
        ),
      );
      const urls = servers.map(({ url }) => url);
      const tokens = await outcomes(t, way, urls);
      assert.deepEqual(tokens, Array(urls.length).fill(ISSUED));
      const posts = servers.map(({ requests }) => requests.length);
      assert.deepEqual(posts, Array(urls.length).fill(1));
    });
  }
});
