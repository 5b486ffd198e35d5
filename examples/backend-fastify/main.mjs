// @ts-check
// A seller's backend on Fastify 5:
//
//   AUTH=shared-secret SHARED_SECRET=… CREDENTIAL_SECRET=… node examples/backend-fastify/main.mjs
import fastify from "fastify";
import { listening, port } from "../backend/env.mjs";
import { issue, open } from "../backend/seller.mjs";

const app = fastify();

/** @param {import("fastify").FastifyRequest} request */
const headerOf = (request) => (/** @type {string} */ name) => request.headers[name]?.toString();

app.post("/issue", async (request, reply) => {
  const { status, body } = await issue(headerOf(request), request.body);
  return reply.code(status).send(body);
});

app.get("/resources/:id", async (request, reply) => {
  const { id } = /** @type {{ id: string }} */ (request.params);
  const { status, body } = await open(headerOf(request), id);
  return reply.code(status).send(body);
});

await app.listen({ host: "127.0.0.1", port });
listening(app.server);
