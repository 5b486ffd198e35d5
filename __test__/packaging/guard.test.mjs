// @ts-check
/** What the guard of `bench/` makes of callgrind's files, and when it fails. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ownInstructions } from "../../bench/guard/callgrind.mjs";
import { compared } from "../../bench/guard/compared.mjs";

const CALLGRIND = `version: 1
positions: line
events: Ir

ob=(1) /usr/bin/node
fl=(1) ???
fn=(1) node::Start
0 500
cob=(2) /app/addon.node
cfn=(2)
calls=3 0
0 9000

ob=(2)
fn=(2) 0x00012345
0 40
+3 2
cob=(3) /lib/libc.so.6
cfn=(3) malloc
calls=2 0
0 700
* 5

ob=(1)
fn=(1)
0 1000

ob=(2)
fn=(4) 0x00023456
-2 100

totals: 1647
`;

describe("the instructions of a binary", () => {
  it("are its own, without those of what it calls", () => {
    assert.equal(ownInstructions(CALLGRIND, "addon.node"), 40 + 2 + 5 + 100);
  });

  it("are none of a binary that was not called", () => {
    assert.equal(ownInstructions(CALLGRIND, "other.node"), 0);
  });
});

describe("a work beside what it cost", () => {
  const isDearer = (/** @type {number} */ count) =>
    compared("instructions", { header: 1000 }, { header: count }, 0.03)[0].isDearer;

  it("may cost as much more as the tolerance says, and less by any amount", () => {
    assert.deepEqual([1, 1000, 1030].map(isDearer), [false, false, false]);
  });

  it("is dearer above that", () => {
    assert.deepEqual([1031, 2000].map(isDearer), [true, true]);
  });

  it("may have part of a call more, however few calls there were", () => {
    const isDearer = (/** @type {number} */ count) =>
      compared("system calls", { wakes: 0.1 }, { wakes: count }, 0.4, 0.3)[0].isDearer;
    assert.deepEqual([0.22, 0.4, 0.41, 1].map(isDearer), [false, false, true, true]);
  });

  it("is dearer where nothing is kept of it", () => {
    assert.equal(compared("instructions", {}, { header: 1 }, 0.03)[0].isDearer, true);
  });

  it("is told in a line", () => {
    const [{ line }] = compared("instructions", { header: 1000 }, { header: 1100 }, 0.03);
    assert.equal(line, "DEARER header: 1100 instructions, 1000 kept (10.0 %, 1030 allowed)");
  });
});
