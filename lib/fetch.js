// @ts-check
"use strict";

/**
 * Sends a request of a call by a `fetch`, in the caller's async context. What is asked, how long
 * it may take and what an answer means is the core's: this gives shape.
 *
 * @import { HeadRecord, Outgoing, RequestRecord } from "../binding"
 * @import { Sender } from "./route.js"
 */

const { nameAndMessage } = require("./errors.js");
const { mostToRead } = require("./load.js");

/**
 * By whom, and for whom.
 *
 * @typedef {object} Sending
 * @property {Sender} sender
 * @property {unknown} url As the caller wrote it, which a mock may compare.
 * @property {{ thrown?: unknown }} keeper Keeps what `fetch` threw.
 */

/**
 * @param {Outgoing} outgoing
 * @param {Sending} sending
 */
async function send(outgoing, { sender: { fetch, isCallers }, url: given, keeper }) {
  const { signal } = leaving(outgoing);
  /** @param {any} error @param {boolean} hasAnswer */
  const thwarted = (error, hasAnswer) => {
    keeper.thrown = error;
    return { ...facts(error), isCallers, hasAnswer };
  };
  const request = /** @type {RequestRecord} */ (outgoing.request());
  const { method, headers, body } = request;
  const url = request.url === `${given}/` ? String(given) : request.url;
  /** @type {RequestInit} */
  const init = { method, headers: headersOf(headers), signal, redirect: "manual" };
  if (method !== "GET") init.body = body;
  let response;
  try {
    response = await fetch.call(undefined, url, init);
    if (typeof response !== "object" || response === null) {
      throw new TypeError("fetch gave no response");
    }
  } catch (error) {
    outgoing.thwarted(thwarted(error, false));
    return;
  }
  /** @type {Uint8Array[]} */
  const parts = [];
  let head = { status: 0, contentType: "" };
  try {
    head = headOf(response);
    await read(response, mostToRead(head), parts);
    outgoing.answered(head, Buffer.concat(parts), undefined);
  } catch (error) {
    outgoing.answered(head, Buffer.concat(parts), thwarted(error, true));
  }
}

/** Aborts once nobody waits: what has its answer does not notice. @param {Outgoing} outgoing */
function leaving(outgoing) {
  const controller = new AbortController();
  const left = async () => {
    await outgoing.left();
    controller.abort();
  };
  left();
  return controller;
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
function headersOf(flat) {
  /** @type {Record<string, string>} */
  const headers = {};
  for (let i = 0; i < flat.length; i += 2) headers[flat[i]] = flat[i + 1];
  return headers;
}

module.exports = { send };
