import type { Codecs } from "../../core/compression/codec.ts";
import {
  baseOffset,
  batchSizeAt,
  crcMatches,
  isControl,
  isTransactional,
  lastOffset,
  producerId,
} from "../../core/records/batch-header.ts";
import { readEndTxnMarker } from "../../core/records/control-records.ts";
import { CorruptRecordError } from "../../core/records/corrupt-record-error.ts";
import { RecordCursor } from "../../core/records/record-cursor.ts";
import type { RecordHeader } from "../../core/records/record-cursor.ts";

/** A record as a consumer gets it. Bytes are views; copy what is kept for long. */
export interface ConsumerRecord<K = Uint8Array, V = Uint8Array> {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since 1970, or −1. */
  readonly timestampMs: number;
  readonly key: K | null;
  readonly value: V | null;
  /** In their order, names may repeat. */
  readonly headers: readonly RecordHeader[];
}

/** A transaction that was aborted: its records from `firstOffset` to its marker don't count. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

/** What one fetch brought of one partition. */
export class FetchedChunk {
  /** Where in `bytes` the batch of the last cursor begins. */
  batchStart = 0;
  /** What the fetch said of the log; −1: nothing. */
  logStartOffset = -1;
  lastStableOffset = -1;
  /** Under which leader the last batch was written; −1: not known. */
  leaderEpoch = -1;

  constructor(
    readonly topic: string,
    readonly partition: number,
    /** Records below it are not asked for: a batch comes as a whole. */
    readonly fetchOffset: number,
    /** The offset behind the last batch, where the next fetch goes on. */
    readonly nextOffset: number,
    /** End of what consumers may see at the time of the answer. */
    readonly highWatermark: number,
    /** Whole batches, as the broker stores them. */
    readonly bytes: Uint8Array,
    /** Null under read_uncommitted. */
    readonly aborted: readonly AbortedTransaction[] | null,
    readonly codecs: Codecs,
  ) {}

  /** The same from a later record on. */
  from(offset: number): FetchedChunk {
    const later = new FetchedChunk(
      this.topic,
      this.partition,
      offset,
      this.nextOffset,
      this.highWatermark,
      this.bytes,
      this.aborted,
      this.codecs,
    );
    later.logStartOffset = this.logStartOffset;
    later.lastStableOffset = this.lastStableOffset;
    later.leaderEpoch = this.leaderEpoch;
    return later;
  }

  /**
   * Calls back for each record, with a cursor that stands on it, until it says false. This makes no
   * object per record. Throws `CorruptRecordError`.
   */
  visit(callback: (cursor: RecordCursor) => boolean): void {
    for (const cursor of this.cursors()) {
      while (cursor.next()) {
        if (cursor.offset >= this.fetchOffset && !callback(cursor)) return;
      }
    }
  }

  /**
   * A cursor for each batch of data, before its first record, for those who must pause between
   * records. They have to pass over records below `fetchOffset`. Throws `CorruptRecordError`.
   */
  *cursors(): Generator<RecordCursor> {
    for (const position of this.batches()) {
      this.batchStart = position;
      yield new RecordCursor(this.bytes, position, this.codecs);
    }
  }

  /**
   * Where in `bytes` each batch of data begins that counts: no markers, nothing that was aborted.
   * Throws `CorruptRecordError`.
   */
  *batches(): Generator<number> {
    const filter = this.aborted === null ? null : new AbortedFilter(this.aborted);
    let position = 0;
    for (;;) {
      const size = batchSizeAt(this.bytes, position);
      if (size === 0) return;
      if (!crcMatches(this.bytes, position)) {
        throw new CorruptRecordError(
          `the batch at offset ${baseOffset(this.bytes, position)} of ` +
            `${this.topic}-${this.partition} fails its checksum`,
        );
      }
      const dropped = filter?.drops(this.bytes, position) ?? false;
      if (!dropped && !isControl(this.bytes, position)) yield position;
      position += size;
    }
  }

  /** A cursor on each record in turn, from `fetchOffset` on. Throws `CorruptRecordError`. */
  *each(): Generator<RecordCursor> {
    for (const cursor of this.cursors()) {
      while (cursor.next()) if (cursor.offset >= this.fetchOffset) yield cursor;
    }
  }

  /** The records, one object each. Throws `CorruptRecordError`. */
  records(): ConsumerRecord[] {
    const { topic, partition } = this;
    const records: ConsumerRecord[] = [];
    this.visit((cursor) => {
      records.push({
        topic,
        partition,
        offset: BigInt(cursor.offset),
        timestampMs: cursor.timestamp,
        key: cursor.key(),
        value: cursor.value(),
        headers: cursor.headers(),
      });
      return true;
    });
    return records;
  }
}

/** Follows aborted transactions through the batches of an answer (as Java's `CompletedFetch`). */
class AbortedFilter {
  readonly #waiting: AbortedTransaction[];
  readonly #open = new Set<number>();

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#waiting = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  }

  /** Whether the batch belongs to an aborted transaction; to be asked for each in order. */
  drops(bytes: Uint8Array, position: number): boolean {
    const last = lastOffset(bytes, position);
    while (this.#waiting.length > 0 && this.#waiting[0]!.firstOffset <= last) {
      this.#open.add(this.#waiting.shift()!.producerId);
    }
    if (!isTransactional(bytes, position)) return false;
    const id = producerId(bytes, position);
    if (isControl(bytes, position)) {
      // Compaction may have left a marker's batch without its record.
      if (readEndTxnMarker(bytes, position)?.type === "abort") this.#open.delete(id);
      return false;
    }
    return this.#open.has(id);
  }
}
