// @ts-check
/** A cluster: processes that share a port and nothing else. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { endedWell, run } from "../support/process.mjs";
import { httpServer } from "../support/server.mjs";

const PROGRAM = fileURLToPath(new URL("support/cluster.mjs", import.meta.url));

it("each process of a cluster issues for itself, and ends for itself", async (t) => {
  const backend = await httpServer(t);
  const idp = await httpServer(t, { access_token: "a", expires_in: 3600 });
  const silent = await httpServer(t, () => {});
  const ended = await run(process.execPath, [PROGRAM, backend.url, idp.url, silent.url]);
  endedWell(ended);
  const { before, reports, ends, after } = JSON.parse(ended.stdout);
  const tokens = ["t", "t"];
  assert.deepEqual([before, reports, after], [tokens, Array(4).fill(tokens), tokens]);
  const [first, ...others] = ends;
  assert.deepEqual(first, [null, "SIGKILL"]);
  assert.deepEqual(others, Array(3).fill([0, null]));
  // A cache is its process's own.
  assert.equal(idp.requests.length, 6);
});
