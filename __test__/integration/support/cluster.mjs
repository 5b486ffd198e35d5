// @ts-check
// Four processes of a cluster, each of which issues on its own; one ends in the middle of a call.
import cluster from "node:cluster";
import { once } from "node:events";
import {
  AccessTokenIssuer,
  createRemoteTokenIssuer,
  oauthClientCredentialsAuth,
  signedJwtAuth,
} from "../../../index.mjs";

const [, , backend, tokenUrl, silent] = process.argv;
const params = /** @type {any} */ ({});

/** One issue by each strategy. */
async function issues() {
  const issuer = new AccessTokenIssuer("s".repeat(32));
  const oauth = { tokenUrl, clientId: "id", clientSecret: "secret" };
  const tokens = [];
  for (const auth of [signedJwtAuth(issuer, "b"), oauthClientCredentialsAuth(oauth)]) {
    tokens.push((await createRemoteTokenIssuer({ url: backend, auth })(params)).token);
  }
  return tokens;
}

if (cluster.isPrimary) {
  const before = await issues();
  const workers = Array.from({ length: 4 }, () => cluster.fork());
  const reports = await Promise.all(
    workers.map(async (worker) => (await once(worker, "message"))[0]),
  );
  workers[0].process.kill("SIGKILL");
  for (const worker of workers.slice(1)) worker.send("end");
  const ends = await Promise.all(workers.map((worker) => once(worker, "exit")));
  console.log(JSON.stringify({ before, reports, ends, after: await issues() }));
} else {
  const tokens = await issues();
  createRemoteTokenIssuer({ url: silent })(params).catch(() => {});
  process.send?.(tokens);
  process.once("message", () => process.exit(0));
}
