/**
 * Key0's auth helpers in Rust, with the names and shapes of the Key0 SDK (`@key0ai/key0`). Signing,
 * verifying and caching read `Date.now()`; deadlines are real time.
 *
 * @packageDocumentation
 */

/** Gives the headers to put on one outbound request; there may be none. */
export type AuthHeaderProvider = () => Promise<Record<string, string>>;

/**
 * No authentication: local development, trusted networks, public endpoints.
 *
 * @returns a provider of `{}`
 * @example
 * ```ts
 * import { noAuth } from "@key0ai/native";
 * const headers = await noAuth()(); // {}
 * ```
 */
export function noAuth(): AuthHeaderProvider;

/**
 * A constant header, for services that share an API key. The provider gives name and value as
 * they are; spaces and line breaks at the value's ends are dropped when it is sent, as `fetch`
 * does.
 *
 * @param headerName an HTTP token (RFC 9110 §5.6.2), e.g. `"X-Internal-Auth"`
 * @param secret characters up to U+00FF, no NUL, no line break inside; may be empty, with a warning.
 * A function for one that rotates (a vault, a file): asked at each call, in the caller's async
 * context, and what it gives is never kept
 * @returns a provider of `{ [headerName]: secret }`, a fresh object at each call. With a function it
 * rejects with a {@link Key0Error} `INTERNAL_ERROR`, 500, `secret could not be had`, where that
 * throws, whose error is the `cause`: a vault's words are no buyer's; and with a TypeError that
 * names `secret`, never its value, where what it gives is unusable
 * @throws TypeError that names the argument, never the secret, where one is not a usable string
 * @example
 * ```ts
 * import { sharedSecretAuth } from "@key0ai/native";
 * const auth = sharedSecretAuth("X-Internal-Auth", process.env.BACKEND_SECRET!);
 * const headers = await auth();
 * ```
 */
export function sharedSecretAuth(
  headerName: string,
  secret: string | (() => string | PromiseLike<string>),
): AuthHeaderProvider;

/**
 * A short-lived JWT, signed again for each request (RFC 6750 §2.1). Its claims are
 * `sub: "key0-service"`, `jti` (a random UUID), `resourceId: audience`, `planId: "system"`,
 * `txHash: "system-auth"`, `iat` and `exp = iat + ttlSeconds`.
 *
 * @param issuer our {@link AccessTokenIssuer}, or any object with `sign(claims, ttlSeconds)` that
 * gives `{ token }` or a promise of it: the SDK's issuer, an HSM. It is called as a method, in the
 * caller's async context, and its error is passed on unchanged
 * @param audience becomes the claim `resourceId`
 * @param ttlSeconds lifetime in seconds. Default: 60
 * @returns a provider of `{ Authorization: "Bearer <jwt>" }`
 * @throws TypeError or RangeError that names `issuer` or, where the issuer is ours, `ttlSeconds`
 * @example
 * ```ts
 * import { AccessTokenIssuer, signedJwtAuth } from "@key0ai/native";
 * const issuer = new AccessTokenIssuer(process.env.ACCESS_TOKEN_SECRET!);
 * const { Authorization } = await signedJwtAuth(issuer, "https://backend.internal", 30)();
 * ```
 */
export function signedJwtAuth(
  issuer: { sign(claims: TokenClaims, ttlSeconds: number): TokenResult | PromiseLike<TokenResult> },
  audience: string,
  ttlSeconds?: number,
): AuthHeaderProvider;

/**
 * A WHATWG `fetch`, as far as it is used; `fetch` itself is one. What it rejects with becomes
 * `Network error: <its message>` (8,192 bytes of it at most, without the secrets of the call), or the
 * timeout where its name is `AbortError` or `TimeoutError`.
 *
 * @example
 * ```ts
 * import { createRemoteTokenIssuer, type FetchFunction } from "@key0ai/native";
 * const logged: FetchFunction = (url, init) => {
 *   console.log(init.method, new URL(url).origin);
 *   return fetch(url, init);
 * };
 * createRemoteTokenIssuer({ url: "https://backend.internal/issue", fetch: logged });
 * ```
 */
