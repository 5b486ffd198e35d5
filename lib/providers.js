// @ts-check
"use strict";

/**
 * What is behind the providers that are made here: an issuer asks a native strategy, and not the
 * provider, wherever that cannot be told from outside.
 *
 * @import { Auth } from "../binding"
 * @import { AuthHeaderProvider } from "../index.js"
 * @import { Route } from "./route.js"
 */

/**
 * @typedef {object} Behind
 * @property {() => Auth | undefined} strategy The native one that can stand for it now.
 * @property {Auth | undefined} asked The native one that it asks for tokens, where it does.
 * @property {Route | undefined} route Of its requests, where it makes any.
 */

/** @type {WeakMap<Function, Behind>} */
const behind = new WeakMap();

/**
 * @template {AuthHeaderProvider} T
 * @param {T} headers
 * @param {() => Auth | undefined} strategy
 * @param {Auth} [asked]
 * @param {Route} [route]
 */
function provider(headers, strategy, asked, route) {
  behind.set(headers, { strategy, asked, route });
  return headers;
}

/**
 * The strategy that stands for `auth` at this call, if any.
 * @param {AuthHeaderProvider} auth
 */
function strategyOf(auth) {
  try {
    return behind.get(auth)?.strategy();
  } catch {
    // A getter of the issuer threw: `auth` meets it again, and reports it.
    return undefined;
  }
}

/**
 * The strategy whose tokens `auth` gives, if any.
 * @param {AuthHeaderProvider} auth
 */
function askedBy(auth) {
  return behind.get(auth)?.asked;
}

/** @param {AuthHeaderProvider} auth */
function tokenRouteOf(auth) {
  return behind.get(auth)?.route;
}

module.exports = { askedBy, provider, strategyOf, tokenRouteOf };
