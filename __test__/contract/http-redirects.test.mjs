// @ts-check
/** HTTP, for both: redirects. From http to https: see http-tls. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { CANARY, issueFailed, issueTimedOut, rejectsWith } from "../support/errors.mjs";
import { EXCHANGES, ISSUER } from "../support/exchanges.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { answer, httpServer, rawServer, reply } from "../support/server.mjs";

/**
 * A server that answers its first requests with these redirects, the next one with `good`.
 *
 * @param {any} t
 * @param {string} good
 * @param {[status: number, location: string][]} hops
 */
async function chain(t, good, hops) {
  let count = 0;
  return httpServer(t, (_, response) => {
    const hop = hops[count++];
    if (hop) reply(response, "moved", hop[0], { location: hop[1] });
    else reply(response, good);
  });
}

for (const exchange of EXCHANGES) {
  const { name, good, call, gives, fails, refused } = exchange;

  describe(`a redirect of ${name}`, () => {
    for (const status of [301, 302, 303]) {
      it(`by ${status} becomes a GET without body and Content-Type`, async (t) => {
        const server = await chain(t, good, [[status, "/next"]]);
        assert.deepEqual(await call(server.url), gives);
        const [first, second] = server.requests;
        assert.equal(server.requests.length, 2);
        assert.deepEqual([second.method, second.target], ["GET", "/next"]);
        assert.equal(second.body.length, 0);
        for (const gone of ["content-type", "content-length", "transfer-encoding"]) {
          assert.ok(!(gone in second.headers), gone);
        }
        for (const kept of ["x-internal-auth", "user-agent", "accept", "host"]) {
          assert.equal(second.headers[kept], first.headers[kept], kept);
        }
      });
    }

    for (const status of [307, 308]) {
      it(`by ${status} repeats the request`, async (t) => {
        const server = await chain(t, good, [[status, "/next"]]);
        assert.deepEqual(await call(server.url), gives);
        const [first, second] = server.requests;
        assert.equal(server.requests.length, 2);
        assert.deepEqual([second.method, second.target], ["POST", "/next"]);
        assert.deepEqual(second.lines.toSorted(), first.lines.toSorted());
        assert.ok(second.body.equals(first.body) && first.body.length > 0);
      });
    }

    it("is followed five times", async (t) => {
      const server = await chain(t, good, Array(5).fill([307, "/next"]));
      assert.deepEqual(await call(server.url), gives);
      assert.equal(server.requests.length, 6);
    });

    it("is not followed a sixth time", async (t) => {
      const server = await chain(t, good, Array(6).fill([307, "/next"]));
      const error = await rejectsWith(call(server.url), fails("more than 5 redirects"));
      assert.equal(error.cause.message, `${server.origin} redirected 6 times`);
      assert.equal(server.requests.length, 6);
    });

    const elsewhere = fails("redirected to another origin");

    it("to another port is refused, and nothing goes there", async (t) => {
      const other = await httpServer(t);
      for (const status of [301, 302, 303, 307, 308]) {
        const server = await chain(t, good, [[status, other.url]]);
        const cause = {
          message: `${server.origin} redirected to ${other.origin}`,
          status,
          sent: true,
        };
        await rejectsWith(call(server.url), { ...elsewhere, cause });
        assert.equal(server.requests.length, 1);
      }
      assert.equal(other.connections(), 0);
    });

    it("to another name of the same host is refused", async (t) => {
      const to = () => `http://localhost:${server.port}`;
      const server = await httpServer(t, (_, response) => {
        reply(response, "", 307, { location: `${to()}/next` });
      });
      const cause = { message: `${server.origin} redirected to ${to()}` };
      await rejectsWith(call(server.url), { ...elsewhere, cause });
      assert.equal(server.requests.length, 1);
    });

    it("with credentials is refused, and does not show them", async (t) => {
      const to = (/** @type {string} */ origin) =>
        `${origin.replace("//", `//user:${encodeURIComponent(CANARY)}@`)}/next`;
      const server = await httpServer(t, (_, response) => {
        reply(response, "", 307, { location: to(server.origin) });
      });
      const expected = fails("redirected to a URL with credentials");
      const error = await rejectsWith(call(server.url), expected);
      const message = `${server.origin} redirected to a URL with credentials`;
      assert.equal(error.cause.message, message);
      assert.equal(server.requests.length, 1);
    });

    it("without a Location is a plain non-2xx", async (t) => {
      for (const status of [301, 302, 303, 307, 308]) {
        const server = await httpServer(t, (_, response) => {
          reply(response, "moved", status);
        });
        await rejectsWith(call(server.url), refused(status, "moved"));
        assert.equal(server.requests.length, 1);
      }
    });

    it("is none with another status: 300, 305, 306", async (t) => {
      for (const status of [300, 305, 306]) {
        const server = await chain(t, good, [[status, "/next"]]);
        await rejectsWith(call(server.url), refused(status, "moved"));
        assert.equal(server.requests.length, 1);
      }
    });
  });
}

