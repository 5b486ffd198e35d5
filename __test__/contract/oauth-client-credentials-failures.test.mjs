// @ts-check
/** oauthClientCredentialsAuth: what its failures say, hide, and repeat. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CANARY, rejectsWith, spellings } from "../support/errors.mjs";
import { oauthFailed } from "../support/exchanges.mjs";
import { CLIENT, GRANT, oauth, oauthOf } from "../support/oauth-server.mjs";
import { answer, closedPort, httpServer, rawServer, reply } from "../support/server.mjs";

const failed = (/** @type {string} */ rest, /** @type {string} */ body) =>
  oauthFailed(`OAuth token request failed: ${rest}`, { body, sent: true });
/** Any reason of the network. */
const NETWORK = { ...oauthFailed(""), message: /^Failed to authenticate via OAuth: ./ };
const MISSING = "Invalid OAuth response: missing access_token or expires_in";

describe("an answer beyond 2xx", () => {
  for (const status of [400, 401, 403, 404, 429, 500, 503]) {
    it(`of ${status} is told with its registered error, its body in the cause`, async (t) => {
      const body = '{"error":"invalid_client"}';
      const { auth, server } = await oauth(t, (_, response) => reply(response, body, status));
      const message = `${server.origin} answered ${status} (no content type, 26 bytes): invalid_client`;
      const expected = failed(`${status} invalid_client`, body);
      await rejectsWith(auth(), { ...expected, cause: { message, status, body, sent: true } });
    });
  }

  for (const error of ["invalid", "10.0.0.5", "Invalid_client", "incorrect_client_credentials"]) {
    it(`is told without an error that is not registered: ${error}`, async (t) => {
      const body = JSON.stringify({ error });
      const { auth } = await oauth(t, (_, response) => reply(response, body, 400));
      const { cause } = await rejectsWith(auth(), failed("400", body));
      assert.ok(cause.message.endsWith(`: ${error}`), cause.message);
    });
  }

  it("without a body has none in the cause", async (t) => {
    const { auth } = await oauth(t, (_, response) => reply(response, "", 503));
    await rejectsWith(auth(), oauthFailed("OAuth token request failed: 503", { body: undefined }));
  });

  it("counts even where its body has a token", async (t) => {
    const { auth } = await oauth(t, (_, response) => reply(response, GRANT, 500));
    await rejectsWith(auth(), oauthFailed("OAuth token request failed: 500", { status: 500 }));
  });

  it("is quoted to 8,192 bytes, on a character's boundary", async (t) => {
    const { auth } = await oauth(t, (_, response) => reply(response, `x${"é".repeat(9_000)}`, 500));
    await rejectsWith(auth(), failed("500", `x${"é".repeat(4_095)}…`));
  });

  it("is quoted as far as it came where it was cut short", async (t) => {
    const cut = "HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nhalf of it";
    const { url } = await rawServer(t, async (connection) => {
      await connection.request();
      await connection.write(cut);
      connection.end();
    });
    await rejectsWith(oauthOf(url)(), failed("500", "half of it"));
  });
});

describe("an answer of 2xx that is not JSON", () => {
  for (const body of ["", "<html>Sign in</html>", "access_token=t&expires_in=60", "{", "NaN"]) {
    it(`is a failure: ${JSON.stringify(body)}`, async (t) => {
      const { auth } = await oauth(t, body);
      await rejectsWith(auth(), oauthFailed("the answer is not JSON", { body: undefined }));
    });
  }
});

