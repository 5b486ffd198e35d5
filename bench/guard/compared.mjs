// @ts-check

/**
 * What each work costs beside what it did: dearer by more than `tolerance` of that and by more than
 * `spare`, or not.
 *
 * @param {string} unit
 * @param {Record<string, number>} kept
 * @param {Record<string, number>} counted
 * @param {number} tolerance
 * @param {number} [spare] So many more are nothing, however few there were.
 */
export function compared(unit, kept, counted, tolerance, spare = 0) {
  return Object.entries(counted).map(([work, count]) => {
    const before = kept[work];
    const most = before + Math.max(before * tolerance, spare);
    // One of which nothing is kept is dearer, too.
    const isDearer = !(count <= most);
    const change = ((count / before - 1) * 100).toFixed(1);
    const allowed = `${change} %, ${Number(most.toPrecision(5))} allowed`;
    const line = `${isDearer ? "DEARER" : "ok    "} ${work}: ${count} ${unit}, ${before} kept (${allowed})`;
    return { work, isDearer, line };
  });
}
