// @ts-check
/** `Date.now` in the hands of a test, on every runtime alike. */

/**
 * A wall clock that stands still until it is told to pass.
 *
 * @param {import("./server.mjs").Test} t
 */
export function wallClock(t) {
  const real = Date.now;
  let now = 1_700_000_000_000;
  Date.now = () => now;
  t.after(() => {
    Date.now = real;
  });
  return {
    /** Negative seconds set it back. @param {number} seconds */
    pass(seconds) {
      now += seconds * 1_000;
    },
  };
}