// B48
describe("an error told in a 200", () => {
  /** The error for an answer. */
  async function errorOf(/** @type {any} */ t, /** @type {object} */ body, config = {}) {
    const { auth } = await oauth(t, body, config);
    return rejectsWith(auth(), { ...NETWORK, cause: { status: 200, body: undefined, sent: true } });
  }

  it("is told in the cause, with its description", async (t) => {
    const { message, cause } = await errorOf(t, {
      error: "incorrect_client_credentials",
      error_description: "The client_id\r\nis wrong",
    });
    assert.equal(message, `Failed to authenticate via OAuth: ${MISSING}`);
    const words = "incorrect_client_credentials: The client_id  is wrong";
    assert.ok(cause.message.endsWith(`: ${words}`), cause.message);
  });

  it("is told in the message where it is registered", async (t) => {
    const { message, cause } = await errorOf(t, { error: "invalid_client" });
    assert.equal(message, `Failed to authenticate via OAuth: ${MISSING} (invalid_client)`);
    assert.ok(cause.message.endsWith(": invalid_client"), cause.message);
  });

  for (const error of [null, 42, {}, ["x"], ""]) {
    it(`is not told where it is no text: ${JSON.stringify(error)}`, async (t) => {
      const { message, cause } = await errorOf(t, { error, error_description: error });
      assert.equal(message, `Failed to authenticate via OAuth: ${MISSING}`);
      assert.match(cause.message, / bytes\): it has no access_token$/);
    });
  }

  it("is scrubbed of the client's secret, then cut", async (t) => {
    const body = { error: CANARY, error_description: `${CANARY} ${"x".repeat(20_000)}` };
    const { cause } = await errorOf(t, body, { clientSecret: CANARY });
    assert.match(cause.message, /\): \[redacted\]: \[redacted\] x+…$/);
    assert.ok(cause.message.length < 9_000, `${cause.message.length} characters`);
  });
});

describe("what a cause quotes is scrubbed of", () => {
  /** What a 400 with this text is quoted as, by a client whose secret is the canary. */
  async function quoted(/** @type {any} */ t, /** @type {string} */ text, tokenPath = "") {
    const server = await httpServer(t, (_, response) => reply(response, text, 400));
    const tokenUrl = server.url.replace("http://", `http://${tokenPath}`);
    const call = oauthOf(tokenUrl, { clientSecret: CANARY })();
    return (await rejectsWith(call, oauthFailed("OAuth token request failed: 400"))).cause.body;
  }

  for (const [name, spelt] of Object.entries(spellings(CANARY))) {
    it(`the client's secret, ${name}`, async (t) => {
      assert.equal(await quoted(t, `a ${spelt} b ${spelt}`), "a [redacted] b [redacted]");
    });
  }

  it("the form that was sent", async (t) => {
    const { auth } = await oauth(t, (request, response) => reply(response, request.body, 400), {
      clientSecret: CANARY,
    });
    const sent = `grant_type=client_credentials&client_id=${CLIENT.clientId}`;
    await rejectsWith(auth(), failed("400", `${sent}&client_secret=[redacted]`));
  });

  for (const encoding of /** @type {const} */ (["base64", "base64url"])) {
    it(`id and secret in ${encoding}`, async (t) => {
      const pair = Buffer.from(`${CLIENT.clientId}:${CANARY}`).toString(encoding);
      assert.equal(await quoted(t, `Basic ${pair}.`), "Basic [redacted].");
    });
  }

  it("a URL's password, raw and in the header that it became", async (t) => {
    const password = "p4ssword-of-the-url";
    const text = `${password} ${Buffer.from(`user:${password}`).toString("base64")}`;
    assert.equal(await quoted(t, text, `user:${password}@`), "[redacted] [redacted]");
  });

  it("nothing that is shorter than 6 characters", async (t) => {
    const echo = (/** @type {any} */ _, /** @type {any} */ response) =>
      reply(response, "short, shorts", 400);
    const short = await oauth(t, echo, { clientSecret: "short" });
    await rejectsWith(short.auth(), failed("400", "short, shorts"));
    const longer = await oauth(t, echo, { clientSecret: "shorts" });
    await rejectsWith(longer.auth(), failed("400", "short, [redacted]"));
  });

  it("a secret that the cut would have split", async (t) => {
    const text = "x".repeat(8_180) + CANARY;
    assert.equal(await quoted(t, text), `${"x".repeat(8_180)}[redacted]`);
  });
});

