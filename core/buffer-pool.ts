/**
 * Memory for large buffers that is used again: a fresh one costs a page fault for every 4 KB, which
 * for a request of a megabyte is more than checking and writing it.
 */
import { assert } from "./assert.ts";

const SMALLEST_BYTES = 64 * 1024;
const LARGEST_BYTES = 2 * 1024 * 1024;

/** Keeps buffers of 64 KB to 2 MB, in powers of two. */
export class BufferPool {
  readonly #free: Uint8Array[][] = [];
  #keptBytes = 0;

  /** Keeps at most `keptBytesMax` for later. */
  constructor(private readonly keptBytesMax: number) {
    for (let size = SMALLEST_BYTES; size <= LARGEST_BYTES; size *= 2) this.#free.push([]);
  }

  /** A buffer of at least `sizeBytes`, with anything in it. */
  take(sizeBytes: number): Uint8Array {
    const shelf = shelfFor(sizeBytes);
    const kept = this.#free[shelf]?.pop();
    if (kept !== undefined) {
      this.#keptBytes -= kept.length;
      return kept;
    }
    return Buffer.allocUnsafeSlow(shelf < this.#free.length ? SMALLEST_BYTES << shelf : sizeBytes);
  }

  /**
   * Gives a whole buffer back that nobody looks at any more. Giving one back early or twice shows
   * one user's bytes to another; never giving it back is only slower.
   */
  give(buffer: Uint8Array): void {
    const shelf = shelfFor(buffer.length);
    if (shelf >= this.#free.length || buffer.length !== SMALLEST_BYTES << shelf) return;
    assert(buffer.byteLength === buffer.buffer.byteLength, "a pool takes whole buffers");
    if (this.#keptBytes + buffer.length > this.keptBytesMax) return;
    this.#keptBytes += buffer.length;
    this.#free[shelf]!.push(buffer);
  }
}

/** Index of the smallest power of two that holds `sizeBytes`. */
function shelfFor(sizeBytes: number): number {
  let shelf = 0;
  while (SMALLEST_BYTES << shelf < sizeBytes && shelf < 16) shelf++;
  return shelf;
}
