// @ts-check
/**
 * The runtime's own `fetch` and the addon read the same answers, over TCP and over TLS: where they
 * differ is listed here, each kind with its reason, which stands in `docs/migrating.md`, too.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, it } from "node:test";
import { endedWell, runScript } from "../support/process.mjs";
import { rawServer } from "../support/server.mjs";
import { authority } from "../support/tls.mjs";
import { ANSWERS } from "./support/raw-answers.mjs";

/**
 * A kind of difference: the first cell of its row in `docs/migrating.md`, the answers that are read
 * otherwise on Node 20, and those that only other runtimes read otherwise.
 *
 * @typedef {[kind: string, onNode20: string[], elsewhere: string[]]} Kind
 */

/** What a `fetch` takes, and the addon refuses. @type {Kind[]} */
const REFUSED = [
  ["more than 100 lines of trailers", ["chunks with 300 trailers"], []],
  ["a trailer that is no header line", [], ["chunks with a malformed trailer"]],
  [
    "an end between its last chunk and the empty line after it",
    [],
    ["end", "cut", "reset"].map((then) => `half of its last chunk, then ${then}`),
  ],
  ["two blanks before its status", [], ['status line "HTTP/1.1  200 OK"']],
  ["a status below 100", [], ['status line "HTTP/1.1 099 OK"']],
  ["a body in `zstd`", [], ["zstd"]],
];

/** What the addon takes, or tells by its status, and a `fetch` refuses. @type {Kind[]} */
const TAKEN = [
  [
    "a version that is no `HTTP/1.x`, or an unknown one",
    ['status line "HTTP/1.2 200 OK"'],
    ['status line "HTTP/2.0 200 OK"', 'status line "HTTP/0.9 200 OK"'],
  ],
  [
    "empty lines before it",
    [],
    ['status line "\\r\\nHTTP/1.1 200 OK"', 'status line "\\n\\nHTTP/1.1 200 OK"'],
  ],
  ["`100 Continue` before it", ["100 before it"], []],
  ["status 101, or 205 and a body", ["101", "205 with a body"], []],
  [
    "many header lines, or long ones",
    ["a value of 60,000 bytes", "a value of 100,000 bytes"],
    ["2,000 header lines", "12,000 header lines in 60 KB"],
  ],
  [
    "malformed header lines",
    [
      "a folded first line",
      "a tab before the colon",
      "a line without a colon",
      "a word without a colon",
      "a name with a bracket",
      "a name in Latin-1",
      "a control character in a value",
      "DEL in a value",
      "a line that ends in LF",
      "all lines end in LF",
      "Content-Length with a blank before its colon",
    ],
    [
      "a folded line",
      "a folded line, its value empty before",
      "a blank before the colon",
      "an empty name",
      "a folded Content-Length",
    ],
  ],
  [
    "a length told twice, with a blank after it, or beside chunks",
    [
      'Content-Length: "13, 13"',
      'Content-Length: "13,13"',
      "Content-Length twice, the same",
      "Content-Length and chunks",
      "chunks and Content-Length",
      "Transfer-Encoding: identity and a length",
    ],
    ["chunked twice", 'Content-Length: "13 "'],
  ],
  [
    "zeros, blanks or extensions at a chunk's size",
    ["chunks with extensions", "a blank behind a chunk's size"],
    ["a chunk's size with 20 zeros"],
  ],
  [
    "words among its codings that are none",
    [
      "as it is, called six unknown words",
      "as it is, called identity six times",
      "gzip beside aws-chunked",
      "gzip beside UTF-8",
      "gzip beside identity",
      "gzip beside nothing",
      "gzip beside five unknown words",
    ],
    [],
  ],
  [
    "JSON as it is, whatever coding is named",
    ["gzip that is none", "deflate that is none", "br that is none"],
    [
      'as it is, called "zstd"',
      'as it is, called "identity, gzip"',
      'as it is, called "gzip, identity"',
    ],
  ],
  [
    "several codings",
    ["503 in gzip six times"],
    [
      "br, then gzip",
      "deflate, then br, then gzip",
      "two lines of codings",
      "gzip twice",
      "gzip five times",
    ],
  ],
  [
    "a coded body that lacks its end, or has bytes behind it",
    ["gzip, then other bytes"],
    [
      "gzip without its last byte",
      "deflate without its last byte",
      "br without its last byte",
      "gzip without its checksum and length",
    ],
  ],
  ["two byte order marks", [], ["two byte order marks"]],
];

const ca = authority({ after });

