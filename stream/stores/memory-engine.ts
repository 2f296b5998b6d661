/** A store in memory: a B+ tree by keys as Latin-1 text, whose order is that of their bytes. */
import { byCodeUnits, bytesOf, textOf } from "./key-text.ts";
import type { BytesEntry, BytesRange, StoreEngine } from "./engine.ts";
import { SortedMap } from "./sorted-map.ts";

/** See the head of the file. */
export class MemoryEngine implements StoreEngine {
  readonly #tree = new SortedMap<string, Uint8Array>([], byCodeUnits);
  /** How often keys have come or gone: whoever goes through the tree has lost its place then. */
  #shapeCount = 0;

  get(key: Uint8Array): Uint8Array | null {
    return this.#tree.get(textOf(key)) ?? null;
  }

  put(key: Uint8Array, value: Uint8Array | null): void {
    const text = textOf(key);
    const isOther = value === null ? this.#tree.delete(text) : this.#tree.set(text, value.slice());
    if (isOther) this.#shapeCount++;
  }

  *range({ from, to, isReversed = false }: BytesRange): IterableIterator<BytesEntry> {
    const low = from === null ? undefined : textOf(from);
    const high = to === null ? undefined : textOf(to);
    let last = isReversed ? high : low;
    let isAnew = true;
    let isGiven = false;
    while (isAnew) {
      isAnew = false;
      const shapeCount = this.#shapeCount;
      const entries = isReversed ? this.#tree.entriesReversed(last) : this.#tree.entries(last);
      for (const [key, value] of entries) {
        if (isGiven && key === last) continue;
        if (isReversed ? low !== undefined && key < low : high !== undefined && key > high) return;
        last = key;
        isGiven = true;
        yield [bytesOf(key), value];
        isAnew = this.#shapeCount !== shapeCount;
        if (isAnew) break;
      }
    }
  }

  get approximateCount(): number {
    return this.#tree.size;
  }

  close(): void {
    this.#tree.clear();
    this.#shapeCount++;
  }
}
