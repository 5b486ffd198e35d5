// @ts-check
/** Tests that call programs of the system, skipped where those are missing. */
import { it } from "node:test";
import { absence } from "../../scripts/system.mjs";

/**
 * `it`, for tests that need these programs: without them each is skipped, and says why.
 *
 * @param {string[]} programs
 * @returns {typeof it}
 */
export function needing(...programs) {
  const skip = absence(...programs);
  return skip ? /** @type {any} */ ((/** @type {string} */ name) => it(name, { skip })) : it;
}
