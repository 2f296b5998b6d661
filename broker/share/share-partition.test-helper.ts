/** A log in memory under share partitions. */
import { Errors } from "../../core/errors.ts";
import { DiskError } from "../../core/io.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import { lastOffset } from "../../core/records/batch-header.ts";
import { logBatches } from "./log-batches.ts";
import type { SharedLog } from "./share-partition.ts";

/** A log in memory of batches with so many records each. */
export class TestLog implements SharedLog {
  leaderEpoch = 0;
  logStartOffset = 0;
  bytes: Uint8Array[] = [];
  reads = 0;
  /** Whether a look for a timestamp fails. */
  fails = false;

  append(records: number): void {
    const builder = new BatchBuilder({ baseOffset: this.endOffset() });
    for (let i = 0; i < records; i++) builder.append(1_000, null, Uint8Array.of(i));
    this.bytes.push(builder.build());
  }

  endOffset(): number {
    const last = this.bytes.at(-1);
    return last === undefined ? 0 : lastOffset(last, 0) + 1;
  }

  async read(offset: number, maxBytes: number) {
    this.reads++;
    await Promise.resolve();
    if (offset < this.logStartOffset) {
      return { ok: false, error: Errors.OFFSET_OUT_OF_RANGE } as const;
    }
    const found: Uint8Array[] = [];
    let size = 0;
    for (const batch of this.bytes) {
      if (lastOffset(batch, 0) < offset) continue;
      if (found.length > 0 && size + batch.length > maxBytes) break;
      found.push(batch);
      size += batch.length;
    }
    const nextOffset = found.length === 0 ? offset : lastOffset(found.at(-1)!, 0) + 1;
    return { ok: true, records: new Uint8Array(Buffer.concat(found)), nextOffset } as const;
  }

  batches(records: Uint8Array) {
    return logBatches(records);
  }

  offsetForTimestamp(timestampMs: number): Promise<number | null> {
    if (this.fails) return Promise.reject(new DiskError("EIO", "0.log", "cannot be read"));
    return Promise.resolve(timestampMs <= 1_000 && this.endOffset() > 0 ? 0 : null);
  }
}
