// @ts-check
/** What a program is told by its environment: a missing variable ends it, at its start, by name. */

/** @param {string} name */
export function required(name) {
  const value = process.env[name];
  if (value) return value;
  console.error(`${name} is not set`);
  process.exit(1);
}

/**
 * What the variable `name` chooses.
 *
 * @template T
 * @param {Record<string, T>} choices
 * @param {string} name
 */
export function oneOf(choices, name) {
  const value = required(name);
  if (Object.hasOwn(choices, value)) return choices[value];
  console.error(`${name} must be one of ${Object.keys(choices).join(", ")}`);
  process.exit(1);
}

/** The port to listen on; 0, the default, is a free one. */
export const port = Number(process.env.PORT ?? 0);

/**
 * Says where the program listens, and ends it in good order when it is told to.
 *
 * @param {import("node:net").Server} server
 */
export function listening(server) {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  console.log(`listening on http://127.0.0.1:${port}`);
  process.once("SIGTERM", () => server.close());
}
