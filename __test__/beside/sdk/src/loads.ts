const LOADS: unique symbol = Symbol.for("stand-in loads") as never;

/** Counts how often the package was loaded in this process: a second copy would be seen. */
export function counted(): void {
  const all = globalThis as { [LOADS]?: number };
  all[LOADS] = (all[LOADS] ?? 0) + 1;
}
