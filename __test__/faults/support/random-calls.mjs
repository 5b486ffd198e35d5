// @ts-check
/**
 * The program that calls one exported function with arguments of a seed, in a process of its own.
 * It prints how many calls there were and what became of them, and each that broke a rule.
 */
import { inspect } from "node:util";
import * as key0 from "../../../index.mjs";
import { CANARY, spellings } from "../../support/errors.mjs";
import { RSA, RSA_PUBLIC } from "../../support/keys.mjs";
import { CLAIMS, hs256, rs256 } from "../../support/tokens.mjs";
import { anything, config, LONG_SECRET, mostly, Own, pick, random } from "./values.mjs";

const { AccessTokenIssuer, Key0Error } = key0;

const [, , name, seed, count, url, closed] = process.argv;
const next = random(Number(seed));
const any = () => anything(next);

/** Every text that `value` could be taken for. @param {any} value */
function texts(value) {
  return [() => inspect(value), () => `${value}`, () => `${value?.message}`].map((text) => {
    try {
      return text();
    } catch {
      return "";
    }
  });
}

/** What a caller's own `auth` says is passed on in the caller's own words. @returns {any} */
function harmless() {
  const value = any();
  return texts(value).join().includes(CANARY.slice(0, 6)) ? harmless() : value;
}

const TOKEN = hs256({ ...CLAIMS, exp: 4e9 }, { secret: LONG_SECRET });
const hs = new AccessTokenIssuer(LONG_SECRET);
const rs = new AccessTokenIssuer({ algorithm: "RS256", privateKey: RSA.pkcs8 });
const address = () => pick(next, [url, url, new URL(url), closed, `${url}/?q=${next()}`]);
const timeout = () => pick(next, [undefined, 2_000, "2000", 1_000.5]);
const provider = () =>
  pick(next, [
    key0.noAuth(),
    key0.sharedSecretAuth("X-A", CANARY),
    key0.signedJwtAuth(hs, "b"),
    async () => any(),
    () => any(),
    () => Promise.reject(harmless()),
    () => {
      throw harmless();
    },
    () => ({ [pick(next, ["X-A", "x-a", "Host", "TE", ""])]: any() }),
    () => new Map([[any(), any()]]),
  ]);
const tls = () =>
  pick(next, [
    { ca: any(), cert: any(), key: any(), passphrase: any() },
    { [String(pick(next, ["ca", "cert", "key"]))]: CANARY },
    any(),
  ]);
const remote = () =>
  config(next, {
    url: address,
    timeoutMs: timeout,
    auth: provider,
    idempotencyKey: () => next() < 0.5,
    secret: () => CANARY,
    headerName: () => "X-A",
    ...(next() < 0.2 ? { tls } : {}),
  });
/** One or two that the SDK does not have. */
const options = () => {
  const all = Object.entries({
    resource: () => pick(next, ["https://b", ["https://b", any()]]),
    extraParams: () => pick(next, [{ a: "b", [String(pick(next, ["a", "scope"]))]: any() }, any()]),
    headers: () => pick(next, [{ "X-A": any() }, new Map([[any(), any()]])]),
    clientAuthentication: () =>
      pick(next, ["client_secret_basic", "client_secret_jwt", "private_key_jwt", "none"]),
    privateKey: () => pick(next, [RSA.pkcs8, RSA_PUBLIC.spki, CANARY]),
    algorithm: () => pick(next, ["RS256", "PS256", "HS256"]),
    kid: any,
    certificate: any,
    assertionAudience: any,
    grantType: () => pick(next, ["client_credentials", any()]),
    defaultExpiresInSeconds: () => pick(next, [60, any()]),
    expiryBufferSeconds: () => pick(next, [60, any()]),
    tokenType: () => pick(next, ["Bearer", any()]),
    tls,
  });
  return Object.fromEntries([pick(next, all), pick(next, all)]);
};
const OPTIONS =
  "resource extraParams headers clientAuthentication privateKey algorithm kid certificate assertionAudience grantType defaultExpiresInSeconds expiryBufferSeconds tokenType tls";
const params = () => mostly(next, () => ({ ...CLAIMS, challengeId: any() }));
const issuer = () =>
  pick(next, [hs, rs, { sign: () => any() }, { sign: async () => ({ token: any() }) }]);
