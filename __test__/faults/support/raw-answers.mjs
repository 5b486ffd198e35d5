// @ts-check
/** Answers as servers write them, well and badly: for `fetch` and the addon to read alike. */
import zlib from "node:zlib";

/**
 * @typedef {object} RawAnswer
 * @property {string} name
 * @property {Buffer} bytes
 * @property {"stay" | "end" | "cut" | "reset"} then What becomes of the connection. An `end` is in
 *   good order, over TLS too; a `cut` over TLS is TCP's end without TLS's.
 */

const GOOD = '{"token":"t"}';
const LENGTH = `Content-Length: ${GOOD.length}\r\n`;
const CHUNKED = "Transfer-Encoding: chunked\r\n";
const CHUNKS = `d\r\n${GOOD}\r\n0\r\n\r\n`;
const gzip = (/** @type {string | Buffer} */ body) => zlib.gzipSync(body);
const deflate = (/** @type {string | Buffer} */ body) => zlib.deflateSync(body);
const raw = (/** @type {string | Buffer} */ body) => zlib.deflateRawSync(body);
const br = (/** @type {string | Buffer} */ body) => zlib.brotliCompressSync(body);
/** A frame of one block as it is (RFC 8878 §3.1.1): not every supported Node has zstd. */
const zstd = Buffer.concat([
  Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, GOOD.length, (GOOD.length << 3) | 1, 0, 0]),
  Buffer.from(GOOD),
]);
const nested = (/** @type {number} */ times) => {
  let body = Buffer.from(GOOD);
  for (let i = 0; i < times; i += 1) body = gzip(body);
  return body;
};
/** @param {Buffer} bytes @param {number} at from the end */
const withWrongByte = (bytes, at) => {
  const copy = Buffer.from(bytes);
  copy[copy.length - at] ^= 0xff;
  return copy;
};

/** @type {RawAnswer[]} */
export const ANSWERS = [];
const named = new Set();

/**
 * @param {string} name
 * @param {(string | Buffer)[]} parts Strings are one byte a character.
 * @param {RawAnswer["then"]} [then]
 */
function add(name, parts, then = "end") {
  if (named.has(name)) throw new Error(`two answers are named "${name}"`);
  named.add(name);
  const bytes = Buffer.concat(
    parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : part)),
  );
  ANSWERS.push({ name, bytes, then });
}

/** A good answer but for its status line. @param {string} line */
const status = (line, body = GOOD) =>
  add(`status line ${JSON.stringify(line)}`, [`${line}\r\n${LENGTH}\r\n${body}`]);
/** A good answer with these lines as well. @param {string} name @param {string} lines */
const lines = (name, lines) => add(name, [`HTTP/1.1 200 OK\r\n${lines}${LENGTH}\r\n${GOOD}`]);
/** These lines and no others. @param {string} name @param {string} lines */
const framed = (name, lines, body = GOOD, /** @type {RawAnswer["then"]} */ then = "stay") =>
  add(name, [`HTTP/1.1 200 OK\r\n${lines}\r\n${body}`], then);
/** @param {string} name @param {string} codings @param {string | Buffer} body */
const coded = (name, codings, body, line = "200 OK") => {
  const length = `Content-Length: ${body.length}\r\n`;
  add(name, [`HTTP/1.1 ${line}\r\nContent-Encoding: ${codings}\r\n${length}\r\n`, body], "stay");
};
/** @param {string} name @param {string | Buffer} body */
const text = (name, body, lines = "") => {
  const bytes = Buffer.from(body);
  add(name, [`HTTP/1.1 200 OK\r\n${lines}Content-Length: ${bytes.length}\r\n\r\n`, bytes], "stay");
};

