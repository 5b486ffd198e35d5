// @ts-check
/** A backend in Python behind its own `ssl`, which ends no connection with TLS's close_notify. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, describe } from "node:test";
import { createRemoteTokenIssuer, oauthClientCredentialsAuth } from "../../index.mjs";
import { absence } from "../../scripts/system.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { needing } from "../support/programs.mjs";
import { authority } from "../support/tls.mjs";
import { python } from "./support/child.mjs";

const NEEDED = ["openssl", "python3"];
const it = needing(...NEEDED);
const ca = absence(...NEEDED) ? /** @type {any} */ ({}) : authority({ after });
before(() => {
  process.env.NODE_EXTRA_CA_CERTS = ca.file;
});
after(() => {
  delete process.env.NODE_EXTRA_CA_CERTS;
});

// D04
for (const version of ["TLSv1_2", "TLSv1_3"]) {
  for (const protocol of ["HTTP/1.0", "HTTP/1.1"]) {
    describe(`a Python backend that speaks ${protocol} over ${version}`, () => {
      it("may end its answers by closing, each call made once", async (t) => {
        const { key, cert } = ca.issue();
        const file = ca.file.replace("ca.pem", "server.pem");
        writeFileSync(file, key + cert);
        const { port, secret } = (await python(t, "backend.py", [protocol, file, version])).first;
        const url = `https://127.0.0.1:${port}/unframed/`;
        const client = { tokenUrl: url, clientId: "id", clientSecret: secret };
        const issue = createRemoteTokenIssuer({ url, secret });
        for (let i = 0; i < 3; i += 1) {
          assert.equal((await issue(PAYMENT)).token, "t");
          assert.deepEqual(await oauthClientCredentialsAuth(client)(), {
            Authorization: "Bearer t",
          });
        }
        const seen = createRemoteTokenIssuer({ url: url.replace("unframed", "issue"), secret });
        assert.equal((await seen(PAYMENT)).token, PAYMENT.challengeId);
      });
    });
  }
}
