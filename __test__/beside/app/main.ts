/**
 * A project that uses the SDK's engine and this package's issuer. It prints what became of a
 * backend that fails, of one that is silent, and whose errors they were.
 */
import { createKey0, Key0Error as SdkError } from "@key0ai/key0";
import { createRemoteTokenIssuer, Key0Error, noAuth } from "@key0ai/native";

const [failing, silent] = process.argv.slice(-2);
const loads = Symbol.for("stand-in loads");
const mine = new Key0Error("INTERNAL_ERROR", "made before any call failed", 500);

async function outcome(url: string, timeoutMs?: number) {
  const fetchResourceCredentials = createRemoteTokenIssuer({ url, auth: noAuth(), timeoutMs });
  const config = { fetchResourceCredentials, retryDelayMs: 1 };
  const { answer, issueAfterPayment } = createKey0({ config });
  const error = await issueAfterPayment({ challengeId: "c-1" }).catch((reason) => reason);
  return {
    isOurs: error instanceof Key0Error,
    isSdks: error instanceof SdkError,
    answer: answer(error),
  };
}

async function main() {
  const report = {
    failing: await outcome(failing),
    silent: await outcome(silent, 1_000),
    earlierIsSdks: mine instanceof SdkError,
    sdksIsOurs: new SdkError("INTERNAL_ERROR", "m") instanceof Key0Error,
    loads: Reflect.get(globalThis, loads),
  };
  console.log(JSON.stringify(report));
}

main();