// Status lines.
for (const line of [
  "HTTP/1.1 200 OK",
  "HTTP/1.0 200 OK",
  "HTTP/1.1 200 ",
  "HTTP/1.1 200",
  "HTTP/1.1 200 \xe9",
  "HTTP/1.1 200  OK",
  "HTTP/1.1  200 OK",
  "HTTP/1.1\t200 OK",
  "HTTP/1.1 200\tOK",
  " HTTP/1.1 200 OK",
  "\r\nHTTP/1.1 200 OK",
  "\n\nHTTP/1.1 200 OK",
  "http/1.1 200 OK",
  "HTTP/2.0 200 OK",
  "HTTP/0.9 200 OK",
  "HTTP/1.2 200 OK",
  "HTTP/1.10 200 OK",
  "ICY 200 OK",
  "200 OK",
  "HTTP/1.1 2000 OK",
  "HTTP/1.1 20 OK",
  "HTTP/1.1 099 OK",
  "HTTP/1.1 600 OK",
  "HTTP/1.1 999 OK",
  "HTTP/1.1 -200 OK",
]) {
  status(line);
}

// Statuses.
for (const number of [201, 202, 203, 206, 207, 226, 299, 300, 301, 305, 307, 400, 418, 500, 503]) {
  status(`HTTP/1.1 ${number} x`);
}
for (const number of [204, 205, 304]) {
  add(`${number} without a length`, [`HTTP/1.1 ${number} x\r\n\r\n`]);
  add(`${number} with a body`, [`HTTP/1.1 ${number} x\r\n${LENGTH}\r\n${GOOD}`]);
}
add("101", ["HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"]);
const FINAL = `HTTP/1.1 200 OK\r\n${LENGTH}\r\n${GOOD}`;
add("100 before it", ["HTTP/1.1 100 Continue\r\n\r\n", FINAL], "stay");
add("103 before it", ["HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", FINAL], "stay");
add("three 1xx before it", ["HTTP/1.1 102 x\r\n\r\n".repeat(3), FINAL], "stay");
add("199 before it", ["HTTP/1.1 199 x\r\n\r\n", FINAL], "stay");
add("only a 100", ["HTTP/1.1 100 Continue\r\n\r\n"]);

// Header lines.
lines("2,000 header lines", "A: b\r\n".repeat(1_999));
lines("12,000 header lines in 60 KB", "A: \r\n".repeat(12_000));
lines("a value of 15,000 bytes", `A: ${"a".repeat(15_000)}\r\n`);
lines("a value of 60,000 bytes", `A: ${"a".repeat(60_000)}\r\n`);
lines("a value of 100,000 bytes", `A: ${"a".repeat(100_000)}\r\n`);
lines("a name of 15,000 bytes", `${"a".repeat(15_000)}: b\r\n`);
lines("a folded line", "A: a\r\n b\r\n\tc\r\n");
lines("a folded line, its value empty before", "A:\r\n b\r\n");
lines("a folded first line", " a: b\r\n");
lines("a blank before the colon", "A : a\r\n");
lines("a tab before the colon", "A\t: a\r\n");
lines("an empty name", ": a\r\n");
lines("a line without a colon", "no colon\r\n");
lines("a word without a colon", "word\r\n");
lines("a name with a bracket", "A(b): c\r\n");
lines("a name in Latin-1", "\xe9: c\r\n");
lines("an empty value", "A:\r\n");
lines("Latin-1 in a value", "A: \xe9\x80\xff\r\n");
lines("UTF-8 in a value", "A: \xc3\xa9\xe5\xaf\x86\r\n");
lines("NUL in a value", "A: \0\r\n");
lines("NUL in a name", "A\0: b\r\n");
lines("a control character in a value", "A: \x01\r\n");
lines("DEL in a value", "A: \x7f\r\n");
lines("CR in a value", "A: a\rb\r\n");
lines("CR before CRLF", "A: a\r\r\n");
lines("a line that ends in LF", "A: a\n");
lines("Set-Cookie twice", "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n");
lines("a malformed Content-Type", "Content-Type: \xff;;=\r\n");
lines("a malformed Location", "Location: http://[\r\n");
add("all lines end in LF", [`HTTP/1.1 200 OK\n${LENGTH.replace("\r", "")}\n${GOOD}`], "stay");
add("no header lines", [`HTTP/1.1 200 OK\r\n\r\n${GOOD}`]);

