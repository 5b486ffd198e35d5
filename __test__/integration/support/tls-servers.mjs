// @ts-check
/** Servers of every kind that TLS knows, for `fetch` and the addon to call side by side. */
import { constants } from "node:crypto";
import {
  authority,
  certificate,
  extension,
  PURPOSES,
  pem,
  tlv,
  trusted,
  USAGE,
} from "../../support/certificates.mjs";

/** @typedef {import("../../support/certificates.mjs").Made} Made */
/** @typedef {import("../../support/certificates.mjs").Spec} Spec */

/**
 * @typedef {object} Kind A server, and what its callers trust.
 * @property {string} title
 * @property {Made} [leaf]
 * @property {Made[]} [sent] What it sends beside that.
 * @property {Made[]} [listed] What stands in the file of NODE_EXTRA_CA_CERTS.
 * @property {string | Buffer} [file] That file, where it matters how it is written.
 * @property {string} [host] `localhost` by default.
 * @property {import("node:https").ServerOptions} [tls]
 * @property {Buffer} [says] What a server that is none of TLS sends to all.
 */

const OLD_OPENSSL = process.versions.openssl.startsWith("3.0.");
const NAMES = ["DNS:localhost", "IP:127.0.0.1"];
let count = 0;

const named = (/** @type {string} */ what) => `${what} ${++count}`;
const root = (/** @type {Spec} */ spec = {}) => authority(named("root"), spec);
const middle = (/** @type {Made} */ by, /** @type {Spec} */ spec = {}) =>
  authority(named("intermediate"), { by, ...spec });
const server = (/** @type {Made | undefined} */ by, /** @type {Spec} */ spec = {}) =>
  certificate(spec.version1 ? "localhost" : named("server"), { by, names: NAMES, ...spec });

/** A server below a root that is listed. */
function below(/** @type {Spec} */ spec = {}, /** @type {Spec} */ ofRoot = {}) {
  const ca = root(ofRoot);
  return { leaf: server(ca, spec), listed: [ca] };
}

/** A server below a root that is listed and an authority between, which is sent. */
function twoBelow(/** @type {Spec} */ ofMiddle, spec = {}, ofRoot = {}) {
  const ca = root(ofRoot);
  const between = middle(ca, ofMiddle);
  return { leaf: server(between, spec), sent: [between], listed: [ca] };
}

/** A server below as many authorities. */
function farBelow(/** @type {number} */ depth) {
  const ca = root();
  const chain = [ca];
  while (chain.length <= depth) chain.unshift(middle(chain[0]));
  return { leaf: server(chain[0]), sent: chain.slice(0, depth), listed: [ca] };
}

/** @returns {Kind[]} */
export function kinds() {
  return [
    ...versions(),
    ...keys(),
    ...chains(),
    ...lengths(),
    ...usages(),
    ...constraints(),
    ...dates(),
    ...oddities(),
    ...hosts(),
    ...noTls(),
  ];
}

