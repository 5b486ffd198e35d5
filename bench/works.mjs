// @ts-check
// The same work by each side that is JavaScript. A side loads what it needs and gives its works:
// each a function that, for a URL where it needs one, gives the call that is measured.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** @typedef {() => unknown} Call What it gives may be a promise. */
/** @typedef {(url: string) => Call | Promise<Call>} Work */
/** @typedef {Record<string, Work>} Works */

const SECRET = "a secret of thirty-two characters";
const SECONDS = 3600;
const PAYMENT = { requestId: "r", challengeId: "c", resourceId: "p", planId: "b", txHash: "0x1" };
const CLAIMS = { sub: "key0-service", resourceId: "b", planId: "system", txHash: "system-auth" };

/** @param {string} name */
const fixture = (name) =>
  readFileSync(new URL(`../tests/fixtures/${name}`, import.meta.url), "utf8");
const PEM = fixture("rsa.pem");
const PUBLIC_PEM = fixture("rsa-public.pem");

/** A package of the peers' folder. @param {string} name @returns {Promise<any>} */
async function peer(name) {
  const require = createRequire(join(String(process.env.KEY0_BENCH_PEERS), "package.json"));
  const module = await import(String(pathToFileURL(require.resolve(name))));
  return module.default ?? module;
}

/** What an exchange asks for, as the SDK does. */
const request = () => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(PAYMENT),
});

/** @param {unknown} answer */
function issued(answer) {
  const { token, tokenType = "Bearer" } = /** @type {any} */ (answer);
  return { token, tokenType };
}

const seconds = () => Math.floor(Date.now() / 1000);
const claims = () => ({ ...CLAIMS, jti: crypto.randomUUID() });