// Lengths.
for (const value of [
  "13, 13",
  "13,13",
  "013",
  "+13",
  "13 ",
  "13;",
  "0xd",
  "-13",
  "",
  "1e1",
  "13 13",
]) {
  framed(`Content-Length: ${JSON.stringify(value)}`, `Content-Length: ${value}\r\n`, GOOD, "end");
}
framed("Content-Length beyond 64 bits", "Content-Length: 99999999999999999999\r\n", GOOD, "end");
framed("Content-Length twice, the same", LENGTH + LENGTH);
framed("Content-Length twice, unlike", `${LENGTH}Content-Length: 5\r\n`, GOOD, "end");
framed("Content-Length with a blank before its colon", "Content-Length : 13\r\n");
framed("a folded Content-Length", "Content-Length:\r\n 13\r\n", GOOD, "end");
framed("a Content-Length of 0", "Content-Length: 0\r\n");
framed("more than its Content-Length", LENGTH, `${GOOD}{}`, "end");
framed("Content-Length and chunks", LENGTH + CHUNKED, CHUNKS);
framed("chunks and Content-Length", CHUNKED + LENGTH, CHUNKS);

// Chunks.
framed("chunks", CHUNKED, CHUNKS);
framed(
  "chunks in pieces",
  CHUNKED,
  `5\r\n${GOOD.slice(0, 5)}\r\n8\r\n${GOOD.slice(5)}\r\n0\r\n\r\n`,
);
framed("chunks with extensions", CHUNKED, CHUNKS.replace("d\r", 'D;a=b;c="d"\r'));
framed("chunks with trailers", CHUNKED, CHUNKS.replace(/\r\n$/, "X-A: b\r\n\r\n"));
framed(
  "chunks with a malformed trailer",
  CHUNKED,
  CHUNKS.replace(/\r\n$/, "no colon\r\n\r\n"),
  "end",
);
framed(
  "chunks with 300 trailers",
  CHUNKED,
  CHUNKS.replace(/\r\n$/, `${"A: b\r\n".repeat(300)}\r\n`),
);
framed("a chunk's size with zeros", CHUNKED, `0000000${CHUNKS}`);
framed("a chunk's size with 20 zeros", CHUNKED, `${"0".repeat(20)}${CHUNKS}`, "end");
framed("a blank behind a chunk's size", CHUNKED, CHUNKS.replace("d\r", "d \r"), "end");
framed("a blank before a chunk's size", CHUNKED, ` ${CHUNKS}`, "end");
framed("a chunk's size in LF", CHUNKED, CHUNKS.replaceAll("\r\n", "\n"), "end");
framed("a chunk's size that is none", CHUNKED, `x${CHUNKS}`, "end");
framed("a chunk's size that is empty", CHUNKED, `\r\n${CHUNKS}`, "end");
framed("a chunk longer than its size", CHUNKED, CHUNKS.replace("d", "c"), "end");
framed("Chunked in another case", CHUNKED.replace("chunked", "Chunked"), CHUNKS);
framed("chunked twice", CHUNKED + CHUNKED, CHUNKS, "end");
framed("a blank behind chunked", CHUNKED.replace("\r", " \r"), CHUNKS);
framed("Transfer-Encoding: gzip, chunked", CHUNKED.replace(" c", " gzip, c"), CHUNKS, "end");
framed("Transfer-Encoding: chunked, gzip", CHUNKED.replace("d\r", "d, gzip\r"), CHUNKS, "end");
framed("Transfer-Encoding: identity", CHUNKED.replace("chunked", "identity"), GOOD, "end");
framed(
  "Transfer-Encoding: identity and a length",
  `Transfer-Encoding: identity\r\n${LENGTH}`,
  GOOD,
  "end",
);
framed("an empty Transfer-Encoding", "Transfer-Encoding:\r\n", GOOD, "end");
add("chunks of HTTP/1.0", [`HTTP/1.0 200 OK\r\n${CHUNKED}\r\n${CHUNKS}`]);

