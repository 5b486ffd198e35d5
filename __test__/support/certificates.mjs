// @ts-check
/** Certificates of every kind, right and wrong ones, written in DER by hand. */
import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { isIP } from "node:net";

/**
 * @typedef {object} Spec What is not said is as in a usual certificate.
 * @property {Made} [by] The issuer; itself where there is none.
 * @property {string} [key] One of {@link KEYS}, `P-256` by default.
 * @property {Made} [like] The one whose key it shares.
 * @property {string[]} [names] Its subjectAltName, as OpenSSL writes names: `DNS:localhost`.
 * @property {boolean} [ca] What its basicConstraints say; none where it is undefined.
 * @property {number} [pathLength]
 * @property {number} [usage] The bits of its keyUsage, {@link USAGE}.
 * @property {string[]} [purposes] Its extended key usages.
 * @property {{ permitted?: string[], excluded?: string[] }} [constraints]
 * @property {string} [from] A GeneralizedTime.
 * @property {string} [until]
 * @property {boolean} [version1]
 * @property {boolean} [identifiers] Whether it has key identifiers, as by default.
 * @property {boolean} [unknown] Whether it has a critical extension that nobody knows.
 * @property {Buffer[]} [extra] Other extensions, in DER.
 * @property {string} [digest] Of its signature.
 * @property {boolean} [pss] Whether that is padded as RSA-PSS has it.
 * @property {number} [string] The tag of its name's string.
 */

/**
 * @typedef {object} Made
 * @property {Buffer} subject
 * @property {import("node:crypto").KeyPairKeyObjectResult} keys
 * @property {string} kind Of its key.
 * @property {Buffer} identifier
 * @property {Buffer} der
 * @property {string} pem
 * @property {string} key Its private key as PEM.
 */

export const USAGE = {
  digitalSignature: 0x80,
  keyEncipherment: 0x20,
  keyCertSign: 0x04,
  cRLSign: 0x02,
};
export const PURPOSES = {
  server: "1.3.6.1.5.5.7.3.1",
  client: "1.3.6.1.5.5.7.3.2",
  any: "2.5.29.37.0",
};

/** @type {Record<string, () => import("node:crypto").KeyPairKeyObjectResult>} */
const KEYS = {
  "RSA-1024": once(() => generateKeyPairSync("rsa", { modulusLength: 1024 })),
  "RSA-2048": once(() => generateKeyPairSync("rsa", { modulusLength: 2048 })),
  "RSA-3072": once(() => generateKeyPairSync("rsa", { modulusLength: 3072 })),
  "RSA-PSS": once(() => generateKeyPairSync("rsa-pss", { modulusLength: 2048 })),
  "P-256": () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  "P-384": () => generateKeyPairSync("ec", { namedCurve: "P-384" }),
  "P-521": () => generateKeyPairSync("ec", { namedCurve: "P-521" }),
  secp256k1: () => generateKeyPairSync("ec", { namedCurve: "secp256k1" }),
  brainpoolP256r1: () => generateKeyPairSync("ec", { namedCurve: "brainpoolP256r1" }),
  Ed25519: () => generateKeyPairSync("ed25519"),
  Ed448: () => generateKeyPairSync("ed448"),
};

/**
 * A certificate, and what it takes to be its server or to issue others.
 *
 * @param {string} name Its common name.
 * @param {Spec} [spec]
 * @returns {Made}
 */
