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

/** The code of errors that are no caller's fault. */
const OURS = "ERR_KEY0_CONFIG";

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
    return async (header) => {
      if (isEqual(header("x-internal-auth") ?? "", secret)) return true;
      throw new Error("Wrong or missing X-Internal-Auth header");
    };
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
    const [url, key0] = [required("INTROSPECTION_URL"), required("KEY0_CLIENT_ID")];
    // RFC 6749 §2.3.1 has both encoded.
    const client = [required("CLIENT_ID"), required("CLIENT_SECRET")].map(encodeURIComponent);
    const headers = { Authorization: `Basic ${btoa(client.join(":"))}` };
    return async (header) => {
      const [, token] = /^Bearer (.+)$/.exec(header("authorization") ?? "") ?? [];
      if (!token) throw new Error("Missing or malformed Authorization header");
      // RFC 7662: the OAuth server says whether it is one of its tokens, whose, and what for.
      const body = new URLSearchParams({ token });
      const answer = await fetch(url, { method: "POST", headers, body }).catch(() => undefined);
      if (!answer?.ok) {
        const error = new Error(`the OAuth server is not usable: ${answer?.status}`);
        throw Object.assign(error, { code: OURS });
      }
      const { active, client_id, scope = "" } = /** @type {any} */ (await answer.json());
      if (active !== true) throw new Error("Invalid token");
      return client_id === key0 && scope.split(" ").includes("credentials:issue");
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
  if (!challenge) return { status: 400, body: { error: "Idempotency-Key is missing" } };
  for (const field of ["requestId", "resourceId", "planId", "txHash"]) {
    if (typeof payment?.[field] === "string") continue;
    return { status: 400, body: { error: `${field} is missing` } };
  }
  const { requestId, resourceId, planId, txHash } = payment;
  if (!issued.has(challenge)) {
    const claims = { sub: requestId, jti: challenge, resourceId, planId, txHash };
    issued.set(challenge, { txHash, credential: credentials.sign(claims, LIFETIME_SECONDS) });
  }
  const known = issued.get(challenge);
  if (known.txHash !== txHash) return { status: 409, body: { error: "another payment's key" } };
  return { status: 200, body: await known.credential };
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
function refused({ code, message }) {
  return { status: code === OURS ? 500 : 401, body: { error: message } };
}

/** In constant time, whatever the lengths. @param {string} given @param {string} expected */
function isEqual(given, expected) {
  const digest = (/** @type {string} */ text) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