export type FetchFunction = (
  url: string,
  init: {
    method: "POST" | "GET";
    headers: Record<string, string>;
    /** None of a GET, which a redirect may ask for. */
    body?: string;
    /** Aborted at the call's deadline. */
    signal: AbortSignal;
    redirect: "manual";
  },
) => Promise<{ readonly status: number; readonly ok: boolean; text(): Promise<string> }>;

/**
 * The CAs that calls trust, and the certificate that shows who calls (RFC 8705). Connections are
 * shared by calls with the same `tls` alone, and over http it is not used. A server has to ask for
 * the certificate in its handshake: one that asks later, for a single path (renegotiation of TLS 1.2,
 * post-handshake authentication of 1.3), does not get it.
 *
 * Each part is PEM, `\n` may be escaped. A part, or all of it, may be a function, which is called
 * at creation and again before each call, in the caller's context: for files that are replaced
 * while the process runs. Where it throws, or gives what cannot be used, what it gave before stays
 * in use, and `process` emits a warning once.
 *
 * @throws TypeError at creation, which names the field: `tls.key is not the key of tls.cert`,
 * `tls.cert has expired`, `tls.key is encrypted: tls.passphrase is missing`, …
 */
export type TlsOptions = {
  /**
   * Trusted in place of Mozilla's CAs, the system's, and those that `SSL_CERT_FILE`,
   * `SSL_CERT_DIR` and `NODE_EXTRA_CA_CERTS` name, as in `node:tls`.
   */
  ca?: Pem | Pem[] | (() => Pem | Pem[]);
  /** The client's certificate, and behind it those between it and its root. Needs `key`. */
  cert?: Pem | (() => Pem);
  /** RSA, EC or Ed25519, as PKCS#8, PKCS#1 or SEC1; encrypted as PKCS#8 with AES alone. */
  key?: Pem | (() => Pem);
  /** Of an encrypted `key`. */
  passphrase?: string | (() => string);
};

/** PEM as text or bytes. */
export type Pem = string | Uint8Array;

