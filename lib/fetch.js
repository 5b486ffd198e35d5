// @ts-check
"use strict";

/**
 * Sends the requests of a call by a `fetch`, in the caller's async context. What is asked, how long
 * it may take and what an answer means is the core's: this gives shape.
 *
 * @import { Call, HeadRecord, RequestRecord, ThwartedRecord } from "../binding"
 * @import { Sender } from "./route.js"
 */

const { nameAndMessage } = require("./errors.js");
const { mostToRead } = require("./load.js");

/**
 * Sends requests until the call is over.
 *
 * @param {Call} call
 * @param {Sender} sender
 * @param {unknown} url As the caller wrote it, which a mock may compare.
 * @param {(string | undefined)[] | undefined} environment
 * @param {{ thrown?: unknown }} keeper Keeps what `fetch` threw.
 */
async function send(call, sender, url, environment, keeper) {
  const next = async () => ((await call.next(environment)) === "" ? null : call.request());
  for (let request = await next(); request !== null; ) {
    const controller = new AbortController();
    // Not awaited: the call may be over before, at its deadline.
    sendOne(call, sender, request, url, controller.signal, keeper);
    request = await next();
    // What has its answer does not notice.
    controller.abort();
  }
}

/**
 * @param {Call} call
 * @param {Sender} sender
 * @param {RequestRecord} request
 * @param {unknown} given
 * @param {AbortSignal} signal
 * @param {{ thrown?: unknown }} keeper
 */
async function sendOne(call, { fetch, isCallers }, request, given, signal, keeper) {
  /** @param {any} error @param {boolean} hasAnswer */
  const thwarted = (error, hasAnswer) => {
    keeper.thrown = error;
    return { ...facts(error), isCallers, hasAnswer };
  };
  const { method, headers, body } = request;
  const url = request.url === `${given}/` ? String(given) : request.url;
  /** @type {RequestInit} */
  const init = { method, headers: pairs(headers), signal, redirect: "manual" };
  if (method !== "GET") init.body = body;
  let response;
  try {
    response = await fetch.call(undefined, url, init);
    if (typeof response !== "object" || response === null) {
      throw new TypeError("fetch gave no response");
    }
  } catch (error) {
    call.thwarted(thwarted(error, false));
    return;
  }
  /** @type {Uint8Array[]} */
  const parts = [];
  let head = { status: 0, contentType: "" };
  try {
    head = headOf(response);
    await read(response, mostToRead(head), parts);
    call.answered(head, Buffer.concat(parts), undefined);
  } catch (error) {
    call.answered(head, Buffer.concat(parts), thwarted(error, true));
  }
}

/**
 * Mocks may leave out what the SDK does not look at.
 * @param {any} response
 * @returns {HeadRecord}
 */
function headOf({ status, ok, headers }) {
  const line = (/** @type {string} */ name) => {
    const value = typeof headers?.get === "function" ? headers.get(name) : headers?.[name];
    return value === undefined || value === null ? undefined : String(value);
  };
  return {
    status: typeof status === "number" ? status : ok ? 200 : 500,
    location: line("location"),
    contentType: line("content-type") ?? "",
    retryAfter: line("retry-after"),
  };
}

/**
 * Puts the body into `parts`, up to the first byte beyond the limit.
 *
 * @param {any} response
 * @param {number} limit
 * @param {Uint8Array[]} parts
 */
async function read(response, limit, parts) {
  const { body } = response;
  if (limit === 0) {
    // Not awaited: how a redirect's body ends is nothing to its call.
    cancel(body);
    return;
  }
  if (body === null) return;
  if (typeof body?.[Symbol.asyncIterator] !== "function" && !body?.getReader) {
    // A mock: the SDK reads JSON where all is well.
    const isRead = response.ok && typeof response.json === "function";
    const text = isRead ? JSON.stringify(await response.json()) : await response.text?.();
    parts.push(Buffer.from(String(text ?? "")));
    return;
  }
  let length = 0;
  for await (const chunk of pieces(body)) {
    const part = Buffer.from(chunk);
    parts.push(part);
    length += part.length;
    if (length > limit) return;
  }
}

/** The pieces of a stream; one that is left ends. @param {any} body */
async function* pieces(body) {
  if (!body.getReader) {
    yield* body;
    return;
  }
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // An error is that of the read, too.
    cancel(reader);
  }
}

/** Ends a stream, or what reads it. @param {any} stream */
async function cancel(stream) {
  try {
    await stream?.cancel?.();
  } catch {
    // It has ended.
  }
}

/** What an error of `fetch` says of itself. @param {any} error */
function facts(error) {
  const cause = fieldOf(error, "cause") ?? {};
  const inner = fieldOf(cause, "errors")?.[0] ?? cause;
  const [code, syscall, hostname, address] = ["code", "syscall", "hostname", "address"].map(
    (field) => [cause, inner, error].map((it) => fieldOf(it, field)).find(isText),
  );
  const port = [cause, inner].map((it) => fieldOf(it, "port")).find(Number.isInteger);
  const [name, message] = nameAndMessage(error);
  const [, detail] = nameAndMessage(cause);
  return { name, message, detail, code, syscall, hostname, address, port };
}

/** @param {any} value @param {string} field */
function fieldOf(value, field) {
  try {
    return value?.[field];
  } catch {
    return undefined;
  }
}

/** @param {unknown} value */
function isText(value) {
  return typeof value === "string";
}

/** @param {string[]} flat */
function pairs(flat) {
  /** @type {Record<string, string>} */
  const headers = {};
  for (let i = 0; i < flat.length; i += 2) headers[flat[i]] = flat[i + 1];
  return headers;
}

module.exports = { send };
