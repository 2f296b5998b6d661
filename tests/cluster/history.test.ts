/** Both checkers see what must not be, and nothing else. */
import { expect, test } from "bun:test";
import { linearizabilityProblem, type Operation, problemsOf } from "./history.ts";

let time = 0;
/** Instants that do not touch. */
const tick = () => time += 2;
const append = (
  value: string,
  offset: number | null,
  callNs = tick(),
  returnNs: number | null = offset === null ? null : tick(),
): Operation => ({ type: "append", process: 1, partition: 0, value, offset, callNs, returnNs });
const read = (value: string, offset: number, callNs = tick()): Operation => ({
  type: "read",
  process: 2,
  partition: 0,
  value,
  offset,
  callNs,
  returnNs: callNs + 1,
});
const final = (count: number, callNs = tick()): Operation => ({
  type: "final",
  process: 3,
  partition: 0,
  count,
  callNs,
  returnNs: callNs + 1,
});

const SOUND: Operation[] = [
  append("a", 0),
  append("b", 3, 10, 40),
  append("c", 2, 11, 39),
  append("unknown and there", null, 12),
  append("unknown and not there", null, 13),
  ...(time = 50,
    [read("a", 0), read("unknown and there", 1), read("c", 2), read("b", 3), final(4)]),
];

const BROKEN: [string, Operation[]][] = [
  ["lost", [append("a", 0), append("b", 1), read("a", 0), final(1)]],
  ["another value", [append("a", 0), append("b", 1), read("b", 0), read("b", 1)]],
  ["never appended", [append("a", 0), read("a", 0), read("x", 1), final(2)]],
  ["twice", [append("a", 0), read("a", 0), read("a", 1), final(2)]],
  ["out of order", [append("b", 1), append("a", 0), read("a", 0), read("b", 1), final(2)]],
  ["vanished", [append("a", 0), append("u", null), read("a", 0), read("u", 1), final(1)]],
];

test("a sound history is found sound", async () => {
  expect(problemsOf(SOUND)).toEqual([]);
  expect(await linearizabilityProblem(SOUND)).toBeNull();
});

for (const [name, history] of BROKEN) {
  test(`a broken history is found broken: ${name}`, async () => {
    expect(problemsOf(history)).not.toEqual([]);
    expect(await linearizabilityProblem(history)).not.toBeNull();
  });
}
