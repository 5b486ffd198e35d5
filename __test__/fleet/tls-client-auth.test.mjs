// @ts-check
/** A fleet that is known by its certificate, and shares its token in a real Redis. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "node:test";
import { authority, certificate, PURPOSES } from "../support/certificates.mjs";
import { needing } from "../support/programs.mjs";
import { httpServer, reply } from "../support/server.mjs";
import { fleet } from "./support/fleet.mjs";
import { redisServer } from "./support/stores.mjs";

const it = needing("redis-server");

const CA = authority("the servers' authority");
const CLIENTS = authority("the clients' authority");
const server = certificate("a server", { by: CA, names: ["IP:127.0.0.1"] });

/** A folder with the fleet's certificate, and what replaces that. @param {any} t */
function files(t) {
  const folder = mkdtempSync(join(tmpdir(), "key0-fleet-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "ca"), CA.pem);
  /** @param {string} name */
  const replace = (name) => {
    const made = certificate(name, { by: CLIENTS, purposes: [PURPOSES.client] });
    writeFileSync(join(folder, "cert"), made.pem);
    writeFileSync(join(folder, "key"), made.key);
  };
  return { folder, replace };
}

describe("a fleet that is known by its certificate", () => {
  it("of 8 processes with 200 callers each makes 1 token request a key", async (t) => {
    const redis = await redisServer(t);
    const { folder, replace } = files(t);
    /** @type {string[]} */
    const seen = [];
    const { url } = await httpServer(
      t,
      async (_, response) => {
        const socket = /** @type {import("node:tls").TLSSocket} */ (response.socket);
        seen.push(String(socket.getPeerCertificate().subject.CN));
        const token = `access-token-${seen.length}`;
        // Long enough for every process to find none.
        await new Promise((end) => setTimeout(end, 200));
        reply(response, { access_token: token, expires_in: 3600 });
      },
      {
        tls: {
          cert: server.pem,
          key: server.key,
          ca: CLIENTS.pem,
          requestCert: true,
          rejectUnauthorized: true,
        },
      },
    );
    const config = { tokenUrl: url, clientId: "c", clientAuthentication: "tls_client_auth" };
    const store = { kind: "ioredis", url: redis.url };
    for (const [i, name] of ["first", "second"].entries()) {
      replace(name);
      const members = await fleet(t, 8, store, config, folder);
      const done = await Promise.all(members.map((member) => member.calls(200)));
      for (const { tokens, failures, done: calls } of done) {
        assert.deepEqual([tokens, failures, calls], [[`Bearer access-token-${i + 1}`], [], 200]);
      }
    }
    assert.deepEqual(seen, ["first", "second"]);
    const names = redis.cli("KEYS", "*").split("\n");
    assert.equal(names.filter((name) => !name.endsWith(":lock")).length, 2);
  });
});
