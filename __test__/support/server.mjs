// @ts-check
/**
 * Servers on 127.0.0.1, port 0, that end with their test: {@link httpServer} for well-formed
 * answers, {@link rawServer} for bytes written by hand. Both record what arrived.
 */
import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";

/**
 * @typedef {object} Seen One request, as it arrived.
 * @property {string} method
 * @property {string} target What stands between method and version on the request line.
 * @property {[name: string, value: string][]} lines Header lines in order, one character a byte
 *   (Latin-1). A raw server keeps the blanks around a value, but for the one behind the colon.
 * @property {Record<string, string>} headers Values by lower-case name, lines joined by ", ".
 * @property {Buffer} body
 * @property {number} connection Which connection carried it; the first one is 1.
 */

/** @typedef {{ after(fn: () => unknown): void }} Test The context that a test is handed. */

/** @typedef {(request: Seen, response: http.ServerResponse) => unknown} Answer */

/**
 * @typedef {object} HttpServer
 * @property {string} origin `http://127.0.0.1:<port>`
 * @property {string} url The origin and `/issue`.
 * @property {number} port
 * @property {Seen[]} requests Every request whose body has arrived, in order.
 * @property {() => number} connections How many connections were made.
 */

/**
 * An HTTP server (HTTPS with `tls`). `answer` is a value, sent as JSON with status 200, or a
 * function that answers by {@link reply}, or never. A failure inside it fails the test.
 *
 * @param {Test} t
 * @param {Answer | object} [answer]
 * @param {{ tls?: https.ServerOptions, keepAliveTimeout?: number, name?: string }} [options] `name`
 *   is the host name to put in the URLs.
 * @returns {Promise<HttpServer>}
 */
export async function httpServer(t, answer = { token: "t" }, options = {}) {
  /** @type {Seen[]} */
  const requests = [];
  /** @type {unknown[]} */
  const failures = [];
  /** @type {Map<net.Socket, number>} */
  const sockets = new Map();

  /** @type {http.RequestListener} */
  const listener = async (incoming, response) => {
    try {
      const body = await bodyOf(incoming);
      if (body === null) return;
      const lines = pairs(incoming.rawHeaders);
      const seen = {
        method: incoming.method ?? "",
        target: incoming.url ?? "",
        lines,
        headers: byName(lines),
        body,
        connection: sockets.get(incoming.socket) ?? 0,
      };
      requests.push(seen);
      if (typeof answer === "function") await answer(seen, response);
      else reply(response, answer);
    } catch (failure) {
      failures.push(failure);
      response.destroy();
    }
  };
  const server = options.tls
    ? https.createServer(options.tls, listener)
    : http.createServer(listener);
  if (options.keepAliveTimeout !== undefined) server.keepAliveTimeout = options.keepAliveTimeout;
  server.on(options.tls ? "secureConnection" : "connection", (socket) => {
    sockets.set(socket, sockets.size + 1);
  });
  const port = await listen(server);
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    if (failures.length > 0) throw failures[0];
  });
  const origin = `${options.tls ? "https" : "http"}://${options.name ?? "127.0.0.1"}:${port}`;
  return { origin, url: `${origin}/issue`, port, requests, connections: () => sockets.size };
}

/**
 * Sends an answer: strings and buffers as they are, anything else as JSON.
 *
 * @param {http.ServerResponse} response
 * @param {unknown} [body]
 * @param {number} [status]
 * @param {http.OutgoingHttpHeaders} [headers]
 */
export function reply(response, body = { token: "t" }, status = 200, headers = {}) {
  const raw = typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  response.writeHead(status, { "content-length": Buffer.byteLength(raw), ...headers });
  response.end(raw);
}

/** One connection of a {@link rawServer}, as its script sees it. */
export class Connection {
  /** Bytes that arrived, of incomplete requests too. */
  received = 0;
  #buffer = Buffer.alloc(0);
  #headSeen = false;
  #over = false;
  /** @type {Seen[]} */
  #queue = [];
  /** @type {Set<() => void>} */
  #waiting = new Set();

  #tcp;

  /**
   * @param {net.Socket} socket
   * @param {number} number
   * @param {(request: Seen) => void} record
   * @param {net.Socket} [tcp] What is below `socket`, where that is TLS.
   */
  constructor(socket, number, record, tcp = socket) {
    this.socket = socket;
    this.#tcp = tcp;
    /** The first connection is 1. */
    this.number = number;
    /** @type {Promise<void>} Resolved when the connection is gone. */
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    socket.on("error", () => {});
    tcp.on("error", () => {});
    socket.on("data", (bytes) => {
      this.received += bytes.length;
      this.#buffer = Buffer.concat([this.#buffer, bytes]);
      this.#parse(record);
      this.#wake();
    });
    for (const event of ["end", "close"]) {
      socket.on(event, () => {
        this.#over = true;
        this.#wake();
      });
    }
  }

