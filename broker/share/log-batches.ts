/** Batches of the log as share groups see them, and the part of a read that a member is sent. */
import { forEachBatch, isControl, lastOffset } from "../../core/records/batch-header.ts";
import { baseOffset } from "../../core/records/batch-header.ts";
import type { LogBatch } from "./acquire.ts";
import type { AcquiredRange } from "./delivery-window.ts";

/** The batches of a read; `isAborted` says which belong to aborted transactions. */
export function logBatches(
  records: Uint8Array,
  isAborted: (position: number) => boolean = () => false,
): LogBatch[] {
  const batches: LogBatch[] = [];
  forEachBatch(records, (position) => {
    batches.push({
      firstOffset: baseOffset(records, position),
      lastOffset: lastOffset(records, position),
      isDelivered: !isControl(records, position) && !isAborted(position),
    });
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