/** @type {Record<string, () => Promise<Works>>} */
export const SIDES = {
  async addon() {
    const addon = await import("../index.mjs");
    const hs256 = new addon.AccessTokenIssuer(SECRET);
    const rs256 = new addon.AccessTokenIssuer({ algorithm: "RS256", privateKey: PEM });
    const signed = addon.signedJwtAuth(hs256, "b", SECONDS);
    const signedRs256 = addon.signedJwtAuth(rs256, "b", SECONDS);
    /** @param {string} tokenUrl */
    const oauth = (tokenUrl) =>
      addon.oauthClientCredentialsAuth({ tokenUrl, clientId: "c", clientSecret: "s" });
    return {
      issue: (url) => {
        const issue = addon.createRemoteTokenIssuer({ url, auth: addon.noAuth() });
        return () => issue(PAYMENT);
      },
      hang: (url) => {
        const options = { url, auth: addon.noAuth(), timeoutMs: 600_000 };
        const issue = addon.createRemoteTokenIssuer(options);
        return () => issue(PAYMENT);
      },
      token: oauth,
      cached: async (url) => {
        const header = oauth(url);
        await header();
        return header;
      },
      static: () => addon.sharedSecretAuth("X-Internal-Auth", SECRET),
      "header-hs256": () => signed,
      "header-rs256": () => signedRs256,
      "verify-hs256": async () => {
        const { Authorization } = await signed();
        return () => addon.validateKey0Token(Authorization, { secret: SECRET });
      },
      "verify-rs256": async () => {
        const { Authorization } = await signedRs256();
        const config = /** @type {const} */ ({ publicKey: PUBLIC_PEM, algorithm: "RS256" });
        return () => addon.validateKey0Token(Authorization, config);
      },
    };
  },

  async closure() {
    const header = async () => ({ "X-Internal-Auth": SECRET });
    return { static: () => header, cached: () => header };
  },

  // The least that crossing into Rust and back can cost.
  async "n-api"() {
    const require = createRequire(import.meta.url);
    const binding = require("../lib/load.js");
    const { peek } = binding.Auth.none();
    return { "header-hs256": () => () => peek(0) };
  },

  async fetch() {
    /** @param {number} ms @returns {Work} */
    const by = (ms) => (url) => async () => {
      const response = await fetch(url, { ...request(), signal: AbortSignal.timeout(ms) });
      return issued(await response.json());
    };
    return { issue: by(10_000), hang: by(600_000) };
  },

  undici: () => byUndici(),
  "undici-64": () => byUndici({ connections: 64 }),

  async "openid-client"() {
    const client = await peer("openid-client");
    return {
      token: (url) => {
        const server = { issuer: new URL(url).origin, token_endpoint: url };
        const method = client.ClientSecretPost("s");
        const config = new client.Configuration(server, "c", undefined, method);
        client.allowInsecureRequests(config);
        return () => client.clientCredentialsGrant(config);
      },
    };
  },

  async jose() {
    const { importPKCS8, importSPKI, jwtVerify, SignJWT } = await peer("jose");
    const secret = new TextEncoder().encode(SECRET);
    const [privateKey, publicKey] = [
      await importPKCS8(PEM, "RS256"),
      await importSPKI(PUBLIC_PEM, "RS256"),
    ];
    /** @param {string} alg @param {unknown} key */
    const sign = (alg, key) => async () => {
      const jwt = new SignJWT(claims()).setProtectedHeader({ alg });
      const token = await jwt.setIssuedAt().setExpirationTime("1h").sign(key);
      return { Authorization: `Bearer ${token}` };
    };
    /** @param {string} alg @param {() => Promise<{ Authorization: string }>} header @param {unknown} key */
    const verify = async (alg, header, key) => {
      const token = (await header()).Authorization.slice("Bearer ".length);
      return () => jwtVerify(token, key, { algorithms: [alg] });
    };
    const [hs256, rs256] = [sign("HS256", secret), sign("RS256", privateKey)];
    return {
      "header-hs256": () => hs256,
      "header-rs256": () => rs256,
      "verify-hs256": () => verify("HS256", hs256, secret),
      "verify-rs256": () => verify("RS256", rs256, publicKey),
    };
  },

  async crypto() {
    const crypto = await import("node:crypto");
    const secret = crypto.createSecretKey(Buffer.from(SECRET));
    const [privateKey, publicKey] = [
      crypto.createPrivateKey(PEM),
      crypto.createPublicKey(PUBLIC_PEM),
    ];
    /** @param {string} alg */
    const unsigned = (alg) => {
      const head = Buffer.from(JSON.stringify({ alg })).toString("base64url");
      return () => {
        const iat = seconds();
        const body = { ...CLAIMS, jti: crypto.randomUUID(), iat, exp: iat + SECONDS };
        return `${head}.${Buffer.from(JSON.stringify(body)).toString("base64url")}`;
      };
    };
    /** @param {string} text */
    const hmac = (text) => crypto.createHmac("sha256", secret).update(text).digest("base64url");
    const [hs256, rs256] = [unsigned("HS256"), unsigned("RS256")];
    /** @param {string} token @param {(text: string, signature: string) => boolean} fits */
    const verified = (token, fits) => {
      const [head, body, signature] = token.split(".");
      const { alg } = JSON.parse(String(Buffer.from(head, "base64url")));
      if (!/^[HR]S256$/.test(alg) || !fits(`${head}.${body}`, signature))
        throw new Error("invalid");
      const payload = JSON.parse(String(Buffer.from(body, "base64url")));
      if (payload.exp <= seconds()) throw new Error("expired");
      return payload;
    };
    return {
      "header-hs256": () => async () => {
        const text = hs256();
        return { Authorization: `Bearer ${text}.${hmac(text)}` };
      },
      "header-rs256": () => async () => {
        const text = rs256();
        const signature = crypto.sign("sha256", Buffer.from(text), privateKey);
        return { Authorization: `Bearer ${text}.${signature.toString("base64url")}` };
      },
      "verify-hs256": () => {
        const text = hs256();
        const token = `${text}.${hmac(text)}`;
        /** @param {string} text @param {string} signature */
        const fits = (text, signature) => {
          const [ours, theirs] = [Buffer.from(hmac(text)), Buffer.from(signature)];
          return ours.length === theirs.length && crypto.timingSafeEqual(ours, theirs);
        };
        return async () => verified(token, fits);
      },
      "verify-rs256": () => {
        const text = rs256();
        const signature = crypto
          .sign("sha256", Buffer.from(text), privateKey)
          .toString("base64url");
        const token = `${text}.${signature}`;
        /** @param {string} text @param {string} signature */
        const fits = (text, signature) =>
          crypto.verify(
            "sha256",
            Buffer.from(text),
            publicKey,
            Buffer.from(signature, "base64url"),
          );
        return async () => verified(token, fits);
      },
    };
  },

  async "fast-jwt"() {
    const { createSigner, createVerifier } = await peer("fast-jwt");
    const expiresIn = SECONDS * 1000;
    const hs256 = createSigner({ key: SECRET, algorithm: "HS256", expiresIn });
    const rs256 = createSigner({ key: PEM, algorithm: "RS256", expiresIn });
    const uncached = { cache: false };
    const verifyHs256 = createVerifier({ key: SECRET, algorithms: ["HS256"], ...uncached });
    const verifyRs256 = createVerifier({ key: PUBLIC_PEM, algorithms: ["RS256"], ...uncached });
    return synchronous(
      () => hs256(claims()),
      () => rs256(claims()),
      verifyHs256,
      verifyRs256,
    );
  },

  async jsonwebtoken() {
    const jwt = await peer("jsonwebtoken");
    const { createPrivateKey, createPublicKey, createSecretKey } = await import("node:crypto");
    const [secret, privateKey] = [createSecretKey(Buffer.from(SECRET)), createPrivateKey(PEM)];
    const publicKey = createPublicKey(PUBLIC_PEM);
    const expiresIn = SECONDS;
    return synchronous(
      () => jwt.sign(claims(), secret, { algorithm: "HS256", expiresIn }),
      () => jwt.sign(claims(), privateKey, { algorithm: "RS256", expiresIn }),
      (token) => jwt.verify(token, secret, { algorithms: ["HS256"] }),
      (token) => jwt.verify(token, publicKey, { algorithms: ["RS256"] }),
    );
  },

  async "node-rs"() {
    const { Algorithm, signSync, sign, verifySync } = await peer("@node-rs/jsonwebtoken");
    const body = () => {
      const iat = seconds();
      return { ...claims(), iat, exp: iat + SECONDS };
    };
    const [HS256, RS256] = [Algorithm?.HS256 ?? 0, Algorithm?.RS256 ?? 5];
    const works = synchronous(
      () => signSync(body(), SECRET, { algorithm: HS256 }),
      () => signSync(body(), PEM, { algorithm: RS256 }),
      (token) => verifySync(token, SECRET, { algorithms: [HS256] }),
      (token) => verifySync(token, PUBLIC_PEM, { algorithms: [RS256] }),
    );
    const rs256 = async () => {
      return { Authorization: `Bearer ${await sign(body(), PEM, { algorithm: RS256 })}` };
    };
    return { ...works, "header-rs256": () => rs256 };
  },
};

