/**
 * What was fetched of a partition and waits for its task: chunks as they came, and of them so many
 * records in the task's queue as are to wait there.
 */
import type { FetchedChunk } from "../../client/consumer.ts";
import type { RecordCursor } from "../../core/records/record-cursor.ts";
import type { RawRecord } from "../record.ts";

/** Records at a time: more come when half of them are processed. */
const PORTION = 500;

/** See the head of the file. */
export class PartitionFeed {
  /** The offset behind what is in the queue or was processed. */
  nextOffset: bigint;
  readonly #chunks: FetchedChunk[] = [];
  #batches: Iterator<RecordCursor> | null = null;
  #cursor: RecordCursor | null = null;
  /** Where the next chunk begins. */
  #fetchedTo: number;
  /** Behind this chunk it goes on elsewhere. */
  #gap: { readonly behind: FetchedChunk; readonly offset: bigint } | null = null;

  constructor(readonly topic: string, readonly partition: number, offset: bigint) {
    this.nextOffset = offset;
    this.#fetchedTo = Number(offset);
  }

  /** False: it is one of before, when the partition was read from elsewhere. */
  add(chunk: FetchedChunk): boolean {
    if (chunk.fetchOffset < this.#fetchedTo) return false;
    this.#fetchedTo = chunk.nextOffset;
    this.#chunks.push(chunk);
    return true;
  }

  /** What comes next begins there, before or behind what was to come; what has come is taken before. */
  goOnAt(offset: bigint): void {
    this.#fetchedTo = Number(offset);
    const last = this.#chunks.at(-1);
    if (last === undefined) this.nextOffset = offset;
    else this.#gap = { behind: last, offset };
  }

  /** Whether there is more than what is in the queue. */
  get hasMore(): boolean {
    return this.#chunks.length > 0;
  }

  /** Where fetching has come to. */
  get fetchedTo(): number {
    return this.#fetchedTo;
  }

  /**
   * The next records for a queue in which `waiting` are left, `most` at a time. Throws
   * `CorruptRecordError`.
   */
  take(waiting: number, most: number): RawRecord[] {
    const records: RawRecord[] = [];
    const portion = Math.min(most, PORTION);
    if (waiting > portion / 2) return records;
    for (;;) {
      const [chunk] = this.#chunks;
      if (chunk === undefined) return records;
      this.#batches ??= chunk.cursors();
      while (records.length < portion && this.#next(chunk)) {
        records.push(this.#record(chunk, this.#cursor!));
      }
      if (records.length >= portion) {
        this.nextOffset = records.at(-1)!.offset + 1n;
        return records;
      }
      this.#chunks.shift();
      this.#batches = this.#cursor = null;
      const isBeforeGap = this.#gap?.behind === chunk;
      this.nextOffset = isBeforeGap ? this.#gap!.offset : BigInt(chunk.nextOffset);
      if (isBeforeGap) this.#gap = null;
    }
  }

  #next(chunk: FetchedChunk): boolean {
    for (;;) {
      while (this.#cursor?.next() === true) {
        if (this.#cursor.offset >= chunk.fetchOffset) return true;
      }
      const { done, value } = this.#batches!.next();
      if (done === true) return false;
      this.#cursor = value;
    }
  }

  #record({ topic, partition }: FetchedChunk, cursor: RecordCursor): RawRecord {
    return {
      topic,
      partition,
      offset: BigInt(cursor.offset),
      timestampMs: cursor.timestamp,
      key: cursor.key(),
      value: cursor.value(),
      headers: cursor.headers(),
    };
  }
}
