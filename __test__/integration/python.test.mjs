// @ts-check
/** A backend in Python, in a process of its own: its redirects, its framing, its JSON. */
import assert from "node:assert/strict";
import { after, beforeEach, describe } from "node:test";
import { createRemoteTokenIssuer } from "../../index.mjs";
import { absence } from "../../scripts/system.mjs";
import { issueFailed, rejectsWith } from "../support/errors.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { needing } from "../support/programs.mjs";
import { python } from "./support/child.mjs";

const IS_SKIPPED = absence("python3") !== false;
const it = needing("python3");
const BODY = JSON.stringify(PAYMENT);

/**
 * The backend, and issuers that call it with its secret.
 *
 * @param {"HTTP/1.0" | "HTTP/1.1"} protocol
 */
async function backend(protocol) {
  const { port, secret } = (await python({ after }, "backend.py", [protocol])).first;
  const origin = `http://127.0.0.1:${port}`;
  return {
    origin,
    issue: (/** @type {string} */ path, params = PAYMENT) =>
      createRemoteTokenIssuer({ url: `${origin}${path}`, secret })(params),
    /** What has arrived in this test. */
    /** @returns {Promise<any>} */
    seen: async () => (await fetch(`${origin}/seen`)).json(),
  };
}

for (const protocol of /** @type {const} */ (["HTTP/1.0", "HTTP/1.1"])) {
  const { origin, issue, seen } = IS_SKIPPED ? /** @type {any} */ ({}) : await backend(protocol);
  if (!IS_SKIPPED) beforeEach(seen);

  describe(`a Python backend that speaks ${protocol} and wants a slash at the end`, () => {
    for (const [framework, status] of Object.entries({ starlette: 307, werkzeug: 308 })) {
      it(`gets the POST again, whole and with its secret, by ${framework}'s ${status}`, async () => {
        const issued = await issue(`/${framework}`);
        assert.deepEqual(issued, { token: PAYMENT.challengeId, tokenType: "Bearer" });
        assert.deepEqual(await seen(), [
          { method: "POST", path: `/${framework}`, body: BODY },
          { method: "POST", path: `/${framework}/`, body: BODY },
        ]);
      });
    }

    it("gets a GET by django's 301, as from `fetch`, and its refusal is told", async () => {
      const body = '{"detail": "Method \\"GET\\" not allowed."}';
      const expected = issueFailed("Backend failed to issue token: 405", { status: 405, body });
      await rejectsWith(issue("/django"), expected);
      assert.deepEqual(await seen(), [
        { method: "POST", path: "/django", body: BODY },
        { method: "GET", path: "/django/", body: "" },
      ]);
    });

    it("gets a hundred POSTs at once, each of them twice", async () => {
      const payments = Array.from({ length: 100 }, (_, i) => ({
        ...PAYMENT,
        challengeId: `c-${i}`,
      }));
      const issued = await Promise.all(payments.map((payment) => issue("/starlette", payment)));
      assert.deepEqual(
        issued.map(({ token }) => token),
        payments.map(({ challengeId }) => challengeId),
      );
      /** @type {{ path: string, body: string }[]} */
      const arrived = await seen();
      for (const path of ["/starlette", "/starlette/"]) {
        const bodies = arrived.filter((request) => request.path === path).map(({ body }) => body);
        assert.deepEqual(bodies.sort(), payments.map((payment) => JSON.stringify(payment)).sort());
      }
      assert.equal(arrived.length, 200);
    });
  });

  describe(`a Python backend that speaks ${protocol}`, () => {
    it("is called ten times in a row, each payment once", async () => {
      for (let i = 0; i < 10; i += 1) {
        const issued = await issue("/issue/", { ...PAYMENT, challengeId: `c-${i}` });
        assert.equal(issued.token, `c-${i}`);
      }
      assert.equal((await seen()).length, 10);
    });

    // B24
    it("may end its answers by closing, three times in a row", async () => {
      for (let i = 0; i < 3; i += 1) assert.equal((await issue("/unframed/")).token, "t");
      assert.equal((await seen()).length, 3);
    });

    // B49
    it("may put a byte order mark before its JSON", async () => {
      assert.equal((await issue("/utf-8-sig/")).token, "schlüssel");
    });

    // B36
    it("may escape what is not ASCII, as json.dumps does", async () => {
      assert.equal((await issue("/ascii/")).token, "schlüssel 🔑");
    });

    it("that raises is called once, and said not to have answered", async () => {
      const reason = "connection closed too early (ECONNRESET)";
      const message = `waiting for the answer of ${origin}: ${reason}`;
      const cause = { message, code: "ECONNRESET", sent: true };
      await rejectsWith(issue("/crash/"), issueFailed(`Network error: ${reason}`, cause));
      assert.equal((await seen()).length, 1);
    });

    it("refuses a wrong secret, in its own words", async () => {
      const issue = createRemoteTokenIssuer({ url: `${origin}/issue/`, secret: "wrong secret" });
      const cause = { status: 401, body: '{"detail": "not for you"}', sent: true };
      await rejectsWith(issue(PAYMENT), issueFailed("Backend failed to issue token: 401", cause));
    });
  });
}
