// @ts-check
/** The strategy that the environment chooses. */
import {
  AccessTokenIssuer,
  noAuth,
  oauthClientCredentialsAuth,
  sharedSecretAuth,
  signedJwtAuth,
} from "@key0ai/native";
import { oneOf, required } from "../backend/env.mjs";

/** @type {Record<string, () => import("@key0ai/native").AuthHeaderProvider>} */
const STRATEGIES = {
  none: () => noAuth(),
  "shared-secret": () => sharedSecretAuth("X-Internal-Auth", required("SHARED_SECRET")),
  jwt: () => signedJwtAuth(accessTokenIssuer(), required("AUDIENCE")),
  oauth: () =>
    oauthClientCredentialsAuth({
      tokenUrl: required("TOKEN_URL"),
      clientId: required("CLIENT_ID"),
      clientSecret: required("CLIENT_SECRET"),
      scopes: ["credentials:issue"],
    }),
};

/** RS256 where there is a private key, else HS256. */
function accessTokenIssuer() {
  const privateKey = process.env.KEY0_PRIVATE_KEY;
  if (privateKey) return new AccessTokenIssuer({ algorithm: "RS256", privateKey });
  return new AccessTokenIssuer(required("KEY0_SECRET"));
}

/** As `AUTH` says. */
export const auth = oneOf(STRATEGIES, "AUTH")();
