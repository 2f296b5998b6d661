/**
 * What a source has read and what of it is acknowledged, so that no offset is stored before all
 * records up to it are safe (Connect's `SubmittedRecords`; here in whole batches of the source, in
 * their order, whatever they were read of).
 */
import type { SourceMap } from "../data/record.ts";
import { partitionText } from "../offsets/offset-store.ts";
import type { StoredOffset } from "../offsets/offset-store.ts";

/** The last offset of each partition, whatever the number of records. */
export class LatestOffsets {
  readonly #byText = new Map<string, StoredOffset>();
  #last: SourceMap | null = null;
  #lastText = "";

  /** A later offset of the same partition takes the place of an earlier one. */
  add(partition: SourceMap, offset: SourceMap | null): void {
    // Most sources read of one thing for long, and say so with the same object.
    if (partition !== this.#last) {
      this.#last = partition;
      this.#lastText = partitionText(partition);
    }
    this.#byText.set(this.#lastText, { partition, offset });
  }

  merge(later: LatestOffsets): void {
    for (const [text, offset] of later.#byText) this.#byText.set(text, offset);
  }

  get size(): number {
    return this.#byText.size;
  }

  list(): StoredOffset[] {
    return [...this.#byText.values()];
  }
}

/** One batch on its way. */
export class SubmittedBatch {
  readonly offsets = new LatestOffsets();
  #pending = 1;

  /** One more record of it is to be acknowledged. */
  sent(): void {
    this.#pending++;
  }

  /** A record is acknowledged, or all have been sent. */
  settled(): void {
    this.#pending--;
  }

  get isDone(): boolean {
    return this.#pending === 0;
  }
}

/** See the head of the file. */
export class SubmittedBatches {
  #batches: SubmittedBatch[] = [];

  /** Begins a batch; `settled` once all its records were sent. */
  begin(): SubmittedBatch {
    const batch = new SubmittedBatch();
    this.#batches.push(batch);
    return batch;
  }

  /** The offsets behind which everything is safe, each once. */
  takeDone(): LatestOffsets {
    const done = new LatestOffsets();
    let count = 0;
    for (; this.#batches[count]?.isDone; count++) done.merge(this.#batches[count]!.offsets);
    if (count > 0) this.#batches = this.#batches.slice(count);
    return done;
  }

  /** Batches that are not safe yet, or not taken. */
  get size(): number {
    return this.#batches.length;
  }
}