const header = () => pick(next, [`Bearer ${TOKEN}`, `Bearer ${TOKEN}x`, TOKEN]);
const receiver = () => (next() < 0.9 ? pick(next, [hs, hs, rs]) : any());
const claims = () => mostly(next, () => ({ ...CLAIMS, [String(pick(next, ["sub", "x"]))]: any() }));

/** A function that a call gave, called too: its own result or failure is what counts. */
/** @template T @param {T} value */
const unlessFunction = (value) => (typeof value === "function" ? CANARY : value);
const called = (/** @type {any} */ made, /** @type {unknown[]} */ ...args) => made(...args);

/**
 * By name: the call, and which fields and arguments its messages may name.
 *
 * @type {Record<string, { call: () => unknown, names: string }>}
 */
const FUNCTIONS = {
  noAuth: { call: () => called(/** @type {any} */ (key0.noAuth)(any()), any()), names: "" },
  sharedSecretAuth: {
    call: () =>
      called(
        key0.sharedSecretAuth(
          mostly(next, () => "X-A"),
          // What a function of the caller's throws is not ours to name.
          unlessFunction(mostly(next, () => CANARY)),
        ),
        any(),
      ),
    names: "headerName secret",
  },
  redisTokenCache: {
    call: () => key0.redisTokenCache(mostly(next, () => ({ get: any, set: any, eval: any }))),
    names: "client",
  },
  signedJwtAuth: {
    call: () =>
      called(
        key0.signedJwtAuth(
          mostly(next, issuer),
          mostly(next, () => "https://b"),
          mostly(next, () => pick(next, [undefined, 60, 0.5, -1])),
        ),
      ),
    names: "issuer audience ttlSeconds token",
  },
  oauthClientCredentialsAuth: {
    call: () =>
      called(
        key0.oauthClientCredentialsAuth(
          config(next, {
            tokenUrl: address,
            clientId: () => "id",
            clientSecret: () => CANARY,
            scopes: () => ["read", any()],
            audience: () => "https://b",
            ...(next() < 0.5 ? options() : {}),
          }),
        ),
        any(),
      ),
    names: `tokenUrl clientId clientSecret scopes audience ${OPTIONS}`,
  },
  createRemoteTokenIssuer: {
    call: () => called(key0.createRemoteTokenIssuer(remote()), params()),
    names: "url timeoutMs auth idempotencyKey secret headerName params tls",
  },
  AccessTokenIssuer: {
    call: () =>
      new AccessTokenIssuer(
        mostly(next, () =>
          pick(next, [
            LONG_SECRET,
            config(next, {
              secret: () => LONG_SECRET,
              privateKey: () => pick(next, [RSA.pkcs8, RSA.pkcs1]),
              algorithm: () => pick(next, ["HS256", "RS256"]),
            }),
          ]),
        ),
      ),
    names: "ACCESS_TOKEN_SECRET secret privateKey algorithm",
  },
  "AccessTokenIssuer.sign": {
    call: () =>
      AccessTokenIssuer.prototype.sign.call(
        receiver(),
        claims(),
        mostly(next, () => 60),
      ),
    names: "claims ttlSeconds sub jti receiver",
  },
  "AccessTokenIssuer.verify": {
    call: () =>
      AccessTokenIssuer.prototype.verify.call(
        receiver(),
        mostly(next, () => TOKEN),
      ),
    names: "token receiver",
  },
  "AccessTokenIssuer.verifyWithFallback": {
    call: () =>
      AccessTokenIssuer.prototype.verifyWithFallback.call(
        receiver(),
        mostly(next, () => TOKEN),
        mostly(next, () => [CANARY, any(), LONG_SECRET]),
      ),
    names: "token fallbackSecrets receiver",
  },
  validateKey0Token: {
    call: () =>
      key0.validateKey0Token(
        mostly(next, () => pick(next, [header(), `Bearer ${rs256(CLAIMS, RSA.pkcs8)}`])),
        config(next, {
          secret: () => LONG_SECRET,
          publicKey: () => RSA_PUBLIC.spki,
          algorithm: () => pick(next, ["HS256", "RS256"]),
        }),
      ),
    names: "Authorization secret publicKey algorithm",
  },
  validateToken: {
    call: () =>
      key0.validateToken(mostly(next, header), config(next, { secret: () => LONG_SECRET })),
    names: "Authorization secret",
  },
  Key0Error: {
    call: () => {
      const error = new Key0Error(any(), any(), any(), any());
      String(inspect(error.message));
      return error;
    },
    names: "code message httpStatus details",
  },
  setKey0ErrorClass: {
    call: () => key0.setKey0ErrorClass(mostly(next, () => class extends Error {}, 0.2)),
    names: "Key0Error",
  },
};

