/**
 * Cuts a stream of bytes into blocks of whole lines, in one buffer that is used again and again, so
 * that input of any size takes constant memory.
 */

/** Fills `into` from `at` on; resolves to the number of bytes, 0 at the end of the input. */
export type ReadInto = (into: Uint8Array, at: number) => Promise<number>;

/** Whole lines, `bytes[start, end)`; valid until the next call of `next`. */
export interface LineBlock {
  readonly bytes: Buffer;
  readonly start: number;
  /** Behind the last newline, or behind the last byte of an input that ends without one. */
  readonly end: number;
}

const BLOCK_BYTES = 1024 * 1024;
/** As much as a broker takes in one request (`socket.request.max.bytes`). */
const LINE_BYTES_MAX = 100 * 1024 * 1024;
const NEWLINE = 10;

/** See the head of the file. */
export class LineBlocks {
  /** Lines that were longer than a broker could ever take; they are left out. */
  tooLong = 0;
  #buffer: Buffer;
  /** What is in the buffer and not given out yet: a line without its end. */
  #start = 0;
  #filled = 0;
  #ended = false;
  #skipping = false;

  constructor(
    readonly read: ReadInto,
    blockBytes: number = BLOCK_BYTES,
    readonly lineBytesMax: number = LINE_BYTES_MAX,
  ) {
    this.#buffer = Buffer.allocUnsafeSlow(blockBytes);
  }

  /** The next lines, at least one, or null at the end. */
  async next(): Promise<LineBlock | null> {
    for (;;) {
      if (this.#ended) return this.#rest();
      this.#makeRoom();
      const searched = this.#filled;
      const count = await this.read(this.#buffer, this.#filled);
      this.#filled += count;
      if (count === 0) {
        this.#ended = true;
        continue;
      }
      if (this.#skipping && !this.#skipTo(searched)) continue;
      const last = this.#buffer.subarray(0, this.#filled).lastIndexOf(NEWLINE);
      if (last < Math.max(searched, this.#start)) continue;
      const block = { bytes: this.#buffer, start: this.#start, end: last + 1 };
      this.#start = last + 1;
      return block;
    }
  }

  #rest(): LineBlock | null {
    if (this.#skipping || this.#start === this.#filled) return null;
    const block = { bytes: this.#buffer, start: this.#start, end: this.#filled };
    this.#start = this.#filled;
    return block;
  }

  #makeRoom(): void {
    this.#buffer.copyWithin(0, this.#start, this.#filled);
    this.#filled -= this.#start;
    this.#start = 0;
    if (this.#filled < this.#buffer.length) return;
    if (this.#filled >= this.lineBytesMax) {
      this.#skipping = true;
      this.tooLong++;
      this.#filled = 0;
      return;
    }
    const size = Math.min(this.#buffer.length * 2, Math.max(this.lineBytesMax, 1));
    const grown = Buffer.allocUnsafeSlow(size);
    this.#buffer.copy(grown);
    this.#buffer = grown;
  }

  /** Drops the rest of a line that is too long; false while its end has not come. */
  #skipTo(from: number): boolean {
    const newline = this.#buffer.subarray(0, this.#filled).indexOf(NEWLINE, from);
    if (newline < 0) {
      this.#filled = 0;
      return false;
    }
    this.#skipping = false;
    this.#start = newline + 1;
    return true;
  }
}
