// @ts-check
/** A panic inside is one rejection, and nothing else. B42 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { CANARY, spellings } from "../support/errors.mjs";
import { gate } from "../support/gate.mjs";
import { RSA } from "../support/keys.mjs";
import { endedWell, ROOT, runScript } from "../support/process.mjs";
import { httpServer, reply } from "../support/server.mjs";
import { addonWithFaults } from "./support/fault-injection.mjs";

/** What a call rejects with after a panic. */
const INTERNAL = { code: "INTERNAL_ERROR", httpStatus: 500, message: "Internal error" };
const ISSUE = {
  code: "TOKEN_ISSUE_FAILED",
  httpStatus: 502,
  message: "Network error: internal error",
};
const OAUTH = {
  code: "INTERNAL_ERROR",
  httpStatus: 500,
  message: "Failed to authenticate via OAuth: the token request ended without a result",
};

/**
 * Calls by name, each with what it needs in scope. `oauth()` is a new provider, its cache cold.
 *
 * @type {Record<string, string>}
 */
const CALLS = {
  issue: "() => createRemoteTokenIssuer({ url })(claims)",
  "issue with a kept connection": "() => kept(claims)",
  oauth: "() => oauth()()",
  "issue with oauth": "() => createRemoteTokenIssuer({ url, auth: oauth() })(claims)",
  hs256: "() => hs256.sign(claims, 60)",
  rs256: "() => rs256.sign(claims, 60)",
  "hs256 jwt": 'signedJwtAuth(hs256, "b")',
  "rs256 jwt": 'signedJwtAuth(rs256, "b")',
  "issue with hs256 jwt":
    '() => createRemoteTokenIssuer({ url, auth: signedJwtAuth(hs256, "b") })(claims)',
  "issue with rs256 jwt":
    '() => createRemoteTokenIssuer({ url, auth: signedJwtAuth(rs256, "b") })(claims)',
  verify: "async () => hs256.verify((await hs256.sign(claims, 60)).token)",
  verifyWithFallback: "async () => hs256.verifyWithFallback(await token(), [])",
  validateKey0Token: "async () => validateKey0Token('Bearer ' + (await token()), { secret })",
  validateToken: "async () => validateToken('Bearer ' + (await token()), { secret })",
};

/** @type {[point: string, call: string, rejects: typeof ISSUE][]} */
const PANICS = [
  ["make", "issue", ISSUE],
  ["make", "issue with a kept connection", ISSUE],
  ["make", "oauth", INTERNAL],
  ["make", "issue with rs256 jwt", ISSUE],
  ["http", "issue", ISSUE],
  ["http", "issue with a kept connection", ISSUE],
  ["http", "oauth", OAUTH],
  ["token fetch", "oauth", OAUTH],
  ["token fetch", "issue with oauth", OAUTH],
  ["token cache", "oauth", INTERNAL],
  ["token cache", "issue with oauth", ISSUE],
  ["sign", "hs256", INTERNAL],
  ["sign", "rs256", INTERNAL],
  ["sign", "rs256 jwt", INTERNAL],
  ["sign", "issue with hs256 jwt", ISSUE],
  ["sign", "issue with rs256 jwt", INTERNAL],
  ["verify", "verify", INTERNAL],
  ["validate", "validateKey0Token", INTERNAL],
  ["validate", "validateToken", INTERNAL],
];

