// @ts-check
/**
 * What a seller's backend does, whatever framework it runs on: `issue` answers Key0 after a
 * payment, `open` answers the buyer who brings what was issued. Both give a status and a body.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { AccessTokenIssuer, validateKey0Token } from "@key0ai/native";
import { oneOf, required } from "./env.mjs";

/** @typedef {(name: string) => string | undefined} Header A request header by its name. */
/** @typedef {{ status: number, body: object }} Answer */

/** Signs the buyers' credentials; nobody else has this secret. */
const buyers = { secret: required("CREDENTIAL_SECRET") };
const credentials = new AccessTokenIssuer(buyers.secret);
const LIFETIME_SECONDS = 3_600;

/** What was issued, by challenge. A real backend keeps it where all its processes look. */
const issued = new Map();

/**
 * By `AUTH`, the strategy that Key0 was given: how to know that the caller is Key0, and means this
 * backend.
 *
 * @type {Record<string, () => (header: Header) => Promise<boolean>>}
 */
const CHECKS = {
  none: () => async () => true,
  "shared-secret": () => {
    const secret = required("SHARED_SECRET");
    return async (header) => isEqual(header("x-internal-auth") ?? "", secret);
  },
  jwt: () => {
    const [publicKey, audience] = [process.env.KEY0_PUBLIC_KEY, required("AUDIENCE")];
    /** @type {import("@key0ai/native").ValidatorConfig} */
    const config = publicKey
      ? { algorithm: "RS256", publicKey }
      : { secret: required("KEY0_SECRET") };
    return async (header) => {
      const { sub, resourceId } = await validateKey0Token(header("authorization"), config);
      return sub === "key0-service" && resourceId === audience;
    };
  },
  oauth: () => {
    const url = required("INTROSPECTION_URL");
    const account = btoa(`${required("CLIENT_ID")}:${required("CLIENT_SECRET")}`);
    return async (header) => {
      const [, token = ""] = /^Bearer (.+)$/.exec(header("authorization") ?? "") ?? [];
      // RFC 7662: the OAuth server says whether it is one of its tokens, and what for.
      const headers = { Authorization: `Basic ${account}` };
      const body = new URLSearchParams({ token });
      const answer = await fetch(url, { method: "POST", headers, body });
      const { active, scope = "" } = /** @type {any} */ (await answer.json());
      return active === true && scope.split(" ").includes("credentials:issue");
    };
  },
};
const isKey0 = oneOf(CHECKS, "AUTH")();

/**
 * `POST /issue`: Key0 repeats a call whose answer was lost, with the same Idempotency-Key, and
 * gets the same credentials.
 *
 * @param {Header} header
 * @param {any} payment `{ requestId, challengeId, resourceId, planId, txHash }`
 * @returns {Promise<Answer>}
 */
export async function issue(header, payment) {
  try {
    if (!(await isKey0(header))) return { status: 403, body: { error: "not for this backend" } };
  } catch (error) {
    return refused(error);
  }
  const challenge = header("idempotency-key");
  const { requestId, resourceId, planId, txHash } = payment ?? {};
  if (!challenge) return { status: 400, body: { error: "Idempotency-Key is missing" } };
  if (typeof requestId !== "string") return { status: 400, body: { error: "no requestId" } };
  if (!issued.has(challenge)) {
    const claims = { sub: requestId, jti: challenge, resourceId, planId, txHash };
    issued.set(challenge, credentials.sign(claims, LIFETIME_SECONDS));
  }
  return { status: 200, body: await issued.get(challenge) };
}

/**
 * `GET /resources/:id`: for the buyer of that resource.
 *
 * @param {Header} header
 * @param {string} id
 * @returns {Promise<Answer>}
 */
export async function open(header, id) {
  try {
    const { resourceId, planId } = await validateKey0Token(header("authorization"), buyers);
    if (resourceId !== id) return { status: 403, body: { error: "another resource was bought" } };
    return { status: 200, body: { resource: id, planId } };
  } catch (error) {
    return refused(error);
  }
}

/** A caller's fault is 401; ours, a key that cannot be used, is 500. @param {any} error */
function refused({ message }) {
  const isOurs = /requires|is not usable/.test(message);
  return { status: isOurs ? 500 : 401, body: { error: message } };
}

/** In constant time, whatever the lengths. @param {string} given @param {string} expected */
function isEqual(given, expected) {
  const digest = (/** @type {string} */ text) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
