/** A block of a run (`run-format.ts`) within some buffer. Objects of it are used again and again. */
import { crc32c } from "../../../core/crc32c.ts";
import { compareBytes } from "./bytes-order.ts";
import type { EntryView } from "./entry-format.ts";
import { CRC_BYTES } from "./run-format.ts";

/** See the head of the file. */
export class Block {
  bytes: Uint8Array = new Uint8Array(0);
  /** How many entries it has. */
  count = 0;
  #start = 0;
  /** Where it says where entries begin. */
  #startsAt = 0;

  /** It is `bytes[start, end)`. */
  set(bytes: Uint8Array, start: number, end: number): void {
    const countAt = end - CRC_BYTES - 2;
    this.bytes = bytes;
    this.count = bytes[countAt]! | (bytes[countAt + 1]! << 8);
    this.#start = start;
    this.#startsAt = countAt - this.count * 2;
  }

  /** Reads an entry; gives where it begins. */
  read(index: number, view: EntryView): number {
    const at = this.#startsAt + index * 2;
    const start = this.#start + (this.bytes[at]! | (this.bytes[at + 1]! << 8));
    view.read(this.bytes, start);
    return start;
  }

  /** The first entry that is not before the key; as many as there are: none is. */
  indexFrom(key: Uint8Array, view: EntryView): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      this.read(middle, view);
      if (this.compare(view, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The key of the entry that was read, with another one. */
  compare({ keyStart, keyEnd }: EntryView, key: Uint8Array): number {
    return compareBytes(this.bytes, keyStart, keyEnd, key, 0, key.length);
  }
}

/** Whether `bytes[start, end)` is what was written. */
export function isBlockWhole(bytes: Uint8Array, start: number, end: number): boolean {
  const at = end - CRC_BYTES;
  const written = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) |
    (bytes[at + 3]! << 24);
  return crc32c(bytes, start, at) === written >>> 0;
}
