// @ts-check
// The programs that the checks call and a bare Debian lacks, and their installation:
//
//   node scripts/system.mjs    installs what is missing where it may, and says what it cannot
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * @typedef {object} Program
 * @property {string} name
 * @property {"building" | "checking" | "some tests"} use Only the last can be done without.
 * @property {string} packages Debian's.
 * @property {() => boolean} [isThere] Where it is no file of that name on the PATH.
 */

/** @type {Program[]} */
const PROGRAMS = [
  { name: "cc", use: "building", packages: "build-essential", isThere: hasCompiler },
  { name: "cargo", use: "building", packages: "cargo-web" },
  { name: "cargo-fmt", use: "checking", packages: "rustfmt-web" },
  { name: "cargo-clippy", use: "checking", packages: "rust-web-clippy" },
  { name: "ip", use: "some tests", packages: "iproute2" },
  { name: "openssl", use: "some tests", packages: "openssl" },
  { name: "nginx", use: "some tests", packages: "nginx-light" },
  { name: "strace", use: "some tests", packages: "strace" },
  { name: "valgrind", use: "some tests", packages: "valgrind" },
  {
    name: "postgres",
    use: "some tests",
    packages: "postgresql",
    isThere: () => existsSync("/usr/lib/postgresql"),
  },
  { name: "redis-server", use: "some tests", packages: "redis-server" },
  { name: "python3", use: "some tests", packages: "python3" },
  {
    name: "python3-venv",
    use: "some tests",
    packages: "python3-venv python3-pip",
    isThere: () => spawnSync("python3", ["-c", "import ensurepip, pip"]).status === 0,
  },
];

if (process.argv[1] === fileURLToPath(import.meta.url)) bring("building", "checking", "some tests");

/**
 * Installs what is missing for these uses, as root on Debian. What stays missing is named in one
 * line; that ends the process where nothing can be done without it, and with `CI` set.
 *
 * @param {Program["use"][]} uses
 */
export function bring(...uses) {
  const missing = () =>
    PROGRAMS.filter((program) => uses.includes(program.use) && !isThere(program));
  let absent = missing();
  if (absent.length === 0) return;
  const names = () => absent.map(({ name }) => name).join(", ");
  const packages = absent.map((program) => program.packages).join(" ");
  const install = `apt-get install -q -y --no-install-recommends ${packages}`;
  if (process.getuid?.() === 0 && isFile("apt-get")) {
    console.log(`Missing: ${names()}. Installing: ${install}`);
    const options = { stdio: /** @type {const} */ ("inherit"), shell: true };
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    spawnSync(`apt-get update -q && ${install}`, { ...options, env });
    absent = missing();
    if (absent.length === 0) return;
  }
  const stops = process.env.CI || absent.some(({ use }) => use !== "some tests");
  const then = stops ? "" : " Tests that need them are skipped.";
  console.error(`Missing: ${names()}.${then} On Debian: ${install}`);
  if (stops) process.exit(1);
}

/**
 * Why tests that need these programs are skipped, or false where they are not: all are there, or
 * `CI` is set, where a test without its program fails.
 *
 * @param {string[]} names
 */
export function absence(...names) {
  if (process.env.CI) return false;
  const absent = PROGRAMS.filter((program) => names.includes(program.name) && !isThere(program));
  return absent.length > 0 && `${absent.map(({ name }) => name).join(", ")} not installed`;
}

/** @param {Program} program */
function isThere({ name, isThere }) {
  return isThere ? isThere() : isFile(name);
}

/** Windows has one of its own, elsewhere. */
function hasCompiler() {
  return process.platform === "win32" || isFile("cc");
}

/** Whether the PATH has a program. Debian has some where only root's PATH leads. @param {string} name */
function isFile(name) {
  const folders = `${process.env.PATH}${delimiter}/usr/sbin`.split(delimiter);
  const file = process.platform === "win32" ? `${name}.exe` : name;
  return folders.some((folder) => {
    try {
      accessSync(join(folder, file), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
