// @ts-check
/** The system's own bundle and folder of trusted CAs, in a mount namespace where they are ours. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { authority } from "../support/certificates.mjs";
import { countedServer } from "../support/counted.mjs";
import { endedWell, evaluation, run } from "../support/process.mjs";

// As root, or as one who may be root of his own.
const OVER = "/etc/ssl/certs";
const MOUNTED = `mount --bind "$1" ${OVER} && shift && exec "$@"`;
const unshare = ["-m", "-rm"].find(
  (flags) => spawnSync("unshare", [flags, "mount", "--bind", tmpdir(), OVER]).status === 0,
);
const skip = unshare || process.env.CI ? false : "unshare is not allowed here";

/** Prints what becomes of a call to each URL of its arguments, one after the other. */
const CALLS = `
  import { createRemoteTokenIssuer } from "./index.mjs";
  const outcomes = [];
  for (const url of process.argv.slice(1)) {
    const call = createRemoteTokenIssuer({ url })({});
    outcomes.push(await call.then(({ token }) => token, ({ cause }) => cause.code));
  }
  console.log(JSON.stringify(outcomes));
`;

describe("the system's certificates", { skip }, () => {
  it("are its bundle's, and its folder's where a server needs those", async (t) => {
    const [bundled, lone, unknown] = ["bundled", "lone", "unknown"].map((name) => authority(name));
    const certs = mkdtempSync(join(tmpdir(), "key0-system-"));
    t.after(() => rmSync(certs, { recursive: true }));
    writeFileSync(join(certs, "ca-certificates.crt"), bundled.pem);
    writeFileSync(join(certs, "lone.pem"), lone.pem);
    // Nothing there is a certificate's file, either.
    mkdirSync(join(certs, "java"));

    const outcomes = async (/** @type {string[]} */ ...urls) => {
      const program = [process.execPath, ...evaluation(CALLS, urls)];
      const argv = [unshare ?? "-m", "sh", "-c", MOUNTED, "sh", certs, ...program];
      const ended = await run("unshare", argv);
      endedWell(ended);
      return JSON.parse(ended.stdout);
    };
    const [inBundle, inFolder] = [await countedServer(t, bundled), await countedServer(t, lone)];
    assert.deepEqual(await outcomes(inBundle.urlByName, inFolder.url), ["t", "t"]);
    assert.deepEqual([inBundle.made(), inBundle.requests.length], [1, 1]);
    assert.deepEqual([inFolder.made(), inFolder.requests.length], [2, 1]);
    const nowhere = await countedServer(t, unknown);
    assert.deepEqual(await outcomes(nowhere.url), ["UNABLE_TO_VERIFY_LEAF_SIGNATURE"]);
  });
});
