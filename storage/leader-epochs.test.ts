import { expect, test } from "bun:test";
import { LeaderEpochs } from "./leader-epochs.ts";

test("epochs begin once, and end where the next one begins", () => {
  const epochs = new LeaderEpochs([]);
  expect([epochs.assign(0, 0), epochs.assign(0, 5), epochs.assign(2, 9)]).toEqual([
    true,
    false,
    true,
  ]);
  expect(epochs.endOffsetFor(0, 12)).toEqual({ leaderEpoch: 0, endOffset: 9 });
  expect(epochs.endOffsetFor(1, 12)).toEqual({ leaderEpoch: 0, endOffset: 9 });
  expect(epochs.endOffsetFor(2, 12)).toEqual({ leaderEpoch: 2, endOffset: 12 });
  expect(epochs.endOffsetFor(3, 12)).toEqual({ leaderEpoch: -1, endOffset: -1 });
});

test("an epoch in which nothing was written gives way, to a later one and to an earlier one", () => {
  const epochs = new LeaderEpochs([{ epoch: 1, startOffset: 0 }]);
  expect(epochs.assign(3, 7)).toBe(true);
  expect(epochs.assign(4, 7)).toBe(true);
  expect(epochs.entries).toEqual([{ epoch: 1, startOffset: 0 }, { epoch: 4, startOffset: 7 }]);
  // Elected, and deposed without a record: the new leader's are of an epoch before that.
  expect(epochs.assign(2, 7)).toBe(true);
  expect(epochs.entries).toEqual([{ epoch: 1, startOffset: 0 }, { epoch: 2, startOffset: 7 }]);
});

test("an epoch that goes on after one without records began where it began", () => {
  const epochs = new LeaderEpochs([{ epoch: 0, startOffset: 0 }, { epoch: 1, startOffset: 2 }]);
  epochs.assign(5, 6);
  expect(epochs.assign(1, 6)).toBe(true);
  expect(epochs.entries).toEqual([{ epoch: 0, startOffset: 0 }, { epoch: 1, startOffset: 2 }]);
});
