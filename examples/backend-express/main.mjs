// @ts-check
// A seller's backend on Express 5:
//
//   AUTH=shared-secret SHARED_SECRET=… CREDENTIAL_SECRET=… node examples/backend-express/main.mjs
import express from "express";
import { listening, port } from "../backend/env.mjs";
import { issue, open } from "../backend/seller.mjs";

const app = express();

app.post("/issue", express.json(), async (request, response) => {
  const { status, body } = await issue((name) => request.get(name), request.body);
  response.status(status).json(body);
});

app.get("/resources/:id", async (request, response) => {
  const { status, body } = await open((name) => request.get(name), request.params.id);
  response.status(status).json(body);
});

const server = app.listen(port, "127.0.0.1", () => listening(server));
