// @ts-check
// The main job, on real HTTP: Key0 gets credentials from a seller's backend through each strategy,
// then from backends that misbehave, then a thousand at once. Ends with status 1 when anything is
// not as it must be.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { inspect } from "node:util";
import {
  AccessTokenIssuer,
  createRemoteTokenIssuer,
  Key0Error,
  noAuth,
  oauthClientCredentialsAuth,
  sharedSecretAuth,
  signedJwtAuth,
} from "@key0ai/native";
import { startBackend } from "./backend.mjs";
import { heading, masked, milliseconds, table } from "./report.mjs";

const started = performance.now();
const tooLong = setTimeout(() => fail(new Error("still running after 30 s")), 30_000);
const newSecret = () => randomBytes(24).toString("base64url");
const newKeyPair = () =>
  generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });

const audience = "https://seller.example";
const [sharedSecret, jwtSecret] = [newSecret(), newSecret()];
const { privateKey, publicKey } = newKeyPair();
const key0 = { id: "key0", secret: newSecret() };
const seller = { id: "seller", secret: newSecret() };

const oauth = await startOAuthServer();
const { backend, elsewhere } = await startBackend({
  audience,
  sharedSecret,
  jwtSecret,
  publicKey,
  introspectionUrl: `${oauth.origin}/token/introspection`,
  client: seller,
});

try {
  await eachStrategy();
  await misbehavingBackends();
  await thousandAtOnce();
  console.log(`\nAll as it must be, in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
} catch (error) {
  fail(error);
}
backend.close();
elsewhere.close();
oauth.process.disconnect();
clearTimeout(tooLong);

/** Each with the right credential, and as an impostor with another one, who must be refused. */
async function eachStrategy() {
  /** @param {string} secret */
  const grant = (secret) =>
    oauthClientCredentialsAuth({
      tokenUrl: `${oauth.origin}/token`,
      clientId: key0.id,
      clientSecret: secret,
      scopes: ["credentials:issue"],
    });
  /** @param {ConstructorParameters<typeof AccessTokenIssuer>[0]} key */
  const jwt = (key) => signedJwtAuth(new AccessTokenIssuer(key), audience);
  /** @param {string} pem */
  const rs256 = (pem) => jwt({ algorithm: "RS256", privateKey: pem });
  /** @param {string} secret */
  const shared = (secret) => sharedSecretAuth("X-Internal-Auth", secret);

  const strategies = [
    { name: "noAuth", path: "/open", auth: noAuth() },
    {
      name: "sharedSecretAuth",
      path: "/shared-secret",
      auth: shared(sharedSecret),
      impostor: shared(newSecret()),
    },
    {
      name: "signedJwtAuth, HS256",
      path: "/jwt-hs256",
      auth: jwt(jwtSecret),
      impostor: jwt(newSecret()),
    },
    {
      name: "signedJwtAuth, RS256",
      path: "/jwt-rs256",
      auth: rs256(privateKey),
      impostor: rs256(newKeyPair().privateKey),
    },
    {
      name: "oauthClientCredentialsAuth",
      path: "/oauth",
      auth: grant(key0.secret),
      impostor: grant(newSecret()),
    },
  ];

  const rows = [];
  for (const { name, path, auth, impostor } of strategies) {
    const url = `${backend.origin}${path}`;
    const { result, ms } = await timed(createRemoteTokenIssuer({ url, auth })(payment()));
    assert.match(result.token, /^[0-9a-f]{32}$/, `${name} got ${result.token}, no key`);
    assert.equal(result.tokenType, "ApiKey", `${name} got no type`);
    const header = sent(backend.lastHeaders);

    const refusal = impostor && (await failure(createRemoteTokenIssuer({ url, auth: impostor })));
    if (refusal)
      assert.match(
        refusal.error.message,
        / 401( invalid_client)?$/,
        `${name}'s impostor got: ${refusal.error.message}`,
      );
    rows.push([name, header, masked(result.token), refusal ? "refused" : "–", milliseconds(ms)]);
  }
  heading("Credentials from the seller's backend, which checks each strategy");
  table(["Strategy", "Header sent", "Result", "Impostor", "Time"], rows);
}