/** Prints what becomes of each URL of its arguments, by `fetch` and by the addon. */
const CALLS = `
  import { createRemoteTokenIssuer } from "./index.mjs";
  const timeoutMs = 5_000;
  async function byFetch(url) {
    try {
      const signal = AbortSignal.timeout(timeoutMs);
      const response = await fetch(url, { method: "POST", body: "{}", signal });
      if (!response.ok) return "status " + response.status;
      const value = JSON.parse(await response.text());
      return value?.token ? "token " + JSON.stringify(value.token) : "no token";
    } catch ({ name }) {
      return name === "TimeoutError" ? "timeout" : "error";
    }
  }
  async function byAddon(url, fetch) {
    try {
      const { token } = await createRemoteTokenIssuer({ url, timeoutMs, fetch })({});
      return "token " + JSON.stringify(token);
    } catch ({ code, message, cause }) {
      if (/^Backend failed/.test(message)) return "status " + cause.status;
      if (/^Backend response missing/.test(message)) return "no token";
      return code === "TOKEN_ISSUE_TIMEOUT" ? "timeout" : "error";
    }
  }
  // By another name, so that no connection of the other fetch's is used again.
  const driven = (url) => byAddon(url.replace("127.0.0.1", "localhost"), fetch);
  const outcomes = [];
  for (const url of process.argv.slice(1)) {
    outcomes.push(await Promise.all([byFetch(url), byAddon(url), driven(url)]));
  }
  console.log(JSON.stringify(outcomes));
`;

/**
 * What became of every answer, by `fetch` and by the addon.
 *
 * @param {import("node:tls").SecureContextOptions} [secure] For TLS.
 * @returns {Promise<Map<string, [byFetch: string, byAddon: string, driven: string]>>}
 */
async function outcomes(/** @type {any} */ t, secure) {
  const urls = [];
  for (const { bytes, then } of ANSWERS) {
    const server = await rawServer(
      t,
      async (connection) => {
        if (!(await connection.request())) return;
        await connection.write(bytes);
        if (then !== "stay") connection[then]();
      },
      secure,
    );
    urls.push(server.url);
  }
  const env = { NODE_EXTRA_CA_CERTS: ca.file };
  // Bun says on stderr what it could not decode.
  const ended = await runScript(CALLS, { args: urls, env, limitMs: 120_000 });
  endedWell(ended);
  const all = JSON.parse(ended.stdout);
  return new Map(ANSWERS.map(({ name }, i) => [name, all[i]]));
}

const IS_NODE = !process.versions.bun && !process.versions.deno;

for (const [what, secure] of Object.entries({ TCP: undefined, TLS: ca.issue() })) {
  it(`every answer over ${what} is read as \`fetch\` reads it, but for those listed`, async (t) => {
    const seen = { refused: /** @type {string[]} */ ([]), taken: /** @type {string[]} */ ([]) };
    for (const [name, [byFetch, byAddon, driven]] of await outcomes(t, secure)) {
      // Where `fetch` sends, the addon reads what `fetch` reads (but for the JSON of other runtimes).
      if (IS_NODE) assert.equal(driven, byFetch, name);
      if (byFetch === byAddon) continue;
      t.diagnostic(`${name}: ${byFetch} by fetch, ${byAddon} by the addon`);
      assert.notEqual(byAddon, "timeout", name);
      // Both took it: then it has to be for the same.
      assert.ok(
        [byFetch, byAddon].some((outcome) => /^(error|timeout)$/.test(outcome)),
        name,
      );
      (byAddon === "error" ? seen.refused : seen.taken).push(name);
    }
    isListed(seen.refused, REFUSED);
    // What Deno's refuses, the SDK's users do not rely on.
    if (!process.versions.deno) isListed(seen.taken, TAKEN);
  });
}

it("every kind of difference stands in docs/migrating.md", () => {
  const page = readFileSync(new URL("../../docs/migrating.md", import.meta.url), "utf8");
  for (const [kind] of [...REFUSED, ...TAKEN]) assert.ok(page.includes(`\n| ${kind} |`), kind);
});

/** @param {string[]} names @param {Kind[]} kinds */
function isListed(names, kinds) {
  const here = kinds.flatMap(([, onNode20]) => onNode20);
  if (/^v20\./.test(process.version) && !process.versions.bun) {
    assert.deepEqual(names.sort(), here.sort());
  } else {
    const listed = [...here, ...kinds.flatMap(([, , elsewhere]) => elsewhere)];
    const unlisted = names.filter((name) => !listed.includes(name));
    assert.deepEqual(unlisted, []);
  }
}
