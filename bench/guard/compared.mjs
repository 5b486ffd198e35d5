// @ts-check

/**
 * What each work costs beside what it did: dearer by more than `tolerance` of that, or not.
 *
 * @param {string} unit
 * @param {Record<string, number>} kept
 * @param {Record<string, number>} counted
 * @param {number} tolerance
 */
export function compared(unit, kept, counted, tolerance) {
  return Object.entries(counted).map(([work, count]) => {
    const before = kept[work];
    // One of which nothing is kept is dearer, too.
    const isDearer = !(count <= before * (1 + tolerance));
    const change = ((count / before - 1) * 100).toFixed(1);
    const allowed = `${change} %, ${tolerance * 100} allowed`;
    const line = `${isDearer ? "DEARER" : "ok    "} ${work}: ${count} ${unit}, ${before} kept (${allowed})`;
    return { work, isDearer, line };
  });
}