/** @returns {Kind[]} */
function versions() {
  const ec = below();
  const rsa = below({ key: "RSA-2048" });
  const suite = (/** @type {string} */ ciphers, on = ec) => ({
    title: `suite ${ciphers}`,
    ...on,
    tls: { ciphers, maxVersion: /** @type {const} */ ("TLSv1.2") },
  });
  const suite13 = (/** @type {string} */ ciphers) => ({
    title: `suite ${ciphers}`,
    ...ec,
    tls: { ciphers, minVersion: /** @type {const} */ ("TLSv1.3") },
  });
  const group = (/** @type {string} */ ecdhCurve, /** @type {any} */ minVersion) => ({
    title: `group ${ecdhCurve} (${minVersion})`,
    ...ec,
    tls: { ecdhCurve, minVersion, maxVersion: minVersion },
  });
  const old = (/** @type {any} */ version) => ({
    title: `version ${version}`,
    ...rsa,
    tls: { minVersion: version, maxVersion: version, ciphers: "DEFAULT@SECLEVEL=0" },
  });
  return [
    ...["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"].map(old),
    suite("ECDHE-ECDSA-AES128-GCM-SHA256"),
    suite("ECDHE-ECDSA-AES256-GCM-SHA384"),
    suite("ECDHE-ECDSA-CHACHA20-POLY1305"),
    suite("ECDHE-RSA-AES128-GCM-SHA256", rsa),
    suite("ECDHE-RSA-CHACHA20-POLY1305", rsa),
    suite("ECDHE-ECDSA-AES128-CCM"),
    suite("ECDHE-ECDSA-AES128-SHA256"),
    suite("ECDHE-RSA-AES256-SHA", rsa),
    suite("AES128-GCM-SHA256", rsa),
    suite("AES256-SHA", rsa),
    {
      ...suite("DHE-RSA-AES128-GCM-SHA256", rsa),
      tls: { ciphers: "DHE-RSA-AES128-GCM-SHA256", maxVersion: "TLSv1.2", dhparam: "auto" },
    },
    suite13("TLS_AES_128_GCM_SHA256"),
    suite13("TLS_AES_256_GCM_SHA384"),
    suite13("TLS_CHACHA20_POLY1305_SHA256"),
    suite13("TLS_AES_128_CCM_SHA256"),
    ...["X25519", "P-256", "P-384", "P-521", "X448"].map((it) => group(it, "TLSv1.3")),
    ...["X25519", "P-256", "P-521", "brainpoolP256r1"].map((it) => group(it, "TLSv1.2")),
    { title: "h2 alone", ...ec, tls: { ALPNProtocols: ["h2"] } },
    {
      title: "a client certificate demanded",
      ...ec,
      tls: { requestCert: true, maxVersion: "TLSv1.2" },
    },
    {
      title: "no secure renegotiation, no tickets",
      ...ec,
      tls: { secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION },
    },
  ];
}

/** @returns {Kind[]} */
function keys() {
  const kinds = ["RSA-1024", "RSA-2048", "RSA-3072", "RSA-PSS", "P-256", "P-384", "P-521"];
  const odd = ["Ed25519", "Ed448"];
  // Of OpenSSL 3.5 in Node 24 each of these two ends `fetch` with a SIGSEGV.
  const all = [...kinds, ...odd, ...(OLD_OPENSSL ? ["secp256k1", "brainpoolP256r1"] : [])];
  const ciphers = "DEFAULT@SECLEVEL=0";
  return [
    ...all.map((key) => ({
      title: `a server's key ${key}`,
      ...below({ key }),
      tls: { ciphers },
    })),
    ...all.map((key) => ({ title: `a root's key ${key}`, ...below({}, { key }) })),
    { title: "signed with RSA-PSS", ...below({ pss: true }, { key: "RSA-2048" }) },
    {
      title: "signed with SHA-1",
      ...below({ digest: "sha1" }, { key: "RSA-2048" }),
      tls: { ciphers },
    },
    {
      title: "signed with MD5",
      ...below({ digest: "md5" }, { key: "RSA-2048" }),
      tls: { ciphers },
    },
    { title: "signed with P-256 and SHA-512", ...below({ digest: "sha512" }) },
  ];
}

