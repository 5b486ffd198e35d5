// @ts-check
/** Keys as users have them, right and wrong ones, made by `node:crypto`; each made once. */
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const ed25519 = generateKeyPairSync("ed25519");
const short = generateKeyPairSync("rsa", { modulusLength: 1024 });

/** @param {import("node:crypto").KeyObject} key @param {"pkcs8" | "pkcs1" | "sec1" | "spki"} type */
const pem = (key, type) => String(key.export({ format: "pem", type: /** @type {any} */ (type) }));

/** RSA, 2048 bits: what RS256 needs. */
export const RSA = { pkcs8: pem(privateKey, "pkcs8"), pkcs1: pem(privateKey, "pkcs1") };

/** The public half of {@link RSA}. */
export const RSA_PUBLIC = { spki: pem(publicKey, "spki"), pkcs1: pem(publicKey, "pkcs1") };

/** RSA, 1024 bits. */
export const SHORT_RSA = {
  pkcs8: pem(short.privateKey, "pkcs8"),
  spki: pem(short.publicKey, "spki"),
};

/** Elliptic curve, P-256. */
export const EC = {
  pkcs8: pem(ec.privateKey, "pkcs8"),
  sec1: pem(ec.privateKey, "sec1"),
  spki: pem(ec.publicKey, "spki"),
};

/** Edwards curve. */
export const ED25519 = { pkcs8: pem(ed25519.privateKey, "pkcs8") };

/** {@link RSA} behind a passphrase. */
export const ENCRYPTED = String(
  privateKey.export({ format: "pem", type: "pkcs8", cipher: "aes-256-cbc", passphrase: "p" }),
);

/** A certificate of an RSA key. */
export const CERTIFICATE = readFileSync(
  new URL("../../tests/fixtures/certificate.pem", import.meta.url),
  "utf8",
);
