// @ts-check
/** nginx as Debian packs it, in front of a backend: one a test, on a free port. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { python } from "./child.mjs";

const TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

/**
 * @typedef {object} Nginx
 * @property {string} origin
 * @property {string} url The origin and `/issue`.
 * @property {number} port
 * @property {() => void} reload Takes new worker processes in place of the old ones.
 */

/**
 * An nginx that passes what it gets on to `upstream`.
 *
 * @param {import("../../support/server.mjs").Test} t
 * @param {string} upstream What follows `proxy_pass`.
 * @param {string} [directives] Of its server, as they are written in a file.
 * @param {import("../../support/tls.mjs").Identity} [tls]
 * @returns {Promise<Nginx>}
 */
export async function nginx(t, upstream, directives = "", tls) {
  const folder = mkdtempSync(join(tmpdir(), "key0-nginx-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  // Started by root its workers are nobody's.
  chmodSync(folder, 0o755);
  if (tls) {
    writeFileSync(join(folder, "server.pem"), tls.cert);
    writeFileSync(join(folder, "server.key"), tls.key);
  }
  const identity = "ssl_certificate server.pem; ssl_certificate_key server.key;";
  writeFileSync(
    join(folder, "nginx.conf"),
    `daemon off;
    pid nginx.pid;
    events {}
    http {
      access_log off;
      server_tokens off;
      ${TEMPORARY.map((name) => `${name}_temp_path temp-${name};`).join("\n")}
      server {
        include listen.conf;
        ${tls ? identity : ""}
        ${directives}
        location / {
          proxy_set_header Host $http_host;
          proxy_set_header X-Worker $pid;
          proxy_pass ${upstream};
        }
      }
    }`,
  );
  const { first, child } = await python(t, "nginx.py", tls ? [folder, "ssl"] : [folder]);
  const origin = `${tls ? "https" : "http"}://127.0.0.1:${first.port}`;
  return {
    origin,
    url: `${origin}/issue`,
    port: first.port,
    // (Deno lets a child be signalled once.)
    reload: () => void process.kill(/** @type {number} */ (child.pid), "SIGHUP"),
  };
}

/**
 * The page that nginx makes for a status.
 *
 * @param {string} title Number and reason.
 * @param {string} [heading]
 * @param {string[]} [more] Lines below the heading.
 */
export function page(title, heading = title, more = []) {
  return [
    "<html>",
    `<head><title>${title}</title></head>`,
    "<body>",
    `<center><h1>${heading}</h1></center>`,
    ...more,
    "<hr><center>nginx</center>",
    "</body>",
    "</html>",
    "",
  ].join("\r\n");
}
