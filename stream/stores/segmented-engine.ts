/**
 * Entries by the time in their keys, in segments that are let go of as time passes (Kafka's
 * `AbstractRocksDBSegmentedBytesStore`). Time is the highest that was put. What is older than the
 * retention is not found any more, and what is put there without a segment is left out.
 */
import type { BytesEntry, BytesRange, StoreEngine, TimeRange } from "./engine.ts";
import { mergedEntries } from "./merged-entries.ts";
import { TimeOrderedEngine, type TimesInKeys } from "./time-ordered-engine.ts";

const SEGMENT_MS_MIN = 60_000;

/** Where segments are that outlive the process. */
export interface SegmentSpace {
  /** The highest time that was put; −1: none. */
  readonly timeMs: number;
  /** Of all segments together. */
  readonly approximateCount: number;
  /** Of segments that are there. */
  numbers(): number[];
  open(number: number): StoreEngine;
  /** Segments of lower numbers are let go of, and closed already. */
  dropBelow(number: number): void;
  /** `timeMs` has gone up. */
  passed(timeMs: number): void;
  close(): void;
}

export interface SegmentedOptions {
  readonly retentionMs: number;
  /** The time in a key. */
  readonly timeOf: (key: Uint8Array) => number;
  /** Entries can be asked for in the order of their times too: more is kept for that. */
  readonly timeOrder?: TimesInKeys | null;
  /** What is older than the retention is found as long as its segment is there. */
  readonly findsOld?: boolean;
}

/** How long a segment is. */
export function segmentLengthMs(retentionMs: number): number {
  return Math.max(Math.floor(retentionMs / 2), SEGMENT_MS_MIN);
}

/** See the head of the file. */
export class SegmentedEngine implements StoreEngine {
  readonly #segmentMs: number;
  /** By number, which is time divided by the length. */
  readonly #segments = new Map<number, StoreEngine>();
  #timeMs = -1;

  /** `open` makes an engine for a segment. */
  constructor(
    private readonly options: SegmentedOptions,
    private readonly open: () => StoreEngine,
    /** Null: segments are what `open` gives, and gone when they are closed. */
    private readonly space: SegmentSpace | null = null,
  ) {
    this.#segmentMs = segmentLengthMs(options.retentionMs);
    if (space === null) return;
    this.#timeMs = space.timeMs;
    for (const number of space.numbers()) this.#segments.set(number, this.#openSegment(number));
  }

  get approximateCount(): number {
    if (this.space !== null) return this.space.approximateCount;
    let count = 0;
    for (const segment of this.#segments.values()) count += segment.approximateCount;
    return count;
  }

  get(key: Uint8Array): Uint8Array | null {
    const timeMs = this.options.timeOf(key);
    if (timeMs < this.#firstMs) return null;
    return this.#segments.get(this.#numberOf(timeMs))?.get(key) ?? null;
  }

  put(key: Uint8Array, value: Uint8Array | null): void {
    const timeMs = this.options.timeOf(key);
    this.pass(timeMs);
    const number = this.#numberOf(timeMs);
    if (number < this.#numberOf(this.#timeMs - this.options.retentionMs)) return;
    let segment = this.#segments.get(number);
    if (segment === undefined) {
      this.#segments.set(number, segment = this.#openSegment(number));
    }
    segment.put(key, value);
  }

  /** Time has come to there, if it was not there before: what is too old is let go of. */
  pass(timeMs: number): void {
    if (timeMs > this.#timeMs) {
      this.#timeMs = timeMs;
      this.space?.passed(timeMs);
    }
    this.#letGo(this.#numberOf(this.#timeMs - this.options.retentionMs));
  }

  /** In the order of keys, whatever segments they are in. */
  *range(range: BytesRange): IterableIterator<BytesEntry> {
    const { timeOf } = this.options;
    const fromMs = Math.max(range.times?.fromMs ?? 0, this.#firstMs);
    const toMs = range.times?.toMs ?? Infinity;
    for (const entry of mergedEntries(this.#segmentsOf(fromMs, toMs), range)) {
      const timeMs = timeOf(entry[0]);
      if (timeMs >= fromMs && timeMs <= toMs) yield entry;
    }
  }

  /** Of the keys of a range those of some times: in the order of time first, by segments. */
  *rangeBetween(fromMs: number, toMs: number, range: BytesRange): IterableIterator<BytesEntry> {
    const last = this.#numberOf(toMs);
    const numbers = [...this.#segments.keys()].filter((number) => {
      return number >= this.#numberOf(fromMs) && number <= last;
    });
    for (const number of numbers.sort((one, other) => one - other)) {
      yield* this.#segments.get(number)?.range(range) ?? [];
    }
  }

  /** The highest time that was put; −1: none. */
  get timeMs(): number {
    return this.#timeMs;
  }

  /** Entries in the order of their times, of a store that is time-ordered. */
  *byTime({ fromMs, toMs }: TimeRange): IterableIterator<BytesEntry> {
    for (const segment of this.#segmentsOf(fromMs, toMs)) {
      if (!(segment instanceof TimeOrderedEngine)) throw new Error("the store is not time-ordered");
      yield* segment.byTime({ fromMs, toMs });
    }
  }

  close(): void {
    for (const segment of this.#segments.values()) segment.close();
    this.#segments.clear();
    this.space?.close();
  }

  /** The time from which on entries are found. */
  get #firstMs(): number {
    const { findsOld = false, retentionMs } = this.options;
    return findsOld ? -Infinity : this.#timeMs - retentionMs + 1;
  }

  #openSegment(number: number): StoreEngine {
    const { timeOrder = null } = this.options;
    const engine = this.space?.open(number) ?? this.open();
    return timeOrder === null ? engine : new TimeOrderedEngine(engine, timeOrder);
  }

  #numberOf(timeMs: number): number {
    return Math.floor(timeMs / this.#segmentMs);
  }

  /** Those of that time, the earliest first. */
  #segmentsOf(fromMs: number, toMs: number): StoreEngine[] {
    const [first, last] = [this.#numberOf(fromMs), this.#numberOf(toMs)];
    return [...this.#segments].filter(([number]) => number >= first && number <= last)
      .sort(([one], [other]) => one - other).map(([, segment]) => segment);
  }

  #letGo(before: number): void {
    let isAny = false;
    for (const [number, segment] of this.#segments) {
      if (number >= before) continue;
      segment.close();
      this.#segments.delete(number);
      isAny = true;
    }
    if (isAny) this.space?.dropBelow(before);
  }
}
