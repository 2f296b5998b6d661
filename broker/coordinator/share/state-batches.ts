/**
 * Lays newer state batches over older ones (Kafka's `PersisterStateBatchCombiner`): the result is
 * in the order of offsets, without overlaps, and neighbours that say the same are one.
 *
 *     older     [0 ............ 9 available 1]
 *     newer            [4 .. 6 acknowledged 2]
 *     combined  [0 . 3][4 .... 6][7 ....... 9]
 */
import type { StateBatch } from "./share-records.ts";

/**
 * `older` has to be such a result; `newer` may be in any order, and what stands later in it counts.
 * What lies below `startOffset` is left out, unless that is −1.
 */
export function combineStateBatches(
  older: readonly StateBatch[],
  newer: readonly StateBatch[],
  startOffset: number,
): StateBatch[] {
  const combined = [...older];
  for (const batch of newer) {
    if (batch.firstOffset <= batch.lastOffset) overlay(combined, batch);
  }
  return startOffset === -1 ? combined : prune(combined, startOffset);
}

/** Puts one batch over what is there. */
function overlay(batches: StateBatch[], batch: StateBatch): void {
  const from = firstEndingAt(batches, batch.firstOffset - 1);
  let to = from;
  let merged = batch;
  const kept: StateBatch[] = [];
  const behind: StateBatch[] = [];
  for (; to < batches.length; to++) {
    const each = batches[to]!;
    if (each.firstOffset > batch.lastOffset + 1) break;
    if (saysTheSame(each, batch)) {
      merged = {
        ...merged,
        firstOffset: Math.min(merged.firstOffset, each.firstOffset),
        lastOffset: Math.max(merged.lastOffset, each.lastOffset),
      };
      continue;
    }
    if (each.firstOffset < batch.firstOffset) {
      kept.push({ ...each, lastOffset: Math.min(each.lastOffset, batch.firstOffset - 1) });
    }
    if (each.lastOffset > batch.lastOffset) {
      behind.push({ ...each, firstOffset: Math.max(each.firstOffset, batch.lastOffset + 1) });
    }
  }
  batches.splice(from, to - from, ...kept, merged, ...behind);
}

function saysTheSame(a: StateBatch, b: StateBatch): boolean {
  return a.deliveryState === b.deliveryState && a.deliveryCount === b.deliveryCount;
}

/** Index of the first batch that ends at `offset` or behind it. */
function firstEndingAt(batches: readonly StateBatch[], offset: number): number {
  let low = 0;
  let high = batches.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (batches[middle]!.lastOffset < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function prune(batches: StateBatch[], startOffset: number): StateBatch[] {
  const from = firstEndingAt(batches, startOffset);
  const rest = from === 0 ? batches : batches.slice(from);
  const first = rest[0];
  if (first !== undefined && first.firstOffset < startOffset) {
    rest[0] = { ...first, firstOffset: startOffset };
  }
  return rest;
}
