// @ts-check
/** `Authorization` headers that are none, for both functions that read one (B33). */
import { CLAIMS, hs256 } from "./tokens.mjs";

const TOKEN = hs256(CLAIMS);

/** No scheme, another one, or no token. */
export const MALFORMED = [
  ...[undefined, null, 42, {}, [`Bearer ${TOKEN}`], Symbol("s"), new String(`Bearer ${TOKEN}`)],
  ...["", " ", TOKEN, "Basic x", `Basic ${TOKEN}`, "Bearer", "Bearer ", `Bearer${TOKEN}`],
  ...[`bearer ${TOKEN}`, `BEARER ${TOKEN}`, ` Bearer ${TOKEN}`, `Bearer\t${TOKEN}`],
];

/** A scheme and a token with something in or around it. */
export const BLEMISHED = [
  ...[`Bearer  ${TOKEN}`, `Bearer ${TOKEN} `, `Bearer ${TOKEN}\n`, `Bearer ${TOKEN}\t`],
  ...[`Bearer ${TOKEN.replace(".", ". ")}`, `Bearer ${TOKEN}, Bearer ${TOKEN}`, `Bearer ${TOKEN}=`],
  ...[`Bearer ${TOKEN.replace(".", ".\u00a0")}`, `Bearer ${TOKEN}\0`],
];
