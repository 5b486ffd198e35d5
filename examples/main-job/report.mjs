// @ts-check
// How the example talks to a person.

/** @param {string} text */
export function heading(text) {
  console.log(process.stdout.isTTY ? `\n\x1b[1m${text}\x1b[22m\n` : `\n${text}\n`);
}

/**
 * Columns as wide as they need to be, the last one, a time, to the right; below each row its note.
 *
 * @param {string[]} head
 * @param {string[][]} rows
 * @param {string[]} [notes]
 */
export function table(head, rows, notes = []) {
  const widths = head.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => row[i].length)),
  );
  /** @param {string[]} row */
  const print = (row) => {
    const time = row.length - 1;
    const cells = row.map((cell, i) => cell[i === time ? "padStart" : "padEnd"](widths[i]));
    console.log(`  ${cells.join("  ")}`);
  };
  print(head);
  print(widths.map((width) => "─".repeat(width)));
  rows.forEach((row, i) => {
    print(row);
    if (notes[i]) console.log(`    ${notes[i]}`);
  });
}

/** The scheme and the first four characters of a secret. @param {string} value */
export function masked(value) {
  const [, scheme, secret] = /** @type {RegExpExecArray} */ (/^(Bearer )?(.*)$/s.exec(value));
  return `${scheme ?? ""}${secret.slice(0, 4)}••••`;
}

/** @param {number} ms */
export const milliseconds = (ms) => `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