/** @returns {Kind[]} */
function chains() {
  const ca = root();
  const [upper, other] = [middle(ca), middle(ca)];
  const lower = middle(upper);
  const leaf = server(lower);
  const listed = [ca];
  // Whose root is listed nowhere.
  const hidden = root();
  const upperHidden = middle(hidden);
  const lowerHidden = middle(upperHidden);
  const orphan = server(lowerHidden);
  const listedBetween = middle(root());
  const missing = root();
  const [missingUpper, alone] = [middle(missing), root()];
  const missingLower = middle(missingUpper);
  const heir = server(missingLower);
  const itself = certificate(named("itself"), { names: NAMES });
  const itselfCa = certificate(named("itself"), { names: NAMES, ca: true });
  const stranger = server(root());
  const vouching = { names: NAMES, ca: undefined, usage: undefined };
  const vouchingNoCa = { names: NAMES, ca: false, usage: undefined };
  const twin = authority(named("twin"));
  const name = named("many");
  const many = Array.from({ length: 140 }, () => authority(name));
  const bare = named("bare");
  const several = Array.from({ length: 5 }, () => authority(bare, { identifiers: false }));
  const former = root({ until: "20210101000000Z" });
  const crossed = authority(named("crossed"), { by: former });
  const crossedRoot = authority(`crossed ${count}`, { like: crossed });
  const spelled = named("Spelled");
  const printable = authority(spelled, { string: 0x13, identifiers: false });
  const utf8 = authority(`  ${spelled.toUpperCase()} `, { like: printable, identifiers: false });
  return [
    { title: "a root alone", leaf: server(ca), listed },
    { title: "no root", leaf: server(hidden) },
    { title: "two authorities between", leaf, sent: [lower, upper], listed },
    { title: "two between and the root", leaf, sent: [lower, upper, ca], listed },
    { title: "two between, in the wrong order", leaf, sent: [upper, lower], listed },
    { title: "two between, the root first", leaf, sent: [ca, upper, lower], listed },
    { title: "two between, each twice", leaf, sent: [lower, lower, upper, upper], listed },
    { title: "two between, and a stranger", leaf, sent: [alone, lower, other, upper], listed },
    { title: "the lower one missing", leaf: heir, sent: [missingUpper], listed: [missing] },
    { title: "the upper one missing", leaf: heir, sent: [missingLower], listed: [missing] },
    { title: "nothing sent", leaf: heir, listed: [missing] },
    { title: "no root, all sent", leaf: orphan, sent: [lowerHidden, upperHidden, hidden] },
    { title: "no root, all but it sent", leaf: orphan, sent: [lowerHidden, upperHidden] },
    {
      title: "listed between, its root not",
      leaf: server(listedBetween),
      listed: [listedBetween],
    },
    { title: "seven between", ...farBelow(7) },
    { title: "ten between", ...farBelow(10) },
    { title: "twenty between", ...farBelow(20) },
    { title: "self-signed, listed", leaf: itself, listed: [itself] },
    { title: "self-signed, a CA, listed", leaf: itselfCa, listed: [itselfCa] },
    { title: "self-signed, not listed", leaf: certificate(named("itself"), { names: NAMES }) },
    {
      title: "self-signed, a CA, not listed",
      leaf: certificate(named("itself"), { names: NAMES, ca: true }),
    },
    { title: "listed itself, its root not", leaf: stranger, listed: [stranger] },
    { title: "a listed server vouches for another", ...below({}, vouching) },
    { title: "a listed server, CA:FALSE, vouches for another", ...below({}, vouchingNoCa) },
    {
      title: "another root of the name and key identifier",
      leaf: server(authority("same", { identifiers: false }), { identifiers: false }),
      listed: [authority("same", { identifiers: false })],
    },
    { title: "140 roots of one name", leaf: server(many[139]), listed: many },
    {
      title: "5 roots of one name without key identifiers",
      leaf: server(several[4], { identifiers: false }),
      listed: several,
    },
    { title: "a root listed beside its twin", leaf: server(twin), listed: [twin, ca] },
    {
      title: "cross-signed by a root that has expired, and a root itself",
      leaf: server(crossed),
      sent: [crossed, former],
      listed: [former, crossedRoot],
    },
    {
      title: "an issuer written in other case, blanks and string type",
      leaf: server(utf8, { identifiers: false }),
      listed: [printable],
    },
  ];
}

/** @returns {Kind[]} */
function lengths() {
  const ca = root();
  const upper = middle(ca, { pathLength: 0 });
  const lower = middle(upper);
  return [
    { title: "path length 0 of a root", ...below({}, { pathLength: 0 }) },
    { title: "path length 0 of a root, one between", ...twoBelow({}, {}, { pathLength: 0 }) },
    { title: "path length 1 of a root, one between", ...twoBelow({}, {}, { pathLength: 1 }) },
    { title: "path length 0 between", ...twoBelow({ pathLength: 0 }) },
    {
      title: "path length 0 between, and another below",
      leaf: server(lower),
      sent: [lower, upper],
      listed: [ca],
    },
  ];
}