export function certificate(name, spec = {}) {
  const kind = spec.like?.kind ?? spec.key ?? "P-256";
  const keys = spec.like?.keys ?? KEYS[kind]();
  const publicKey = keys.publicKey.export({ type: "spki", format: "der" });
  const identifier = createHash("sha1").update(publicKey).digest();
  const subject = sequence(set(sequence(oid("2.5.4.3"), tlv(spec.string ?? 0x0c, text(name)))));
  const issuer = spec.by ?? { subject, keys, kind, identifier };
  const { algorithm, digest, padding } = signing(issuer.kind, spec);
  const extensions = spec.version1 ? [] : extensionsOf(spec, identifier, issuer.identifier);
  const content = sequence(
    ...(spec.version1 ? [] : [tlv(0xa0, tlv(0x02, Buffer.from([2])))]),
    tlv(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    issuer.subject,
    sequence(time(spec.from ?? "20200101000000Z"), time(spec.until ?? "20490101000000Z")),
    subject,
    publicKey,
    ...(extensions.length > 0 ? [tlv(0xa3, sequence(...extensions))] : []),
  );
  const signature = sign(digest, content, { key: issuer.keys.privateKey, ...padding });
  const der = sequence(content, algorithm, bits(signature));
  return {
    subject,
    keys,
    kind,
    identifier,
    der,
    pem: pem(der),
    key: String(keys.privateKey.export({ type: "pkcs8", format: "pem" })),
  };
}

/**
 * An authority's certificate.
 *
 * @param {string} name
 * @param {Spec} [spec]
 */
export function authority(name, spec = {}) {
  const usage = USAGE.keyCertSign | USAGE.cRLSign;
  return certificate(name, { ca: true, usage, ...spec });
}

/** @param {Buffer} der @param {string} [label] */
export function pem(der, label = "CERTIFICATE") {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

/** A `TRUSTED CERTIFICATE` that is trusted for, or rejected for, these purposes. */
export function trusted(
  /** @type {Made} */ { der },
  /** @type {{ trust?: string[], reject?: string[] }} */ { trust, reject },
) {
  const settings = sequence(
    ...(trust ? [sequence(...trust.map(oid))] : []),
    ...(reject ? [tlv(0xa0, ...reject.map(oid))] : []),
  );
  return pem(Buffer.concat([der, settings]), "TRUSTED CERTIFICATE");
}

/** @param {Spec} spec @param {Buffer} own @param {Buffer} issuers */
function extensionsOf(spec, own, issuers) {
  const { ca, pathLength, usage, purposes, names, constraints, unknown } = spec;
  const list = [];
  if (ca !== undefined) {
    const length = pathLength === undefined ? [] : [tlv(0x02, Buffer.from([pathLength]))];
    list.push(extension("2.5.29.19", sequence(...(ca ? [TRUE] : []), ...length), true));
  }
  if (usage !== undefined) list.push(extension("2.5.29.15", bits(Buffer.from([usage])), true));
  if (purposes) list.push(extension("2.5.29.37", sequence(...purposes.map(oid))));
  if (names) list.push(extension("2.5.29.17", sequence(...names.map((it) => generalName(it)))));
  if (constraints) {
    const trees = (/** @type {number} */ tag, /** @type {string[] | undefined} */ bases) =>
      bases ? [tlv(tag, ...bases.map((base) => sequence(generalName(base, true))))] : [];
    const { permitted, excluded } = constraints;
    const both = [...trees(0xa0, permitted), ...trees(0xa1, excluded)];
    list.push(extension("2.5.29.30", sequence(...both), true));
  }
  if (spec.identifiers !== false) {
    list.push(extension("2.5.29.14", tlv(0x04, own)));
    list.push(extension("2.5.29.35", sequence(tlv(0x80, issuers))));
  }
  if (unknown) list.push(extension("1.3.6.1.4.1.99999.1", tlv(0x05), true));
  return [...list, ...(spec.extra ?? [])];
}

/** A GeneralName, or the base of a subtree, in OpenSSL's words. */
function generalName(/** @type {string} */ name, base = false) {
  const [kind, ...rest] = name.split(":");
  const value = rest.join(":");
  switch (kind) {
    case "email":
      return tlv(0x81, text(value));
    case "DNS":
      return tlv(0x82, text(value));
    case "dirName":
      return tlv(0xa4, sequence(set(sequence(oid("2.5.4.3"), tlv(0x13, text(value))))));
    case "URI":
      return tlv(0x86, text(value));
    case "IP":
      return tlv(0x87, ...value.split("/").map((part) => address(part, base)));
    case "RID":
      return tlv(0x88, oid(value).subarray(2));
    default:
      throw new TypeError(name);
  }
}

/** @param {string} ip @param {boolean} mask Whether it may be one, in hexadecimal. */
function address(ip, mask) {
  if (isIP(ip) === 4) return Buffer.from(ip.split(".").map(Number));
  if (ip === "::1") return Buffer.from("00000000000000000000000000000001", "hex");
  if (mask) return Buffer.from(ip, "hex");
  throw new TypeError(ip);
}

/** @param {string} kind @param {Spec} spec */
function signing(kind, { digest = "sha256", pss }) {
  if (kind.startsWith("Ed")) {
    return { algorithm: sequence(oid(kind === "Ed25519" ? "1.3.101.112" : "1.3.101.113")) };
  }
  if (!kind.startsWith("RSA")) {
    const own = { sha1: "1.2.840.10045.4.1", sha256: "1.2.840.10045.4.3.2" };
    const longer = { sha384: "1.2.840.10045.4.3.3", sha512: "1.2.840.10045.4.3.4" };
    const id = /** @type {Record<string, string>} */ ({ ...own, ...longer })[digest];
    return { algorithm: sequence(oid(id)), digest };
  }
  if (pss || kind === "RSA-PSS") {
    const hash = sequence(oid("2.16.840.1.101.3.4.2.1"), tlv(0x05));
    const parameters = sequence(
      tlv(0xa0, hash),
      tlv(0xa1, sequence(oid("1.2.840.113549.1.1.8"), hash)),
      tlv(0xa2, tlv(0x02, Buffer.from([32]))),
    );
    const algorithm = sequence(oid("1.2.840.113549.1.1.10"), parameters);
    return { algorithm, digest, padding: { padding: 6, saltLength: 32 } };
  }
  const last = /** @type {Record<string, number>} */ ({ md5: 4, sha1: 5, sha256: 11 })[digest];
  return { algorithm: sequence(oid(`1.2.840.113549.1.1.${last}`), tlv(0x05)), digest };
}

/** An extension with this value. */
export function extension(/** @type {string} */ id, /** @type {Buffer} */ value, critical = false) {
  return sequence(oid(id), ...(critical ? [TRUE] : []), tlv(0x04, value));
}

/** @param {string} value */
function time(value) {
  if (!value.endsWith("Z") || value.length < 15) return tlv(0x17, text(value));
  const utc = value >= "1950" && value < "2050";
  return utc ? tlv(0x17, text(value.slice(2))) : tlv(0x18, text(value));
}

/** @param {string} dotted */
function oid(dotted) {
  const [first, second, ...rest] = dotted.split(".").map(Number);
  const base128 = (/** @type {number} */ number) => {
    const digits = [number & 0x7f];
    for (let left = number >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80);
    return digits;
  };
  return tlv(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** A value in DER. @param {number} tag @param {Buffer[]} contents */
export function tlv(tag, ...contents) {
  const content = Buffer.concat(contents);
  const { length } = content;
  const head = length < 0x80 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

/** @param {string} value */
const text = (value) => Buffer.from(value);
const sequence = (/** @type {Buffer[]} */ ...contents) => tlv(0x30, ...contents);
const set = (/** @type {Buffer[]} */ ...contents) => tlv(0x31, ...contents);
const bits = (/** @type {Buffer} */ content) => tlv(0x03, Buffer.from([0]), content);
const TRUE = tlv(0x01, Buffer.from([0xff]));

/**
 * Always the same: such a key takes long to make.
 *
 * @template T
 * @param {() => T} make
 */
function once(make) {
  /** @type {T | undefined} */
  let made;
  return () => {
    made ??= make();
    return made;
  };
}