/** What {@link oauthClientCredentialsAuth} takes; read once, at creation. */
export type OAuthClientCredentialsConfig = {
  /** The token endpoint, http or https. Credentials in it become `Authorization: Basic …`. */
  tokenUrl: string | URL;
  /** Sent as `client_id`. */
  clientId: string;
  /** Sent as `scope`, joined by spaces (RFC 6749 §3.3). Default: none. */
  scopes?: string[];
  /** Sent as `audience`, which Auth0 and others ask for. Default: none. */
  audience?: string;
  /** Sent as `resource`, once for each (RFC 8707 §2). Default: none. */
  resource?: string | string[];
  /**
   * Further fields of the form. A `TypeError` where one has an option of its own: `client_id`,
   * `scope`, `grant_type`, ….
   */
  extraParams?: Record<string, string> | URLSearchParams;
  /** Further headers of the request, in place of ours; not `Content-Type`. */
  headers?: Record<string, string> | Headers;
  /**
   * The lifetime, in seconds, of a token whose `expires_in` is missing or not a number. Where this
   * is given, a numeric string is taken as `expires_in`, too. Default: such an answer is a failure.
   */
  defaultExpiresInSeconds?: number;
  /**
   * How many seconds before it expires a token is renewed; never more than half of its lifetime.
   * Default: 10, whatever the lifetime.
   */
  expiryBufferSeconds?: number;
  /**
   * `"Bearer"` refuses an answer whose `token_type` is missing or another, whatever its case
   * (RFC 6749 §7.1). Default: it is not looked at.
   */
  tokenType?: "Bearer";
  /**
   * Who sends the requests: a WHATWG `fetch` of yours, called in the caller's async context, or
   * `false`: never anything but the native client. By default the native client does, unless
   * something has replaced `globalThis.fetch` or undici's global dispatcher (mocks, tracing), or
   * only the runtime's own `fetch` reaches the server: through a proxy, or in a TLS that the native
   * client does not speak. `KEY0_NATIVE_FETCH=0` turns that off, as `false` does.
   */
  fetch?: FetchFunction | false;
  /** Private CAs and a client certificate, for the token endpoint alone. */
  tls?: TlsOptions | (() => TlsOptions);
  /**
   * A store that processes share, so that a whole fleet uses one token: {@link redisTokenCache}, a
   * Keyv instance, or any object with `get` and `set`. Memory stays the first level: a call that
   * finds its token there touches no network. Tokens are kept sealed (AES-256-GCM, its key by
   * HKDF-SHA-256 (RFC 5869) from the client's secret or key; with `tls_client_auth` that is the key
   * of its certificate, in whichever form), under a name that is a hash over everything that decides
   * what a token is good for. A store that is slow (a second), down, full or lying costs a token
   * request and no call; `diagnostics_channel`'s `key0:cache:error` tells of it. Default: none.
   */
  cache?: TokenCache;
  /**
   * Replaces a token so long before it is used for the last time: from 1 on in seconds, below 1 as a
   * part of the time for which it is used; never more than half of that. The call that is past it
   * gets the present token at once, and begins one fetch in the background; the moment varies by a
   * quarter, so that a fleet does not act in step. A fetch that fails keeps the token, and the next
   * waits 1 s, then longer, up to 60 s. Default: none. RangeError for any other number.
   */
  refreshAhead?: number;
  /**
   * Repeats a token request that found no connection, lost it, or was answered 429 or 5xx. It never
   * goes past the 10 seconds that a fetch has. Default: none.
   */
  retry?: {
    /** Requests in all, from 1 to 20. Default: 3. RangeError otherwise. */
    attempts?: number;
    /** Milliseconds before the second request, from 0 to 60000; doubled each time. Default: 100. */
    minDelayMs?: number;
    /**
     * The longest pause in milliseconds, also where `Retry-After` (RFC 9110 §10.2.3) asks for more.
     * Default: 2000.
     */
    maxDelayMs?: number;
  };
  /**
   * For how many milliseconds a failure is given again at once, without a request, where the server
   * said `invalid_client` or answered 429: a fleet with a revoked secret does not hammer it. From 0
   * to 3600000. Default: 0. RangeError for any other number.
   */
  coolDownMs?: number;
} & (ClientSecret | ClientPrivateKey | ClientCertificate);

/**
 * A secret or a private key, or a function for one that rotates (a vault, a file): asked at each
 * token request and at each look into `cache`, in the async context of the call that began it; what
 * it gives is never kept. Where it fails, or gives what cannot be used, that call is the
 * {@link Key0Error} `… clientSecret could not be had`, and `cause` says why.
 */
export type RotatingSecret = string | (() => string | PromiseLike<string>);

/** A client that has a secret. */
export type ClientSecret =
  | {
      /** In the form, `client_secret_post`; or in `Authorization` (RFC 6749 §2.3.1). */
      clientAuthentication?: "client_secret_post" | "client_secret_basic";
      /** Sent byte for byte. */
      clientSecret: RotatingSecret;
    }
  | ({
      /** Signs an assertion with the secret, by HS256, and sends that instead (RFC 7523 §2.2). */
      clientAuthentication: "client_secret_jwt";
      /** Signed with byte for byte. */
      clientSecret: RotatingSecret;
      algorithm?: "HS256";
    } & ClientAssertion);

