// @ts-check
/**
 * Every configuration of docs/providers.md as it stands there, against a server of the provider's
 * shape: it demands what the provider's documentation says, and answers as that does. Only hosts,
 * folders and the package's name are replaced.
 */
import assert from "node:assert/strict";
import { createHash, createPublicKey, verify, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { authority, certificate, PURPOSES } from "../support/certificates.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { httpServer, reply } from "../support/server.mjs";

const page = new URL("../../docs/providers.md", import.meta.url);
const addon = new URL("../../index.mjs", import.meta.url).href;

/** The programs of each section, by its heading. @type {Record<string, string[]>} */
const programs = Object.fromEntries(
  readFileSync(page, "utf8")
    .split(/^## /m)
    .slice(1)
    .map((section) => [
      section.slice(0, section.indexOf("\n")),
      [...section.matchAll(/```ts\n(.*?)```/gs)].map(([, source]) => source),
    ]),
);

const CA = authority("an authority");
const server = certificate("a server", { by: CA, names: ["IP:127.0.0.1"] });
const client = certificate("key0", { by: CA, key: "RSA-2048", purposes: [PURPOSES.client] });
const TLS = { cert: server.pem, key: server.key, ca: CA.pem, requestCert: true };

Object.assign(process.env, {
  CLIENT_ID: "client-1",
  CLIENT_SECRET: "s3cr3t-of-the-client",
  CLIENT_PRIVATE_KEY: client.key.replaceAll("\n", "\\n"),
  CLIENT_KEY_ID: "key-1",
  CLIENT_CERTIFICATE: client.pem.replaceAll("\n", "\\n"),
  GOOGLE_CLIENT_EMAIL: "issuer@project.iam.gserviceaccount.com",
  GOOGLE_PRIVATE_KEY: client.key,
  GOOGLE_PRIVATE_KEY_ID: "key-2",
});

const ID = { client_id: "client-1" };
const SECRET = { client_secret: "s3cr3t-of-the-client" };
const GRANT = { grant_type: "client_credentials" };
const BASIC = `Basic ${Buffer.from("client-1:s3cr3t-of-the-client").toString("base64")}`;
const ASSERTION = {
  ...GRANT,
  ...ID,
  client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
};
const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/**
 * @typedef {object} Demand What a token endpoint takes, and nothing else.
 * @property {string} path
 * @property {string} [authorization]
 * @property {Record<string, string>} form Without the assertion.
 * @property {string} [field] That of the assertion.
 * @property {Record<string, unknown>} [header] Of the assertion.
 * @property {Record<string, unknown>} [claims] The same; a function has the endpoint's address.
 * @property {boolean} [ownAudience] Whether it is for the endpoint.
 * @property {object} answer
 */

/** @type {Record<string, Demand[]>} */
const DEMANDS = {
  Auth0: [
    {
      path: "/oauth/token",
      form: { ...GRANT, ...ID, ...SECRET, audience: "https://backend.example" },
      answer: { access_token: "t", expires_in: 86_400, token_type: "Bearer" },
    },
    {
      path: "/oauth/token",
      form: { ...ASSERTION, audience: "https://backend.example" },
      field: "client_assertion",
      header: { alg: "RS256" },
      claims: { iss: "client-1", sub: "client-1", aud: "https://your-tenant.eu.auth0.com/" },
      answer: { access_token: "t", expires_in: 86_400, token_type: "Bearer" },
    },
  ],
  Okta: [
    {
      path: "/oauth2/default/v1/token",
      authorization: BASIC,
      form: { ...GRANT, scope: "credentials:issue" },
      answer: {
        token_type: "Bearer",
        expires_in: 3600,
        access_token: "t",
        scope: "credentials:issue",
      },
    },
    {
      path: "/oauth2/v1/token",
      form: { ...ASSERTION, scope: "okta.users.read" },
      field: "client_assertion",
      header: { alg: "RS256", kid: "key-1" },
      claims: { iss: "client-1", sub: "client-1" },
      ownAudience: true,
      answer: {
        token_type: "Bearer",
        expires_in: 3600,
        access_token: "t",
        scope: "okta.users.read",
      },
    },
  ],
  "Microsoft Entra ID": [
    {
      path: "/your-tenant-id/oauth2/v2.0/token",
      form: { ...GRANT, ...ID, ...SECRET, scope: "api://backend-application-id/.default" },
      answer: { token_type: "Bearer", expires_in: 3599, ext_expires_in: 3599, access_token: "t" },
    },
    {
      path: "/your-tenant-id/oauth2/v2.0/token",
      form: { ...ASSERTION, scope: "api://backend-application-id/.default" },
      field: "client_assertion",
      header: {
        alg: "PS256",
        "x5t#S256": createHash("sha256")
          .update(new X509Certificate(client.pem).raw)
          .digest("base64url"),
      },
      claims: { iss: "client-1", sub: "client-1" },
      ownAudience: true,
      answer: { token_type: "Bearer", expires_in: 3599, ext_expires_in: 3599, access_token: "t" },
    },
    {
      path: "/your-tenant-id/oauth2/token",
      form: { ...GRANT, ...ID, ...SECRET, resource: "api://backend-application-id" },
      answer: {
        token_type: "Bearer",
        expires_in: "3599",
        ext_expires_in: "3599",
        expires_on: "1900000000",
        not_before: "1800000000",
        resource: "api://backend-application-id",
        access_token: "t",
      },
    },
  ],
  Keycloak: [
    { form: { ...GRANT, ...ID, ...SECRET } },
    {
      form: ASSERTION,
      field: "client_assertion",
      header: { alg: "RS256" },
      claims: { iss: "client-1", sub: "client-1", aud: "https://sso.example/realms/your-realm" },
    },
    { form: { ...GRANT, ...ID } },
  ].map((demand) => ({
    ...demand,
    path: "/realms/your-realm/protocol/openid-connect/token",
    answer: {
      access_token: "t",
      expires_in: 300,
      refresh_expires_in: 0,
      token_type: "Bearer",
      "not-before-policy": 0,
      scope: "profile email",
    },
  })),
  "Amazon Cognito": [
    {
      path: "/oauth2/token",
      authorization: BASIC,
      form: { ...GRANT, scope: "backend/issue" },
      answer: { access_token: "t", expires_in: 3600, token_type: "Bearer" },
    },
  ],
  Google: [
    {
      path: "/token",
      form: { grant_type: JWT_BEARER },
      field: "assertion",
      header: { alg: "RS256", kid: "key-2" },
      claims: {
        iss: "issuer@project.iam.gserviceaccount.com",
        scope: "https://www.googleapis.com/auth/cloud-platform",
      },
      ownAudience: true,
      answer: { access_token: "t", expires_in: 3599, token_type: "Bearer" },
    },
  ],
};

/**
 * What is wrong with a request, as the provider would find it.
 *
 * @param {Demand} demand
 * @param {import("../support/server.mjs").Seen} seen
 * @param {string} origin
 */
function meets(demand, { method, target, headers, body }, origin) {
  const { path, authorization, form, field = "", header, claims, ownAudience } = demand;
  assert.deepEqual([method, target], ["POST", path]);
  assert.equal(headers["content-type"], "application/x-www-form-urlencoded");
  assert.equal(headers.authorization, authorization);
  const { [field]: assertion, ...rest } = Object.fromEntries(new URLSearchParams(body.toString()));
  assert.deepEqual(rest, form);
  if (!field) return;
  const [head, payload, signature] = assertion.split(".");
  const said = (/** @type {string} */ part) =>
    JSON.parse(Buffer.from(part, "base64url").toString());
  assert.deepEqual(said(head), { typ: "JWT", ...header });
  const { jti, iat, exp, ...others } = said(payload);
  assert.ok(jti && exp - iat <= 60 && exp > Date.now() / 1000);
  assert.deepEqual(others, { ...claims, ...(ownAudience ? { aud: origin + path } : {}) });
  const isPss = header?.alg === "PS256";
  const key = {
    key: createPublicKey(client.key),
    ...(isPss ? { padding: 6, saltLength: 32 } : {}),
  };
  const bytes = Buffer.from(`${head}.${payload}`);
  assert.ok(verify("sha256", bytes, key, Buffer.from(signature, "base64url")), "signed by its key");
}

/** What a program of the page exports, its hosts and files those of the test. */
async function ran(
  /** @type {any} */ t,
  /** @type {string} */ source,
  /** @type {string} */ origin,
) {
  const folder = mkdtempSync(join(tmpdir(), "key0-providers-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of [
    ["ca.pem", CA.pem],
    ["client.pem", client.pem],
    ["client.key", client.key],
  ]) {
    writeFileSync(join(folder, name), text);
  }
  const file = join(folder, "program.mjs");
  const local = source
    // The one thing in them that is TypeScript's.
    .replaceAll(/(process\.env\.\w+)!/g, "$1")
    .replace('"@key0ai/native"', JSON.stringify(addon))
    .replace(/(\b(?:tokenUrl|url): ")https:\/\/[^/]+/, `$1${origin}`)
    .replaceAll('"/etc/key0/', `"${folder}/`);
  writeFileSync(file, local);
  return import(pathToFileURL(file).href);
}

for (const [heading, demands] of Object.entries(DEMANDS)) {
  describe(`docs/providers.md, ${heading}`, () => {
    it("has as many configurations as are tested here", () => {
      assert.equal(programs[heading]?.length, demands.length);
    });

    for (const [i, demand] of demands.entries()) {
      it(`configuration ${i + 1} gets a token of a server that demands it`, async (t) => {
        const source = programs[heading][i];
        const tls = source.includes("tls_client_auth") ? TLS : undefined;
        const endpoint = await httpServer(
          t,
          (seen, response) => {
            meets(demand, seen, endpoint.origin);
            reply(response, demand.answer);
          },
          tls ? { tls: { ...tls, rejectUnauthorized: true } } : {},
        );
        const { auth } = await ran(t, source, endpoint.origin);
        assert.deepEqual(await auth(), { Authorization: "Bearer t" });
        assert.deepEqual(await auth(), { Authorization: "Bearer t" });
        assert.equal(endpoint.requests.length, 1);
      });
    }
  });
}

describe("docs/providers.md", () => {
  it("has no section with programs that is not tested here", () => {
    const sections = Object.keys(programs).filter((heading) => programs[heading].length > 0);
    assert.deepEqual(sections, [
      ...Object.keys(DEMANDS),
      "A backend that demands a client certificate",
    ]);
  });

  it("lets an issuer show its certificate to a backend that demands one", async (t) => {
    const tls = { ...TLS, rejectUnauthorized: true };
    const backend = await httpServer(t, { token: "t" }, { tls });
    const [source] = programs["A backend that demands a client certificate"];
    const { fetchResourceCredentials } = await ran(t, source, backend.origin);
    const issued = await fetchResourceCredentials(PAYMENT);
    assert.deepEqual(issued, { token: "t", tokenType: "Bearer" });
  });
});
