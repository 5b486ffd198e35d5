/**
 * A project that loads the SDK only after a call has failed. It prints what was loaded when, and
 * whose the error was.
 */
import { setTimeout } from "node:timers/promises";
import { AccessTokenIssuer, createRemoteTokenIssuer, validateToken } from "@key0ai/native";

const loads = () => Reflect.get(globalThis, Symbol.for("stand-in loads")) ?? 0;

async function main() {
  const claims = { sub: "s", jti: "j", resourceId: "r", planId: "p", txHash: "x" };
  const { token } = await new AccessTokenIssuer("s".repeat(32)).sign(claims, 60);
  const created = await Promise.resolve()
    .then(() => createRemoteTokenIssuer({ url: "nowhere" }))
    .catch((error) => error.name);
  const before = loads();
  const error = await validateToken("", { secret: "s" }).catch((reason) => reason);
  // A refusal does not wait for long, and a busy machine may need longer to load it.
  for (let i = 0; i < 200 && loads() === 0; i += 1) await setTimeout(50);
  const after = loads();
  const { Key0Error } = await import("@key0ai/key0");
  const report = {
    token: typeof token,
    created,
    before,
    after,
    isSdks: error instanceof Key0Error,
    end: loads(),
  };
  console.log(JSON.stringify(report));
}

main();
