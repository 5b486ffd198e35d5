// @ts-check
/** Every program of docs/tokens.md as it stands there: only hosts and folders differ. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { pathToFileURL } from "node:url";
import { transform } from "esbuild";
import { CLIENT } from "../support/oauth-server.mjs";
import { ROOT, run } from "../support/process.mjs";
import { needing } from "../support/programs.mjs";
import { httpServer, reply } from "../support/server.mjs";
import { CLIENTS, postgresServer, redisServer } from "./support/stores.mjs";

const page = readFileSync(join(ROOT, "docs/tokens.md"), "utf8");
const programs = [...page.matchAll(/```ts\n(.*?)```/gs)].map(([, source]) => source);

/** The one program that has this. @param {string} text */
function programWith(text) {
  const found = programs.filter((source) => source.includes(text));
  assert.equal(found.length, 1, text);
  return found[0];
}

/**
 * What a program and `rest` print.
 *
 * @param {import("../support/server.mjs").Test} t
 * @param {string} source
 * @param {string} rest
 * @param {string} origin of the token endpoint
 * @param {Record<string, string>} [env]
 */
async function printed(t, source, rest, origin, env = {}) {
  // Where the clients are found by their names.
  const folder = mkdtempSync(join(CLIENTS, "program-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "client-secret"), `${CLIENT.clientSecret}\n`);
  const placed = source
    .replaceAll("https://your-tenant.eu.auth0.com", origin)
    .replaceAll("/run/secrets", folder)
    .replace('"@key0ai/native"', JSON.stringify(pathToFileURL(join(ROOT, "index.mjs")).href));
  const file = join(folder, "program.mjs");
  const whole = `${placed}\n${rest}\nprocess.exit();\n`;
  const { code: text } = await transform(whole, { loader: "ts", format: "esm" });
  writeFileSync(file, text);
  const all = { CLIENT_ID: CLIENT.clientId, CLIENT_SECRET: CLIENT.clientSecret, ...env };
  const { code, stdout, stderr } = await run(process.execPath, [file], { env: all });
  assert.equal(code, 0, stderr);
  return stdout;
}

/** A token endpoint that knows the client, and numbers its tokens. @param {any} t */
function endpoint(t) {
  let last = 0;
  return httpServer(t, ({ body, target }, response) => {
    const form = new URLSearchParams(String(body));
    const isKnown = form.get("client_secret") === CLIENT.clientSecret && target === "/oauth/token";
    if (!isKnown) return reply(response, { error: "invalid_client" }, 401);
    last += 1;
    return reply(response, { access_token: `token-${last}`, expires_in: 3600 });
  });
}

const TWICE = "console.log((await auth()).Authorization, (await auth()).Authorization);";

describe("a program of docs/tokens.md", () => {
  const it = needing();

  it("asks again with a fresh token where the first is rejected", async (t) => {
    const server = await endpoint(t);
    const backend = await httpServer(t, ({ headers }, response) =>
      reply(response, "", headers.authorization === "Bearer token-2" ? 204 : 401),
    );
    const rest = `console.log((await authorized(${JSON.stringify(backend.url)})).status);`;
    const source = programWith("auth.invalidate(headers)");
    assert.equal(await printed(t, source, rest, server.origin), "204\n");
    assert.equal(server.requests.length, 2);
  });

  it("reads a client's secret from a file", async (t) => {
    const server = await endpoint(t);
    const source = programWith("trimEnd()");
    const said = await printed(t, source, TWICE, server.origin);
    assert.equal(said, "Bearer token-1 Bearer token-1\n");
  });

  it("reads a shared secret from a file", async (t) => {
    const rest = "console.log(JSON.stringify(await auth()));";
    const said = await printed(t, programWith("sharedSecretAuth("), rest, "");
    assert.equal(said, `{"X-Internal-Auth":"${CLIENT.clientSecret}\\n"}\n`);
  });

  it("refreshes ahead, repeats and cools down", async (t) => {
    const server = await endpoint(t);
    const said = await printed(t, programWith("coolDownMs:"), TWICE, server.origin);
    assert.equal(said, "Bearer token-1 Bearer token-1\n");
  });

  it("hears of a store that fails", async (t) => {
    const rest = `diagnostics.channel("key0:cache:error")
      .publish({ operation: "get", error: new Error("READONLY") });`;
    const said = await printed(t, programWith("diagnostics.subscribe"), rest.trim(), "");
    assert.equal(said, "");
  });
});

const IN_REDIS = 'redis.keys("key0:token:*").then((all) => all.filter((it) => !/lock$/.test(it)))';
const IN_POSTGRES = 'cache.store.query("SELECT key FROM keyv")';
for (const [name, program, start, stored] of /** @type {[string, string, any, string][]} */ ([
  ['from "ioredis"', "redis-server", redisServer, IN_REDIS],
  ['from "redis"', "redis-server", redisServer, IN_REDIS],
  ['from "keyv"', "postgres", postgresServer, IN_POSTGRES],
])) {
  describe(`the program of docs/tokens.md with ${name}`, () => {
    needing(program)("shares its token with the next process", async (t) => {
      const server = await endpoint(t);
      const { url } = await start(t);
      const rest = `${TWICE}\nwhile ((await ${stored}).length === 0);`;
      for (let i = 0; i < 2; i++) {
        const env = { REDIS_URL: url, POSTGRES_URL: url };
        const said = await printed(t, programWith(name), rest, server.origin, env);
        assert.equal(said, "Bearer token-1 Bearer token-1\n");
      }
      assert.equal(server.requests.length, 1);
    });
  });
}

describe("docs/tokens.md", () => {
  needing()("has no program beside these", () => {
    assert.equal(programs.length, 8);
  });
});
