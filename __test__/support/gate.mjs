// @ts-check

/**
 * A promise and what resolves it: tests wait for events, never for time.
 *
 * @template [T=void]
 */
export function gate() {
  /** @type {(value: T) => void} */
  let open = () => {};
  const opened = /** @type {Promise<T>} */ (
    new Promise((resolve) => {
      open = /** @type {any} */ (resolve);
    })
  );
  return { open, opened };
}
