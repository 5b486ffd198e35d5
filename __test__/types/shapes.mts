// Every shape of the contract's table, held equal to what index.d.ts says.
import {
  type AccessTokenIssuer,
  type AccessTokenIssuerConfig,
  type AccessTokenPayload,
  type AuthHeaderProvider,
  createRemoteTokenIssuer,
  type FetchFunction,
  type IssueTokenParams,
  type Key0Error,
  type Key0ErrorCode,
  noAuth,
  type OAuthClientCredentialsConfig,
  type OAuthHeaderProvider,
  oauthClientCredentialsAuth,
  type RemoteTokenIssuerConfig,
  sharedSecretAuth,
  type TlsOptions,
  type TokenCache,
  type TokenClaims,
  type TokenIssuanceResult,
  type TokenResult,
  type ValidateAccessTokenConfig,
  type ValidatorAccessTokenPayload,
  type ValidatorConfig,
  validateKey0Token,
  validateToken,
} from "@key0ai/native";
import { type Equal, holds } from "./equal.mjs";

// the helper itself tells `readonly`, `?` and `any` apart
holds<Equal<Equal<{ a: 1 }, { readonly a: 1 }>, false>>();
holds<Equal<Equal<{ a: 1 }, { a?: 1 }>, false>>();
holds<Equal<Equal<{ a: string }, { a: any }>, false>>();

// AuthHeaderProvider
holds<Equal<AuthHeaderProvider, () => Promise<Record<string, string>>>>();

// IssueTokenParams, TokenIssuanceResult
holds<
  Equal<
    IssueTokenParams,
    {
      readonly requestId: string;
      readonly challengeId: string;
      readonly resourceId: string;
      readonly planId: string;
      readonly txHash: string;
    }
  >
>();
holds<Equal<TokenIssuanceResult, { readonly token: string; readonly tokenType?: string }>>();

// TokenClaims, TokenResult
holds<
  Equal<
    TokenClaims,
    { sub: string; jti: string; resourceId: string; planId: string; txHash: string }
  >
>();
holds<Equal<TokenResult, { token: string }>>();

// RemoteTokenIssuerConfig
holds<
  Equal<
    RemoteTokenIssuerConfig,
    {
      url: string | URL;
      timeoutMs?: number;
      auth?: AuthHeaderProvider;
      idempotencyKey?: boolean;
      fetch?: FetchFunction | false;
      tls?: Tls | (() => Tls);
      secret?: string;
      headerName?: string;
    }
  >
>();

