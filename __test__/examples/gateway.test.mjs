// @ts-check
/**
 * The gateway and the backends of `examples/`, each a process started as their first lines say: a
 * buyer pays at the gateway and opens at the backend what was bought.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, describe, it } from "node:test";
import { oidcProvider } from "../integration/support/oidc-provider.mjs";
import { EC, RSA, RSA_PUBLIC } from "../support/keys.mjs";
import { ROOT, run } from "../support/process.mjs";
import { httpServer, reply } from "../support/server.mjs";

const AUDIENCE = "https://seller.example";
const CREDENTIAL_SECRET = "secret that signs the credentials";
const KEY0_SECRET = "secret that signs Key0's requests";
const BACKENDS = ["backend-express", "backend-hono", "backend-fastify"];
const oauth = await oidcProvider({ after });

/**
 * By strategy: what the gateway and the backend are told.
 *
 * @type {Record<string, [Record<string, string>, Record<string, string>]>}
 */
const STRATEGIES = {
  none: [{ AUTH: "none" }, { AUTH: "none" }],
  "a shared secret": [
    { AUTH: "shared-secret", SHARED_SECRET: "s3cr3t" },
    { AUTH: "shared-secret", SHARED_SECRET: "s3cr3t" },
  ],
  "a JWT (HS256)": [
    { AUTH: "jwt", KEY0_SECRET, AUDIENCE },
    { AUTH: "jwt", KEY0_SECRET, AUDIENCE },
  ],
  "a JWT (RS256)": [
    { AUTH: "jwt", KEY0_PRIVATE_KEY: RSA.pkcs8, AUDIENCE },
    { AUTH: "jwt", KEY0_PUBLIC_KEY: RSA_PUBLIC.spki, AUDIENCE },
  ],
  OAuth: [
    { AUTH: "oauth", TOKEN_URL: `${oauth.origin}/token`, ...account(oauth.clients.key0) },
    {
      AUTH: "oauth",
      INTROSPECTION_URL: `${oauth.origin}/token/introspection`,
      KEY0_CLIENT_ID: oauth.clients.key0.id,
      ...account(oauth.clients.seller),
    },
  ],
};

/** @param {{ id: string, secret: string }} client */
function account({ id, secret }) {
  return { CLIENT_ID: id, CLIENT_SECRET: secret };
}

/**
 * An example's address.
 *
 * @param {import("../support/server.mjs").Test} t
 * @param {string} name
 * @param {Record<string, string>} env
 */