/** @returns {Kind[]} */
function usages() {
  const { digitalSignature, keyEncipherment, keyCertSign, cRLSign } = USAGE;
  const { server: forServers, client, any } = PURPOSES;
  const itself = (/** @type {Spec} */ spec) => {
    const leaf = certificate(named("itself"), { names: NAMES, ...spec });
    return { leaf, listed: [leaf] };
  };
  return [
    { title: "a root without keyCertSign", ...below({}, { usage: cRLSign }) },
    { title: "a root without keyUsage", ...below({}, { usage: undefined }) },
    { title: "between, without keyCertSign", ...twoBelow({ usage: digitalSignature }) },
    { title: "between, without keyUsage", ...twoBelow({ usage: undefined }) },
    { title: "between, CA:FALSE", ...twoBelow({ ca: false, usage: undefined }) },
    { title: "between, CA:FALSE with keyCertSign", ...twoBelow({ ca: false }) },
    { title: "between, no basicConstraints", ...twoBelow({ ca: undefined, usage: undefined }) },
    { title: "between, keyCertSign alone", ...twoBelow({ ca: undefined }) },
    { title: "a root, no basicConstraints", ...below({}, { ca: undefined, usage: undefined }) },
    { title: "a root, keyCertSign alone", ...below({}, { ca: undefined }) },
    { title: "a root, CA:FALSE", ...below({}, { ca: false, usage: undefined }) },
    { title: "a root of version 1", ...below({}, { version1: true }) },
    { title: "a server of version 1", ...below({ version1: true }) },
    { title: "both of version 1", ...below({ version1: true }, { version1: true }) },
    { title: "between, version 1", ...twoBelow({ version1: true }) },
    { title: "a server for servers", ...below({ purposes: [forServers] }) },
    { title: "a server for both", ...below({ purposes: [client, forServers] }) },
    { title: "a server for clients", ...below({ purposes: [client] }) },
    { title: "a server for anything", ...below({ purposes: [any] }) },
    { title: "a root for servers", ...below({}, { purposes: [forServers] }) },
    { title: "a root for clients", ...below({}, { purposes: [client] }) },
    { title: "between, for servers", ...twoBelow({ purposes: [forServers] }) },
    { title: "between, for clients", ...twoBelow({ purposes: [client] }) },
    { title: "a server that is a CA", ...below({ ca: true }) },
    { title: "a server that may sign CRLs alone", ...below({ usage: cRLSign }) },
    { title: "a server with keyEncipherment", ...below({ usage: keyEncipherment }) },
    { title: "listed itself, for clients", ...itself({ purposes: [client] }) },
    { title: "listed itself, a CA for clients", ...itself({ ca: true, purposes: [client] }) },
    { title: "listed itself, a CA with keyCertSign", ...itself({ ca: true, usage: keyCertSign }) },
    { title: "a server with an unknown critical extension", ...below({ unknown: true }) },
    { title: "a root with an unknown critical extension", ...below({}, { unknown: true }) },
    { title: "between, an unknown critical extension", ...twoBelow({ unknown: true }) },
  ];
}

/** @returns {Kind[]} */
function constraints() {
  const only = (/** @type {string[]} */ ...permitted) => below({}, { constraints: { permitted } });
  const not = (/** @type {string[]} */ ...excluded) => below({}, { constraints: { excluded } });
  const between = (/** @type {string[]} */ ...permitted) =>
    twoBelow({ constraints: { permitted } });
  const uri = { names: [...NAMES, "URI:https://api.corp.test/x"] };
  const mail = { names: [...NAMES, "email:a@mail.corp.test"] };
  return [
    { title: "only its host", ...only("DNS:localhost", "IP:127.0.0.1/ffffffff") },
    { title: "only its host, said between", ...between("DNS:localhost", "IP:127.0.0.1/ffffffff") },
    { title: "only another host", ...only("DNS:other.test") },
    { title: "only another host, said between", ...between("DNS:other.test") },
    { title: "only its network", ...only("IP:127.0.0.0/ff000000") },
    { title: "only another network", ...only("IP:10.0.0.0/ff000000") },
    { title: "not its host", ...not("DNS:localhost") },
    { title: "not its network", ...not("IP:127.0.0.0/ff000000") },
    { title: "not another host", ...not("DNS:other.test") },
    { title: "no host at all", ...not("DNS:") },
    { title: "only URIs", ...only("URI:.corp.test") },
    {
      title: "only URIs, and it has one",
      ...below(uri, { constraints: { permitted: ["URI:.corp.test"] } }),
    },
    { title: "only other URIs", ...below(uri, { constraints: { permitted: ["URI:other.test"] } }) },
    { title: "not its URI", ...below(uri, { constraints: { excluded: ["URI:api.corp.test"] } }) },
    {
      title: "only mail, and it has one",
      ...below(mail, { constraints: { permitted: ["email:mail.corp.test"] } }),
    },
    { title: "not its mail", ...below(mail, { constraints: { excluded: ["email:.corp.test"] } }) },
    { title: "only another directory name", ...only("dirName:other") },
    { title: "not another directory name", ...not("dirName:other") },
    { title: "only registered identifiers", ...only("RID:1.2.3") },
    {
      title: "only registered identifiers, and it has one",
      ...below(
        { names: [...NAMES, "URI:https://x.test/"] },
        { constraints: { permitted: ["RID:1.2.3", "DNS:localhost"] } },
      ),
    },
  ];
}

