// @ts-check

/**
 * What the SDK's engine passes to the issuer after a payment.
 *
 * @type {Readonly<import("../../index.js").IssueTokenParams>}
 */
export const PAYMENT = Object.freeze({
  requestId: "7f9c2e1a-5b43-4d0e-8a86-0c1d2e3f4a5b",
  challengeId: "challenge-1",
  resourceId: "photo-1",
  planId: "basic",
  txHash: `0x${"ab".repeat(32)}`,
});
