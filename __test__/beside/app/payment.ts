/**
 * A project in which the SDK's engine has one payment to issue for, at each of the backends that
 * it is given. It prints what the buyers get. `MOVED` names a folder that goes away once the issuers
 * are created: at once, or `LATER`, after what the runtime had begun to import.
 */
import { renameSync } from "node:fs";
import { createKey0 } from "@key0ai/key0";
import { createRemoteTokenIssuer } from "@key0ai/native";

async function main() {
  const urls = process.argv.slice(2);
  const issuers = urls.map((url) => createRemoteTokenIssuer({ url, timeoutMs: 3_000 }));
  const { MOVED, LATER } = process.env;
  if (LATER) await import("@key0ai/key0");
  if (MOVED) renameSync(MOVED, `${MOVED}-before`);
  for (const fetchResourceCredentials of issuers) {
    const { answer, issueAfterPayment } = createKey0({
      config: { fetchResourceCredentials, retryDelayMs: 1 },
    });
    const outcome = await issueAfterPayment({ challengeId: "c-1" }).catch(answer);
    console.log(JSON.stringify(outcome));
  }
}

main();