// AccessTokenPayload, ValidatorAccessTokenPayload
type Payload = {
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
holds<Equal<AccessTokenPayload, Payload>>();
holds<Equal<ValidatorAccessTokenPayload, Payload>>();

// ValidateAccessTokenConfig, ValidatorConfig, AccessTokenIssuerConfig
holds<Equal<ValidateAccessTokenConfig, { readonly secret: string }>>();
holds<
  Equal<ValidatorConfig, { secret?: string; publicKey?: string; algorithm?: "HS256" | "RS256" }>
>();
holds<
  Equal<
    AccessTokenIssuerConfig,
    { secret?: string; privateKey?: string; algorithm?: "HS256" | "RS256" }
  >
>();

// TlsOptions
type Pem = string | Uint8Array;
type Tls = {
  ca?: Pem | Pem[] | (() => Pem | Pem[]);
  cert?: Pem | (() => Pem);
  key?: Pem | (() => Pem);
  passphrase?: string | (() => string);
};
holds<Equal<TlsOptions, Tls>>();

// OAuthClientCredentialsConfig
type Rotating = string | (() => string | PromiseLike<string>);
type Assertion = { kid?: string; assertionAudience?: string };
holds<
  Equal<
    OAuthClientCredentialsConfig,
    {
      tokenUrl: string | URL;
      clientId: string;
      scopes?: string[];
      audience?: string;
      fetch?: FetchFunction | false;
      resource?: string | string[];
      extraParams?: Record<string, string> | URLSearchParams;
      headers?: Record<string, string> | Headers;
      defaultExpiresInSeconds?: number;
      expiryBufferSeconds?: number;
      tokenType?: "Bearer";
      tls?: Tls | (() => Tls);
      cache?: TokenCache;
      refreshAhead?: number;
      retry?: { attempts?: number; minDelayMs?: number; maxDelayMs?: number };
      coolDownMs?: number;
    } & (
      | (
          | {
              clientAuthentication?: "client_secret_post" | "client_secret_basic";
              clientSecret: Rotating;
            }
          | ({
              clientAuthentication: "client_secret_jwt";
              clientSecret: Rotating;
              algorithm?: "HS256";
            } & Assertion)
        )
      | ({
          clientAuthentication: "private_key_jwt";
          privateKey: Rotating;
          algorithm?: "RS256" | "PS256" | "ES256" | "EdDSA";
          grantType?: "client_credentials" | "urn:ietf:params:oauth:grant-type:jwt-bearer";
          subject?: string;
          certificate?: string;
        } & Assertion)
      | { clientAuthentication: "tls_client_auth"; tls: Tls | (() => Tls) }
    )
  >
>();

// Key0ErrorCode, Key0Error
holds<
  Equal<
    Key0ErrorCode,
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
    | "INTERNAL_ERROR"
  >
>();
holds<
  Equal<
    Pick<Key0Error, "code" | "httpStatus" | "details">,
    {
      readonly code: Key0ErrorCode;
      readonly httpStatus: number;
      readonly details: Record<string, unknown> | undefined;
    }
  >
>();
holds<
  Equal<
    ReturnType<Key0Error["toJSON"]>,
    { type: "Error"; code: Key0ErrorCode; message: string; details?: Record<string, unknown> }
  >
>();
holds<
  Equal<
    ConstructorParameters<typeof Key0Error>,
    [
      code: Key0ErrorCode,
      message: string,
      httpStatus?: number | undefined,
      details?: Record<string, unknown> | undefined,
    ]
  >
>();
holds<
  Equal<
    NonNullable<Key0Error["cause"]>,
    Error & {
      code?: string;
      syscall?: string;
      hostname?: string;
      address?: string;
      port?: number;
      status?: number;
      body?: string;
      sent?: boolean;
    }
  >
>();

// the functions
holds<Equal<typeof noAuth, () => AuthHeaderProvider>>();
holds<
  Equal<
    typeof sharedSecretAuth,
    (
      headerName: string,
      secret: string | (() => string | PromiseLike<string>),
    ) => AuthHeaderProvider
  >
>();
holds<
  Equal<
    typeof oauthClientCredentialsAuth,
    (config: OAuthClientCredentialsConfig) => OAuthHeaderProvider
  >
>();
holds<
  Equal<
    typeof createRemoteTokenIssuer,
    (
      config: RemoteTokenIssuerConfig,
    ) => (
      params: IssueTokenParams,
      options?: { signal?: AbortSignal },
    ) => Promise<TokenIssuanceResult>
  >
>();
holds<
  Equal<
    typeof validateKey0Token,
    (
      authHeader: string | null | undefined,
      config: ValidatorConfig,
    ) => Promise<ValidatorAccessTokenPayload>
  >
>();
holds<
  Equal<
    typeof validateToken,
    (
      authHeader: string | null | undefined,
      config: ValidateAccessTokenConfig,
    ) => Promise<AccessTokenPayload>
  >
>();

// AccessTokenIssuer
holds<
  Equal<ConstructorParameters<typeof AccessTokenIssuer>, [config: string | AccessTokenIssuerConfig]>
>();
holds<
  Equal<
    Awaited<ReturnType<AccessTokenIssuer["verify"]>>,
    TokenClaims & { iat: number; exp: number }
  >
>();
holds<
  Equal<
    ReturnType<AccessTokenIssuer["verifyWithFallback"]>,
    ReturnType<AccessTokenIssuer["verify"]>
  >
>();
holds<Equal<ReturnType<AccessTokenIssuer["sign"]>, Promise<TokenResult>>>();