/** @returns {Kind[]} */
function dates() {
  const past = { until: "20210101000000Z" };
  const future = { from: "20480101000000Z" };
  const itself = certificate(named("itself"), { names: NAMES, ...past });
  return [
    { title: "expired", ...below(past) },
    { title: "not yet valid", ...below(future) },
    { title: "no end", ...below({ until: "99991231235959Z" }) },
    { title: "a root that has expired", ...below({}, past) },
    { title: "a root that is not yet valid", ...below({}, future) },
    { title: "between, expired", ...twoBelow(past) },
    { title: "expired, its root not listed", leaf: server(root(), past) },
    { title: "listed itself, expired", leaf: itself, listed: [itself] },
    { title: "expired, for another host", ...below({ ...past, names: ["DNS:other.test"] }) },
  ];
}

/** What only careless programs write. @returns {Kind[]} */
function oddities() {
  const [basic, usage, alt, extended] = ["2.5.29.19", "2.5.29.15", "2.5.29.17", "2.5.29.37"];
  const bytes = (/** @type {number[]} */ ...list) => Buffer.from(list);
  const extra = (/** @type {string} */ id, /** @type {Buffer} */ value, critical = false) => ({
    extra: [extension(id, value, critical)],
  });
  const san = tlv(0x30, tlv(0x82, Buffer.from("localhost")));
  return [
    { title: "subjectAltName twice", ...below(extra(alt, san)) },
    {
      title: "keyUsage twice",
      ...below({ usage: USAGE.digitalSignature, ...extra(usage, tlv(3, bytes(7, 128))) }),
    },
    { title: "an empty subjectAltName", ...below({ names: [] }) },
    { title: "an empty subjectAltName, twice", ...below({ names: [], ...extra(alt, san) }) },
    { title: "no extended usages", ...below({ purposes: [] }) },
    { title: "no bits of keyUsage", ...below(extra(usage, tlv(3, bytes(0)))) },
    { title: "all bits of keyUsage zero", ...below({ usage: 0 }) },
    { title: "keyUsage that is no BIT STRING", ...below(extra(usage, tlv(5))) },
    {
      title: "basicConstraints FALSE in full",
      ...below(extra(basic, tlv(0x30, tlv(1, bytes(0))))),
    },
    {
      title: "basicConstraints TRUE as 1",
      ...below({}, { ca: undefined, ...extra(basic, tlv(0x30, tlv(1, bytes(1)))) }),
    },
    {
      title: "basicConstraints with a path length and no CA",
      ...below(extra(basic, tlv(0x30, tlv(2, bytes(0))))),
    },
    {
      title: "a path length of -1",
      ...below(
        {},
        { ca: undefined, ...extra(basic, tlv(0x30, tlv(1, bytes(255)), tlv(2, bytes(255)))) },
      ),
    },
    {
      title: "a byte behind an extension",
      ...below(
        extra(
          extended,
          Buffer.concat([tlv(0x30, tlv(6, bytes(0x2b, 6, 1, 5, 5, 7, 3, 1))), bytes(0)]),
        ),
      ),
    },
    { title: "an extension that is not DER", ...below(extra("1.2.3.4", bytes(1, 2, 3))) },
    { title: "basicConstraints that are not DER", ...below(extra(basic, bytes(1, 2, 3))) },
    { title: "UTCTime with an offset", ...below({ from: "200101000000+0000" }) },
    {
      title: "dates the wrong way round",
      ...below({ from: "20490101000000Z", until: "20200101000000Z" }),
    },
  ];
}

