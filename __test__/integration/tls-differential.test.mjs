// @ts-check
/**
 * The same servers, called by Node's `fetch` and by the addon: where they differ, docs/migrating.md
 * says so and why.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createSecure } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { evaluation, ROOT, run } from "../support/process.mjs";
import { files, kinds } from "./support/tls-servers.mjs";

/** @typedef {import("./support/tls-servers.mjs").Kind} Kind */

/** Prints what becomes of a call to each URL by `fetch` and by the addon: `ok`, or the code. */
const CALLS = `
  import { readFileSync } from "node:fs";
  import { createRemoteTokenIssuer } from "./index.mjs";
  const code = ({ cause, code }) => cause?.code ?? code;
  const calls = JSON.parse(readFileSync(process.argv[1], "utf8")).map(async (url) => [
    await fetch(url, { method: "POST" }).then(() => "ok", code),
    await createRemoteTokenIssuer({ url })({}).then(() => "ok", code),
  ]);
  console.log(JSON.stringify(await Promise.all(calls)));
`;

// As root, or as one who may be root of his own: hosts have names there.
const unshare = ["-m", "-rm"].find((flags) => spawnSync("unshare", [flags, "true"]).status === 0);
const NAMED = `mount --bind "$1" /etc/hosts && shift && exec "$@"`;

/** @type {string} */
let folder;
/** @type {Set<() => void>} */
const ends = new Set();

before(() => {
  folder = mkdtempSync(join(tmpdir(), "key0-tls-"));
});

after(() => {
  for (const end of ends) end();
  rmSync(folder, { recursive: true });
});

/** Starts a server of this kind, and gives its URL. @param {Kind} kind */
async function url({ leaf, sent = [], host = "localhost", tls, says }) {
  const server = leaf
    ? createSecure(
        { key: leaf.key, cert: [leaf, ...sent].map(({ pem }) => pem).join(""), ...tls },
        (_, response) => response.end('{"token":"t"}'),
      )
    : createServer((socket) => {
        socket.on("error", () => {});
        socket.once("data", () => socket.write(/** @type {Buffer} */ (says)));
      });
  await new Promise((listening) => server.listen(0, "127.0.0.1", () => listening(undefined)));
  ends.add(() => server.close());
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return `https://${host}:${port}/`;
}

/**
 * What becomes of all calls in one process that trusts what `trusted` holds.
 *
 * @param {string} name Of the files.
 * @param {string[]} urls
 * @param {string | Buffer} trusted
 * @returns {Promise<[string, string][]>}
 */
async function outcomes(name, urls, trusted) {
  const [list, hosts, extra] = ["urls", "hosts", "pem"].map((it) => join(folder, `${name}.${it}`));
  writeFileSync(list, JSON.stringify(urls));
  writeFileSync(hosts, urls.map((it) => `127.0.0.1 ${new URL(it).hostname}\n`).join(""));
  writeFileSync(extra, trusted);
  const node = [process.execPath, ...evaluation(CALLS, [list])];
  const argv = unshare ? ["unshare", unshare, "sh", "-c", NAMED, "sh", hosts, ...node] : node;
  const ended = await run(argv[0], argv.slice(1), {
    cwd: ROOT,
    env: { NODE_EXTRA_CA_CERTS: extra },
  });
  assert.equal(ended.code, 0, ended.stderr);
  return JSON.parse(ended.stdout);
}

describe("the same servers, called by fetch and by the addon", () => {
  it("differ", async () => {
    const all = kinds().filter(({ host = "localhost" }) => unshare || !host.endsWith(".test"));
    const urls = await Promise.all(all.map(url));
    const listed = all.flatMap(({ listed = [] }) => listed.map(({ pem }) => pem)).join("");
    const seen = await outcomes("all", urls, listed);
    for (const [i, { title }] of all.entries()) {
      const [fetched, ours] = seen[i];
      console.log(`${fetched === ours ? "  " : "≠ "}${title}: ${fetched} ${ours}`);
    }
    for (const [i, kind] of files().entries()) {
      const [[fetched, ours]] = await outcomes(String(i), [await url(kind)], kind.file ?? "");
      console.log(`${fetched === ours ? "  " : "≠ "}${kind.title}: ${fetched} ${ours}`);
    }
  });
});
