// What users of the SDK write today: all of it compiles.
import {
  AccessTokenIssuer as SdkIssuer,
  Key0Error as SdkKey0Error,
  type SellerConfig,
} from "@key0ai/key0";
import {
  AccessTokenIssuer,
  type AuthHeaderProvider,
  createRemoteTokenIssuer,
  type IssueTokenParams,
  Key0Error,
  noAuth,
  oauthClientCredentialsAuth,
  setKey0ErrorClass,
  sharedSecretAuth,
  signedJwtAuth,
  type TokenClaims,
  type TokenResult,
  validateKey0Token,
  validateToken,
} from "@key0ai/native";

const claims = { sub: "s", jti: "j", resourceId: "r", planId: "p", txHash: "t" };
declare const params: IssueTokenParams;

// the callback fits the SDK's configuration
const seller: SellerConfig = {
  fetchResourceCredentials: createRemoteTokenIssuer({ url: "https://backend.internal" }),
};
await seller.fetchResourceCredentials(params);

// every strategy is a provider
const providers: AuthHeaderProvider[] = [
  noAuth(),
  sharedSecretAuth("X-A", "s"),
  signedJwtAuth(new AccessTokenIssuer("s"), "audience"),
  oauthClientCredentialsAuth({ tokenUrl: "https://idp", clientId: "c", clientSecret: "s" }),
];

// each way to authenticate, with what belongs to it
const client = { tokenUrl: "https://idp", clientId: "c" };
const tls = { ca: ["pem", Buffer.from("pem")], cert: () => "pem", key: Buffer.from("pem") };
providers.push(
  oauthClientCredentialsAuth({
    ...client,
    clientAuthentication: "client_secret_basic",
    clientSecret: "s",
    resource: ["https://a", "https://b"],
    extraParams: new URLSearchParams("a=b"),
    headers: { "X-Api-Key": "k" },
    defaultExpiresInSeconds: 300,
    expiryBufferSeconds: 30,
    tokenType: "Bearer",
  }),
  oauthClientCredentialsAuth({
    ...client,
    clientAuthentication: "client_secret_jwt",
    clientSecret: "s",
  }),
  oauthClientCredentialsAuth({
    ...client,
    clientAuthentication: "private_key_jwt",
    privateKey: "pem",
    algorithm: "PS256",
    kid: "1",
    assertionAudience: "https://idp/",
  }),
  oauthClientCredentialsAuth({ ...client, clientAuthentication: "tls_client_auth", tls }),
);
createRemoteTokenIssuer({ url: "https://b", tls: () => tls });
for (const auth of providers) createRemoteTokenIssuer({ url: new URL("https://b"), auth });

// a function of the user's is one too
createRemoteTokenIssuer({ url: "https://b", auth: async () => ({ "X-A": "1" }) });

// callers add fields to params and to claims
const extended = { ...params, tenant: "t-1" };
await createRemoteTokenIssuer({ url: "https://b" })(extended);
await new AccessTokenIssuer({ secret: "s" }).sign({ ...claims, tenant: "t-1" }, 60);

// any object that signs: the SDK's issuer, a subclass, a synchronous one, a thenable
signedJwtAuth(new SdkIssuer("s"), "audience");
class Audited extends AccessTokenIssuer {
  override async sign(signed: TokenClaims, ttlSeconds: number): Promise<TokenResult> {
    return super.sign({ ...signed, jti: signed.jti.toUpperCase() }, ttlSeconds);
  }
}
signedJwtAuth(new Audited("s"), "audience", 30);
signedJwtAuth({ sign: () => ({ token: "t" }) }, "audience");
signedJwtAuth({ sign: (signed, ttl): PromiseLike<TokenResult> => hsm(signed, ttl) }, "audience");
declare function hsm(signed: TokenClaims, ttl: number): PromiseLike<TokenResult>;

// a spy takes the place of `sign`
const spied = new AccessTokenIssuer("s");
spied.sign = async (_claims: TokenClaims, _ttlSeconds: number) => ({ token: "t" });

// secrets of a rotation straight from the environment
await spied.verifyWithFallback("token", [process.env.OLD_SECRET, null, "older"]);

// headers as servers give them
declare const request: Request;
await validateKey0Token(request.headers.get("authorization"), { publicKey: "pem" });
await validateToken(undefined, { secret: "s" });

// an extra claim is unknown until looked at
const payload = await validateToken("Bearer t", { secret: "s" });
if (typeof payload.tenant === "string") payload.tenant.toUpperCase();

// the SDK's class and its errors
setKey0ErrorClass(SdkKey0Error);
class Refused extends Key0Error {
  constructor() {
    super("PAYMENT_FAILED", "refused", 402, { reason: "limit" });
  }
}
const status: number = new Refused().httpStatus;
if (status && new Refused().cause?.sent === false) throw new Refused();

// the runtime's fetch, a mock of it, and none
createRemoteTokenIssuer({ url: "https://b", fetch });
createRemoteTokenIssuer({ url: "https://b", fetch: false });
createRemoteTokenIssuer({ url: "https://b", fetch: async (url) => new Response(url) });
