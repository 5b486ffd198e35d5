// @ts-check
// Key0 as a service of its own: buyers pay here, the seller's backend issues.
//
//   AUTH=shared-secret SHARED_SECRET=… BACKEND_URL=http://127.0.0.1:8080/issue \
//     node examples/standalone-gateway/main.mjs
//
// AUTH is none, shared-secret (SHARED_SECRET), jwt (KEY0_PRIVATE_KEY or KEY0_SECRET, AUDIENCE) or
// oauth (TOKEN_URL, CLIENT_ID, CLIENT_SECRET). Then
//
//   curl -d '{ "resourceId": "photo-7", "planId": "basic", "txHash": "0x…" }' <its address>/buy
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { createRemoteTokenIssuer, Key0Error } from "@key0ai/native";
import { listening, port, required } from "../backend/env.mjs";
import { auth } from "./auth.mjs";
import { createEngine } from "./engine.mjs";

const { credentialsFor } = createEngine({
  fetchResourceCredentials: createRemoteTokenIssuer({
    url: required("BACKEND_URL"),
    auth,
    timeoutMs: Number(process.env.TIMEOUT_MS ?? 10_000),
  }),
});

const server = createServer(async (request, response) => {
  try {
    const { status, body } = await answer(request);
    send(response, status, body);
  } catch (error) {
    const isOurs = error instanceof Key0Error;
    if (!isOurs) console.error(error);
    send(response, isOurs ? error.httpStatus : 500, isOurs ? error.toJSON() : { type: "Error" });
  }
});

/** @param {import("node:http").IncomingMessage} request */
async function answer(request) {
  if (request.method !== "POST" || request.url !== "/buy") return { status: 404, body: {} };
  const order = /** @type {any} */ (await json(request).catch(() => undefined));
  const { resourceId, planId, txHash } = order ?? {};
  // Here the real engine reads the transaction from the chain: who paid whom, and how much.
  if (typeof txHash !== "string" || !/^0x[0-9a-f]{64}$/.test(txHash)) {
    throw new Key0Error("INVALID_PROOF", "txHash is no transaction", 400);
  }
  const [requestId, challengeId] = [randomUUID(), randomUUID()];
  const params = { requestId, challengeId, resourceId, planId, txHash };
  return { status: 200, body: await credentialsFor(params) };
}

/**
 * @param {import("node:http").ServerResponse} response
 * @param {number} status
 * @param {object} body
 */
function send(response, status, body) {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}

server.listen(port, "127.0.0.1", () => listening(server));
