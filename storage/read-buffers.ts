/**
 * Memory for reads from the disk that is used again. A fresh megabyte for every fetch costs more
 * than the read itself: the system has to find, clear and map 256 pages each time.
 */

/** Most reads ask for this much: the consumers' default of 1 MiB per partition, and some slack. */
const BUFFER_BYTES = 1024 * 1024 + 64 * 1024;

/** See the head of this file. */
export class ReadBuffers {
  private readonly free: Uint8Array[] = [];

  /** Keeps at most `buffersMax` buffers for later. */
  constructor(private readonly buffersMax: number) {}

  /** Room for `sizeBytes`, with anything in it. */
  take(sizeBytes: number): Uint8Array {
    if (sizeBytes > BUFFER_BYTES) return Buffer.allocUnsafeSlow(sizeBytes);
    const buffer = this.free.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
    return buffer.subarray(0, sizeBytes);
  }

  /**
   * Gives room back that nobody looks at any more. What is never given back goes to the garbage
   * collector, so leaving it out is slow, but giving it back early or twice shows one reader's
   * bytes to another.
   */
  give(taken: Uint8Array): void {
    if (taken.buffer.byteLength !== BUFFER_BYTES || this.free.length >= this.buffersMax) return;
    this.free.push(new Uint8Array(taken.buffer));
  }
}
