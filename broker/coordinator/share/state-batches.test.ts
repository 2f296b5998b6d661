import { expect, test } from "bun:test";
import { SeededRandom } from "../coordinator.test-helper.ts";
import type { StateBatch } from "./share-records.ts";
import { combineStateBatches } from "./state-batches.ts";

const batch = (
  firstOffset: number,
  lastOffset: number,
  deliveryState: number,
  deliveryCount: number,
): StateBatch => ({ firstOffset, lastOffset, deliveryState, deliveryCount });

test("a newer batch splits an older one", () => {
  expect(combineStateBatches([batch(0, 9, 0, 1)], [batch(4, 6, 2, 2)], 0)).toEqual([
    batch(0, 3, 0, 1),
    batch(4, 6, 2, 2),
    batch(7, 9, 0, 1),
  ]);
});

test("neighbours that say the same become one", () => {
  const older = [batch(0, 3, 2, 1), batch(5, 9, 2, 1)];
  expect(combineStateBatches(older, [batch(4, 4, 2, 1)], -1)).toEqual([batch(0, 9, 2, 1)]);
});

test("what lies below the start offset goes", () => {
  expect(combineStateBatches([batch(0, 9, 0, 1)], [batch(12, 20, 4, 3)], 5)).toEqual([
    batch(5, 9, 0, 1),
    batch(12, 20, 4, 3),
  ]);
  expect(combineStateBatches([batch(0, 9, 0, 1)], [], 10)).toEqual([]);
});

/** One entry per offset, which is what batches stand for. */
function spread(batches: readonly StateBatch[], startOffset: number): string[] {
  const offsets: string[] = [];
  for (const { firstOffset, lastOffset, deliveryState, deliveryCount } of batches) {
    for (let offset = firstOffset; offset <= lastOffset; offset++) {
      if (offset >= startOffset) offsets[offset] = `${deliveryState}/${deliveryCount}`;
    }
  }
  return offsets;
}

test("any mixture is what its offsets say, in order and as short as can be", () => {
  const random = new SeededRandom(7);
  let combined: StateBatch[] = [];
  let startOffset = 0;
  let model: string[] = [];
  for (let round = 0; round < 2_000; round++) {
    const newer = Array.from({ length: 1 + random.below(3) }, () => {
      const first = startOffset + random.below(60);
      return batch(first, first + random.below(12), [0, 2, 4][random.below(3)]!, random.below(3));
    });
    if (random.below(4) === 0) startOffset += random.below(4);
    combined = combineStateBatches(combined, newer, startOffset);
    for (const each of newer) Object.assign(model, spread([each], startOffset));
    model = model.map((each, offset) => offset < startOffset ? "" : each);
    for (let offset = 0; offset < startOffset; offset++) delete model[offset];
    expect(spread(combined, 0)).toEqual(model);
    for (const [index, each] of combined.entries()) {
      const next = combined[index + 1];
      if (next === undefined) continue;
      expect(each.lastOffset).toBeLessThan(next.firstOffset);
      const touching = each.lastOffset + 1 === next.firstOffset;
      const same = each.deliveryState === next.deliveryState &&
        each.deliveryCount === next.deliveryCount;
      expect(touching && same).toBe(false);
    }
  }
});
