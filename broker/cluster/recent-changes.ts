/**
 * The last changes of the metadata, in memory, for the brokers that follow the controller. Who is
 * further behind takes a snapshot. Followers keep them as well, so that one of them that becomes the
 * controller has what the others lack.
 */
import { assert } from "../../core/assert.ts";
import type { MetadataRecord } from "../../cluster/metadata-records.ts";

/** A change: the records of these positions. */
export interface RecentChange {
  readonly start: number;
  readonly end: number;
  readonly records: readonly MetadataRecord[];
}

/** Some megabytes. */
const DEFAULT_RECORDS_MAX = 20_000;

/** See the head of the file. It has all changes from `start` to `end`; the last one always. */
export class RecentChanges {
  readonly #recordsMax: number;
  readonly #listeners = new Set<() => void>();
  #changes: RecentChange[] = [];
  #end = 0;

  constructor(recordsMax = DEFAULT_RECORDS_MAX) {
    this.#recordsMax = recordsMax;
  }

  /** Where the first change that is kept begins. */
  get start(): number {
    return this.#changes[0]?.start ?? this.#end;
  }

  /** Where the next change will begin. */
  get end(): number {
    return this.#end;
  }

  /** A change is in force that ends at `position`. */
  note(records: readonly MetadataRecord[], position: number): void {
    const start = position - records.length;
    assert(start >= this.#end, "changes are noted in their order");
    if (start > this.#end) this.#changes = [];
    this.#changes.push({ start, end: position, records });
    this.#end = position;
    this.#forget();
    for (const listener of [...this.#listeners]) listener();
  }

  /** An image of this position is in force, and nobody here has the changes that led to it. */
  reset(position: number): void {
    this.#changes = [];
    this.#end = position;
    for (const listener of [...this.#listeners]) listener();
  }

  /** The change that has this position in it, or null. */
  at(position: number): RecentChange | null {
    if (position < this.start || position >= this.#end) return null;
    let low = 0;
    let high = this.#changes.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#changes[middle]?.start ?? Infinity) <= position) low = middle;
      else high = middle - 1;
    }
    return this.#changes[low] ?? null;
  }

  /** Calls back at each change. Returns the function that ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** In runs, so that it costs little per change. */
  #forget(): void {
    if (this.#end - this.start <= this.#recordsMax + this.#recordsMax / 4) return;
    const from = this.#changes.findIndex(({ start }) => this.#end - start <= this.#recordsMax);
    this.#changes.splice(0, from < 0 ? this.#changes.length - 1 : from);
  }
}