/**
 * The works of a library that does them in the call.
 * @param {() => string} hs256
 * @param {() => string} rs256
 * @param {(token: string) => unknown} verifyHs256
 * @param {(token: string) => unknown} verifyRs256
 * @returns {Works}
 */
function synchronous(hs256, rs256, verifyHs256, verifyRs256) {
  return {
    "header-hs256": () => async () => ({ Authorization: `Bearer ${hs256()}` }),
    "header-rs256": () => async () => ({ Authorization: `Bearer ${rs256()}` }),
    "verify-hs256": () => {
      const token = hs256();
      return async () => verifyHs256(token);
    },
    "verify-rs256": () => {
      const token = rs256();
      return async () => verifyRs256(token);
    },
  };
}

/** @param {object} [options] of an Agent; the default one without @returns {Promise<Works>} */
async function byUndici(options) {
  // Node 20 has no place for undici 8.
  const isOld = Number.parseInt(process.versions.node, 10) < 22;
  const undici = await peer(isOld ? "undici-7" : "undici");
  /** @param {number} ms @returns {Work} */
  const by = (ms) => (url) => {
    const limits = { headersTimeout: ms, bodyTimeout: ms };
    const dispatcher = options && new undici.Agent(options);
    return async () => {
      const { body } = await undici.request(url, { ...request(), ...limits, dispatcher });
      return issued(await body.json());
    };
  };
  return { issue: by(10_000), hang: by(600_000) };
}
