// @ts-check

/**
 * The instructions in one binary that a file of callgrind has, without those of what it called
 * elsewhere.
 *
 * @param {string} text
 * @param {string} binary the end of its path
 */
export function ownInstructions(text, binary) {
  /** Names are written once, then by number. @type {Map<string, string>} */
  const objects = new Map();
  let [sum, isOwn, isCall] = [0, false, false];
  for (const line of text.split("\n")) {
    const [, called, number, name] = /^(c?)ob=\((\d+)\)(?: (.*))?$/.exec(line) ?? [];
    if (number !== undefined) {
      if (name) objects.set(number, name);
      if (!called) isOwn = Boolean(objects.get(number)?.endsWith(binary));
    } else if (line.startsWith("calls=")) {
      isCall = true;
    } else if (/^[+\-*\d]/.test(line)) {
      // The line behind `calls=` is what the called one cost.
      if (isOwn && !isCall) sum += Number(line.split(" ")[1] ?? 0);
      isCall = false;
    }
  }
  return sum;
}
