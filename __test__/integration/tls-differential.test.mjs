// @ts-check
/**
 * The same servers, called by Node's `fetch` and by the addon: where they differ,
 * `docs/migrating.md` says so, and why.
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

/**
 * @typedef {object} Difference
 * @property {string} title Of the server.
 * @property {string} fetch `ok`, or the code of what it rejects with.
 * @property {string} addon
 * @property {string} [driven] The addon, where `fetch` sends its requests.
 * @property {string} [alone] The addon with `fetch: false`.
 * @property {(boolean | undefined)[]} [sent] What both of its errors say of that.
 */

/** The servers whose TLS is not spoken natively, by what a call to them is without `fetch`. */
const NOT_SPOKEN = /** @type {Record<string, string[]>} */ ({
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: [
    ...["ECDHE-ECDSA-AES128-CCM", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-RSA-AES256-SHA"],
    ...["AES128-GCM-SHA256", "AES256-SHA", "DHE-RSA-AES128-GCM-SHA256"],
  ]
    .map((suite) => `suite ${suite}`)
    .concat(["P-521 (TLSv1.3)", "X448 (TLSv1.3)", "P-521 (TLSv1.2)"].map((it) => `group ${it}`))
    .concat(["RSA-PSS", "Ed448"].map((key) => `a server's key ${key}`)),
  UNSPECIFIED: [
    "a server's key RSA-1024",
    ...["RSA-1024", "RSA-PSS", "Ed448", "secp256k1", "brainpoolP256r1"].map(
      (key) => `a root's key ${key}`,
    ),
  ],
});

/** Prints what becomes of a call to each URL by `fetch` and by the addon. */
const CALLS = `
  import { readFileSync } from "node:fs";
  import { createRemoteTokenIssuer } from "./index.mjs";
  // Some alerts have a new name in OpenSSL 3.2.
  const code = ({ cause, code }) => (cause?.code ?? code).replace("SSL/TLS_ALERT", "SSLV3_ALERT");
  // All at once, on a machine that may be busy.
  const timeoutMs = 50_000;
  const calls = JSON.parse(readFileSync(process.argv[1], "utf8")).map(async (url) => {
    const sent = [];
    const issued = (fetch) =>
      createRemoteTokenIssuer({ url, timeoutMs, fetch })({}).then(() => "ok", (error) => {
        if (fetch !== false) sent[fetch ? 1 : 0] = error.cause?.sent;
        return code(error);
      });
    return {
      fetch: await fetch(url, { method: "POST" }).then(() => "ok", code),
      addon: await issued(),
      driven: await issued(fetch),
      alone: await issued(false),
      sent,
    };
  });
  console.log(JSON.stringify(await Promise.all(calls)));
`;

// As root, or as one who may be root of his own: hosts have names there.
const unshare = ["-m", "-rm"].find((flags) => spawnSync("unshare", [flags, "true"]).status === 0);
const NAMED = `mount --bind "$1" /etc/hosts && shift && exec "$@"`;
// Others trust nobody whom NODE_EXTRA_CA_CERTS names, or speak with another library than OpenSSL.
const skip = process.versions.bun || process.versions.deno ? "fetch is not Node's here" : false;

/** @type {string} */
let folder;
/** @type {(() => void)[]} */
const ends = [];

before(() => {
  folder = mkdtempSync(join(tmpdir(), "key0-tls-"));
});

after(() => {
  for (const end of ends) end();
  rmSync(folder, { recursive: true });
});

describe("the same servers, called by fetch and by the addon", { skip }, () => {
  it("differ only where docs/migrating.md says so", async (t) => {
    const all = kinds().filter(({ host = "localhost" }) => unshare || !host.endsWith(".test"));
    const listed = all.flatMap(({ listed = [] }) => listed.map(({ pem }) => pem)).join("");
    const written = files();
    const seen = await outcomes(all, listed);
    // Two at a time: each is a process.
    for (let at = 0; at < written.length; at += 2) {
      const pair = written.slice(at, at + 2);
      seen.push(...(await Promise.all(pair.map((kind) => outcomes([kind], kind.file)))).flat());
    }

    // Node 26 speaks HTTP/2, and rejects there with a code that is told in no sentence of ours.
    const speaksHttp2 = Number(process.versions.node.split(".")[0]) >= 26;
    const compared = seen.filter(({ title }) => !(speaksHttp2 && title === "h2 alone"));
    assert.deepEqual(
      compared.filter(({ fetch, driven }) => driven !== fetch),
      [],
      "with fetch as its driver the addon is told what fetch is",
    );
    const differences = seen
      .filter(({ fetch, addon }) => fetch !== addon)
      .map(({ driven, alone, sent, ...difference }) => difference);
    // Of an alert its fetch does not tell whether the handshake was over.
    const sentOtherwise = seen.filter(
      ({ addon, driven, sent: [natively, byFetch] = [] }) =>
        addon === driven && natively !== byFetch && !addon.includes("_ALERT_"),
    );
    assert.deepEqual(sentOtherwise, []);
    const taken = seen.filter(({ addon }) => addon === "ok").length;
    t.diagnostic(`${seen.length} servers, of which the addon takes ${taken}`);
    for (const { title, fetch, addon } of differences) t.diagnostic(`${title}: ${fetch}, ${addon}`);

    const notSpoken = seen.filter(({ addon, alone }) => alone !== addon);
    for (const { title, alone } of notSpoken) t.diagnostic(`${title}: ${alone} without fetch`);
    const others = notSpoken.filter(({ title, alone = "" }) => !NOT_SPOKEN[alone]?.includes(title));
    assert.deepEqual(others, []);
    assert.deepEqual(Object.keys(NOT_SPOKEN), codesOfNotSpoken());

    const told = documented().filter(({ title }) => seen.some((one) => one.title === title));
    if (process.versions.openssl.startsWith("3.0.")) {
      assert.deepEqual(sorted(differences), sorted(told));
      assert.equal(notSpoken.length, Object.values(NOT_SPOKEN).flat().length);
    } else {
      // Later ones refuse some of these as well, and Node 26 speaks HTTP/2.
      const titles = new Set([...told.map(({ title }) => title), "h2 alone"]);
      assert.deepEqual(
        differences.filter(({ title }) => !titles.has(title)),
        [],
      );
    }
  });
});

/**
 * What becomes of calls to servers of these kinds, in one process that trusts what `trusted` holds.
 *
 * @param {Kind[]} kinds
 * @param {string | Buffer} [trusted]
 * @returns {Promise<Difference[]>}
 */
async function outcomes(kinds, trusted = "") {
  const urls = await Promise.all(kinds.map(serve));
  const own = mkdtempSync(join(folder, "calls-"));
  const [list, hosts, extra] = ["urls.json", "hosts", "ca.pem"].map((name) => join(own, name));
  writeFileSync(list, JSON.stringify(urls));
  writeFileSync(hosts, urls.map((url) => `127.0.0.1 ${new URL(url).hostname}\n`).join(""));
  writeFileSync(extra, trusted);
  const node = [process.execPath, ...evaluation(CALLS, [list])];
  const argv = unshare ? ["unshare", unshare, "sh", "-c", NAMED, "sh", hosts, ...node] : node;
  const env = { NODE_EXTRA_CA_CERTS: extra };
  const ended = await run(argv[0], argv.slice(1), { env });
  assert.deepEqual([ended.code, ended.signal], [0, null], ended.stderr);
  /** @type {Omit<Difference, "title">[]} */
  const results = JSON.parse(ended.stdout);
  return results.map((result, i) => ({ title: kinds[i].title, ...result }));
}

/** Starts a server of this kind, and gives its URL. @param {Kind} kind */
async function serve({ leaf, sent = [], host = "localhost", tls, says }) {
  const server = leaf
    ? createSecure(
        { key: leaf.key, cert: [leaf, ...sent].map(({ pem }) => pem).join(""), ...tls },
        (_, response) => response.end('{"token":"t"}'),
      )
    : createServer((socket) => {
        socket.on("error", () => {});
        socket.once("data", () => socket.write(says ?? ""));
      });
  await new Promise((listening) => server.listen(0, "127.0.0.1", () => listening(undefined)));
  // It may take seconds until a connection is used again.
  if ("keepAliveTimeout" in server) server.keepAliveTimeout = 0;
  // A test that fails must end, too.
  server.unref();
  ends.push(() => server.close());
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return `https://${host}:${port}/`;
}

/** What the page says of servers over TLS. */
function section() {
  const page = readFileSync(join(ROOT, "docs/migrating.md"), "utf8");
  return page.split("### Servers over TLS\n")[1].split("\n## ")[0];
}

/** The codes in the page's table of what is not spoken. */
function codesOfNotSpoken() {
  return [...section().matchAll(/^\| [^|]+ \| `(\w+)` \|$/gm)].map(([, code]) => code);
}

/** The differences in the page's table. @returns {Difference[]} */
function documented() {
  const rows = section().matchAll(/^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|/gm);
  const outcome = (/** @type {string} */ cell) => /`(.+)`/.exec(cell)?.[1] ?? "ok";
  return [...rows]
    .slice(1)
    .flatMap(([, titles, fetch, addon]) =>
      titles.split("; ").map((title) => ({ title, fetch: outcome(fetch), addon: outcome(addon) })),
    );
}

/** @param {Difference[]} differences */
function sorted(differences) {
  return [...differences].sort((one, other) => (one.title < other.title ? -1 : 1));
}