// B32
describe("a clientSecret that ends in a line break", () => {
  const refusal = (/** @type {any} */ _, /** @type {any} */ response) =>
    reply(response, '{"error":"invalid_client"}', 401);

  for (const end of ["\n", "\r\n", "\r"]) {
    it(`(${JSON.stringify(end)}) is told where the client is refused, and not shown`, async (t) => {
      const { auth } = await oauth(t, refusal, { clientSecret: CANARY + end });
      const reason = "401 invalid_client (clientSecret ends in a line break)";
      await rejectsWith(auth(), failed(reason, '{"error":"invalid_client"}'));
    });
  }

  it("is not told where it does not", async (t) => {
    const { auth } = await oauth(t, refusal, { clientSecret: `\n${CANARY}` });
    await rejectsWith(auth(), failed("401 invalid_client", '{"error":"invalid_client"}'));
  });

  it("is not told where the server is at fault", async (t) => {
    const busy = (/** @type {any} */ _, /** @type {any} */ response) =>
      reply(response, "busy", 503);
    const { auth } = await oauth(t, busy, { clientSecret: `${CANARY}\n` });
    await rejectsWith(auth(), failed("503", "busy"));
  });
});

describe("a token request", () => {
  const good = answer(JSON.stringify({ access_token: "t", expires_in: 0 }));
  const BEARER = { Authorization: "Bearer t" };

  for (const fault of /** @type {const} */ (["end", "reset"])) {
    it(`is sent once more where its connection broke before an answer (${fault})`, async (t) => {
      const server = await rawServer(t, async (connection) => {
        await connection.request();
        if (connection.number === 1) connection[fault]();
        else await connection.write(good);
      });
      assert.deepEqual(await oauthOf(server.url)(), BEARER);
      assert.equal(server.requests.length, 2);
      assert.deepEqual(server.requests[1].lines, server.requests[0].lines);
      assert.deepEqual(server.requests[1].body, server.requests[0].body);
    });

    it(`is not sent a third time (${fault})`, async (t) => {
      const server = await rawServer(t, async (connection) => {
        await connection.request();
        connection[fault]();
      });
      await rejectsWith(oauthOf(server.url)(), { ...NETWORK, cause: { sent: true } });
      assert.equal(server.requests.length, 2);
    });

    it(`is not sent again once a byte of an answer came (${fault})`, async (t) => {
      const server = await rawServer(t, async (connection) => {
        await connection.request();
        await connection.write("HTTP/1.1 2");
        connection[fault]();
      });
      await rejectsWith(oauthOf(server.url)(), { ...NETWORK, cause: { sent: true } });
      assert.equal(server.requests.length, 1);
    });
  }

  it("is sent once more where a kept connection was closed under it", async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      await connection.write(good);
      // the first connection takes another request, and breaks
      await connection.request();
      if (connection.number === 1) connection.reset();
      else await connection.write(good);
    });
    const auth = oauthOf(server.url);
    assert.deepEqual(await auth(), BEARER);
    assert.deepEqual(await auth(), BEARER);
    assert.equal(server.requests.length, 3);
    assert.deepEqual(
      server.requests.map(({ connection }) => connection),
      [1, 1, 2],
    );
  });

  it("is shared while it is sent again: 100 callers, two requests", async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      if (connection.number === 1) connection.reset();
      else await connection.write(good);
    });
    const auth = oauthOf(server.url);
    const given = await Promise.all(Array.from({ length: 100 }, () => auth()));
    assert.deepEqual(given[99], BEARER);
    assert.equal(server.requests.length, 2);
  });

  it("that was refused says so", async () => {
    const port = await closedPort();
    const call = oauthOf(`http://127.0.0.1:${port}/token`)();
    const cause = { code: "ECONNREFUSED", sent: false };
    await rejectsWith(call, { ...NETWORK, cause });
  });

  it("is not repeated where TLS fails", async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.write("HTTP/1.1 400 Bad Request\r\n\r\n");
      connection.end();
      await connection.closed;
    });
    const call = oauthOf(server.url.replace("http:", "https:"))();
    await rejectsWith(call, { ...NETWORK, cause: { sent: false } });
    assert.equal(server.connections.length, 1);
  });

  it("is not repeated after an answer, whatever it says", async (t) => {
    const { auth, server } = await oauth(t, (_, response) => reply(response, "busy", 503));
    await rejectsWith(auth(), failed("503", "busy"));
    assert.equal(server.requests.length, 1);
  });
});
