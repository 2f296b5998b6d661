/**
 * What a source has read and what of it is acknowledged, so that no offset is stored before all
 * records up to it are safe (Connect's `SubmittedRecords`; here in whole batches of the source, in
 * their order, whatever they were read of).
 */
import type { SourcePosition } from "../connector.ts";
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

  /** Those that say where their source is, not that it has forgotten. */
  positions(): SourcePosition[] {
    return this.list().flatMap(({ partition, offset }) =>
      offset === null ? [] : [{ partition, offset }]
    );
  }
}

/** One batch on its way. */
export class SubmittedBatch {
  readonly offsets = new LatestOffsets();
  #pending = 1;

  /** `onDone` is called once. */
  constructor(readonly onDone: () => void) {}

  /** One more record of it is to be acknowledged. */
  sent(): void {
    this.#pending++;
  }

  /** A record is acknowledged, or all have been sent. */
  settled(): void {
    this.#pending--;
    if (this.#pending === 0) this.onDone();
  }

  get isDone(): boolean {
    return this.#pending === 0;
  }
}

/** See the head of the file. */
export class SubmittedBatches {
  /** Not safe yet, or behind one that is not. */
  #batches: SubmittedBatch[] = [];
  #done = new LatestOffsets();

  /** `onSafe` hears of offsets, in their order, as soon as all up to them is safe. */
  constructor(readonly onSafe: (offsets: LatestOffsets) => void) {}

  /** Begins a batch; `settled` once all its records were sent. */
  begin(): SubmittedBatch {
    const batch = new SubmittedBatch(() => this.#advance());
    this.#batches.push(batch);
    return batch;
  }

  #advance(): void {
    let count = 0;
    while (this.#batches[count]?.isDone) count++;
    if (count === 0) return;
    const safe = new LatestOffsets();
    for (const { offsets } of this.#batches.splice(0, count)) safe.merge(offsets);
    if (safe.size === 0) return;
    this.#done.merge(safe);
    this.onSafe(safe);
  }

  /** The offsets behind which everything is safe, each once. */
  takeDone(): LatestOffsets {
    const done = this.#done;
    this.#done = new LatestOffsets();
    return done;
  }

  /** Batches that are not safe yet. */
  get size(): number {
    return this.#batches.length;
  }
}
