/**
 * Values of keys as they were over time (KIP-889). The latest of each key is kept for good; one that
 * another has replaced is kept, by the time when it was, for as long as the history is. A version that
 * comes late goes to its place in the history. As Kafka's `RocksDBVersionedStore` behaves; what is on
 * disk is our own:
 *
 *     latest:   key → its time in eight bytes, value
 *     history:  length of the key, key, end in eight bytes → start in eight bytes, 1, value; or start, 0
 */
import type { BytesEntry, BytesRange, StoreEngine } from "./engine.ts";
import { SegmentedEngine, type SegmentSpace } from "./segmented-engine.ts";
import { timestampOf, withoutTimestamp, withTimestamp } from "./timestamped-value.ts";

/** What became of a version: it is the latest; there is a later one; it is too old to be kept. */
export type PutOutcome = "latest" | "late" | "expired";

/** A value and from when until when it was that; null: it still is. */
export interface BytesVersion {
  readonly value: Uint8Array;
  readonly fromMs: number;
  readonly toMs: number | null;
}

/** A row of the history. `value` null: there was none. */
interface Row {
  readonly value: Uint8Array | null;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Behind all segments of the history, so never let go of with one. */
const LATEST_SEGMENT = 2 ** 52;
const LENGTH_BYTES = 4;
const TIME_BYTES = 8;

/** See the head of the file. As an engine it is that of the latest values. */
export class VersionedEngine implements StoreEngine {
  readonly #latest: StoreEngine;
  readonly #history: SegmentedEngine;

  /** `space` null: segments are what `open` gives. */
  constructor(
    readonly historyRetentionMs: number,
    open: () => StoreEngine,
    space: SegmentSpace | null,
  ) {
    this.#latest = space?.open(LATEST_SEGMENT) ?? open();
    this.#history = new SegmentedEngine(
      { retentionMs: historyRetentionMs, timeOf: endOf, findsOld: true },
      open,
      space,
    );
  }

  get approximateCount(): number {
    return this.#latest.approximateCount;
  }

  get(key: Uint8Array): Uint8Array | null {
    return this.#latest.get(key);
  }

  put(): void {
    throw new Error("a version has a time: putVersion puts one");
  }

  range(range: BytesRange): IterableIterator<BytesEntry> {
    return this.#latest.range(range);
  }

  close(): void {
    this.#latest.close();
    this.#history.close();
  }

  /** Null: from then on there is no value. */
  putVersion(key: Uint8Array, value: Uint8Array | null, timestampMs: number): PutOutcome {
    if (timestampMs < this.#history.timeMs - this.historyRetentionMs) return "expired";
    this.#history.pass(timestampMs);
    const latest = this.#latest.get(key);
    const latestMs = latest === null ? null : timestampOf(latest);
    if (latest !== null && timestampMs >= latestMs!) {
      if (timestampMs > latestMs!) {
        const before = { value: withoutTimestamp(latest), fromMs: latestMs!, toMs: timestampMs };
        this.#putRow(key, before);
      }
      this.#putLatest(key, value, timestampMs);
      return "latest";
    }
    const next = this.#rowAfter(key, timestampMs);
    if (next !== null && next.fromMs <= timestampMs) {
      if (next.fromMs < timestampMs) this.#putRow(key, { ...next, toMs: timestampMs });
      this.#putRow(key, { value, fromMs: timestampMs, toMs: next.toMs });
      return "late";
    }
    const toMs = next?.fromMs ?? latestMs;
    if (toMs !== null) {
      this.#putRow(key, { value, fromMs: timestampMs, toMs });
      return "late";
    }
    if (value !== null) this.#putLatest(key, value, timestampMs);
    // That there is nothing from then on is known by what ended then; where nothing did, by an empty row.
    else if (this.#history.get(rowKey(key, timestampMs)) === null) {
      this.#putRow(key, { value: null, fromMs: timestampMs, toMs: timestampMs });
    }
    return "latest";
  }

  /** The value that was at a time; null also where that is longer ago than the history is kept. */
  versionAt(key: Uint8Array, timestampMs: number): BytesVersion | null {
    const latest = this.#latest.get(key);
    if (latest !== null && timestampOf(latest) <= timestampMs) {
      return { value: withoutTimestamp(latest), fromMs: timestampOf(latest), toMs: null };
    }
    if (timestampMs < this.#history.timeMs - this.historyRetentionMs) return null;
    const row = this.#rowAfter(key, timestampMs);
    if (row === null || row.fromMs > timestampMs || row.value === null) return null;
    return { value: row.value, fromMs: row.fromMs, toMs: row.toMs };
  }

  #putLatest(key: Uint8Array, value: Uint8Array | null, timestampMs: number): void {
    this.#latest.put(key, value === null ? null : withTimestamp(value, timestampMs));
  }

  #putRow(key: Uint8Array, { value, fromMs, toMs }: Row): void {
    const bytes = new Uint8Array(TIME_BYTES + 1 + (value?.length ?? 0));
    const view = new DataView(bytes.buffer);
    view.setBigInt64(0, BigInt(fromMs));
    view.setUint8(TIME_BYTES, value === null ? 0 : 1);
    if (value !== null) bytes.set(value, TIME_BYTES + 1);
    this.#history.put(rowKey(key, toMs), bytes);
  }

  /** The earliest row that ends after a time. */
  #rowAfter(key: Uint8Array, timestampMs: number): Row | null {
    const toMs = Number.MAX_SAFE_INTEGER;
    const range = { from: rowKey(key, timestampMs + 1), to: rowKey(key, toMs) };
    // Rows are in segments by their ends: the first one found is the earliest.
    for (const [at, bytes] of this.#history.rangeBetween(timestampMs + 1, toMs, range)) {
      const isThere = bytes[TIME_BYTES] === 1;
      return {
        value: isThere ? bytes.subarray(TIME_BYTES + 1) : null,
        fromMs: timestampOf(bytes),
        toMs: endOf(at),
      };
    }
    return null;
  }
}

function rowKey(key: Uint8Array, toMs: number): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES + key.length + TIME_BYTES);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, key.length);
  bytes.set(key, LENGTH_BYTES);
  view.setBigInt64(LENGTH_BYTES + key.length, BigInt(toMs));
  return bytes;
}

function endOf(row: Uint8Array): number {
  const view = new DataView(row.buffer, row.byteOffset, row.length);
  return Number(view.getBigInt64(row.length - TIME_BYTES));
}
