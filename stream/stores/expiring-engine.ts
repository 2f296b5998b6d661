/**
 * Entries that are gone some time after they were put, in the time of the records that come to the store.
 * A value has that time before it (`timestamped-value.ts`). Entries are in segments by it, a key in one of
 * them; a segment of which all is gone is dropped at once, so that nothing is looked through for that.
 */
import type { BytesEntry, BytesRange, StoreEngine } from "./engine.ts";
import { mergedEntries } from "./merged-entries.ts";
import type { SegmentSpace } from "./segmented-engine.ts";
import { timestampOf } from "./timestamped-value.ts";

const SEGMENT_MS_MIN = 1000;

/** How long a segment is: three of them at the most have something that is not gone. */
export function expiringSegmentMs(ttlMs: number): number {
  return Math.max(Math.ceil(ttlMs / 2), SEGMENT_MS_MIN);
}

/** See the head of the file. */
export class ExpiringEngine implements StoreEngine {
  readonly #segmentMs: number;
  /** By number. */
  readonly #segments = new Map<number, StoreEngine>();
  #timeMs = -1;

  /** `open` makes an engine for a segment; `space` null: that is where segments are. */
  constructor(
    private readonly ttlMs: number,
    private readonly open: () => StoreEngine,
    private readonly space: SegmentSpace | null,
  ) {
    this.#segmentMs = expiringSegmentMs(ttlMs);
    if (space === null) return;
    this.#timeMs = space.timeMs;
    for (const number of space.numbers()) this.#segments.set(number, space.open(number));
  }

  /** What time it is for the store; −1: nothing has come yet. */
  get timeMs(): number {
    return this.#timeMs;
  }

  /** What is gone counts as long as its segment is there. */
  get approximateCount(): number {
    if (this.space !== null) return this.space.approximateCount;
    let count = 0;
    for (const segment of this.#segments.values()) count += segment.approximateCount;
    return count;
  }

  /** It is that time, if it was not later before. */
  pass(timeMs: number): void {
    if (timeMs <= this.#timeMs) return;
    this.#timeMs = timeMs;
    this.space?.passed(timeMs);
    const first = this.#numberOf(timeMs - this.ttlMs);
    let isAny = false;
    for (const [number, segment] of this.#segments) {
      if (number >= first) continue;
      segment.close();
      this.#segments.delete(number);
      isAny = true;
    }
    if (isAny) this.space?.dropBelow(first);
  }

  get(key: Uint8Array): Uint8Array | null {
    for (const segment of this.#segments.values()) {
      const found = segment.get(key);
      if (found !== null) return this.#isGone(found) ? null : found;
    }
    return null;
  }

  /** `value`: with its time, which passes. One that is gone by then takes the key away. */
  put(key: Uint8Array, value: Uint8Array | null): void {
    if (value !== null) this.pass(timestampOf(value));
    const isKept = value !== null && !this.#isGone(value);
    const number = isKept ? this.#numberOf(timestampOf(value)) : null;
    for (const [other, segment] of this.#segments) {
      if (other !== number && segment.get(key) !== null) segment.put(key, null);
    }
    if (number !== null) this.#segment(number).put(key, value);
  }

  *range(range: BytesRange): IterableIterator<BytesEntry> {
    for (const entry of mergedEntries([...this.#segments.values()], range)) {
      if (!this.#isGone(entry[1])) yield entry;
    }
  }

  close(): void {
    for (const segment of this.#segments.values()) segment.close();
    this.#segments.clear();
    this.space?.close();
  }

  #isGone(value: Uint8Array): boolean {
    return timestampOf(value) + this.ttlMs <= this.#timeMs;
  }

  #numberOf(timeMs: number): number {
    return Math.floor(timeMs / this.#segmentMs);
  }

  #segment(number: number): StoreEngine {
    let segment = this.#segments.get(number);
    if (segment === undefined) {
      this.#segments.set(number, segment = this.space?.open(number) ?? this.open());
    }
    return segment;
  }
}