/** A client that has a key pair, whose public half the server knows. */
export type ClientPrivateKey = {
  /** Signs an assertion with a private key (RFC 7523 §2.2). */
  clientAuthentication: "private_key_jwt";
  /** RSA of 2048 bits or more, EC on P-256, or Ed25519, as PEM: PKCS#8, PKCS#1 or SEC1. */
  privateKey: RotatingSecret;
  /** RFC 7518 §3, RFC 8037 §3.1. Default: as the key is, for RSA `"RS256"`. */
  algorithm?: "RS256" | "PS256" | "ES256" | "EdDSA";
  /**
   * The other one makes the assertion the grant itself (RFC 7523 §2.1), `scopes` in it, as
   * Google's service accounts have it. Default: `"client_credentials"`.
   */
  grantType?: "client_credentials" | "urn:ietf:params:oauth:grant-type:jwt-bearer";
  /** The `sub` of an assertion that is the grant. Default: none. */
  subject?: string;
  /** The key's certificate as PEM, told by `x5t#S256` (RFC 7515 §4.1.8), as Entra ID wants it. */
  certificate?: string;
} & ClientAssertion;

/** What an assertion may have: each request has one of its own, which is good for a minute. */
export type ClientAssertion = {
  /** The key's id, in the assertion's header (RFC 7515 §4.1.4). Default: none. */
  kid?: string;
  /** Its `aud`. Default: `tokenUrl`. Auth0 wants its issuer URL. */
  assertionAudience?: string;
};

/** A client that is known by the certificate of its connection. */
export type ClientCertificate = {
  /** Sends `client_id` alone (RFC 8705 §2); `tokenUrl` has to be https. */
  clientAuthentication: "tls_client_auth";
  /** With `cert` and `key`. */
  tls: TlsOptions | (() => TlsOptions);
};

/** Where processes share what they have; a Keyv instance is one. Each method may be `async`. */
export type TokenCache = {
  /** The value that was set, as a string or its bytes, unless it has ended; else anything else. */
  get(key: string): unknown;
  /** Keeps a string for `ttlMs` milliseconds. */
  set(key: string, value: string, ttlMs: number): unknown;
  /**
   * Takes the lock `key` for `ttlMs` milliseconds where nobody has it, or has it last that long from
   * now on where it is `owner`'s; gives something truthy where it did either. With `lock` and `unlock` one
   * process fetches while the others wait for what it sets; as long as it fetches, it extends its
   * lock of 2 seconds every 0.7.
   */
  lock?(key: string, owner: string, ttlMs: number): unknown;
  /** Gives the lock back, where it is still `owner`'s. */
  unlock?(key: string, owner: string): unknown;
};

/**
 * The `cache` of {@link oauthClientCredentialsAuth} in Redis or Valkey, with a lock (`SET NX PX`,
 * kept and released by its owner alone, by scripts of one key each): one process of a fleet fetches,
 * however long that takes, and the others wait for its token, for half of their 10 seconds; then
 * they ask, too, and take what comes first. A process that dies meanwhile is replaced after 2 seconds.
 *
 * @param client a connected client of ioredis or node-redis, a cluster's too; you own and close it
 * @throws TypeError where it is neither
 * @example
 * ```ts
 * import { oauthClientCredentialsAuth, redisTokenCache } from "@key0ai/native";
 * // new Redis(url) of ioredis, or await createClient({ url }).connect() of node-redis
 * declare const redis: Parameters<typeof redisTokenCache>[0];
 * const auth = oauthClientCredentialsAuth({
 *   tokenUrl: "https://tenant.auth0.com/oauth/token",
 *   clientId: process.env.CLIENT_ID!,
 *   clientSecret: process.env.CLIENT_SECRET!,
 *   cache: redisTokenCache(redis),
 * });
 * ```
 */
export function redisTokenCache(client: {
  get(key: string): unknown;
  set(...args: never[]): unknown;
  eval(...args: never[]): unknown;
}): TokenCache & Required<Pick<TokenCache, "lock" | "unlock">>;

/**
 * A provider that keeps a token, and can be told that the token is no longer good.
 *
 * @example
 * ```ts
 * import type { OAuthHeaderProvider } from "@key0ai/native";
 * async function plans(auth: OAuthHeaderProvider) {
 *   const headers = await auth();
 *   const answer = await fetch("https://backend.internal/plans", { headers });
 *   if (answer.status === 401) auth.invalidate(headers);
 *   return answer;
 * }
 * ```
 */
