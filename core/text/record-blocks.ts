/**
 * Cuts a stream of bytes into blocks of whole records, in one buffer that is used again and again,
 * so that input of any size takes constant memory.
 */
import type { Framing } from "./framing.ts";

/** Fills `into` from `at` on; resolves to the number of bytes, 0 at the end of the input. */
export type ReadInto = (into: Uint8Array, at: number) => Promise<number>;

/** Whole records, `bytes[start, end)`; valid until the next call of `next`. */
export interface RecordBlock {
  readonly bytes: Buffer;
  readonly start: number;
  /** Behind the end of the last record, or behind the last byte of an input that ends without one. */
  readonly end: number;
  /** Where in the input `start` is. */
  readonly inputOffset: number;
  /** How many records before it were too long, and are left out. */
  readonly tooLong: number;
}

const BLOCK_BYTES = 1024 * 1024;
/** As much as a broker takes in one request (`socket.request.max.bytes`). */
export const RECORD_BYTES_MAX = 100 * 1024 * 1024;

/** See the head of the file. */
export class RecordBlocks {
  #buffer: Buffer;
  /** What is in the buffer and not given out yet: a record without its end. */
  #start = 0;
  #filled = 0;
  /** Up to there no record ends. */
  #searched = 0;
  /** Where in the input the buffer begins. */
  #inputOffset: number;
  #ended = false;
  #skipping = false;
  #tooLong = 0;

  constructor(
    readonly read: ReadInto,
    readonly framing: Framing,
    inputOffset = 0,
    blockBytes: number = BLOCK_BYTES,
    readonly recordBytesMax: number = RECORD_BYTES_MAX,
  ) {
    this.#inputOffset = inputOffset;
    this.#buffer = Buffer.allocUnsafeSlow(blockBytes);
  }

  /**
   * The next records, or null at the end. A block is without records where the input ends with some
   * that were too long. Throws `FramingError`.
   */
  async next(): Promise<RecordBlock | null> {
    for (;;) {
      if (this.#ended) return this.#rest();
      this.#makeRoom();
      const count = await this.read(this.#buffer, this.#filled);
      this.#filled += count;
      if (count === 0) this.#ended = true;
      else if (!this.#skipping || this.#skip()) {
        const until = this.framing.wholeUntil(
          this.#buffer,
          this.#start,
          this.#searched,
          this.#filled,
        );
        this.#searched = this.#filled;
        if (until >= 0) return this.#take(until);
      }
    }
  }

  #take(until: number): RecordBlock {
    const block = {
      bytes: this.#buffer,
      start: this.#start,
      end: until,
      inputOffset: this.#inputOffset + this.#start,
      tooLong: this.#tooLong,
    };
    this.#tooLong = 0;
    this.#start = until;
    // What lies behind was looked at only as a part of what came before.
    this.#searched = until;
    return block;
  }

  #rest(): RecordBlock | null {
    const isRecord = !this.#skipping && this.#start < this.#filled &&
      this.framing.isRecord(this.#buffer, this.#start, this.#filled);
    if (isRecord) return this.#take(this.#filled);
    this.#start = this.#filled;
    return this.#tooLong > 0 ? this.#take(this.#filled) : null;
  }

  #makeRoom(): void {
    this.#drop(this.#start);
    if (this.#filled < this.#buffer.length) return;
    if (this.#filled >= this.recordBytesMax) {
      this.#skipping = true;
      this.#tooLong++;
      this.#searched = 0;
      this.#skip();
      return;
    }
    const size = Math.min(this.#buffer.length * 2, Math.max(this.recordBytesMax, 1));
    const grown = Buffer.allocUnsafeSlow(size);
    this.#buffer.copy(grown);
    this.#buffer = grown;
  }

  /** Forgets the first bytes of the buffer. */
  #drop(count: number): void {
    this.#buffer.copyWithin(0, count, this.#filled);
    this.#inputOffset += count;
    this.#filled -= count;
    this.#start = Math.max(0, this.#start - count);
    this.#searched = Math.max(0, this.#searched - count);
  }

  /** Drops the rest of a record that is too long; false while its end has not come. */
  #skip(): boolean {
    const after = this.framing.endOfTooLong(this.#buffer, 0, this.#filled);
    if (after < 0) {
      // A delimiter may lie across the border; it is at most as long as what is kept.
      this.#drop(Math.max(0, this.#filled - this.framing.overlapBytes));
      return false;
    }
    this.#skipping = false;
    this.#start = after;
    this.#searched = after;
    return true;
  }
}
