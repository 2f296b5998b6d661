/**
 * Segments of a store on disk: all in one engine, so that they are committed together, with the number of
 * the segment before each key. To let go of the earliest costs nothing: keys below the rest are dropped.
 */
import type { DurableEngine } from "./durable-engine.ts";
import type { BytesEntry, BytesRange, StoreEngine } from "./engine.ts";
import type { SegmentSpace } from "./segmented-engine.ts";
import { copyInto, copyOf } from "./small-bytes.ts";

const NUMBER_BYTES = 8;
/** Behind all segments: the highest time that was put. */
const TIME_KEY = new Uint8Array(NUMBER_BYTES + 1).fill(255);

function prefixOf(number: number): Uint8Array {
  const bytes = new Uint8Array(NUMBER_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
  return bytes;
}

function numberOf(key: Uint8Array): number {
  return Number(new DataView(key.buffer, key.byteOffset).getBigUint64(0));
}

/** See the head of the file. */
export class DurableSegments implements SegmentSpace {
  #timeMs: number;
  #writtenMs: number;

  constructor(private readonly engine: DurableEngine) {
    const bytes = engine.get(TIME_KEY);
    this.#timeMs = bytes === null ? -1 : numberOf(bytes);
    this.#writtenMs = this.#timeMs;
  }

  get timeMs(): number {
    return this.#timeMs;
  }

  get approximateCount(): number {
    return this.engine.approximateCount;
  }

  numbers(): number[] {
    const numbers: number[] = [];
    for (let next: number | null = 0; next !== null;) {
      next = this.#firstFrom(next);
      if (next !== null) numbers.push(next++);
    }
    return numbers;
  }

  open(number: number): StoreEngine {
    return new Segment(this.engine, prefixOf(number));
  }

  dropBelow(number: number): void {
    this.engine.dropBelow(prefixOf(Math.max(0, number)));
  }

  passed(timeMs: number): void {
    this.#timeMs = timeMs;
  }

  /** To be called before a commit of the engine. */
  beforeCommit(): void {
    if (this.#writtenMs === this.#timeMs) return;
    this.engine.put(TIME_KEY, prefixOf(this.#timeMs));
    this.#writtenMs = this.#timeMs;
  }

  close(): void {
    this.engine.close();
  }

  #firstFrom(number: number): number | null {
    for (const [key] of this.engine.range({ from: prefixOf(number), to: null })) {
      return key.length === TIME_KEY.length && key[0] === 255 ? null : numberOf(key);
    }
    return null;
  }
}

/** The part of an engine whose keys have that prefix, which is not seen. */
class Segment implements StoreEngine {
  constructor(private readonly engine: DurableEngine, private readonly prefix: Uint8Array) {}

  /** Of all segments together: this one's are not counted alone. */
  get approximateCount(): number {
    return this.engine.approximateCount;
  }

  get(key: Uint8Array): Uint8Array | null {
    return this.engine.get(this.#prefixed(key));
  }

  put(key: Uint8Array, value: Uint8Array | null): void {
    this.engine.put(this.#prefixed(key), value);
  }

  *range(range: BytesRange): IterableIterator<BytesEntry> {
    const from = range.from === null ? this.prefix : this.#prefixed(range.from);
    const isOpen = range.to === null;
    const to = isOpen ? prefixOf(numberOf(this.prefix) + 1) : this.#prefixed(range.to!);
    for (const [key, value] of this.engine.range({ ...range, from, to })) {
      // The end of an open range is where the next segment begins: its empty key is not of this one.
      if (isOpen && key.length === NUMBER_BYTES && numberOf(key) !== numberOf(this.prefix)) {
        continue;
      }
      yield [copyOf(key, NUMBER_BYTES), value];
    }
  }

  /** What is in it is dropped with the segments below others, or stays. */
  close(): void {}

  #prefixed(key: Uint8Array): Uint8Array {
    const prefixed = new Uint8Array(NUMBER_BYTES + key.length);
    copyInto(prefixed, 0, this.prefix);
    copyInto(prefixed, NUMBER_BYTES, key);
    return prefixed;
  }
}