export type OAuthHeaderProvider = AuthHeaderProvider & {
  /**
   * Forgets the kept token, so that the next call gets another: for a request of your own that was
   * answered 401. {@link createRemoteTokenIssuer} does it by itself.
   *
   * @param rejected the headers that the provider gave for that request. Only their token is then
   * forgotten, not a fresher one; without them whichever token is kept. A fetch under way goes on
   */
  invalidate(rejected?: Record<string, string>): void;
};

/**
 * An access token by the client credentials grant (RFC 6749 §4.4); `docs/providers.md` has a
 * configuration for each of the usual servers. It is kept in memory and renewed 10 seconds before it
 * expires. Callers that arrive during a fetch share it; a failure is not remembered. A fetch times
 * out after 10 seconds, its answer's body included.
 *
 * @returns a provider of `{ Authorization: "Bearer <access_token>" }`. It rejects with a
 * {@link Key0Error} `INTERNAL_ERROR`, 500, `Failed to authenticate via OAuth: …`, which names a
 * status and a registered error code (`401 invalid_client`); the server's own words are in `cause`
 * @throws TypeError that names the field of `config`
 * @example
 * ```ts
 * import { oauthClientCredentialsAuth } from "@key0ai/native";
 * const auth = oauthClientCredentialsAuth({
 *   tokenUrl: "https://tenant.auth0.com/oauth/token",
 *   clientId: process.env.CLIENT_ID!,
 *   clientSecret: process.env.CLIENT_SECRET!,
 *   audience: "https://backend.internal",
 * });
 * ```
 */
export function oauthClientCredentialsAuth(
  config: OAuthClientCredentialsConfig,
): OAuthHeaderProvider;

/** What the SDK's engine asks a token for. Fields that callers add are sent too. */
export type IssueTokenParams = {
  readonly requestId: string;
  /** Also sent as `Idempotency-Key`: the engine may repeat a call that the backend has served. */
  readonly challengeId: string;
  readonly resourceId: string;
  readonly planId: string;
  readonly txHash: string;
};

/** What the buyer gets. */
export type TokenIssuanceResult = {
  /** As the backend answered it. Any truthy JSON value passes; most backends answer a string. */
  readonly token: string;
  /** `"Bearer"` where the backend names none. */
  readonly tokenType?: string;
};

/** What {@link createRemoteTokenIssuer} takes; read once, at creation. */
export type RemoteTokenIssuerConfig = {
  /** The backend's endpoint, http or https. Credentials in it become `Authorization: Basic …`. */
  url: string | URL;
  /** Milliseconds for the whole call, auth and the answer's body included. Default: 10000. */
  timeoutMs?: number;
  /** Headers for the request: a strategy of this package or a function of yours. */
  auth?: AuthHeaderProvider;
  /**
   * `false` leaves `Idempotency-Key: <challengeId>` out, as does a `challengeId` that is not a
   * string or not a valid header value. Default: `true`.
   */
  idempotencyKey?: boolean;
  /**
   * Who sends the requests: a WHATWG `fetch` of yours, called in the caller's async context, or
   * `false`: never anything but the native client. By default the native client does, unless
   * something has replaced `globalThis.fetch` or undici's global dispatcher (mocks, tracing), or
   * only the runtime's own `fetch` reaches the server: through a proxy, or in a TLS that the native
   * client does not speak. `KEY0_NATIVE_FETCH=0` turns that off, as `false` does.
   */
  fetch?: FetchFunction | false;
  /** Private CAs and a client certificate, for the backend alone. */
  tls?: TlsOptions | (() => TlsOptions);
  /** @deprecated Use `auth: sharedSecretAuth(headerName, secret)`. */
  secret?: string;
  /** @deprecated Use `auth: sharedSecretAuth(headerName, secret)`. Default: `"X-Internal-Auth"`. */
  headerName?: string;
};

