// @ts-check
// A seller's backend on Hono:
//
//   AUTH=shared-secret SHARED_SECRET=… CREDENTIAL_SECRET=… node examples/backend-hono/main.mjs
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { listening, port } from "../backend/env.mjs";
import { issue, open } from "../backend/seller.mjs";

const app = new Hono();

app.post("/issue", async (context) => {
  const header = (/** @type {string} */ name) => context.req.header(name);
  const payment = await context.req.json().catch(() => undefined);
  const { status, body } = await issue(header, payment);
  return Response.json(body, { status });
});

app.get("/resources/:id", async (context) => {
  const header = (/** @type {string} */ name) => context.req.header(name);
  const { status, body } = await open(header, context.req.param("id"));
  return Response.json(body, { status });
});

const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port }, () => {
  listening(/** @type {import("node:http").Server} */ (server));
});