/** @returns {Kind[]} */
function hosts() {
  const at = (/** @type {string} */ host, /** @type {string[]} */ ...names) => ({
    title: `${host} for ${names.join(", ") || "its common name"}`,
    host,
    ...below(names.length > 0 ? { names } : { names: undefined }),
  });
  const common = root();
  return [
    at("127.0.0.1", "IP:127.0.0.1"),
    at("127.0.0.1", "DNS:127.0.0.1"),
    at("127.0.0.1", "DNS:localhost"),
    at("localhost", "IP:127.0.0.1"),
    at("localhost", "DNS:LOCALHOST"),
    at("localhost", "DNS:localhost."),
    at("localhost", "email:localhost@localhost"),
    at("a.corp.test", "DNS:*.corp.test"),
    at("a.corp.test", "DNS:a*.corp.test"),
    at("a.corp.test", "DNS:*.test"),
    at("a.corp.test", "DNS:a.*.test"),
    at("a.corp.test", "DNS:*"),
    at("b.a.corp.test", "DNS:*.corp.test"),
    at("corp.test", "DNS:*.corp.test"),
    at("corp.test", "DNS:*.test"),
    at("a_b.corp.test", "DNS:a_b.corp.test"),
    at("abc-.corp.test", "DNS:abc-.corp.test"),
    at("abc-.corp.test", "DNS:abd-.corp.test"),
    at("x-.wild.test", "DNS:*.wild.test"),
    at("-x.wild.test", "DNS:*.wild.test"),
    at("xn--mnchen-3ya.test", "DNS:xn--mnchen-3ya.test"),
    at("xn--mnchen-3ya.test", "DNS:*.test"),
    at("xn--mnchen-3ya.corp.test", "DNS:xn--*.corp.test"),
    {
      title: "localhost for its common name",
      leaf: certificate("localhost", { by: common }),
      listed: [common],
    },
    {
      title: "many names",
      ...below({ names: [...Array(300).keys()].map((it) => `DNS:h${it}.test`).concat(NAMES) }),
    },
  ];
}

/** @returns {Kind[]} */
function noTls() {
  const hello = (/** @type {number} */ version) => {
    const head = [0x16, 3, version, 0, 0x2a, 2, 0, 0, 0x26, 3, version];
    return Buffer.from([...head, ...Array(32).fill(7), 0, 0xc0, 0x13, 0]);
  };
  const alert = (/** @type {number} */ number) => ({
    title: `alert ${number}`,
    says: Buffer.from([0x15, 3, 3, 0, 2, 2, number]),
  });
  return [
    { title: "plain HTTP", says: Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n") },
    { title: "no words of TLS", says: Buffer.from("220 mail.corp.test ESMTP\r\n") },
    { title: "a hello of TLS 1.0", says: hello(1) },
    { title: "a hello of TLS 1.1", says: hello(2) },
    ...[10, 20, 40, 42, 46, 47, 48, 49, 50, 70, 71, 80, 86, 110, 112, 116, 120].map(alert),
  ];
}

/** The same server each time, its root in files written in many ways. @returns {Kind[]} */
export function files() {
  const { leaf, listed } = below();
  const [{ pem: text, der }] = listed;
  const crlf = text.replaceAll("\n", "\r\n");
  const { key } = certificate("some");
  const label = (/** @type {string} */ name) => pem(der, name);
  const lines = text.trim().split("\n");
  const oneLine = [lines[0], lines.slice(1, -1).join(""), lines.at(-1)].join("\n");
  const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  /** @type {[string, string | Buffer][]} */
  const written = [
    ["plainly", text],
    ["with CRLF", crlf],
    ["with a byte order mark", `\ufeff${text}`],
    ["with text around", `# ours\nsubject=CN=root\n${text}# the end\n`],
    ["with a key before it", key + text],
    ["with blanks at the ends of lines", text.replaceAll("\n", " \t\n")],
    ["with indented lines", text.replaceAll(/\n(?!-)/g, "\n  ")],
    ["wholly indented", text.replaceAll(/^/gm, "  ")],
    ["without a line break at the end", text.trim()],
    ["in one long line", oneLine],
    ["as X509 CERTIFICATE", label("X509 CERTIFICATE")],
    ["as TRUSTED CERTIFICATE", trusted(listed[0], { trust: [PURPOSES.server] })],
    ["as TRUSTED CERTIFICATE for clients", trusted(listed[0], { trust: [PURPOSES.client] })],
    ["in DER", der],
    ["behind a broken one", broken + text],
    ["before a broken one", text + broken],
    ["behind one without an end", `-----BEGIN CERTIFICATE-----\nAAAA\n${text}`],
    ["after 2,000 lines of text", "x\n".repeat(2000) + text],
    ["not at all", ""],
  ];
  return written.map(([how, file]) => ({ title: `a file written ${how}`, leaf, file }));
}