/**
 * A `fetchResourceCredentials` callback that lets a backend issue the token: it POSTs the params
 * as JSON and expects `{ token, tokenType? }`. The POST is written once, and once more for each 307
 * or 308 that asks for it. With {@link oauthClientCredentialsAuth} as `auth` it is also sent once
 * more where the backend answers 401: with a fresh token, within the same `timeoutMs`. Nothing else
 * repeats it.
 *
 * @returns the callback. Its second argument may have a `signal` that ends the call: it rejects
 * with the signal's reason then, and a token that others wait for is fetched all the same. Aborted in
 * the turn that it is made in, it sends nothing; later, what was sent has left. It never
 * throws. It rejects with a {@link Key0Error} `TOKEN_ISSUE_TIMEOUT`
 * (504) past `timeoutMs`, and with `TOKEN_ISSUE_FAILED` (502) for a non-2xx status, an answer
 * without `token`, or `Network error: …`. `message` is for the buyer: it has no host and no word of
 * the backend's. `cause` is for you: the origin, Node's `code`, the `status` and `body`. A
 * `Key0Error` of `auth`, by class or by `name`, passes unchanged
 * @throws TypeError or RangeError that names the field of `config`
 * @example
 * ```ts
 * import { createRemoteTokenIssuer, sharedSecretAuth } from "@key0ai/native";
 * const fetchResourceCredentials = createRemoteTokenIssuer({
 *   url: "https://backend.internal/issue",
 *   timeoutMs: 5_000,
 *   auth: sharedSecretAuth("X-Internal-Auth", process.env.BACKEND_SECRET!),
 * });
 * // createKey0({ config: { fetchResourceCredentials, … }, … })
 * ```
 */
export function createRemoteTokenIssuer(
  config: RemoteTokenIssuerConfig,
): (params: IssueTokenParams, options?: { signal?: AbortSignal }) => Promise<TokenIssuanceResult>;

/** The claims of an access token; others may be added and are kept. */
export type TokenClaims = {
  sub: string;
  jti: string;
  resourceId: string;
  planId: string;
  txHash: string;
};

/** A signed token, compact (RFC 7515 §7.1). */
export type TokenResult = { token: string };

/** What {@link AccessTokenIssuer} takes. Fields that the algorithm does not use may be anything. */
export type AccessTokenIssuerConfig = {
  /** HS256: 32 characters or more. Its UTF-8 bytes are the key; it is never trimmed. */
  secret?: string;
  /**
   * RS256: an RSA key of 2048 bits or more as PEM, PKCS#8 or PKCS#1; `\n` may be escaped. A
   * `KeyObject` gives it by `export({ type: "pkcs8", format: "pem" })`.
   */
  privateKey?: string;
  /** RFC 7518 §3.2, §3.3. Default: `"HS256"`. */
  algorithm?: "HS256" | "RS256";
};

/**
 * Signs and verifies access tokens (RFC 7519).
 *
 * @example
 * ```ts
 * import { AccessTokenIssuer } from "@key0ai/native";
 * const issuer = new AccessTokenIssuer(process.env.ACCESS_TOKEN_SECRET!);
 * const { token } = await issuer.sign(
 *   { sub: "r-1", jti: "c-1", resourceId: "photo-7", planId: "basic", txHash: "0xabc" },
 *   3600,
 * );
 * const { resourceId, exp } = await issuer.verify(token);
 * ```
 */
export class AccessTokenIssuer {
  /**
   * @param config a secret, which means HS256, or the fields
   * @throws Error where the key is missing, too short, or not of the algorithm's kind
   */
  constructor(config: string | AccessTokenIssuerConfig);

