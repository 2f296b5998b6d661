/**
 * What is in view of a live tail: the latest records, up to a number and a size. What leaves the view
 * is counted, and where it began is kept, so that it can be read again by its offsets.
 */
import { type RecordView, sizeOf } from "./records.ts";

/** See the head of the file. */
export class Tail {
  readonly #records: RecordView[] = [];
  #bytes = 0;
  #dropped = 0;
  readonly #firstDropped = new Map<number, number>();

  constructor(readonly recordsMax: number, readonly bytesMax: number) {}

  /** Adds what has come, the oldest first. */
  add(records: readonly RecordView[]): void {
    for (const record of records) {
      this.#records.push(record);
      this.#bytes += sizeOf(record);
    }
    let gone = 0;
    while (
      this.#records.length - gone > this.recordsMax ||
      (this.#bytes > this.bytesMax && this.#records.length - gone > 1)
    ) {
      const record = this.#records[gone++];
      if (record === undefined) break;
      this.#bytes -= sizeOf(record);
      const first = this.#firstDropped.get(record.partition);
      if (first === undefined) this.#firstDropped.set(record.partition, record.offset);
    }
    this.#records.splice(0, gone);
    this.#dropped += gone;
  }

  /** How many have left the view. */
  get dropped(): number {
    return this.#dropped;
  }

  /** The first that has left it, of each partition of which one has, as `0:41,1:17`. */
  get firstDropped(): string {
    return [...this.#firstDropped].sort(([a], [b]) => a - b)
      .map(([partition, offset]) => `${partition}:${offset}`).join(",");
  }

  /** The latest first. */
  latestFirst(): RecordView[] {
    return this.#records.toReversed();
  }
}
