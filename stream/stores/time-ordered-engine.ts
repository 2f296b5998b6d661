/**
 * Entries that can be asked for by key and in the order of their times: beside each entry stands one
 * without a value whose key begins with the time (Kafka's `PrefixedWindowKeySchemas`). So both are in
 * one engine, and are committed and dropped together.
 */
import type { BytesEntry, BytesRange, StoreEngine, TimeRange } from "./engine.ts";

/** Where the times are in keys. */
export interface TimesInKeys {
  /** The time that an entry is kept by: the start of a window, the end of a session. */
  timeOf(key: Uint8Array): number;
  /** What entries are ordered by before their keys, `orderBytes` long: it begins with the time. */
  orderOf(key: Uint8Array): Uint8Array;
  readonly orderBytes: number;
}

const BY_KEY = 0;
const BY_TIME = 1;
const EMPTY = new Uint8Array(0);

/** See the head of the file. */
export class TimeOrderedEngine implements StoreEngine {
  constructor(private readonly engine: StoreEngine, private readonly times: TimesInKeys) {}

  get approximateCount(): number {
    return Math.ceil(this.engine.approximateCount / 2);
  }

  get(key: Uint8Array): Uint8Array | null {
    return this.engine.get(prefixed(BY_KEY, key));
  }

  put(key: Uint8Array, value: Uint8Array | null): void {
    this.engine.put(prefixed(BY_KEY, key), value);
    this.engine.put(prefixed(BY_TIME, this.times.orderOf(key), key), value === null ? null : EMPTY);
  }

  *range(range: BytesRange): IterableIterator<BytesEntry> {
    const from = prefixed(BY_KEY, range.from ?? EMPTY);
    const to = range.to === null ? Uint8Array.of(BY_TIME) : prefixed(BY_KEY, range.to);
    for (const [key, value] of this.engine.range({ ...range, from, to })) {
      yield [key.subarray(1), value];
    }
  }

  /** The earliest first. */
  *byTime({ fromMs, toMs }: TimeRange): IterableIterator<BytesEntry> {
    const from = prefixed(BY_TIME, timeBytes(fromMs));
    const to = prefixed(BY_TIME, timeBytes(Math.min(toMs + 1, Number.MAX_SAFE_INTEGER)));
    for (const [index] of this.engine.range({ from, to })) {
      const key = index.subarray(1 + this.times.orderBytes);
      const value = this.get(key);
      if (value !== null) yield [key, value];
    }
  }

  close(): void {
    this.engine.close();
  }
}

function prefixed(kind: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([Uint8Array.of(kind), ...parts]);
}

function timeBytes(timeMs: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(Math.max(0, timeMs)));
  return bytes;
}
