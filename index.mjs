import native from "./index.js";

export const {
  AccessTokenIssuer,
  createRemoteTokenIssuer,
  Key0Error,
  noAuth,
  oauthClientCredentialsAuth,
  setKey0ErrorClass,
  sharedSecretAuth,
  signedJwtAuth,
  validateKey0Token,
  validateToken,
} = native;
