/** Batches of the log as share groups see them, and the part of a read that a member is sent. */
import {
  baseOffset,
  forEachBatch,
  isControl,
  isTransactional,
  lastOffset,
  producerId,
} from "../../core/records/batch-header.ts";
import type { LogBatch } from "./acquire.ts";
import type { AcquiredRange } from "./delivery-window.ts";

/** A transaction that was aborted: where its first record is. */
export interface Aborted {
  readonly producerId: number;
  readonly firstOffset: number;
}

/**
 * The batches of a read. With `aborted`, the transactions that were aborted within it, their records
 * are not for delivery, as consumers that read what is committed would leave them out; nor are
 * control batches.
 */
export function logBatches(records: Uint8Array, aborted: readonly Aborted[] = []): LogBatch[] {
  const batches: LogBatch[] = [];
  const pending = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  const aborting = new Set<number>();
  let next = 0;
  forEachBatch(records, (position) => {
    const batch = {
      firstOffset: baseOffset(records, position),
      lastOffset: lastOffset(records, position),
    };
    while (next < pending.length && pending[next]!.firstOffset <= batch.lastOffset) {
      aborting.add(pending[next++]!.producerId);
    }
    const producer = producerId(records, position);
    const isMarker = isControl(records, position);
    const isAborted = isTransactional(records, position) && aborting.has(producer);
    batches.push({ ...batch, isDelivered: !isMarker && !isAborted });
    // The marker ends the transaction; what the producer sends behind it belongs to another.
    if (isMarker) aborting.delete(producer);
  });
  return batches;
}

/** The batches from the first to the last that hold acquired records. */
export function sliceAcquired(
  records: Uint8Array,
  acquired: readonly AcquiredRange[],
): Uint8Array {
  const first = acquired[0]?.firstOffset ?? Infinity;
  const last = acquired.at(-1)?.lastOffset ?? -1;
  let from = -1;
  let to = 0;
  forEachBatch(records, (position, sizeBytes) => {
    if (lastOffset(records, position) < first || baseOffset(records, position) > last) return;
    if (from < 0) from = position;
    to = position + sizeBytes;
  });
  return from < 0 ? records.subarray(0, 0) : records.subarray(from, to);
}
