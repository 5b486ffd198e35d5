/**
 * A project in which the SDK's engine has one payment to issue for. It prints what the buyer gets.
 * `MOVED` names a folder that goes away once the issuer is created: at once, or `LATER`, after what
 * the runtime had begun to import.
 */
import { renameSync } from "node:fs";
import { createKey0 } from "@key0ai/key0";
import { createRemoteTokenIssuer } from "@key0ai/native";

async function main() {
  const [url = "", timeoutMs = "1500"] = process.argv.slice(2);
  const issue = createRemoteTokenIssuer({ url, timeoutMs: Number(timeoutMs) });
  const { MOVED, LATER } = process.env;
  if (LATER) await import("@key0ai/key0");
  if (MOVED) renameSync(MOVED, `${MOVED}-before`);
  const { answer, issueAfterPayment } = createKey0({
    config: { fetchResourceCredentials: issue, retryDelayMs: 1 },
  });
  const outcome = await issueAfterPayment({ challengeId: "c-1" }).catch(answer);
  console.log(JSON.stringify(outcome));
}

main();