// Ends.
for (const [close, lines] of Object.entries({
  "nothing said": "",
  "Connection: close": "Connection: close\r\n",
  "Connection: keep-alive": "Connection: keep-alive\r\n",
})) {
  for (const then of /** @type {const} */ (["end", "cut", "reset"])) {
    framed(`no length, ${close}, then ${then}`, lines, GOOD, then);
  }
}
for (const then of /** @type {const} */ (["end", "cut", "reset"])) {
  add(`HTTP/1.0, no length, then ${then}`, [`HTTP/1.0 200 OK\r\n\r\n${GOOD}`], then);
  framed(`no length, half of its JSON, then ${then}`, "", GOOD.slice(0, 6), then);
  framed(`no length, nothing, then ${then}`, "", "", then);
  framed(`half of its length, then ${then}`, "Content-Length: 26\r\n", GOOD, then);
  framed(`its length, then ${then}`, LENGTH, GOOD, then);
  framed(`no last chunk, then ${then}`, CHUNKED, CHUNKS.slice(0, -5), then);
  framed(`half of its last chunk, then ${then}`, CHUNKED, CHUNKS.slice(0, -2), then);
  framed(`half of a chunk, then ${then}`, CHUNKED, `ff\r\n${GOOD}`, then);
  framed(`all chunks, then ${then}`, CHUNKED, CHUNKS, then);
  add(`half of its head, then ${then}`, ["HTTP/1.1 200 OK\r\nContent-Le"], then);
  add(`half of its status line, then ${then}`, ["HTTP/1.1 2"], then);
  add(`not a byte, then ${then}`, [], then);
  add(
    `503, half of its length, then ${then}`,
    ["HTTP/1.1 503 x\r\nContent-Length: 9\r\n\r\nno"],
    then,
  );
  add(`503, no length, then ${then}`, ["HTTP/1.1 503 x\r\n\r\nno"], then);
}
add("no HTTP", ["SSH-2.0-OpenSSH_9.6\r\n"]);
add("JSON without a head", [GOOD]);

