// @ts-check
// What channels of `node:diagnostics_channel` tell.
import diagnostics from "node:diagnostics_channel";
import { showsNoCanary } from "./errors.mjs";

/**
 * What watches a channel until the test has ended: the caller calls `ends` then. None of the events
 * may show a secret.
 *
 * @param {(() => void)[]} ends
 */
export function watcher(ends) {
  /**
   * The events of a channel from now on, as they were when they came.
   *
   * @param {"issue" | "token"} kind
   * @param {(event: any) => void} [onStart]
   */
  return function watch(kind, onStart) {
    /** @type {[name: string, event: any][]} */
    const events = [];
    for (const name of ["start", "end", "error", "asyncEnd"]) {
      const channel = diagnostics.channel(`tracing:key0:${kind}:${name}`);
      const told = (/** @type {any} */ event) => {
        showsNoCanary(event);
        if (name === "start") onStart?.(event);
        events.push([name, { ...event }]);
      };
      channel.subscribe(told);
      ends.push(() => channel.unsubscribe(told));
    }
    return events;
  };
}