async function misbehavingBackends() {
  const moved = "Network error: redirected to another origin";
  const cases = [
    {
      what: "fails",
      expected: ["fails", "TOKEN_ISSUE_FAILED", 502, "Backend failed to issue token: 500"],
    },
    {
      what: "hangs",
      timeoutMs: 300,
      expected: ["hangs", "TOKEN_ISSUE_TIMEOUT", 504, "Remote token issuance timed out"],
    },
    { what: "moved", expected: ["moved", "TOKEN_ISSUE_FAILED", 502, moved] },
  ];

  const rows = [];
  const messages = [];
  for (const { what, timeoutMs, expected } of cases) {
    const url = `${backend.origin}/${what}`;
    const auth = sharedSecretAuth("X-Internal-Auth", sharedSecret);
    const { error, ms } = await failure(createRemoteTokenIssuer({ url, auth, timeoutMs }));
    assert.deepEqual([what, error.code, error.httpStatus, error.message], expected);
    assert.ok(ms < 2_000, `${what} ended only after ${milliseconds(ms)}`);
    rows.push([what, error.code, `${error.httpStatus}`, milliseconds(ms)]);
    messages.push(error.message);
  }
  assert.equal(elsewhere.requests, 0, "a request went to the other origin");
  heading("Backends that misbehave");
  table(["Backend", "Code", "HTTP", "Time"], rows, messages);
}

async function thousandAtOnce() {
  const before = await oauth.tokenRequests();
  const issue = createRemoteTokenIssuer({
    url: `${backend.origin}/oauth`,
    auth: oauthClientCredentialsAuth({
      tokenUrl: `${oauth.origin}/token`,
      clientId: key0.id,
      clientSecret: key0.secret,
      scopes: ["credentials:issue"],
    }),
  });
  const calls = Array.from({ length: 1_000 }, () => issue(payment()));
  const { result, ms } = await timed(Promise.all(calls));
  const keys = new Set(result.map(({ token }) => token)).size;
  const tokenRequests = (await oauth.tokenRequests()) - before;
  assert.equal(keys, 1_000, `1,000 payments got ${keys} keys`);
  assert.equal(
    tokenRequests,
    1,
    `1,000 callers on a cold cache made ${tokenRequests} token requests`,
  );

  heading("1,000 issues at once, on a cold OAuth cache");
  const figures = ["1,000", "1,000", `${tokenRequests}`, milliseconds(ms)];
  table(["Payments", "Keys issued", "Token requests made", "Time"], [figures]);
}

/** What Key0's engine calls the issuer with, after a payment. */
function payment() {
  const [requestId, challengeId] = [randomUUID(), randomUUID()];
  const txHash = `0x${randomBytes(32).toString("hex")}`;
  return { requestId, challengeId, resourceId: "photo-7", planId: "basic", txHash };
}

/** @template T @param {Promise<T>} call */
async function timed(call) {
  const start = performance.now();
  const result = await call;
  return { result, ms: performance.now() - start };
}

/** @param {ReturnType<typeof createRemoteTokenIssuer>} issue */
async function failure(issue) {
  const { result: error, ms } = await timed(issue(payment()).catch((reason) => reason));
  assert.ok(error instanceof Key0Error, `no Key0Error but ${inspect(error)}`);
  return { error, ms };
}

/** The authenticating header as it came over the wire, its value masked. @param {string[]} raw */
function sent(raw) {
  const at = raw.findIndex((name, i) => i % 2 === 0 && /auth/i.test(name));
  return at < 0 ? "–" : `${raw[at]}: ${masked(raw[at + 1])}`;
}

async function startOAuthServer() {
  const path = new URL("oauth-server.mjs", import.meta.url);
  const child = fork(path, { stdio: ["ignore", "pipe", "pipe", "ipc"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk) => {
      output += chunk;
    });
  }
  child.on("exit", (code) => {
    if (code) fail(new Error(`the OAuth server ended with status ${code}:\n${output}`));
  });
  child.send({ key0, seller });
  const [{ port }] = await once(child, "message");
  return {
    process: child,
    origin: `http://127.0.0.1:${port}`,
    async tokenRequests() {
      child.send("count");
      const [answer] = await once(child, "message");
      return answer.tokenRequests;
    },
  };
}

/** @param {unknown} error @returns {never} */
function fail(error) {
  console.error(`\nNot as it must be: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}