// Codings.
coded("gzip", "gzip", gzip(GOOD));
coded("x-gzip", "x-gzip", gzip(GOOD));
coded("GZip", "GZip", gzip(GOOD));
coded("deflate as zlib", "deflate", deflate(GOOD));
coded("deflate, raw", "deflate", raw(GOOD));
coded("x-deflate", "x-deflate", deflate(GOOD));
coded("br", "br", br(GOOD));
coded("BR", "BR", br(GOOD));
coded("zstd", "zstd", zstd);
for (const word of [
  "identity",
  "",
  "none",
  "UTF-8",
  "binary",
  "8bit",
  "aws-chunked",
  "json",
  "compress",
  "x-compress",
  "zstd",
  "x-br",
  "gzip;q=1",
  "gzip-encoded",
  "*",
  "\xe9",
]) {
  coded(`as it is, called ${JSON.stringify(word)}`, word, GOOD);
}
coded("as it is, called six unknown words", "a, b, c, d, e, f", GOOD);
coded("as it is, called identity six times", Array(6).fill("identity").join(), GOOD);
for (const words of [
  "gzip, UTF-8",
  "UTF-8, gzip",
  "identity, gzip",
  "gzip, identity",
  "br, none",
]) {
  coded(`as it is, called ${JSON.stringify(words)}`, words, GOOD);
}
coded("gzip beside aws-chunked", "aws-chunked, gzip", gzip(GOOD));
coded("gzip beside UTF-8", "gzip, UTF-8", gzip(GOOD));
coded("gzip beside identity", "identity, gzip", gzip(GOOD));
coded("gzip beside nothing", ", gzip ,", gzip(GOOD));
coded("gzip beside five unknown words", "a, b, c, d, e, gzip", gzip(GOOD));
coded("br, then gzip", "br, gzip", gzip(br(GOOD)));
coded("deflate, then br, then gzip", "deflate, br, gzip", gzip(br(deflate(GOOD))));
coded("two lines of codings", "br\r\nContent-Encoding: gzip", gzip(br(GOOD)));
coded("gzip twice", "gzip, gzip", nested(2));
coded("gzip called twice, done once", "gzip, gzip", nested(1));
coded("gzip five times", Array(5).fill("gzip").join(", "), nested(5));
coded("gzip six times", Array(6).fill("gzip").join(", "), nested(6));
coded("gzip 700 times in name", Array(700).fill("gzip").join(), nested(1));
coded("gzip that is none", "gzip", GOOD);
coded("deflate that is none", "deflate", GOOD);
coded("br that is none", "br", GOOD);
coded("gzip in two members", "gzip", Buffer.concat([gzip("{"), gzip('"token":"t"}')]));
coded("gzip, then other bytes", "gzip", Buffer.concat([gzip(GOOD), Buffer.from("\r\n")]));
coded("gzip, then zeros", "gzip", Buffer.concat([gzip(GOOD), Buffer.alloc(8)]));
coded("deflate, then other bytes", "deflate", Buffer.concat([deflate(GOOD), Buffer.from("\r\n")]));
coded("br, then other bytes", "br", Buffer.concat([br(GOOD), Buffer.from("\r\n")]));
for (const [word, whole] of /** @type {[string, Buffer][]} */ ([
  ["gzip", gzip(GOOD)],
  ["deflate", deflate(GOOD)],
  ["br", br(GOOD)],
])) {
  coded(`${word} of nothing`, word, Buffer.alloc(0));
  coded(`${word} without its last byte`, word, whole.subarray(0, -1));
  coded(`${word}, half of it`, word, whole.subarray(0, whole.length / 2));
  coded(`${word} with a wrong byte in it`, word, withWrongByte(whole, 12));
}
coded("gzip with a wrong checksum", "gzip", withWrongByte(gzip(GOOD), 8));
coded("gzip with a wrong length", "gzip", withWrongByte(gzip(GOOD), 1));
coded("deflate with a wrong checksum", "deflate", withWrongByte(deflate(GOOD), 1));
coded("gzip without its checksum and length", "gzip", gzip(GOOD).subarray(0, -8));
coded("503 in gzip that is none", "gzip", "no", "503 x");
coded("503 in gzip six times", Array(6).fill("gzip").join(), "no", "503 x");
coded("204 in gzip", "gzip", "", "204 x");
for (const then of /** @type {const} */ (["end", "cut"])) {
  const head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n";
  add(`gzip, no length, then ${then}`, [head, gzip(GOOD)], then);
  add(`half of a gzip, no length, then ${then}`, [head, gzip(GOOD).subarray(0, 15)], then);
}

// Texts.
text("a byte order mark", `\ufeff${GOOD}`);
text("two byte order marks", `\ufeff\ufeff${GOOD}`);
text("a byte that is no UTF-8", Buffer.from('{"token":"\xff"}', "latin1"));
text("UTF-16", Buffer.from(GOOD, "utf16le"), "Content-Type: application/json; charset=utf-16\r\n");
text(
  "Latin-1, and said so",
  Buffer.from('{"token":"\xe9"}', "latin1"),
  "Content-Type: a/b; charset=latin1\r\n",
);
text("blanks around it", ` \r\n\t${GOOD}\n `);
text("a form feed before it", `\f${GOOD}`);
text("U+00A0 before it", `\u00a0${GOOD}`);
text("NUL behind it", `${GOOD}\0`);
text("nothing", "");
text("a string", '"t"');
text("null", "null");
text("an array", '["t"]');
text("two objects", `${GOOD}${GOOD}`);
text("a comma at its end", '{"token":"t",}');
text("a lone surrogate escaped", '{"token":"\\ud800"}');
text("a token twice", '{"token":"a","token":"t"}');
text("a token inside __proto__", '{"__proto__":{"token":"t"}}');
text("a raw line break in a string", '{"token":"\n"}');
text("an object as a token", '{"token":{"a":[1]}}');
text("a number as a token", '{"token":1e400,"x":1}');
text("a type beside it", '{"token":"t","tokenType":"x"}');
