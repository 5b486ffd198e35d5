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

    const servers = [
      await countedServer(t, bundled),
      await countedServer(t, lone),
      await countedServer(t, unknown),
    ];
    const program = [
      process.execPath,
      ...evaluation(
        CALLS,
        servers.map(({ url }) => url),
      ),
    ];
    const argv = [unshare ?? "-m", "sh", "-c", MOUNTED, "sh", certs, ...program];
    const ended = await run("unshare", argv);
    endedWell(ended);
    assert.deepEqual(JSON.parse(ended.stdout), ["t", "t", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"]);
    // The second one's last, and the only one of the third, are made with all that was read.
    assert.deepEqual(
      servers.map(({ made, requests }) => [made(), requests.length]),
      [
        [1, 1],
        [2, 1],
        [1, 0],
      ],
    );
  });
});
