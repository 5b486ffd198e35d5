// @ts-check
// The work whose instructions and system calls are counted: `work.mjs <url> <work> <calls>…`. Between
// two works it calls `os.loadavg()`: callgrind begins a new count at the function behind it.
import { loadavg } from "node:os";
import {
  AccessTokenIssuer,
  createRemoteTokenIssuer,
  oauthClientCredentialsAuth,
  sharedSecretAuth,
  signedJwtAuth,
  validateKey0Token,
} from "../../index.mjs";

const SECRET = "a secret of thirty-two characters";
const PAYMENT = { requestId: "r", challengeId: "c", resourceId: "p", planId: "b", txHash: "0x1" };

const [url, ...wanted] = process.argv.slice(2);
const signed = signedJwtAuth(new AccessTokenIssuer(SECRET), "https://backend.example", 3600);
const cached = oauthClientCredentialsAuth({
  tokenUrl: `${url}token`,
  clientId: "c",
  clientSecret: "s",
});
const auth = sharedSecretAuth("X-Internal-Auth", SECRET);
const issue = createRemoteTokenIssuer({ url: `${url}issue`, auth });
const issueLarge = createRemoteTokenIssuer({ url: `${url}large`, auth });
const { Authorization } = await signed();

/** @type {Record<string, () => Promise<unknown>>} */
const WORKS = {
  "HS256 header": signed,
  "HS256 verify": () => validateKey0Token(Authorization, { secret: SECRET }),
  "cached OAuth header": cached,
  issue: () => issue(PAYMENT),
  "issue, large answer": () => issueLarge(PAYMENT),
};

for (const it of wanted) {
  const [work, calls, atOnce = 1] = it.split("*");
  let left = Number(calls);
  const lane = async () => {
    while (left-- > 0) await WORKS[work]();
  };
  await Promise.all(Array.from({ length: Number(atOnce) }, lane));
  loadavg();
}
