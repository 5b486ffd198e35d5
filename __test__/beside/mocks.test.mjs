// @ts-check
/**
 * What users put around `fetch`, from npm: mocks in their tests, and tracing.
 * Each is a process of its own in which the addon is told nothing.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { installed } from "../../scripts/tools.mjs";
import { endedWell, runScript } from "../support/process.mjs";
import { httpServer } from "../support/server.mjs";

const MOCKS = { msw: "^2.11", nock: "^14.0", undici: "^7.16" };
/** Its native parts, which measure and profile, are not needed for tracing. */
const DD_TRACE = { "dd-trace": "^5.70" };

/** What every script begins with: two calls that print what they gave, or what `cause` says. */
const CALLS = `
  import { createRequire } from "node:module";
  const require = createRequire(process.argv[1]);
  const load = () => import("./index.mjs");
  async function calls({ createRemoteTokenIssuer, oauthClientCredentialsAuth }, url, config) {
    const client = { tokenUrl: "https://idp.test/token", clientId: "id", clientSecret: "s" };
    const auth = oauthClientCredentialsAuth({ ...client, ...config });
    const issue = createRemoteTokenIssuer({ url, auth, ...config });
    const failed = ({ code, message, cause }) => [code, message, cause.sent];
    return await issue({ challengeId: "c" }).then(({ token }) => token, failed);
  }
  const GRANT = { access_token: "a", expires_in: 3600 };
`;

/** @type {string} */
let packages;

before(() => {
  packages = join(installed("mocks", MOCKS), "package.json");
});

/** What a script prints. @param {string} source @param {string[]} args */
async function printed(source, ...args) {
  const ended = await runScript(CALLS + source, { args: [packages, ...args] });
  endedWell(ended);
  return JSON.parse(ended.stdout);
}

describe("msw", () => {
  it("answers and fails, from its beginning to its end, whenever it is loaded", async (t) => {
    const { url } = await httpServer(t);
    const outcomes = await printed(
      `
      const key0 = await load();
      const { http, HttpResponse } = require("msw");
      const { setupServer } = require("msw/node");
      const seen = [];
      const server = setupServer(
        http.post("https://idp.test/token", async ({ request }) => {
          seen.push(new URLSearchParams(await request.text()).get("grant_type"));
          return HttpResponse.json(GRANT);
        }),
        http.post("https://backend.test/issue", async ({ request }) => {
          seen.push(request.headers.get("authorization"), (await request.json()).challengeId);
          return HttpResponse.json({ token: "of msw" });
        }),
        http.post("https://backend.test/fails", () => HttpResponse.error()),
        http.post("https://backend.test/busy", () => new HttpResponse("busy", { status: 503 })),
      );
      server.listen({ onUnhandledRequest: "bypass" });
      const outcomes = [];
      for (const path of ["issue", "fails", "busy"]) {
        outcomes.push(await calls(key0, "https://backend.test/" + path));
      }
      server.close();
      const real = await key0.createRemoteTokenIssuer({ url: process.argv[2] })({});
      console.log(JSON.stringify([outcomes, [...new Set(seen)], real.token]));
    `,
      url,
    );
    assert.deepEqual(outcomes, [
      [
        "of msw",
        ["TOKEN_ISSUE_FAILED", "Network error: Failed to fetch", true],
        ["TOKEN_ISSUE_FAILED", "Backend failed to issue token: 503", true],
      ],
      ["client_credentials", "Bearer a", "c"],
      "t",
    ]);
  });
});

describe("nock", () => {
  it("answers, and fails with its own message", async () => {
    const outcomes = await printed(`
      const nock = require("nock");
      const key0 = await load();
      nock("https://idp.test").post("/token", /grant_type=client_credentials/).times(2).reply(200, GRANT);
      nock("https://backend.test", { reqheaders: { authorization: "Bearer a" } })
        .post("/issue", { challengeId: "c" }).reply(200, { token: "of nock" });
      nock("https://backend.test").post("/fails").replyWithError("no backend today");
      const outcomes = [];
      for (const path of ["issue", "fails"]) {
        outcomes.push(await calls(key0, "https://backend.test/" + path));
      }
      console.log(JSON.stringify([outcomes, nock.pendingMocks()]));
    `);
    assert.equal(outcomes[0][0], "of nock");
    const [code, message] = outcomes[0][1];
    assert.equal(code, "TOKEN_ISSUE_FAILED");
    assert.match(message, /^Network error: (no backend today|Failed to fetch)$/);
    assert.deepEqual(outcomes[1], []);
  });
});

describe("undici", () => {
  it("MockAgent as the global dispatcher answers", async () => {
    const outcomes = await printed(`
      const { MockAgent, setGlobalDispatcher } = require("undici");
      const key0 = await load();
      const agent = new MockAgent();
      agent.disableNetConnect();
      setGlobalDispatcher(agent);
      const json = { headers: { "content-type": "application/json" } };
      agent.get("https://idp.test").intercept({ path: "/token", method: "POST" }).reply(200, GRANT, json);
      agent.get("https://backend.test").intercept({ path: "/issue", method: "POST" })
        .reply(200, { token: "of undici" }, json);
      console.log(JSON.stringify(await calls(key0, "https://backend.test/issue")));
    `);
    assert.equal(outcomes, "of undici");
  });

  it("its own default, which it sets when it is loaded, leaves the native client", async (t) => {
    const { url, requests } = await httpServer(t);
    await printed(
      `
      require("undici");
      const { createRemoteTokenIssuer } = await load();
      console.log(JSON.stringify(await createRemoteTokenIssuer({ url: process.argv[2] })({})));
    `,
      url,
    );
    assert.match(requests[0].headers["user-agent"], /^key0-native\//);
  });
});

describe("dd-trace, loaded before", () => {
  it("traces the requests: its header arrives", async (t) => {
    const folder = installed("dd-trace", DD_TRACE, ["--ignore-scripts", "--omit=optional"]);
    const tracer = pathToFileURL(join(folder, "node_modules/dd-trace/init.js")).href;
    const { url, requests } = await httpServer(t);
    const ended = await runScript(
      `
      await import(${JSON.stringify(tracer)});
      const { createRemoteTokenIssuer } = await import("./index.mjs");
      const issue = createRemoteTokenIssuer({ url: process.argv[1] });
      console.log((await issue({})).token);
      process.exit(0);
    `,
      {
        args: [url],
        env: { DD_TRACE_STARTUP_LOGS: "false", DD_INSTRUMENTATION_TELEMETRY_ENABLED: "false" },
      },
    );
    endedWell(ended);
    assert.match(requests[0].headers["x-datadog-trace-id"], /^\d+$/);
  });
});
