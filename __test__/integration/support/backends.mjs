// @ts-check
/** A seller's backend on each framework, as its own documentation would write it. */
import { once } from "node:events";
import { serve } from "@hono/node-server";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";

/**
 * @typedef {object} Seller
 * @property {Record<string, (header: (name: string) => string | undefined) => Promise<boolean>>}
 *   checks By path: whether whoever has these headers may be served.
 * @property {(payment: any) => object} issue What is answered to a payment.
 */

/**
 * @typedef {object} Backend
 * @property {string} origin
 * @property {() => Promise<unknown>} shutDown Takes nobody any more, and waits for those who are
 *   connected, as in a deployment.
 * @property {() => void} drop Closes every connection.
 */

/** @param {Seller} seller @returns {Promise<Backend>} */
async function onExpress({ checks, issue }) {
  const app = express();
  for (const [path, check] of Object.entries(checks)) {
    app.post(
      path,
      async (request, response, next) => {
        if (await check((name) => request.get(name))) next();
        else response.sendStatus(401);
      },
      express.json(),
      (request, response) => void response.json(issue(request.body)),
    );
  }
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  return backend(server);
}

/** @param {Seller} seller @returns {Promise<Backend>} */
async function onHono({ checks, issue }) {
  const app = new Hono();
  for (const [path, check] of Object.entries(checks)) {
    app.post(path, async (context) => {
      if (!(await check((name) => context.req.header(name)))) {
        return context.text("Unauthorized", 401);
      }
      return context.json(issue(await context.req.json()));
    });
  }
  const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 });
  await once(server, "listening");
  return backend(server);
}

/** @param {Seller} seller @returns {Promise<Backend>} */
async function onFastify({ checks, issue }) {
  const app = fastify();
  for (const [path, check] of Object.entries(checks)) {
    app.post(path, {
      onRequest: async (request, reply) => {
        const header = (/** @type {string} */ name) => `${request.headers[name] ?? ""}`;
        if (!(await check(header))) return reply.code(401).send("Unauthorized");
      },
      handler: async (request) => issue(request.body),
    });
  }
  await app.listen({ host: "127.0.0.1", port: 0 });
  return { ...backend(app.server), shutDown: () => app.close() };
}

export const FRAMEWORKS = { "Express 5": onExpress, Hono: onHono, "Fastify 5": onFastify };

/** @param {any} server @returns {Backend} */
function backend(server) {
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    shutDown: () => new Promise((resolve) => server.close(resolve)),
    drop: () => server.closeAllConnections(),
  };
}