  /**
   * @param claims `sub` and `jti` must be strings; `iat` and `exp` are replaced
   * @param ttlSeconds finite; `exp = iat + ttlSeconds`
   * @returns a promise that rejects with a TypeError or RangeError that names the argument
   */
  sign<Claims extends TokenClaims>(claims: Claims, ttlSeconds: number): Promise<TokenResult>;

  /**
   * Verifies an HS256 token. An RS256 issuer rejects, since it holds no public key.
   *
   * @returns the claims, or a rejection with an Error whose `code` is `ERR_JWT_EXPIRED` or
   * `ERR_JWT_CLAIM_VALIDATION_FAILED` (both with `claim`), `ERR_JWS_SIGNATURE_VERIFICATION_FAILED`,
   * `ERR_JWS_INVALID`, `ERR_JWT_INVALID`, `ERR_JOSE_ALG_NOT_ALLOWED`, or on an RS256 issuer
   * `ERR_KEY0_CONFIG`
   */
  verify(token: string): Promise<TokenClaims & { iat: number; exp: number }>;

  /**
   * Verifies with the issuer's own secret, then with each of the others, in order: for rotation.
   *
   * @param fallbackSecrets empty strings and non-strings are skipped
   * @returns the claims, or a rejection whose `code` and `cause` are those of the failure that came
   * nearest: an expired token rather than a signature that does not fit
   */
  verifyWithFallback(
    token: string,
    fallbackSecrets: readonly (string | null | undefined)[],
  ): Promise<TokenClaims & { iat: number; exp: number }>;
}

/** The claims of a verified token. Times are seconds since 1970 (RFC 7519 §4.1). */
export type AccessTokenPayload = {
  readonly sub: string;
  readonly jti: string;
  readonly resourceId: string;
  readonly planId: string;
  readonly txHash: string;
  iss?: string;
  aud?: string | string[];
  nbf?: number;
  iat?: number;
  exp?: number;
  [claim: string]: unknown;
};

/** The same as {@link AccessTokenPayload}, by the name that the SDK's validator uses. */
export type ValidatorAccessTokenPayload = AccessTokenPayload;

/** What {@link validateKey0Token} takes. */
export type ValidatorConfig = {
  /** HS256: the issuer's secret. */
  secret?: string;
  /**
   * RS256: the issuer's public key as PEM. A `KeyObject` gives it by
   * `export({ type: "spki", format: "pem" })`.
   */
  publicKey?: string;
  /** The only one that is accepted. Default: `"HS256"`. */
  algorithm?: "HS256" | "RS256";
};

/**
 * Verifies the token of a request, for backends. There is no leeway; a token without `exp` never
 * expires. Where a token is refused by less than ten minutes, `cause.message` has its times and the
 * clock's.
 *
 * @param authHeader the `Authorization` header: exactly `Bearer ` and a token (RFC 6750 §2.1)
 * @returns the claims, or a rejection with an Error whose `code` is `ERR_KEY0_AUTHORIZATION`
 * (`Missing or malformed Authorization header`), `ERR_JWT_EXPIRED` (`Token expired`),
 * `ERR_JWT_CLAIM_VALIDATION_FAILED` (`Invalid token: missing claim <name>`), that of the `cause`
 * (`Invalid token signature`), or `ERR_KEY0_CONFIG` where `config` is at fault, not the token
 * @example
 * ```ts
 * import { validateKey0Token } from "@key0ai/native";
 * export async function resourceOf(request: Request) {
 *   const config = { algorithm: "RS256", publicKey: process.env.KEY0_PUBLIC_KEY! } as const;
 *   return (await validateKey0Token(request.headers.get("authorization"), config)).resourceId;
 * }
 * ```
 */
export function validateKey0Token(
  authHeader: string | null | undefined,
  config: ValidatorConfig,
): Promise<ValidatorAccessTokenPayload>;

/** What {@link validateToken} takes. */
export type ValidateAccessTokenConfig = { readonly secret: string };

