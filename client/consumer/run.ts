/** Handlers for records and batches: partitions side by side, each in its order. */
import type { ConsumerRecord } from "./chunk.ts";
import type { Fetcher, Lease } from "./fetcher.ts";
import type { PartitionPosition } from "./options.ts";
import type { RecordReader } from "./record-reader.ts";

/** Some records of one partition, in order. */
export interface RecordBatch<K, V> {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly ConsumerRecord<K, V>[];
  /** End of what consumers could see when this was fetched. */
  readonly highWatermark: bigint;
  /**
   * Under which leader the last of them were written, −1 if that is not known: to be committed with an
   * offset behind them, so that nobody goes on with a leader from before (KIP-320).
   */
  readonly leaderEpoch: number;
}

/** What a handler may do besides. */
export interface HandlerContext {
  /** Aborted when `run` is to end. */
  readonly signal: AbortSignal;
}

/** What is done with records: one of the two. */
export type RecordHandler<K, V> =
  | { eachRecord(record: ConsumerRecord<K, V>, context: HandlerContext): void | Promise<void> }
  | { eachBatch(batch: RecordBatch<K, V>, context: HandlerContext): void | Promise<void> };

/** Settings of `Consumer.run`. */
export interface RunOptions {
  /** How many partitions are worked on at the same time. Default 1. */
  readonly concurrency?: number;
  /** At most so many records in a batch. Default 500. */
  readonly batchRecords?: number;
  /** `batch` commits after each batch, or each fetched chunk of records. Default `none`. */
  readonly commit?: "none" | "batch";
  /** Ends it once the handlers at work are done. */
  readonly signal?: AbortSignal;
}

/** What `runHandlers` works with. */
export interface RunParts<K, V> {
  readonly fetcher: Fetcher;
  readonly reader: RecordReader<K, V>;
  commit(offsets: readonly PartitionPosition[]): Promise<void>;
}

/** Until the signal or the consumer's end; rejects with what a handler threw or reading failed of. */
export async function runHandlers<K, V>(
  parts: RunParts<K, V>,
  handler: RecordHandler<K, V>,
  options: RunOptions,
): Promise<void> {
  const failed = new AbortController();
  const signals = options.signal === undefined ? [] : [options.signal];
  const signal = AbortSignal.any([failed.signal, ...signals]);
  const worker = async () => {
    try {
      for (;;) {
        const lease = await leaseOrEnd(parts.fetcher, signal);
        if (lease === null) return;
        try {
          await work(parts, handler, options, lease, signal);
        } finally {
          lease.release();
        }
      }
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  };
  const workers = Array.from({ length: Math.max(1, options.concurrency ?? 1) }, worker);
  const results = await Promise.allSettled(workers);
  const first = results.find((result) => result.status === "rejected");
  // The first to fail has told the others, which end in good order.
  if (first !== undefined) throw failed.signal.reason;
}

async function leaseOrEnd(fetcher: Fetcher, signal: AbortSignal): Promise<Lease | null> {
  try {
    return signal.aborted ? null : await fetcher.lease("handler", signal);
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

async function work<K, V>(
  parts: RunParts<K, V>,
  handler: RecordHandler<K, V>,
  options: RunOptions,
  lease: Lease,
  signal: AbortSignal,
): Promise<void> {
  const { topic, partition, leaderEpoch } = lease.chunk;
  const commit = async (offset: number) => {
    if (options.commit !== "batch") return;
    await parts.commit([{ topic, partition, offset: BigInt(offset), leaderEpoch }]);
  };
  if ("eachBatch" in handler) {
    for (const batch of batchesOf(parts.reader, lease, options.batchRecords ?? 500)) {
      if (!lease.isValid || signal.aborted) return;
      if (batch.records.length > 0) await handler.eachBatch(batch, { signal });
      lease.finish(batch.next);
      await commit(batch.next);
    }
    return;
  }
  let next = lease.chunk.fetchOffset;
  for (const cursor of lease.chunk.each()) {
    if (!lease.isValid || signal.aborted) return await commit(next);
    await handler.eachRecord(parts.reader.read(lease.chunk, cursor), { signal });
    lease.finish(next = cursor.offset + 1);
  }
  lease.finish(lease.chunk.nextOffset);
  await commit(lease.chunk.nextOffset);
}

/** Batches of at most so many records; the last goes on behind what has no records. */
function* batchesOf<K, V>(
  reader: RecordReader<K, V>,
  { chunk }: Lease,
  recordsMax: number,
): Generator<RecordBatch<K, V> & { readonly next: number }> {
  const { topic, partition, leaderEpoch } = chunk;
  const highWatermark = BigInt(chunk.highWatermark);
  let records: ConsumerRecord<K, V>[] = [];
  for (const cursor of chunk.each()) {
    if (records.length === recordsMax) {
      yield { topic, partition, records, highWatermark, leaderEpoch, next: cursor.offset };
      records = [];
    }
    records.push(reader.read(chunk, cursor));
  }
  yield { topic, partition, records, highWatermark, leaderEpoch, next: chunk.nextOffset };
}
