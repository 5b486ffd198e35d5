// @ts-check
/** The SDK of OpenTelemetry: the active span's `traceparent` goes out with both requests. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { installed } from "../../scripts/tools.mjs";
import { GRANT } from "../support/oauth-server.mjs";
import { endedWell, runScript } from "../support/process.mjs";
import { httpServer, reply } from "../support/server.mjs";

const PACKAGES = {
  "@opentelemetry/api": "^1.9",
  "@opentelemetry/sdk-trace-base": "^2.1",
  "@opentelemetry/sdk-trace-node": "^2.1",
};

const SOURCE = `
  import { createRequire } from "node:module";
  import diagnostics from "node:diagnostics_channel";
  import { createRemoteTokenIssuer, oauthClientCredentialsAuth } from "./index.mjs";
  const [, packages, url, tokenUrl, watched] = process.argv;
  const require = createRequire(packages);
  const { context, trace } = require("@opentelemetry/api");
  const { InMemorySpanExporter, SimpleSpanProcessor } = require("@opentelemetry/sdk-trace-base");
  const { NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");
  const exporter = new InMemorySpanExporter();
  new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
  const tracer = trace.getTracer("test");
  if (watched) {
    // A span for each, as docs/observability.md makes it.
    for (const kind of ["issue", "token"]) {
      const spans = new WeakMap();
      const start = diagnostics.channel("tracing:key0:" + kind + ":start");
      start.bindStore(context._getContextManager()._asyncLocalStorage, (event) => {
        const span = tracer.startSpan("key0 " + kind);
        spans.set(event, span);
        return trace.setSpan(context.active(), span);
      });
      diagnostics.channel("tracing:key0:" + kind + ":asyncEnd").subscribe((event) => {
        spans.get(event).end();
      });
    }
  }
  const auth = oauthClientCredentialsAuth({ tokenUrl, clientId: "id", clientSecret: "s" });
  const issue = createRemoteTokenIssuer({ url, auth });
  await tracer.startActiveSpan("payment", async (span) => {
    await issue({});
    span.end();
  });
  const told = (span) =>
    ({ name: span.name, id: span.spanContext().spanId, trace: span.spanContext().traceId, parent: span.parentSpanContext?.spanId });
  console.log(JSON.stringify(exporter.getFinishedSpans().map(told)));
  process.exit(0);
`;

for (const watched of [false, true]) {
  it(`spans ${watched ? "of a subscriber's" : "of the caller's"} are the requests' parents`, async (t) => {
    const backend = await httpServer(t);
    const idp = await httpServer(t, (_, response) => reply(response, GRANT));
    const packages = join(installed("opentelemetry", PACKAGES), "package.json");
    const args = [packages, backend.url, idp.url, ...(watched ? ["watched"] : [])];
    const ended = await runScript(SOURCE, { args });
    endedWell(ended);
    const spans = JSON.parse(ended.stdout);
    /** @param {string} name */
    const named = (name) => spans.find((/** @type {any} */ span) => span.name === name);
    const payment = named("payment");
    const [issue, token] = watched
      ? [named("key0 issue"), named("key0 token")]
      : [payment, payment];
    const parent = (/** @type {any} */ { trace, id }) => `00-${trace}-${id}-01`;
    assert.equal(backend.requests[0].headers.traceparent, parent(issue));
    assert.equal(idp.requests[0].headers.traceparent, parent(token));
    if (watched) assert.deepEqual([issue.parent, token.parent], [payment.id, issue.id]);
  });
}