  /** The next whole request; `null` where the client has left. */
  async request() {
    while (this.#queue.length === 0 && !this.#over) await this.#change();
    return this.#queue.shift() ?? null;
  }

  /** Waits for the head of the first request, whose body may still be on its way. */
  async head() {
    while (!this.#headSeen && !this.#over) await this.#change();
  }

  /**
   * Writes, one byte a character, and waits until it was handed to the network.
   *
   * @param {string | Buffer} bytes
   */
  async write(bytes) {
    const raw = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
    await new Promise((resolve) => this.socket.write(raw, resolve));
  }

  /** Closes in good order (FIN), and goes on reading and counting. */
  end() {
    this.socket.end();
  }

  /** Closes TCP in good order, and TLS not at all. */
  cut() {
    this.#tcp.end();
  }

  /** Closes with RST. */
  reset() {
    this.#tcp.resetAndDestroy();
  }

  /** @param {(request: Seen) => void} record */
  #parse(record) {
    for (;;) {
      const headEnd = this.#buffer.indexOf("\r\n\r\n");
      if (headEnd < 0) return;
      this.#headSeen = true;
      const [requestLine, ...rest] = this.#buffer.toString("latin1", 0, headEnd).split("\r\n");
      const lines = rest.map((line) => {
        const colon = line.indexOf(":");
        return /** @type {[string, string]} */ ([
          line.slice(0, colon),
          line.slice(colon + 1).replace(/^ /, ""),
        ]);
      });
      const headers = byName(lines);
      const end = headEnd + 4 + Number(headers["content-length"] ?? 0);
      if (this.#buffer.length < end) return;
      const [method, target] = requestLine.split(" ");
      const body = this.#buffer.subarray(headEnd + 4, end);
      this.#buffer = this.#buffer.subarray(end);
      const seen = { method, target, lines, headers, body, connection: this.number };
      this.#queue.push(seen);
      record(seen);
    }
  }

  /** @returns {Promise<void>} */
  #change() {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #wake() {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/**
 * @typedef {object} RawServer
 * @property {string} origin
 * @property {string} url The origin and `/issue`.
 * @property {number} port
 * @property {Seen[]} requests Every whole request on any connection, answered or not.
 * @property {Connection[]} connections
 */

/**
 * A TCP or TLS server whose answers are written by hand. `script` runs once for each connection;
 * bytes in its place answer each request of each connection. Requests are counted whatever the
 * script does.
 *
 * @param {Test} t
 * @param {string | Buffer | ((connection: Connection) => unknown)} script
 * @param {tls.SecureContextOptions} [secure] For TLS.
 * @returns {Promise<RawServer>}
 */
export async function rawServer(t, script, secure) {
  /** @type {Seen[]} */
  const requests = [];
  /** @type {Connection[]} */
  const connections = [];
  /** @type {unknown[]} */
  const failures = [];
  const run = typeof script === "function" ? script : answerEach(script);
  const secureContext = secure && tls.createSecureContext(secure);
  const server = net.createServer({ noDelay: true }, async (tcp) => {
    const socket = secureContext ? new tls.TLSSocket(tcp, { isServer: true, secureContext }) : tcp;
    const number = connections.length + 1;
    const connection = new Connection(socket, number, (r) => requests.push(r), tcp);
    connections.push(connection);
    try {
      await run(connection);
    } catch (failure) {
      failures.push(failure);
      socket.destroy();
    }
  });
  const port = await listen(server);
  t.after(() => {
    for (const { socket } of connections) socket.destroy();
    server.close();
    if (failures.length > 0) throw failures[0];
  });
  const origin = `${secure ? "https" : "http"}://127.0.0.1:${port}`;
  return { origin, url: `${origin}/issue`, port, requests, connections };
}

/**
 * A script that answers every request of a connection with the same bytes.
 *
 * @param {string | Buffer} bytes
 */
export function answerEach(bytes) {
  return async (/** @type {Connection} */ connection) => {
    while (await connection.request()) await connection.write(bytes);
  };
}

/**
 * A script that answers the first request of a connection, then closes it.
 *
 * @param {string | Buffer} bytes
 */
export function answerAndClose(bytes) {
  return async (/** @type {Connection} */ connection) => {
    if (await connection.request()) await connection.write(bytes);
    connection.end();
  };
}

/**
 * The bytes of an answer with a `Content-Length`.
 *
 * @param {string | Buffer} body Strings as UTF-8.
 * @param {{ status?: string, headers?: string[] }} [options] Number and reason; whole lines.
 */
export function answer(body, { status = "200 OK", headers = [] } = {}) {
  const raw = typeof body === "string" ? Buffer.from(body) : body;
  const head = [`HTTP/1.1 ${status}`, ...headers, `Content-Length: ${raw.length}`, "", ""];
  return Buffer.concat([Buffer.from(head.join("\r\n"), "latin1"), raw]);
}

/** A port of 127.0.0.1 on which nothing listens, and which no other process is given meanwhile. */
export async function closedPort() {
  for (;;) {
    // Below those that systems hand out.
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = net.createServer();
    const isFree = await new Promise((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}

/**
 * @param {net.Server} server
 * @returns {Promise<number>}
 */
async function listen(server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return /** @type {net.AddressInfo} */ (server.address()).port;
}

/**
 * The body, or `null` where the client left before its end.
 *
 * @param {http.IncomingMessage} incoming
 */
async function bodyOf(incoming) {
  const chunks = [];
  try {
    for await (const chunk of incoming) chunks.push(chunk);
  } catch {
    return null;
  }
  return Buffer.concat(chunks);
}

/** @param {string[]} flat */
function pairs(flat) {
  /** @type {[string, string][]} */
  const lines = [];
  for (let i = 0; i < flat.length; i += 2) lines.push([flat[i], flat[i + 1]]);
  return lines;
}

/** @param {[string, string][]} lines */
function byName(lines) {
  /** @type {Record<string, string>} */
  const headers = {};
  for (const [name, value] of lines) {
    const key = name.toLowerCase();
    headers[key] = key in headers ? `${headers[key]}, ${value}` : value;
  }
  return headers;
}
