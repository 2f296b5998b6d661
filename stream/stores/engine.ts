/** What holds the bytes of a store: an ordered map. One conformance suite (`engine.test-helper.ts`). */

/** An entry; the bytes are not to be changed by who gets them. */
export type BytesEntry = readonly [key: Uint8Array, value: Uint8Array];

/** From `from` to `to`, both included; null is open. Keys are ordered as unsigned bytes. */
export interface BytesRange {
  readonly from: Uint8Array | null;
  readonly to: Uint8Array | null;
  /** From the highest to the lowest. */
  readonly isReversed?: boolean;
  /** Of engines that know the time of an entry: only those from one time to the other are wanted. */
  readonly times?: TimeRange;
}

/** Milliseconds since 1970, both included. */
export interface TimeRange {
  readonly fromMs: number;
  /** May be infinite. */
  readonly toMs: number;
}

/** Answers at once: records are processed without waiting. Takes no part of what it is given over. */
export interface StoreEngine {
  get(key: Uint8Array): Uint8Array | null;
  /** Null takes the key away. */
  put(key: Uint8Array, value: Uint8Array | null): void;
  /** What is put while somebody iterates may or may not be seen. */
  range(range: BytesRange): IterableIterator<BytesEntry>;
  /** How many entries there are, or about as many. */
  readonly approximateCount: number;
  close(): void;
}
