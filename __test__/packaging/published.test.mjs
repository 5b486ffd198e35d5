// @ts-check
/** The packed package as the tools of others see it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { packedPackage, project, write } from "../support/apps.mjs";
import { run } from "../support/process.mjs";

const require = createRequire(import.meta.url);
const { project: installed, tarball } = packedPackage();
const folder = join(installed, "node_modules/@key0ai/native");

/** The command of a package. @param {string} name @param {string} command */
function program(name, command) {
  let manifest = "";
  for (const modules of require.resolve.paths(name) ?? []) {
    try {
      manifest = readFileSync(join(modules, name, "package.json"), "utf8");
      return join(modules, name, JSON.parse(manifest).bin[command]);
    } catch {}
  }
  assert.fail(`${name} is not installed`);
}

describe("the packed package", () => {
  it("has nothing that publint --strict says something about", async () => {
    const { messages, pkg } = await publint({ pkgDir: folder, strict: true, pack: false });
    const said = messages.map((message) => formatMessage(message, pkg, { color: false }));
    assert.deepEqual(said, []);
  });

  it("has types that are right for each way to resolve them", async () => {
    const attw = program("@arethetypeswrong/cli", "attw");
    const ended = await run(process.execPath, [attw, tarball, "--format", "json"]);
    const { analysis } = JSON.parse(ended.stdout);
    assert.deepEqual([analysis.types.kind, analysis.problems], ["included", []]);
    assert.deepEqual(Object.keys(analysis.entrypoints).sort(), [".", "./key0", "./package.json"]);
    assert.equal(ended.code, 0, ended.stdout);
  });
});

/** What a project writes whose types others see: each export has its type (isolatedDeclarations). */
const LIBRARY = `
  import {
    AccessTokenIssuer, createRemoteTokenIssuer, Key0Error, noAuth, oauthClientCredentialsAuth,
    setKey0ErrorClass, sharedSecretAuth, signedJwtAuth, validateKey0Token, validateToken,
    type AccessTokenIssuerConfig, type AccessTokenPayload, type AuthHeaderProvider,
    type IssueTokenParams, type Key0ErrorCode, type OAuthClientCredentialsConfig,
    type RemoteTokenIssuerConfig, type TokenClaims, type TokenIssuanceResult, type TokenResult,
    type ValidateAccessTokenConfig, type ValidatorAccessTokenPayload, type ValidatorConfig,
  } from "@key0ai/native";
  export * as key0 from "@key0ai/native";

  export class SellerIssuer extends AccessTokenIssuer {}
  export const issuer: AccessTokenIssuer = new SellerIssuer({ secret: "s" });
  export const strategies: AuthHeaderProvider[] = [
    noAuth(), sharedSecretAuth("X-A", "s"), signedJwtAuth(issuer, "b", 30),
    oauthClientCredentialsAuth({ tokenUrl: "https://t", clientId: "c", clientSecret: "s" }),
  ];
  export const issue: (params: IssueTokenParams) => Promise<TokenIssuanceResult> =
    createRemoteTokenIssuer({ url: new URL("https://b"), timeoutMs: 5, auth: strategies[0]! });
  export async function subject(header: string | null): Promise<string> {
    const payload: ValidatorAccessTokenPayload = await validateKey0Token(header, { secret: "s" });
    const again: AccessTokenPayload = await validateToken(header, { secret: "s" });
    return payload.sub + again.jti;
  }
  export function codeOf(error: unknown): Key0ErrorCode | undefined {
    if (!(error instanceof Key0Error)) return undefined;
    return error.cause?.sent === false ? "TOKEN_ISSUE_FAILED" : error.code;
  }
  export type Configs = [AccessTokenIssuerConfig, OAuthClientCredentialsConfig,
    RemoteTokenIssuerConfig, TokenClaims, TokenResult, ValidateAccessTokenConfig, ValidatorConfig];
  // @ts-expect-error: a number is no secret
  sharedSecretAuth("X-A", 1);
  // @ts-expect-error: the class, not an error
  setKey0ErrorClass(new Key0Error("INTERNAL_ERROR", "m"));
`;

const STRICT = {
  target: "es2022",
  lib: ["es2022", "dom"],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  isolatedDeclarations: true,
  declaration: true,
  outDir: "out",
  skipLibCheck: false,
  types: [],
};

/** TypeScript 7 has no `node10` any more: it is asked of the last one that has. */
const RESOLUTIONS = [
  { name: "nodenext, as ESM", type: "module", module: "nodenext", moduleResolution: "nodenext" },
  { name: "nodenext, as CommonJS", module: "nodenext", moduleResolution: "nodenext" },
  { name: "bundler", type: "module", module: "esnext", moduleResolution: "bundler" },
  { name: "node10", compiler: "typescript-5", module: "commonjs", moduleResolution: "node10" },
];

describe("a strict project in TypeScript", () => {
  for (const { name, type, compiler = "typescript", ...options } of RESOLUTIONS) {
    it(`compiles with moduleResolution ${name}`, async (t) => {
      const app = project(t);
      write(app, {
        "package.json": JSON.stringify({ private: true, ...(type ? { type } : {}) }),
        "library.ts": LIBRARY,
        "key0.ts": 'export { noAuth, Key0Error } from "@key0ai/native/key0";',
        "node_modules/@key0ai/key0/package.json": '{"name":"@key0ai/key0","main":"index.js"}',
        "node_modules/@key0ai/key0/index.d.ts": "export class Key0Error extends Error {}",
        "tsconfig.json": JSON.stringify({ compilerOptions: { ...STRICT, ...options } }),
      });
      const manifest = require.resolve(`${compiler}/package.json`);
      const tsc = join(dirname(manifest), require(manifest).bin.tsc);
      const { code, stdout } = await run(process.execPath, [tsc, "-p", app]);
      assert.deepEqual({ code, stdout }, { code: 0, stdout: "" });
    });
  }
});
