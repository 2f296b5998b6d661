/**
 * Memory for large buffers that is used again: a fresh one costs a page fault for every 4 KB, which
 * for a request of a megabyte is more than checking and writing it.
 */
import { assert } from "./assert.ts";

/** A sixteenth above a power of two: a full batch with its frame's header fits, not only the batch. */
const SMALLEST_BYTES = 68 * 1024;
const SHELVES = 6;

/** Keeps buffers of 68 KiB to 2176 KiB (2 MiB and a sixteenth), each size double the one before. */
export class BufferPool {
  readonly #free: Uint8Array[][] = [];
  #keptBytes = 0;

  /** Bytes that are kept for later. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Keeps at most `keptBytesMax` for later. */
  constructor(private readonly keptBytesMax: number) {
    for (let shelf = 0; shelf < SHELVES; shelf++) this.#free.push([]);
  }

  /** A buffer of at least `sizeBytes`, with anything in it. */
  take(sizeBytes: number): Uint8Array {
    const shelf = shelfFor(sizeBytes);
    const kept = this.#free[shelf]?.pop();
    if (kept !== undefined) {
      this.#keptBytes -= kept.length;
      return kept;
    }
    return allocateUncleared(shelf < SHELVES ? SMALLEST_BYTES << shelf : sizeBytes);
  }

  /**
   * Gives a whole buffer back that nobody looks at any more. Giving one back early or twice shows
   * one user's bytes to another; never giving it back is only slower.
   */
  give(buffer: Uint8Array): void {
    const shelf = shelfFor(buffer.length);
    if (shelf >= SHELVES || buffer.length !== SMALLEST_BYTES << shelf) return;
    assert(buffer.byteLength === buffer.buffer.byteLength, "a pool takes whole buffers");
    if (this.#keptBytes + buffer.length > this.keptBytesMax) return;
    this.#keptBytes += buffer.length;
    this.#free[shelf]!.push(buffer);
  }
}

/** Fresh memory with anything in it; no `Buffer`, whose `slice` is no copy. */
export function allocateUncleared(sizeBytes: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(sizeBytes).buffer);
}

/** Memory, all zeros, that a worker sees as well when it is sent there. */
export function allocateShared(sizeBytes: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(sizeBytes));
}

/** Index of the smallest buffers that hold `sizeBytes`; `SHELVES` if none do. */
function shelfFor(sizeBytes: number): number {
  let shelf = 0;
  while (SMALLEST_BYTES << shelf < sizeBytes && shelf < SHELVES) shelf++;
  return shelf;
}
