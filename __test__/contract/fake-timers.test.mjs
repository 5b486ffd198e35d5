// @ts-check
/** Deadlines are real time, whatever the tests of an application do to its timers. B46 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { issueTimedOut, rejectsWith } from "../support/errors.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { httpServer, rawServer } from "../support/server.mjs";

it("under fake timers calls answer, and those without an answer end in time", async (t) => {
  const server = await httpServer(t);
  const silent = await rawServer(t, () => {});
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval", "setImmediate", "Date"] });

  const issued = await createRemoteTokenIssuer({ url: server.url })(PAYMENT);
  assert.equal(issued.token, "t");

  const issue = createRemoteTokenIssuer({ url: silent.url, timeoutMs: 1_000 });
  const started = performance.now();
  await rejectsWith(issue(PAYMENT), issueTimedOut({ sent: true }));
  assert.ok(performance.now() - started >= 999);

  const auth = () => new Promise(() => {});
  const hanging = createRemoteTokenIssuer({ url: server.url, auth, timeoutMs: 1_000 });
  await rejectsWith(hanging(PAYMENT), issueTimedOut({ sent: false }));
});
