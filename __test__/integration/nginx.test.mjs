// @ts-check
/** A backend behind nginx: pages for errors, compression, refusals. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { rejectsWith } from "../support/errors.mjs";
import { EXCHANGES, ISSUER } from "../support/exchanges.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { needing } from "../support/programs.mjs";
import { httpServer, reply } from "../support/server.mjs";
import { nginx, page } from "./support/nginx.mjs";

const it = needing("nginx", "python3");

describe("nginx whose backend is down", { concurrency: 2 }, () => {
  for (const exchange of EXCHANGES) {
    it(`answers ${exchange.name} 502 with a page of HTML, which is quoted`, async (t) => {
      const { url } = await nginx(t, "http://unix:/nobody-listens-here.sock");
      await rejectsWith(exchange.call(url), exchange.refused(502, page("502 Bad Gateway")));
    });
  }

  it("answers again once the backend is up", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "key0-socket-"));
    t.after(() => rmSync(folder, { recursive: true }));
    chmodSync(folder, 0o755);
    const path = join(folder, "backend.sock");
    const { url } = await nginx(t, `http://unix:${path}`);
    await rejectsWith(ISSUER.call(url), ISSUER.refused(502, page("502 Bad Gateway")));
    const backend = http.createServer((_, response) => reply(response, ISSUER.good));
    t.after(() => backend.close());
    await once(backend.listen(path), "listening");
    chmodSync(path, 0o777);
    assert.deepEqual(await ISSUER.call(url), ISSUER.gives);
  });

  it("answers 502 where the backend broke off, which saw the payment once", async (t) => {
    const backend = await httpServer(t, (_, response) => response.destroy());
    const { url } = await nginx(t, backend.origin);
    await rejectsWith(ISSUER.call(url), ISSUER.refused(502, page("502 Bad Gateway")));
    assert.equal(backend.requests.length, 1);
  });
});

describe("nginx that compresses", { concurrency: 2 }, () => {
  const GZIP = "gzip on; gzip_types application/json; gzip_proxied any; gzip_min_length 20;";
  const TOKEN = "0123456789abcdef".repeat(10_000);
  /** @type {import("../support/server.mjs").Answer} */
  const answer = (_, response) => {
    reply(response, { token: TOKEN }, 200, { "Content-Type": "application/json" });
  };
  const acceptsGzip = { "Accept-Encoding": "gzip" };

  it("does so for a client that accepts it: the tests that follow have their cause", async (t) => {
    const { url } = await nginx(t, (await httpServer(t, answer)).origin, GZIP);
    const request = http.request(url, { method: "POST", headers: acceptsGzip });
    const [response] = await once(request.end(), "response");
    assert.equal(response.headers["content-encoding"], "gzip");
    assert.equal(response.headers["transfer-encoding"], "chunked");
    assert.ok((await text(response)).length < TOKEN.length);
  });

  it("gives a token whose auth asks for that, decoded", async (t) => {
    const backend = await httpServer(t, answer);
    const { url } = await nginx(t, backend.origin, GZIP);
    const issue = createRemoteTokenIssuer({ url, auth: async () => acceptsGzip });
    for (let i = 0; i < 3; i += 1) assert.equal((await issue(PAYMENT)).token, TOKEN);
    assert.equal(backend.requests[0].headers["accept-encoding"], "gzip");
  });

  it("is not asked to otherwise", async (t) => {
    const backend = await httpServer(t, answer);
    const { url } = await nginx(t, backend.origin, GZIP);
    assert.equal((await createRemoteTokenIssuer({ url })(PAYMENT)).token, TOKEN);
    assert.ok(!("accept-encoding" in backend.requests[0].headers));
  });
});

describe("nginx that refuses", { concurrency: 2 }, () => {
  // B23
  it("a body that is too large says so while the body is still being sent", async (t) => {
    const backend = await httpServer(t);
    const { url } = await nginx(t, backend.origin, "client_max_body_size 1k;");
    const params = { ...PAYMENT, blob: "x".repeat(8e6) };
    const call = createRemoteTokenIssuer({ url })(params);
    await rejectsWith(call, ISSUER.refused(413, page("413 Request Entity Too Large")));
    assert.equal(backend.requests.length, 0);
  });

  // B39
  it("clients without a User-Agent or Accept takes both exchanges", async (t) => {
    const rules = `
      if ($http_user_agent = "") { return 403; }
      if ($http_accept !~ application/json) { return 406; }
    `;
    for (const exchange of EXCHANGES) {
      const backend = await httpServer(t, (_, response) => reply(response, exchange.good));
      const { url } = await nginx(t, backend.origin, rules);
      assert.deepEqual(await exchange.call(url), exchange.gives);
    }
    const { url } = await nginx(t, (await httpServer(t)).origin, rules);
    const [response] = await once(http.get(url), "response");
    assert.equal(response.resume().statusCode, 403);
  });

  it("a path that its configuration does not know says 404 with a page", async (t) => {
    const rules = "location = /gone { return 404; }";
    const { origin } = await nginx(t, "http://unix:/nobody-listens-here.sock", rules);
    const call = createRemoteTokenIssuer({ url: `${origin}/gone` })(PAYMENT);
    await rejectsWith(call, ISSUER.refused(404, page("404 Not Found")));
  });
});
