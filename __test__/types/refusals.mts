// What must not compile. Each line stands for one refusal: an unused directive is an error too.
import {
  AccessTokenIssuer,
  type AccessTokenPayload,
  createRemoteTokenIssuer,
  type IssueTokenParams,
  Key0Error,
  oauthClientCredentialsAuth,
  setKey0ErrorClass,
  sharedSecretAuth,
  signedJwtAuth,
  type TokenClaims,
  type TokenIssuanceResult,
  validateKey0Token,
  validateToken,
} from "@key0ai/native";

declare const unset: string | undefined;
declare const claims: TokenClaims;
declare const params: IssueTokenParams;
const issuer = new AccessTokenIssuer("s");
const client = { tokenUrl: "https://idp", clientId: "c", clientSecret: "s" };

// @ts-expect-error an unset variable is no secret
sharedSecretAuth("X-A", unset);
// @ts-expect-error the secret is missing
sharedSecretAuth("X-A");

// @ts-expect-error an issuer has `sign`
signedJwtAuth({}, "audience");
// @ts-expect-error `sign` gives a token
signedJwtAuth({ sign: () => ({ jwt: "t" }) }, "audience");
// @ts-expect-error a lifetime from the environment is a string (B27)
signedJwtAuth(issuer, "audience", "60");
// @ts-expect-error a bigint is no lifetime (B27)
signedJwtAuth(issuer, "audience", 60n);
// @ts-expect-error the audience is missing
signedJwtAuth(issuer);

// @ts-expect-error the client secret is missing
oauthClientCredentialsAuth({ tokenUrl: "https://idp", clientId: "c" });
// @ts-expect-error the token endpoint is missing
oauthClientCredentialsAuth({ clientId: "c", clientSecret: "s" });
// @ts-expect-error scopes are a list
oauthClientCredentialsAuth({ ...client, scopes: "a b" });
// @ts-expect-error an audience is one string
oauthClientCredentialsAuth({ ...client, audience: ["a"] });
// @ts-expect-error a misspelt option
oauthClientCredentialsAuth({ ...client, scope: "a" });

// @ts-expect-error a method that there is not
oauthClientCredentialsAuth({ ...client, clientAuthentication: "none" });
// @ts-expect-error the private key is missing
oauthClientCredentialsAuth({ ...client, clientAuthentication: "private_key_jwt" });
// @ts-expect-error the certificate is missing
oauthClientCredentialsAuth({ ...client, clientAuthentication: "tls_client_auth" });
// @ts-expect-error tokens of another type need another header
oauthClientCredentialsAuth({ ...client, tokenType: "DPoP" });

// @ts-expect-error the endpoint is missing
createRemoteTokenIssuer({});
// @ts-expect-error a timeout is a number
createRemoteTokenIssuer({ url: "https://b", timeoutMs: "5s" });
// @ts-expect-error headers are given by a function
createRemoteTokenIssuer({ url: "https://b", auth: { "X-A": "1" } });
// @ts-expect-error a header's value is a string
createRemoteTokenIssuer({ url: "https://b", auth: async () => ({ "X-A": unset }) });
// @ts-expect-error a key is made by the issuer: the option says whether
createRemoteTokenIssuer({ url: "https://b", idempotencyKey: "k" });
// @ts-expect-error a misspelt option
createRemoteTokenIssuer({ url: "https://b", timeout: 5 });
// @ts-expect-error the params are incomplete
createRemoteTokenIssuer({ url: "https://b" })({ requestId: "r" });
// @ts-expect-error params are readonly
params.challengeId = "c";

declare const result: TokenIssuanceResult;
// @ts-expect-error the result is readonly
result.token = "t";
// @ts-expect-error the type may be absent
result.tokenType.length;

// @ts-expect-error an algorithm that is not offered
new AccessTokenIssuer({ secret: "s", algorithm: "ES256" });
// @ts-expect-error a configuration is needed
new AccessTokenIssuer();
// @ts-expect-error a claim is missing
issuer.sign({ sub: "s", jti: "j", resourceId: "r", planId: "p" }, 60);
// @ts-expect-error a claim is a string
issuer.sign({ ...claims, sub: 1 }, 60);
// @ts-expect-error the lifetime has no default here
issuer.sign(claims);
// @ts-expect-error a lifetime is a number (B27)
issuer.sign(claims, "3600");
// @ts-expect-error a token may be missing
issuer.verify(unset);
// @ts-expect-error fallbacks are a list
issuer.verifyWithFallback("t", "secret");

// @ts-expect-error a header is one string
validateKey0Token(["Bearer t"], { secret: "s" });
// @ts-expect-error the configuration is missing
validateKey0Token("Bearer t");
// @ts-expect-error an algorithm that is not offered
validateKey0Token("Bearer t", { secret: "s", algorithm: "none" });
// @ts-expect-error the secret is missing
validateToken("Bearer t", {});
// @ts-expect-error an unset variable is no secret
validateToken("Bearer t", { secret: unset });

declare const payload: AccessTokenPayload;
// @ts-expect-error the five claims are readonly
payload.sub = "s";
// @ts-expect-error an extra claim is unknown
payload.tenant.length;

// @ts-expect-error a code that the SDK does not have
new Key0Error("NOT_A_CODE", "m");
// @ts-expect-error a status is a number
new Key0Error("INTERNAL_ERROR", "m", "500");
// @ts-expect-error the code is readonly
new Key0Error("INTERNAL_ERROR", "m").code = "PAYMENT_FAILED";
// @ts-expect-error the cause is looked at before it is used
new Key0Error("INTERNAL_ERROR", "m").cause.sent;

// @ts-expect-error `Error` has neither code nor status
setKey0ErrorClass(Error);
// @ts-expect-error a value is no class
setKey0ErrorClass(new Key0Error("INTERNAL_ERROR", "m"));