async function started(t, name, env) {
  const child = spawn(process.execPath, [`examples/${name}/main.mjs`], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
  const ended = once(child, "exit");
  t.after(async () => {
    child.kill("SIGTERM");
    assert.deepEqual([await ended, said], [[0, null], ""], `how ${name} ended`);
  });
  const [line] = await Promise.race([once(createInterface(child.stdout), "line"), ended]);
  const [, origin] = /^listening on (.+)$/.exec(String(line)) ?? [];
  assert.ok(origin, said);
  return origin;
}

let transactions = 0;
const transaction = () => `0x${(++transactions).toString(16).padStart(64, "0")}`;

/**
 * @param {string} gateway
 * @param {string} [txHash]
 */
async function buy(gateway, txHash = transaction()) {
  const body = JSON.stringify({ resourceId: "photo-7", planId: "basic", txHash });
  const answer = await fetch(`${gateway}/buy`, { method: "POST", body });
  return { status: answer.status, body: /** @type {any} */ (await answer.json()) };
}

/** @param {string} backend @param {string} resource @param {string} token */
async function open(backend, resource, token) {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${backend}/resources/${resource}`, { headers });
  return { status: answer.status, body: /** @type {any} */ (await answer.json()) };
}

for (const name of BACKENDS) {
  describe(`the gateway with ${name}`, () => {
    for (const [strategy, [asGateway, asBackend]] of Object.entries(STRATEGIES)) {
      it(`sells by ${strategy} what opens there, and nothing else`, async (t) => {
        const backend = await started(t, name, { CREDENTIAL_SECRET, ...asBackend });
        const BACKEND_URL = `${backend}/issue`;
        const gateway = await started(t, "standalone-gateway", { BACKEND_URL, ...asGateway });
        const bought = await buy(gateway);
        assert.deepEqual([bought.status, bought.body.tokenType], [200, "Bearer"]);
        const { token } = bought.body;
        assert.deepEqual(await open(backend, "photo-7", token), {
          status: 200,
          body: { resource: "photo-7", planId: "basic" },
        });
        assert.equal((await open(backend, "photo-8", token)).status, 403);
        assert.equal((await open(backend, "photo-7", `${token}x`)).status, 401);
      });
    }

    it("refuses a gateway with another secret, another audience or none", async (t) => {
      const shared = { CREDENTIAL_SECRET, AUTH: "shared-secret", SHARED_SECRET: "s3cr3t" };
      const jwt = { CREDENTIAL_SECRET, AUTH: "jwt", KEY0_SECRET, AUDIENCE };
      const cases = [
        [shared, { AUTH: "shared-secret", SHARED_SECRET: "another" }, 401],
        [shared, { AUTH: "none" }, 401],
        [jwt, { AUTH: "jwt", KEY0_SECRET, AUDIENCE: "https://other.example" }, 403],
        [jwt, { AUTH: "none" }, 401],
      ];
      await Promise.all(
        cases.map(async ([asBackend, asGateway, status]) => {
          const backend = await started(t, name, /** @type {any} */ (asBackend));
          const BACKEND_URL = `${backend}/issue`;
          const env = { BACKEND_URL, .../** @type {any} */ (asGateway) };
          const { status: answered, body } = await buy(await started(t, "standalone-gateway", env));
          assert.deepEqual([answered, body.code], [502, "TOKEN_ISSUE_FAILED"]);
          assert.equal(body.message, `Backend failed to issue token: ${status}`);
        }),
      );
    });

    it("takes an unusable key of its own for its own fault", async (t) => {
      const env = { CREDENTIAL_SECRET, AUTH: "jwt", KEY0_PUBLIC_KEY: EC.spki, AUDIENCE };
      const backend = await started(t, name, env);
      const headers = { authorization: "Bearer a.b.c", "content-type": "application/json" };
      const answer = await fetch(`${backend}/issue`, { method: "POST", headers, body: "{}" });
      assert.equal(answer.status, 500);
      assert.match(await answer.text(), /publicKey is not usable/);
    });

    it("takes an OAuth server that it cannot ask for its own fault", async (t) => {
      const [, asBackend] = STRATEGIES.OAuth;
      const authorization = { authorization: "Bearer t" };
      /** @type {Record<string, string>[]} */
      const changes = [{ INTROSPECTION_URL: "http://127.0.0.1:1/" }, { CLIENT_SECRET: "another" }];
      for (const change of changes) {
        const env = { CREDENTIAL_SECRET, ...asBackend, ...change };
        const backend = await started(t, name, env);
        const headers = { ...authorization, "content-type": "application/json" };
        const answer = await fetch(`${backend}/issue`, { method: "POST", headers, body: "{}" });
        assert.equal(answer.status, 500);
        assert.match(await answer.text(), /the OAuth server is not usable/);
      }
    });

    it("issues the same credentials to the same challenge", async (t) => {
      const backend = await started(t, name, { CREDENTIAL_SECRET, AUTH: "none" });
      const call = async (/** @type {string} */ challenge, txHash = "0x1") => {
        const answer = await fetch(`${backend}/issue`, {
          method: "POST",
          headers: { "content-type": "application/json", "idempotency-key": challenge },
          body: JSON.stringify({ requestId: "r", resourceId: "photo-7", planId: "basic", txHash }),
        });
        return /** @type {any} */ (await answer.json()).token;
      };
      const [first, second, other] = [await call("c-1"), await call("c-1"), await call("c-2")];
      assert.equal(second, first);
      assert.notEqual(other, first);
      assert.equal(await call("c-1", "0x2"), undefined);
    });

    it("gives one credential where its answer was lost and the engine calls again", async (t) => {
      const backend = await started(t, name, { CREDENTIAL_SECRET, AUTH: "none" });
      /** @type {any[]} */
      const issued = [];
      const between = await httpServer(t, async ({ headers, body }, response) => {
        const { "content-type": type, "idempotency-key": key } = headers;
        const answer = await fetch(`${backend}/issue`, {
          method: "POST",
          headers: { "content-type": type, "idempotency-key": key },
          body: new Uint8Array(body),
        });
        issued.push(await answer.json());
        if (issued.length === 1) response.socket?.resetAndDestroy();
        else reply(response, issued.at(-1), answer.status);
      });
      const env = { AUTH: "none", BACKEND_URL: between.url };
      const { status, body } = await buy(await started(t, "standalone-gateway", env));
      assert.equal(status, 200);
      assert.equal(issued.length, 2);
      assert.deepEqual(new Set(issued.map(({ token }) => token)), new Set([body.token]));
    });
  });
}

describe("the gateway's engine", () => {
  /** @param {any} t @param {import("../support/server.mjs").Answer} answer */
  async function gatewayOf(t, answer, env = {}) {
    const backend = await httpServer(t, answer);
    const all = { AUTH: "none", BACKEND_URL: backend.url, ...env };
    return { backend, gateway: await started(t, "standalone-gateway", all) };
  }

  it("repeats a failed issue twice, with the same key", async (t) => {
    const { backend, gateway } = await gatewayOf(t, (_, response) => {
      if (backend.requests.length < 3) reply(response, "busy", 500);
      else reply(response);
    });
    assert.deepEqual(await buy(gateway), {
      status: 200,
      body: { token: "t", tokenType: "Bearer" },
    });
    const keys = backend.requests.map(({ headers }) => headers["idempotency-key"]);
    assert.equal(keys.length, 3);
    assert.equal(new Set(keys).size, 1);
  });

  it("answers the status that the backend answered at last", async (t) => {
    const { backend, gateway } = await gatewayOf(t, (_, response) => reply(response, "no", 500));
    assert.deepEqual(await buy(gateway), {
      status: 502,
      body: {
        type: "Error",
        code: "TOKEN_ISSUE_FAILED",
        message: "Backend failed to issue token: 500",
      },
    });
    assert.equal(backend.requests.length, 3);
  });

  it("never repeats a timeout", async (t) => {
    const { backend, gateway } = await gatewayOf(t, () => {}, { TIMEOUT_MS: "200" });
    const { status, body } = await buy(gateway);
    assert.deepEqual([status, body.code], [504, "TOKEN_ISSUE_TIMEOUT"]);
    assert.equal(backend.requests.length, 1);
  });

  it("takes a transaction once, and none that is none", async (t) => {
    const { backend, gateway } = await gatewayOf(t, (_, response) => reply(response));
    const txHash = transaction();
    assert.equal((await buy(gateway, txHash)).status, 200);
    const again = await buy(gateway, txHash);
    assert.deepEqual([again.status, again.body.code], [409, "TX_ALREADY_REDEEMED"]);
    // An array of it would be another one each time.
    for (const other of ["free", "0x1", [transaction()], null]) {
      const none = await buy(gateway, /** @type {any} */ (other));
      assert.deepEqual([none.status, none.body.code], [400, "INVALID_PROOF"]);
    }
    assert.equal(backend.requests.length, 1);
  });
});

describe("an example without its settings", () => {
  const cases = {
    "standalone-gateway": {
      env: { BACKEND_URL: "http://127.0.0.1:1", AUTH: "jwt" },
      names: "KEY0_SECRET",
    },
    "backend-express": { env: {}, names: "CREDENTIAL_SECRET" },
    "backend-hono": { env: { CREDENTIAL_SECRET, AUTH: "shared-secret" }, names: "SHARED_SECRET" },
    "backend-fastify": { env: { CREDENTIAL_SECRET, AUTH: "magic" }, names: "AUTH" },
  };
  for (const [name, { env, names }] of Object.entries(cases)) {
    it(`ends ${name} with the name of what is missing`, async () => {
      const ended = await run(process.execPath, [`examples/${name}/main.mjs`], { env });
      assert.deepEqual([ended.code, ended.stdout], [1, ""]);
      assert.match(ended.stderr, new RegExp(`^${names} (is not set|must be one of none, .*)\n$`));
    });
  }
});