describe("a Location", () => {
  /** @type {[string, string][]} */
  const locations = [
    ["/b?x=1", "/b?x=1"],
    ["b", "/dir/b"],
    ["?x=1", "/dir/issue?x=1"],
    ["../b#frag", "/b"],
    ["", "/dir/issue"],
    ["/a b", "/a%20b"],
  ];
  for (const [location, target] of locations) {
    it(`${JSON.stringify(location)} is read against the request's URL`, async (t) => {
      const server = await chain(t, ISSUER.good, [[307, location]]);
      await ISSUER.call(`${server.origin}/dir/issue`);
      assert.equal(server.requests[1].target, target);
    });
  }

  it("may be absolute or without a scheme, within the origin", async (t) => {
    for (const urlOf of [
      (/** @type {number} */ port) => `HTTP://127.0.0.1:${port}/next`,
      (/** @type {number} */ port) => `//127.0.0.1:${port}/next`,
    ]) {
      let count = 0;
      const server = await httpServer(t, (_, response) => {
        if (count++ === 0) reply(response, "", 308, { location: urlOf(server.port) });
        else reply(response);
      });
      await ISSUER.call(server.url);
      assert.equal(server.requests[1].target, "/next");
    }
  });

  it("is read against the hop before it", async (t) => {
    const hops = /** @type {[number, string][]} */ ([
      [307, "/a/b"],
      [307, "c"],
    ]);
    const server = await chain(t, ISSUER.good, hops);
    await ISSUER.call(server.url);
    assert.equal(server.requests[2].target, "/a/c");
  });

  for (const location of ["ftp://127.0.0.1/x", "javascript:1", "data:,x", "http://[", "http://"]) {
    it(`${JSON.stringify(location)} is an error`, async (t) => {
      const server = await chain(t, ISSUER.good, [[307, location]]);
      await rejectsWith(ISSUER.call(server.url), issueFailed(/^Network error: ./, { sent: true }));
      assert.equal(server.requests.length, 1);
    });
  }
});

describe("redirects", () => {
  it("by 303 then 307 stay a GET", async (t) => {
    const hops = /** @type {[number, string][]} */ ([
      [303, "/a"],
      [307, "/b"],
    ]);
    const server = await chain(t, ISSUER.good, hops);
    await ISSUER.call(server.url);
    const seen = server.requests.map(({ method, body }) => [method, body.length > 0]);
    assert.deepEqual(seen, [
      ["POST", true],
      ["GET", false],
      ["GET", false],
    ]);
  });

  it("keep the URL's credentials within the origin", async (t) => {
    const server = await chain(t, ISSUER.good, [[307, "/next"]]);
    await ISSUER.call(server.url.replace("//", "//user:password@"));
    const sent = server.requests.map(({ headers }) => headers.authorization);
    assert.deepEqual(sent, Array(2).fill(`Basic ${btoa("user:password")}`));
  });

  it("share one deadline", async (t) => {
    const server = await httpServer(t, (_, response) => {
      setTimeout(reply, 300, response, "", 307, { location: "/next" });
    });
    const issue = createRemoteTokenIssuer({ url: server.url, timeoutMs: 1_000 });
    await rejectsWith(issue(PAYMENT), issueTimedOut({ sent: true }));
  });

  it("are followed whatever their own body is", async (t) => {
    const server = await rawServer(t, async (connection) => {
      const request = await connection.request();
      if (request?.target !== "/issue") return connection.write(answer(ISSUER.good));
      const headers = ["Location: /next", "Content-Encoding: br"];
      const first = answer("x".repeat(300_000), { status: "307 Moved", headers });
      await connection.write(first);
      if (await connection.request()) await connection.write(answer(ISSUER.good));
    });
    assert.deepEqual(await ISSUER.call(server.url), ISSUER.gives);
    assert.equal(server.requests.length, 2);
  });
});