/** Sentences of errors that are neither `TypeError` nor `RangeError`, and name what they are of. */
// (Awaiting a revoked proxy that a caller's own function gave fails in the engine's words.)
const SENTENCES =
  /^(Network error: .|Backend (failed to issue token: \d|response missing 'token' field$)|Remote token issuance timed out$|Failed to authenticate via OAuth: .|Missing or malformed Authorization header$|Invalid (access token|token signature)$|Invalid token: missing claim \w|Token expired$|Access token expired$|Token verification failed with all secrets$|RS256 verification requires public key|ACCESS_TOKEN_SECRET must be|(HS|RS)256 algorithm requires |(secret|privateKey|publicKey) is not usable: .|algorithm must be|token: .|Cannot perform 'get' on a proxy that has been revoked$|Proxy has already been revoked\.)/s;
const NEEDLES = Object.entries(spellings(CANARY));
const figures = { calls: 0, returned: 0, threw: 0, fulfilled: 0, rejected: 0, own: 0 };
/** @type {Record<string, number>} */
const messages = {};
/** @type {string[]} */
const broken = [];

process.on("unhandledRejection", (reason) => broken.push(`unhandled: ${inspect(reason)}`));

/** @param {any} error @param {string} names */
function judge(error, names) {
  if (error instanceof Own) {
    figures.own += 1;
    return;
  }
  const isOurs = error instanceof Error;
  if (!isOurs) {
    broken.push(`not an Error: ${inspect(error)}`);
    return;
  }
  const { message } = error;
  const shape = `${error.name}: ${message.slice(0, 100).replace(/\d+/g, "0")}`;
  messages[shape] = (messages[shape] ?? 0) + 1;
  // What is given as a message is no secret.
  for (const [spelling, needle] of name === "Key0Error" ? [] : NEEDLES) {
    if (inspect(error).includes(needle)) broken.push(`secret, ${spelling}: ${message}`);
  }
  const isArgument = error.name === "TypeError" || error.name === "RangeError";
  const named = new RegExp(
    `^(${names.replaceAll(" ", "|")})\\b|\\breceiver\\b|token of issuer.sign`,
  );
  // The contract has these words and codes of `jose`.
  const isOfJose = /^ERR_J(OSE|W[ST])_/.test(/** @type {any} */ (error).code);
  const isNamed = (isArgument && named.test(message)) || SENTENCES.test(message);
  if (!isOfJose && !isNamed) broken.push(`unnamed: ${inspect(error)}`);
}

const LIMIT = 60_000;
const { call, names } = FUNCTIONS[name];
const started = performance.now();
const under = new Set();
for (let i = 0; i < Number(count); i += 1) {
  figures.calls += 1;
  /** @type {unknown} */
  let made;
  try {
    made = call();
  } catch (error) {
    figures.threw += 1;
    judge(error, names);
    continue;
  }
  if (!(made instanceof Promise)) {
    figures.returned += 1;
    continue;
  }
  const limit = setTimeout(() => broken.push(`call ${i} of seed ${seed} hangs`), LIMIT);
  const settled = made
    .then(
      () => {
        figures.fulfilled += 1;
      },
      (error) => {
        figures.rejected += 1;
        judge(error, names);
      },
    )
    .finally(() => {
      clearTimeout(limit);
      under.delete(settled);
    });
  under.add(settled);
  if (under.size >= 64) await Promise.race(under);
}
await Promise.all(under);
// What nobody handles is told a turn later.
await new Promise((resolve) => setTimeout(resolve, 20));
const ms = Math.round(performance.now() - started);
console.log(
  JSON.stringify({ ...figures, ms, broken: [...new Set(broken)].slice(0, 20), messages }),
);
