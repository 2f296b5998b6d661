/** A store in memory: a B+ tree by keys as Latin-1 text, whose order is that of their bytes. */
import { byCodeUnits, bytesOf, textOf } from "./key-text.ts";
import type { BytesEntry, BytesRange, StoreEngine } from "./engine.ts";
import { SortedMap } from "./sorted-map.ts";

/** See the head of the file. */
export class MemoryEngine implements StoreEngine {
  readonly #tree = new SortedMap<string, Uint8Array>([], byCodeUnits);

  get(key: Uint8Array): Uint8Array | null {
    return this.#tree.get(textOf(key)) ?? null;
  }

  put(key: Uint8Array, value: Uint8Array | null): void {
    if (value === null) this.#tree.delete(textOf(key));
    else this.#tree.set(textOf(key), value.slice());
  }

  *range({ from, to, isReversed = false }: BytesRange): IterableIterator<BytesEntry> {
    const low = from === null ? undefined : textOf(from);
    const high = to === null ? undefined : textOf(to);
    if (isReversed) {
      for (const [key, value] of this.#tree.entriesReversed(high)) {
        if (low !== undefined && key < low) return;
        yield [bytesOf(key), value];
      }
      return;
    }
    for (const [key, value] of this.#tree.entries(low)) {
      if (high !== undefined && key > high) return;
      yield [bytesOf(key), value];
    }
  }

  get approximateCount(): number {
    return this.#tree.size;
  }

  close(): void {
    this.#tree.clear();
  }
}
