// @ts-check
// Processes that are spoken to by lines: each line of JSON that one gets is answered by one.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** The longest that one line may take. */
const PATIENCE_MS = 180_000;

/** A process of which one line after the other is asked. */
export class Child {
  #process;
  #lines;
  #errors = "";

  /** @param {string[]} command @param {NodeJS.ProcessEnv} [env] */
  constructor([program, ...args], env = process.env) {
    this.#process = spawn(program, args, { env, stdio: ["pipe", "pipe", "pipe"] });
    this.#process.stderr.on("data", (part) => {
      this.#errors += part;
    });
    // Where it has ended nobody reads.
    this.#process.stdin.on("error", () => {});
    this.#process.on("error", (error) => {
      this.#errors += error.message;
    });
    this.#lines = createInterface(this.#process.stdout)[Symbol.asyncIterator]();
  }

  /** What it says next. @returns {Promise<any>} */
  async next() {
    const late = setTimeout(() => this.#process.kill("SIGKILL"), PATIENCE_MS);
    const { value, done } = await this.#lines.next();
    clearTimeout(late);
    if (done) throw new Error(this.#errors.trim().split("\n").slice(-12).join("\n") || "it ended");
    const answer = JSON.parse(value);
    if (answer.failed) throw new Error(answer.failed);
    return answer;
  }

  /** What it answers. @param {object | string} line */
  ask(line) {
    this.#process.stdin.write(`${typeof line === "string" ? line : JSON.stringify(line)}\n`);
    return this.next();
  }

  async end() {
    const { exitCode, signalCode, pid } = this.#process;
    if (exitCode !== null || signalCode !== null || pid === undefined) return;
    const ended = once(this.#process, "exit");
    this.#process.stdin.end();
    const late = setTimeout(() => this.#process.kill("SIGKILL"), 5_000);
    await ended;
    clearTimeout(late);
  }
}
