// @ts-check
/** The programs of the pages, run in an app that has the packed package. */
import { transform } from "esbuild";
import { addSdk, project, write } from "./apps.mjs";
import { RSA, RSA_PUBLIC } from "./keys.mjs";
import { run } from "./process.mjs";

/** What the programs ask of their environment. */
export const ENVIRONMENT = {
  ACCESS_TOKEN_SECRET: "a secret of 32 characters or more",
  BACKEND_SECRET: "s3cr3t",
  KEY0_PRIVATE_KEY: RSA.pkcs8.replaceAll("\n", "\\n"),
  KEY0_PUBLIC_KEY: RSA_PUBLIC.spki,
  CLIENT_ID: "key0",
  CLIENT_SECRET: "s3cr3t",
};

/**
 * How a program ends, with `rest` behind it.
 *
 * @param {any} t
 * @param {string} source JavaScript or TypeScript
 */
export async function ended(t, source, rest = "") {
  const app = project(t);
  await addSdk(app, "built");
  const { code: text } = await transform(source + rest, { loader: "ts", format: "esm" });
  write(app, { "program.mjs": text });
  const env = ENVIRONMENT;
  const { code, stdout, stderr } = await run(process.execPath, ["program.mjs"], { cwd: app, env });
  return { code, stdout, stderr };
}

/** What a program says that it prints: `console.log(…); // this`. @param {string} source */
export function said(source) {
  const lines = [...source.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)];
  return lines.map(([, line]) => `${line}\n`).join("");
}
