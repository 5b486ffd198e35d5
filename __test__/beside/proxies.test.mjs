// @ts-check
/** Proxies: each runtime's own rule decides which requests go through one, and its fetch sends them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { installed, runtime } from "../../scripts/tools.mjs";
import { endedWell, evaluation, run, runScript } from "../support/process.mjs";
import { proxyServer } from "../support/proxy.mjs";
import { httpServer, reply } from "../support/server.mjs";
import { authority } from "../support/tls.mjs";

const ISSUE = `
  import { createRemoteTokenIssuer, oauthClientCredentialsAuth } from "./index.mjs";
  const { TOKEN_URL: tokenUrl } = process.env;
  const client = { tokenUrl, clientId: "id", clientSecret: "secret" };
  const auth = tokenUrl ? oauthClientCredentialsAuth(client) : undefined;
  const issue = createRemoteTokenIssuer({ url: process.argv[1], auth });
  const failed = ({ message, cause }) => [message, cause.sent];
  console.log(JSON.stringify(await issue({}).then(({ token }) => token, failed)));
`;
const CREDENTIALS = "user:pass";

/** What one call on a runtime gives. @param {string} name @param {string} url @param {any} env */
async function called(name, url, env) {
  const ended = await run(runtime(/** @type {any} */ (name)), evaluation(ISSUE, [url]), { env });
  endedWell(ended);
  return JSON.parse(ended.stdout);
}

/** A backend that rejects the first token. @type {import("../support/server.mjs").Answer} */
const takingTheSecond = ({ headers }, response) =>
  reply(response, { token: "t" }, headers.authorization === "Bearer token-2" ? 200 : 401);

/** @type {[name: string, told: Record<string, string>][]} */
const RUNTIMES = [
  ["node-24", { NODE_USE_ENV_PROXY: "1" }],
  ["bun", {}],
];

for (const [name, told] of RUNTIMES) {
  describe(`on ${name} the proxy that the environment names`, () => {
    for (const credentials of [undefined, CREDENTIALS]) {
      const how = credentials ? "with credentials" : "without credentials";
      it(`is the way to https servers, ${how}`, async (t) => {
        const ca = authority(t);
        const { origin, url, requests } = await httpServer(t, undefined, { tls: ca.issue() });
        const proxy = await proxyServer(t, credentials);
        const env = { ...told, HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: ca.file };
        assert.equal(await called(name, url, env), "t");
        assert.deepEqual(new Set(proxy.asked), new Set([`CONNECT ${new URL(origin).host}`]));
        assert.equal(requests.length, 1);
        assert.doesNotMatch(requests[0].headers["user-agent"], /^key0-native/);
      });
    }

    it("is the way to both servers again where the backend rejects a token", async (t) => {
      const ca = authority(t);
      let last = 0;
      const idp = await httpServer(
        t,
        (_, response) => {
          last += 1;
          reply(response, { access_token: `token-${last}`, expires_in: 3600 });
        },
        { tls: ca.issue() },
      );
      const backend = await httpServer(t, takingTheSecond, { tls: ca.issue() });
      const proxy = await proxyServer(t, CREDENTIALS);
      const ways = { HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: ca.file };
      const env = { ...told, ...ways, TOKEN_URL: idp.url };
      assert.equal(await called(name, backend.url, env), "t");
      assert.deepEqual([idp.requests.length, backend.requests.length], [2, 2]);
      const hosts = [idp, backend].map(({ origin }) => `CONNECT ${new URL(origin).host}`);
      assert.deepEqual(new Set(proxy.asked), new Set(hosts));
    });

    it("is not the way where NO_PROXY names the host: the native client's is", async (t) => {
      const { url, requests } = await httpServer(t);
      const proxy = await proxyServer(t);
      const env = { ...told, HTTP_PROXY: proxy.url, NO_PROXY: "other.test,127.0.0.1" };
      assert.equal(await called(name, url, env), "t");
      assert.deepEqual(proxy.asked, []);
      assert.match(requests[0].headers["user-agent"], /^key0-native/);
    });

    it("that refuses is a network error", async (t) => {
      const ca = authority(t);
      const { url, requests } = await httpServer(t, undefined, { tls: ca.issue() });
      const proxy = await proxyServer(t, CREDENTIALS);
      const anonymous = proxy.url.replace(`${CREDENTIALS}@`, "");
      const env = { ...told, HTTPS_PROXY: anonymous, NODE_EXTRA_CA_CERTS: ca.file };
      const [message] = await called(name, url, env);
      assert.match(message, /^(Network error: |Backend failed to issue token: 407)/);
      assert.equal(requests.length, 0);
    });
  });
}

describe("on Node without being told", () => {
  it("variables are not read", async (t) => {
    const { url, requests } = await httpServer(t);
    const proxy = await proxyServer(t);
    const ended = await runScript(ISSUE, { args: [url], env: { HTTP_PROXY: proxy.url } });
    endedWell(ended);
    assert.deepEqual([proxy.asked, requests.length], [[], 1]);
  });
});

describe("undici's global dispatcher", () => {
  for (const [agent, credentials] of /** @type {[string, string?][]} */ ([
    ["new ProxyAgent(proxy)"],
    ["new ProxyAgent(proxy)", CREDENTIALS],
    ["new EnvHttpProxyAgent({ httpProxy: proxy })"],
  ])) {
    it(`${agent} is the way to servers, ${credentials ? "with" : "without"} credentials`, async (t) => {
      const packages = join(
        installed("mocks", { msw: "^2.11", nock: "^14.0", undici: "^7.16" }),
        "package.json",
      );
      const { origin, url, requests } = await httpServer(t);
      const proxy = await proxyServer(t, credentials);
      const source = `
        import { createRequire } from "node:module";
        const [, url, packages, proxy] = process.argv;
        const { EnvHttpProxyAgent, ProxyAgent, setGlobalDispatcher } = createRequire(packages)("undici");
        setGlobalDispatcher(${agent});
        ${ISSUE}
      `;
      const ended = await runScript(source, { args: [url, packages, proxy.url] });
      endedWell(ended);
      assert.equal(JSON.parse(ended.stdout), "t");
      assert.deepEqual(proxy.asked, [`CONNECT ${new URL(origin).host}`]);
      assert.equal(requests.length, 1);
    });
  }
});
