// @ts-check
/** The example's OAuth server, `oidc-provider` in a process of its own. */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { oauthClientCredentialsAuth } from "../../../index.mjs";

const KEY0 = { id: "key0", secret: "s3cr3t~of key0/+=&%\"\\<'" };
const SELLER = { id: "seller", secret: "secret-of-the-seller" };

/** @typedef {Awaited<ReturnType<typeof oidcProvider>>} OidcProvider */

/**
 * @param {import("../../support/server.mjs").Test} t
 */
export async function oidcProvider(t) {
  const child = fork(new URL("../../../examples/main-job/oauth-server.mjs", import.meta.url), {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
  }
  const ended = once(child, "exit");
  /** The answer to a message. @returns {Promise<any>} */
  const ask = async (/** @type {import("node:child_process").Serializable} */ message) => {
    child.send(message);
    const [answer] = await Promise.race([
      once(child, "message"),
      ended.then(([code]) => assert.fail(`oidc-provider ended with ${code}: ${said}`)),
    ]);
    return answer;
  };
  async function end() {
    if (child.connected) child.disconnect();
    await ended;
  }
  t.after(end);
  const { port } = await ask({ key0: KEY0, seller: SELLER });
  const origin = `http://127.0.0.1:${port}`;

  return {
    origin,
    clients: { key0: KEY0, seller: SELLER },
    end,
    /** @returns {Promise<number>} */
    tokenRequests: async () => (await ask("count")).tokenRequests,
    /** The strategy of a client that the server knows, changed. */
    auth: (/** @type {{ [option: string]: any }} */ change) =>
      oauthClientCredentialsAuth({
        tokenUrl: `${origin}/token`,
        clientId: KEY0.id,
        clientSecret: KEY0.secret,
        scopes: ["credentials:issue"],
        ...change,
      }),
    clientSecret: KEY0.secret,
    /** What the server says of a token (RFC 7662). @param {string} token @returns {Promise<any>} */
    async introspect(token) {
      const account = Buffer.from(`${SELLER.id}:${SELLER.secret}`).toString("base64");
      const answer = await fetch(`${origin}/token/introspection`, {
        method: "POST",
        headers: { Authorization: `Basic ${account}` },
        body: new URLSearchParams({ token }),
      });
      return answer.json();
    },
  };
}