/**
 * Verifies the HS256 token of a request, for servers that run the SDK.
 *
 * @param authHeader the `Authorization` header: exactly `Bearer ` and a token (RFC 6750 §2.1)
 * @returns the claims, or a rejection with {@link Key0Error} 401: `INVALID_REQUEST`
 * (`Missing or malformed Authorization header`, `Invalid access token`) or `CHALLENGE_EXPIRED`
 * (`Access token expired`); 500 `INTERNAL_ERROR` (`secret is not usable: …`) where `config` is at
 * fault
 * @example
 * ```ts
 * import { validateToken } from "@key0ai/native";
 * export async function resourceOf(request: Request) {
 *   const secret = process.env.ACCESS_TOKEN_SECRET!;
 *   return (await validateToken(request.headers.get("authorization"), { secret })).resourceId;
 * }
 * ```
 */
export function validateToken(
  authHeader: string | null | undefined,
  config: ValidateAccessTokenConfig,
): Promise<AccessTokenPayload>;

/** Every code of the SDK. */
export type Key0ErrorCode =
  | "TIER_NOT_FOUND"
  | "CHALLENGE_NOT_FOUND"
  | "CHALLENGE_EXPIRED"
  | "CHAIN_MISMATCH"
  | "AMOUNT_MISMATCH"
  | "TX_UNCONFIRMED"
  | "TX_ALREADY_REDEEMED"
  | "PROOF_ALREADY_REDEEMED"
  | "INVALID_REQUEST"
  | "INVALID_PROOF"
  | "CHALLENGE_NOT_PAID"
  | "PAYMENT_FAILED"
  | "ADAPTER_ERROR"
  | "TOKEN_ISSUE_FAILED"
  | "TOKEN_ISSUE_TIMEOUT"
  | "INTERNAL_ERROR";

/**
 * A failed call. Where the SDK is installed, its class is found by itself: then errors of
 * this package, earlier ones too, are instances of both, and errors of that class pass
 * `instanceof Key0Error`.
 */
export class Key0Error extends Error {
  /** @param httpStatus what the SDK's HTTP integrations answer. Default: 400 */
  constructor(
    code: Key0ErrorCode,
    message: string,
    httpStatus?: number,
    details?: Record<string, unknown>,
  );

  readonly code: Key0ErrorCode;
  readonly httpStatus: number;
  readonly details: Record<string, unknown> | undefined;

  /**
   * For the seller, not for the buyer: the reason with the origin in `message`; `code`, `syscall`,
   * `hostname` or `address` and `port` as Node's errors have them (`"ECONNREFUSED"`, …), or jose's
   * `code`; of an answer the HTTP `status` and, unless that is 2xx, its `body` without the call's
   * secrets; and `sent`, `false` only where certainly no byte of the request left. Where `auth`
   * threw, the name, message, code, stack and causes of that error.
   */
  readonly cause?: Error & {
    code?: string;
    syscall?: string;
    hostname?: string;
    address?: string;
    port?: number;
    status?: number;
    body?: string;
    sent?: boolean;
  };

  /** What the buyer may read: neither the cause nor the stack is in it. */
  toJSON(): {
    type: "Error";
    code: Key0ErrorCode;
    message: string;
    details?: Record<string, unknown>;
  };
}

/**
 * Names the SDK's `Key0Error` where it cannot be found by itself: in a bundle, under another
 * package name, or where this runtime cannot load the SDK. From then on errors of this package,
 * earlier ones included, are instances of it. Another class replaces the first. In a bundle that
 * holds SDK and addon the entry `@key0ai/native/key0` does the same.
 *
 * @throws TypeError for whatever is not an error class, for `Error`, and for this package's own
 * class or one derived from it; nothing is changed then
 * @example
 * ```ts
 * import { Key0Error } from "@key0ai/key0";
 * import { setKey0ErrorClass } from "@key0ai/native";
 * setKey0ErrorClass(Key0Error);
 * ```
 */
export function setKey0ErrorClass(
  errorClass: new (...args: never[]) => Error & { code: string; httpStatus: number },
): void;
