/**
 * Records of a partition that wait to be processed. The first one is read ahead, for its time says
 * which partition is next (Kafka's `RecordQueue`).
 */
import type { RawRecord, StreamRecord } from "../record.ts";

/** A record that is ready, and where it was read. */
export interface QueuedRecord {
  readonly raw: RawRecord;
  /** Null: it could not be read and is left out; its offset counts. */
  readonly record: StreamRecord | null;
}

/** Reads a record; null where it is left out, which has been told then. `partitionTimeMs`: −1 at first. */
export type ReadRecord = (raw: RawRecord, partitionTimeMs: number) => StreamRecord | null;

/** See the head of the file. */
export class RecordQueue {
  /** The highest time that was taken; −1: none yet. It is committed with the offset (KIP-695). */
  partitionTimeMs = -1;
  /** How many could not be read so far. */
  leftOut = 0;
  readonly #waiting: RawRecord[] = [];
  /** Where in `#waiting` the next one is: what is before has been taken. */
  #at = 0;
  #head: QueuedRecord | null = null;

  constructor(private readonly read: ReadRecord) {}

  get size(): number {
    return this.#waiting.length - this.#at + (this.#head === null ? 0 : 1);
  }

  /** Of the first; −1 where there is none, or none that can be read. */
  get headTimestampMs(): number {
    return this.#head?.record?.timestampMs ?? -1;
  }

  /** Of the first that waits to be processed; null where none does. Those left out have been told of. */
  get headOffset(): bigint | null {
    return this.#headIsReadable ? this.#head!.raw.offset : null;
  }

  get #headIsReadable(): boolean {
    return this.#head !== null && this.#head.record !== null;
  }

  add(records: readonly RawRecord[]): void {
    for (const record of records) this.#waiting.push(record);
    this.#readHead();
  }

  take(): QueuedRecord | null {
    const taken = this.#head;
    if (taken === null) return null;
    this.#head = null;
    this.partitionTimeMs = Math.max(this.partitionTimeMs, taken.record?.timestampMs ?? -1);
    this.#readHead();
    return taken;
  }

  /** Of those that cannot be read only the last becomes the head, so that its offset is committed. */
  #readHead(): void {
    let unreadable: RawRecord | null = null;
    while (!this.#headIsReadable && this.#at < this.#waiting.length) {
      const raw = this.#waiting[this.#at++]!;
      const record = this.read(raw, this.partitionTimeMs);
      if (record !== null) this.#head = { raw, record };
      else {
        unreadable = raw;
        this.leftOut++;
      }
    }
    if (!this.#headIsReadable && unreadable !== null) {
      this.#head = { raw: unreadable, record: null };
    }
    if (this.#at < this.#waiting.length && this.#at < 1024) return;
    this.#waiting.splice(0, this.#at);
    this.#at = 0;
  }
}
