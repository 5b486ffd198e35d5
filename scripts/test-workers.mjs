// @ts-check
// Runs test files as `node --test` does, each in a worker thread of this process.
import { Worker } from "node:worker_threads";

let failed = 0;
let passed = 0;
for (const file of process.argv.slice(2)) {
  // It names at its end what failed.
  const execArgv = ["--test-reporter=spec"];
  const worker = new Worker(file, { stdout: true, stderr: true, execArgv });
  let said = "";
  for (const stream of [worker.stdout, worker.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
  }
  worker.on("error", (error) => {
    said += error.stack;
  });
  const code = await new Promise((resolve) => worker.once("exit", resolve));
  const pass = Number(/^ℹ pass (\d+)$/m.exec(said)?.[1] ?? 0);
  passed += pass;
  if (code === 0 && pass > 0) continue;
  failed += 1;
  console.log(`${file} ended with ${code}\n${said}`);
}
console.log(`${passed} tests passed in worker threads, ${failed} files failed`);
process.exitCode = failed > 0 ? 1 : 0;
