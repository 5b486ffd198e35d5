// @ts-check
/** Certificates of the tests' own authority, made by the `openssl` command. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

/** @typedef {{ key: string, cert: string }} Identity PEM, as `tls.createServer` takes it. */
/** @typedef {{ expired?: boolean }} Options */

/**
 * @typedef {object} Authority
 * @property {string} file Where its certificate is, for `NODE_EXTRA_CA_CERTS`.
 * @property {(names?: string[], options?: Options) => Identity} issue A certificate
 *   for these subjectAltNames; for none it has only a common name.
 * @property {(names?: string[], options?: Options) => Identity & { file: string }} selfSigned One
 *   without an authority, as `openssl req -x509` makes it (`CA:TRUE`), and where it is.
 */

const NAMES = ["IP:127.0.0.1", "DNS:localhost"];
const CONFIG = `
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
unique_subject = no
copy_extensions = copy
policy = any
[any]
commonName = supplied
`;

/**
 * A new authority in a folder that ends with the test.
 *
 * @param {{ after(fn: () => unknown): void }} t
 * @returns {Authority}
 */
export function authority(t) {
  const folder = mkdtempSync(join(tmpdir(), "key0-tls-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const openssl = (/** @type {string[]} */ ...args) =>
    execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const read = (/** @type {string} */ name) => readFileSync(join(folder, name), "utf8");
  let count = 0;

  writeFileSync(join(folder, "ca.cnf"), CONFIG);
  writeFileSync(join(folder, "index.txt"), "");
  openssl("req", "-x509", ...newKey("ca"), ...subject(basename(folder)), "-out", "ca.pem");

  /** A certificate for these names, with this extension, signed by `signer`. */
  const certify = (
    /** @type {string} */ name,
    /** @type {string[]} */ names,
    /** @type {Options | undefined} */ options,
    /** @type {string} */ extension,
    /** @type {string[]} */ ...signer
  ) => {
    const request = [...subject("127.0.0.1", names), "-addext", extension, "-out", `${name}.csr`];
    openssl("req", "-new", ...newKey(name), ...request);
    const [start, end] = options?.expired ? [2020, 2021] : [2020, 2049];
    const dates = ["-startdate", `${start}0101000000Z`, "-enddate", `${end}0101000000Z`];
    const files = ["-in", `${name}.csr`, "-out", `${name}.pem`];
    openssl("ca", "-config", "ca.cnf", "-batch", "-notext", ...signer, ...dates, ...files);
    return {
      key: read(`${name}.key`),
      cert: read(`${name}.pem`),
      file: join(folder, `${name}.pem`),
    };
  };

  return {
    file: join(folder, "ca.pem"),
    issue(names = NAMES, options) {
      const signer = ["-cert", "ca.pem", "-keyfile", "ca.key"];
      return certify(`leaf${++count}`, names, options, "keyUsage=digitalSignature", ...signer);
    },
    selfSigned(names = NAMES, options) {
      const name = `self${++count}`;
      const signer = ["-selfsign", "-keyfile", `${name}.key`];
      return certify(name, names, options, "basicConstraints=critical,CA:TRUE", ...signer);
    },
  };
}

/** @param {string} name */
function newKey(name) {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  return [...curve, "-nodes", "-keyout", `${name}.key`];
}

/**
 * @param {string} commonName
 * @param {string[]} [names]
 */
function subject(commonName, names = []) {
  const alternative = names.length > 0 ? ["-addext", `subjectAltName=${names.join(",")}`] : [];
  return ["-subj", `/CN=${commonName}`, ...alternative];
}
