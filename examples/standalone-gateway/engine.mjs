// @ts-check
/**
 * The rules of Key0's engine for the callback, so that this gateway runs without the SDK, which is
 * not on npm. With it, `createKey0({ config: { fetchResourceCredentials, … }, … })` is this and the
 * payment itself.
 */
import { Key0Error } from "@key0ai/native";

/**
 * @typedef {object} Config
 * @property {ReturnType<typeof import("@key0ai/native").createRemoteTokenIssuer>}
 *   fetchResourceCredentials
 * @property {number} [tokenIssueTimeoutMs]
 * @property {number} [tokenIssueRetries]
 */

/** @param {Config} config */
export function createEngine(config) {
  const { fetchResourceCredentials, tokenIssueTimeoutMs = 15_000, tokenIssueRetries = 2 } = config;
  /** Transactions that were spent, on a failure too: what becomes of that payment is not shown. */
  const seen = new Set();

  /** @param {import("@key0ai/native").IssueTokenParams} params */
  function issueOnce(params) {
    /** @type {NodeJS.Timeout} */
    let timer;
    const late = new Promise((_, reject) => {
      const error = new Key0Error("TOKEN_ISSUE_TIMEOUT", "Token issuance timed out", 504);
      timer = setTimeout(() => reject(error), tokenIssueTimeoutMs);
    });
    const issued = fetchResourceCredentials(params).finally(() => clearTimeout(timer));
    return Promise.race([issued, late]);
  }

  /**
   * What follows a payment that was verified. A failure is tried again; a timeout never, since the
   * call may be under way still, and two credentials would be issued for one payment.
   *
   * @param {import("@key0ai/native").IssueTokenParams} params
   */
  async function credentialsFor(params) {
    if (seen.has(params.txHash)) {
      throw new Key0Error("TX_ALREADY_REDEEMED", "This transaction was spent already", 409);
    }
    seen.add(params.txHash);
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await issueOnce(params);
      } catch (error) {
        const isTimeout = error instanceof Key0Error && error.code === "TOKEN_ISSUE_TIMEOUT";
        if (isTimeout || attempt === tokenIssueRetries) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
    }
  }

  return { credentialsFor };
}
