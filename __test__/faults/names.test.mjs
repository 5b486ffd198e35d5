// @ts-check
/** Names: their failures by Node's codes (D25), and the most threads that looking them up takes (D24). */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inOwnNetwork, skip } from "./support/own-network.mjs";

/** A name server whose answer has a code (RFC 1035 §4.1.1), or that says nothing. */
const NAME_SERVER = `
  import { createSocket } from "node:dgram";
  import { createServer } from "node:http";
  import { readFileSync } from "node:fs";
  import { createRemoteTokenIssuer } from "./index.mjs";
  // Systems that have no address but those of loopback look no name up.
  import { execFileSync } from "node:child_process";
  execFileSync("ip", ["link", "add", "v0", "type", "veth", "peer", "name", "v1"]);
  execFileSync("ip", ["addr", "add", "10.0.0.1/24", "dev", "v0"]);
  for (const end of ["v0", "v1"]) execFileSync("ip", ["link", "set", end, "up"]);
  const names = createSocket("udp4");
  const answers = (code) => names.on("message", (query, { port, address }) => {
    if (code === undefined) return;
    const answer = Buffer.from(query);
    answer.writeUInt16BE(0x8180 | code, 2);
    names.send(answer, port, address);
  });
  const listening = new Promise((go) => names.bind(53, "127.0.0.1", go));
  const ofOurs = (url, fetch) => createRemoteTokenIssuer({ url, timeoutMs: 5_000, fetch })({}).then(
    ({ token }) => token,
    ({ message, cause: { code, syscall, hostname, sent, message: why } }) =>
      ({ message, code, syscall, hostname, sent, why }),
  );
  const ofFetch = (url) => fetch(url, { method: "POST" }).then(
    () => "answers",
    ({ cause = {} }) => ({ code: cause.code, syscall: cause.syscall, hostname: cause.hostname }),
  );
`;

describe("a name that cannot be looked up", { skip, concurrency: 2 }, () => {
  for (const [what, code, expected, words] of /** @type {const} */ ([
    ["is unknown", 3, "ENOTFOUND", "host name not found"],
    ["has a failing name server (SERVFAIL)", 2, "EAI_AGAIN", "host name cannot be looked up now"],
    ["is refused by its name server", 5, "EAI_AGAIN", "host name cannot be looked up now"],
    ["has no name server", null, "EAI_AGAIN", "host name cannot be looked up now"],
  ])) {
    it(`fails as fetch does where it ${what}, and the same with fetch driving`, async () => {
      const { ours, driven, theirs } = await inOwnNetwork(
        `${NAME_SERVER}
        ${code === null ? "" : `await listening; answers(${code});`}
        const url = "http://backend.example:8080/";
        const ours = await ofOurs(url);
        const driven = await ofOurs(url, fetch);
        const theirs = await ofFetch(url);
        console.log(JSON.stringify({ ours, driven, theirs }));
        process.exit(0);`.replace(
          "const listening = new Promise((go) => names.bind(53",
          `const listening = new Promise((go) => names.bind(${code === null ? 5353 : 53}`,
        ),
      );
      const facts = { code: expected, syscall: "getaddrinfo", hostname: "backend.example" };
      // Other runtimes have other names.
      if (!process.versions.bun && !process.versions.deno) assert.deepEqual(theirs, facts);
      assert.deepEqual(ours, {
        message: `Network error: ${words} (${expected})`,
        ...facts,
        sent: false,
        why: `connecting to http://backend.example:8080: ${words} (${expected})`,
      });
      if (!process.versions.bun && !process.versions.deno) assert.deepEqual(driven, ours);
    });
  }
});

describe("400 names and a silent name server", { skip }, () => {
  it("take 64 threads at most, and hold up no address and no name found before", async (t) => {
    const { threads, before, byAddress, byName } = await inOwnNetwork(
      `${NAME_SERVER}
      await listening;
      answers(undefined);
      const threadsNow = () => Number(/Threads:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
      const server = createServer((_, response) =>
        response.writeHead(200, { Connection: "close" }).end('{"token":"t"}'),
      );
      await new Promise((go) => server.listen(0, "127.0.0.1", go));
      const { port } = server.address();
      const [address, name] = ["127.0.0.1", "found.example"].map((host) =>
        createRemoteTokenIssuer({ url: "http://" + host + ":" + port }),
      );
      await name({});
      const before = threadsNow();
      const silent = Array.from({ length: 400 }, (_, i) =>
        ofOurs("http://silent-" + i + ".example/"),
      );
      // Long enough for a second lookup of each, were there no bound.
      await new Promise((go) => setTimeout(go, 3_000));
      const threads = threadsNow();
      const [byAddress, byName] = await Promise.all([address({}), name({})]);
      console.log(JSON.stringify({ threads, before, byAddress, byName }));
      process.exit(0);`,
      {
        resolvConf: "nameserver 127.0.0.1\noptions timeout:30\n",
        hosts: "127.0.0.1 localhost found.example\n",
      },
    );
    t.diagnostic(`${threads - before} threads for 400 silent names`);
    assert.ok(threads - before <= 64, `${threads - before} threads`);
    assert.deepEqual([byAddress.token, byName.token], ["t", "t"]);
  });
});
