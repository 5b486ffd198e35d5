// @ts-check
/** The two exchanges for which the contract's section "HTTP, for both" holds. */
import { createRemoteTokenIssuer, oauthClientCredentialsAuth } from "../../index.mjs";
import { CANARY, issueFailed } from "./errors.mjs";
import { PAYMENT } from "./payment.mjs";

/**
 * @typedef {object} Exchange
 * @property {string} name
 * @property {string} good The text of an answer that it takes.
 * @property {(url: string | URL) => Promise<unknown>} call One call, its client new.
 * @property {unknown} gives What a call gives for that answer.
 * @property {(reason: string) => import("./errors.mjs").Expected} fails By the network, with this
 *   reason.
 * @property {(status: number, body?: string) => import("./errors.mjs").Expected} refused By a
 *   status, which the message has, and a body, which the cause has.
 */

/** @type {Exchange} */
export const ISSUER = {
  name: "a remote token issuer",
  good: '{"token":"t"}',
  call: (url) => createRemoteTokenIssuer({ url, secret: CANARY })(PAYMENT),
  gives: { token: "t", tokenType: "Bearer" },
  fails: (reason) => issueFailed(`Network error: ${reason}`),
  refused: (status, body) =>
    issueFailed(`Backend failed to issue token: ${status}`, { status, body, sent: true }),
};

/** @type {Exchange} */
export const OAUTH = {
  name: "the OAuth strategy",
  good: '{"access_token":"t","expires_in":3600}',
  call: (url) =>
    oauthClientCredentialsAuth({ tokenUrl: url, clientId: "id", clientSecret: CANARY })(),
  gives: { Authorization: "Bearer t" },
  fails: (reason) => oauthFailed(reason),
  refused: (status, body) =>
    oauthFailed(`OAuth token request failed: ${status}`, { status, body, sent: true }),
};

export const EXCHANGES = [ISSUER, OAUTH];

/**
 * `INTERNAL_ERROR`, 500, with the sentence that every failure of the OAuth strategy begins with.
 *
 * @param {string} reason
 * @param {import("./errors.mjs").Expected["cause"]} [cause]
 */
export function oauthFailed(reason, cause) {
  const message = `Failed to authenticate via OAuth: ${reason}`;
  return { code: "INTERNAL_ERROR", httpStatus: 500, message, cause };
}