describe("a panic", { concurrency: 2 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "key0-faults-"));
  /** @type {string} */
  let addon;
  before(() => {
    addon = addonWithFaults(folder);
  });
  after(() => rmSync(folder, { recursive: true }));

  /**
   * Runs `source` in a process that has {@link CALLS} and `panicAt`; gives its lines of JSON.
   *
   * @param {any} t
   * @param {string} source
   * @param {{ panics: number, waits?: boolean }} expected How many panics; whether the token
   *   endpoint waits for a request of `/go`.
   */
  async function run(t, source, { panics, waits = false }) {
    const go = gate();
    const backend = await httpServer(t, { token: "t" });
    const idp = await httpServer(t, async ({ target }, response) => {
      if (target === "/go") go.open();
      else if (waits) await go.opened;
      reply(response, { access_token: "access", expires_in: 3600 });
    });
    const calls = Object.entries(CALLS).map(([name, call]) => `${JSON.stringify(name)}: ${call}`);
    const ended = await runScript(
      `
      import { createRequire } from "node:module";
      import * as key0 from "./index.mjs";
      const { panicAt } = createRequire(process.cwd() + "/")(
        process.env.NAPI_RS_NATIVE_LIBRARY_PATH);
      const { AccessTokenIssuer, createRemoteTokenIssuer, oauthClientCredentialsAuth,
        signedJwtAuth, validateKey0Token, validateToken } = key0;
      const { url, tokenUrl, secret, privateKey } = JSON.parse(process.argv[1]);
      const claims = { sub: "s", jti: "j", resourceId: "r", planId: "p", txHash: "x" };
      const hs256 = new AccessTokenIssuer(secret);
      const rs256 = new AccessTokenIssuer({ privateKey, algorithm: "RS256" });
      const oauth = () =>
        oauthClientCredentialsAuth({ tokenUrl, clientId: "id", clientSecret: secret });
      const token = async () => (await hs256.sign(claims, 60)).token;
      const kept = createRemoteTokenIssuer({ url });
      await kept(claims);
      const calls = { ${calls.join(",\n")} };
      const facts = ({ code, httpStatus, message, cause }) =>
        ({ code, httpStatus, message, cause: cause?.message });
      const settled = (call) => Promise.resolve().then(call).then(() => "fulfilled", facts);
      const print = (value) => console.log(JSON.stringify(value));
      ${source}`,
      {
        env: { NAPI_RS_NATIVE_LIBRARY_PATH: addon, RUST_BACKTRACE: "1" },
        args: [
          JSON.stringify({
            url: backend.url,
            tokenUrl: idp.url,
            secret: `${CANARY}${"x".repeat(32)}`,
            privateKey: RSA.pkcs8,
          }),
        ],
      },
    );
    endedWell(ended);
    for (const needle of Object.values(spellings(CANARY))) {
      assert.ok(!`${ended.stdout}${ended.stderr}`.includes(needle), ended.stderr);
    }
    const told = ended.stderr.match(/^@key0ai\/native: internal error at \S+\.rs:\d+$/gm) ?? [];
    assert.equal(told.length, panics, ended.stderr);
    const lines = ended.stdout.trim().split("\n");
    return { lines: lines.map((line) => JSON.parse(line)), backend, idp };
  }

  for (const [point, call, rejects] of PANICS) {
    it(`in ${point} rejects ${call}, and the next call works`, async (t) => {
      const source = `
        const call = calls[${JSON.stringify(call)}];
        panicAt(${JSON.stringify(point)}, ${JSON.stringify(`of ${CANARY}`)});
        print(await settled(call));
        print(await settled(call));`;
      const { lines } = await run(t, source, { panics: 1 });
      const [{ cause, ...first }, second] = lines;
      assert.deepEqual(first, rejects);
      assert.match(cause, /^internal: /);
      assert.equal(second, "fulfilled");
    });
  }

  it("in looking for a header at hand is not seen: it is signed once more", async (t) => {
    const source = `
      panicAt("sign", ${JSON.stringify(CANARY)});
      print(await settled(calls["hs256 jwt"]));`;
    assert.deepEqual((await run(t, source, { panics: 1 })).lines, ["fulfilled"]);
  });

  it("in a shared fetch rejects all 20 who wait, and the next call asks again", async (t) => {
    const source = `
      const auth = oauth();
      const issue = createRemoteTokenIssuer({ url, auth });
      panicAt("token fetch", ${JSON.stringify(`of ${CANARY}`)});
      const waiting = Array.from({ length: 20 }, (_, i) =>
        settled(i % 2 === 0 ? auth : () => issue(claims)));
      // All have asked by then.
      await new Promise((go) => setTimeout(go));
      await fetch(new URL("/go", tokenUrl));
      print(await Promise.all(waiting));
      print(await settled(auth));
      print(await settled(() => issue(claims)));`;
    const { lines, idp, backend } = await run(t, source, { panics: 1, waits: true });
    const [waited, ...next] = lines;
    const cause = "internal: the task that fetched it is gone";
    assert.deepEqual(waited, Array(20).fill({ ...OAUTH, cause }));
    assert.deepEqual(next, ["fulfilled", "fulfilled"]);
    const [first, second, ...rest] = idp.requests.map(({ target }) => target);
    assert.deepEqual([first, second].sort(), ["/go", "/issue"]);
    assert.deepEqual(rest, ["/issue"]);
    // The connection that was made beforehand carried one.
    assert.equal(backend.requests.length, 2);
  });

  it("as a call is made beside others rejects that one, and nothing else", async (t) => {
    const source = `
      const first = kept(claims);
      panicAt("make", ${JSON.stringify(`of ${CANARY}`)});
      const others = Array.from({ length: 20 }, () => settled(() => kept(claims)));
      await first;
      print((await Promise.all(others)).filter((facts) => facts !== "fulfilled"));
      print(await settled(() => kept(claims)));`;
    const [[{ cause, ...lost }, ...others], next] = (await run(t, source, { panics: 1 })).lines;
    assert.deepEqual(lost, ISSUE);
    assert.match(cause, /^internal: /);
    assert.deepEqual([others, next], [[], "fulfilled"]);
  });

  it("in an issue that has asked a store for its token rejects it as any other", async (t) => {
    const source = `
      const values = new Map();
      let isStored;
      const stored = new Promise((resolve) => { isStored = resolve; });
      let isArmed = false;
      const cache = {
        get(key) {
          if (isArmed) panicAt("http", ${JSON.stringify(`of ${CANARY}`)});
          return values.get(key);
        },
        set(key, value) {
          values.set(key, value);
          isStored();
        },
      };
      const client = { tokenUrl, clientId: "id", clientSecret: secret, cache };
      await oauthClientCredentialsAuth(client)();
      await stored;
      isArmed = true;
      const issue = createRemoteTokenIssuer({ url, auth: oauthClientCredentialsAuth(client) });
      print(await settled(() => issue(claims)));
      print(await settled(() => issue(claims)));`;
    const [{ cause, ...first }, second] = (await run(t, source, { panics: 1 })).lines;
    assert.deepEqual(first, ISSUE);
    assert.match(cause, /^internal: /);
    assert.equal(second, "fulfilled");
  });

  it("fifty times over leaves every point working, 20 calls around each", async (t) => {
    const source = `
      const others = Object.values(calls);
      for (const [point, name] of ${JSON.stringify(PANICS.map(([point, call]) => [point, call]))}) {
        for (let i = 0; i < 50 / ${PANICS.length}; i += 1) {
          const around = Array.from({ length: 20 }, (_, i) => settled(others[i % others.length]));
          await Promise.all(around);
          panicAt(point, ${JSON.stringify(CANARY)});
          if ((await settled(calls[name])) === "fulfilled") throw new Error(point);
        }
      }
      print((await Promise.all(others.map(settled))).filter((facts) => facts !== "fulfilled"));`;
    const panics = PANICS.length * Math.ceil(50 / PANICS.length);
    assert.deepEqual((await run(t, source, { panics })).lines, [[]]);
  });
});

describe("a build that is published", () => {
  it("has no point at which a panic can be had", () => {
    // No entry of the package exports it: the library itself is asked.
    const file = readdirSync(ROOT).find((name) => /^key0-native\..+\.node$/.test(name));
    const library = createRequire(`${ROOT}/x.js`)(`./${file}`);
    assert.equal(typeof library.RemoteIssuer, "function");
    assert.equal(library.panicAt, undefined);
  });

  it("cannot have one: the compiler refuses", () => {
    const args = ["rustc", "--lib", "--features", "fault-injection", "--"];
    // What makes a release build one, for this crate alone.
    const { status, stderr } = spawnSync("cargo", [...args, "-Cdebug-assertions=off"], {
      cwd: ROOT,
      encoding: "utf8",
    });
    assert.notEqual(status, 0);
    assert.match(stderr, /^error: fault-injection is for tests: no release build has it$/m);
  });
});
