/**
 * Cuts a stream of bytes into Kafka's frames: an int32 length, then that many bytes. Brokers and
 * clients read with it.
 *
 * A frame that lies whole in one chunk is a view into it. One that spans chunks is assembled in a
 * buffer that grows with what has arrived, up to exactly the frame's length: a claimed length
 * costs no more than the first room (`roomBytes`) until its bytes come.
 *
 * With a pool the buffers of large frames are used again: who is done with such a frame gives back
 * what `takeBuffer` said.
 */
import type { BufferPool } from "./buffer-pool.ts";

/** Bytes of the length field. */
const LENGTH_BYTES = 4;
/** First room of a frame that spans chunks, where the peer is not trusted with more. */
const ROOM_BYTES = 256 * 1024;

/** Below this a fresh buffer costs little. */
const POOLED_BYTES_MIN = 16 * 1024;

/** Reads frames from the chunks that `push` adds. */
export class FrameReader {
  readonly #frameBytesMax: number;
  readonly #roomBytes: number;
  /** Chunks that came and have not been looked at; `#position` is a position in the first. */
  #chunks: Uint8Array[] = [];
  #position = 0;
  #bufferedBytes = 0;
  /** The frame that is being assembled, or null; `#filled` of its `#frameBytes` are there. */
  #assembly: Uint8Array | null = null;
  #filled = 0;
  #frameBytes = 0;
  #badLength: number | null = null;
  readonly #pool: BufferPool | null;
  /** The pool's buffer that holds the frame given out last, until it is asked for. */
  #lastBuffer: Uint8Array | null = null;

  /** `roomBytes`: what a frame that spans chunks gets at once; more spares copies of large frames. */
  constructor(
    frameBytesMax: number,
    options: { readonly roomBytes?: number; readonly pool?: BufferPool } = {},
  ) {
    this.#frameBytesMax = frameBytesMax;
    this.#roomBytes = options.roomBytes ?? ROOM_BYTES;
    this.#pool = options.pool ?? null;
  }

  /** The pool's buffer that the frame of the last `next` lies in, to be given back; null if none. */
  takeBuffer(): Uint8Array | null {
    const buffer = this.#lastBuffer;
    this.#lastBuffer = null;
    return buffer;
  }

  /** Bytes that came and have not been given out as frames. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** The length, negative or above the bound, that has ended reading for good; or null. */
  get badLength(): number | null {
    return this.#badLength;
  }

  /** Adds bytes that came; the array is owned by the reader from now on. */
  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.length;
  }

  /** The next frame without its length field, or null: more bytes are needed, or `badLength` is set. */
  next(): Uint8Array | null {
    this.#lastBuffer = null;
    if (this.#badLength !== null) return null;
    if (this.#assembly === null) {
      const left = this.#left();
      if (left < LENGTH_BYTES) return null;
      const length = this.#peekLength();
      if (length < 0 || length > this.#frameBytesMax) {
        this.#badLength = length;
        return null;
      }
      const whole = this.#takeView(length);
      if (whole !== null) return whole;
      this.#skip(LENGTH_BYTES);
      this.#frameBytes = length;
      this.#filled = 0;
      const room = Math.max(this.#roomBytes, 4 * (left - LENGTH_BYTES));
      this.#assembly = this.#allocate(Math.min(length, room));
    }
    return this.#assemble(this.#assembly);
  }

  /** Bytes in the chunks, apart from what is already in the assembly. */
  #left(): number {
    return this.#assembly === null ? this.#bufferedBytes : this.#bufferedBytes - this.#filled;
  }

  #peekLength(): number {
    let value = 0;
    let index = 0;
    let position = this.#position;
    for (let i = 0; i < LENGTH_BYTES; i++) {
      let chunk = this.#chunks[index];
      while (chunk !== undefined && position >= chunk.length) {
        chunk = this.#chunks[++index];
        position = 0;
      }
      value = (value << 8) | (chunk?.[position++] ?? 0);
    }
    return value;
  }

  /** The frame as a view, if it and its length field lie in the first chunk. */
  #takeView(length: number): Uint8Array | null {
    const chunk = this.#chunks[0];
    if (chunk === undefined) return null;
    const from = this.#position + LENGTH_BYTES;
    if (from + length > chunk.length) return null;
    const frame = chunk.subarray(from, from + length);
    this.#skip(LENGTH_BYTES + length);
    return frame;
  }

  /** Drops bytes from the chunks. */
  #skip(count: number): void {
    this.#bufferedBytes -= count;
    this.#position += count;
    let chunk = this.#chunks[0];
    while (chunk !== undefined && this.#position >= chunk.length) {
      this.#position -= chunk.length;
      this.#chunks.shift();
      chunk = this.#chunks[0];
    }
  }

  /** Moves bytes from the chunks into the assembly; the frame, if it is complete then. */
  #assemble(into: Uint8Array): Uint8Array | null {
    let buffer = into;
    while (this.#filled < this.#frameBytes) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) return null;
      const count = Math.min(chunk.length - this.#position, this.#frameBytes - this.#filled);
      if (this.#filled + count > buffer.length) {
        const grown = Math.max(2 * buffer.length, this.#filled + count);
        const larger = this.#allocate(Math.min(this.#frameBytes, grown));
        larger.set(buffer.subarray(0, this.#filled));
        this.#pool?.give(buffer);
        buffer = larger;
        this.#assembly = buffer;
      }
      buffer.set(chunk.subarray(this.#position, this.#position + count), this.#filled);
      this.#skip(count);
      // Still held, now in the assembly.
      this.#bufferedBytes += count;
      this.#filled += count;
    }
    this.#bufferedBytes -= this.#frameBytes;
    this.#assembly = null;
    this.#filled = 0;
    if (this.#pool !== null && this.#frameBytes >= POOLED_BYTES_MIN) this.#lastBuffer = buffer;
    return buffer.length === this.#frameBytes ? buffer : buffer.subarray(0, this.#frameBytes);
  }

  /** At least so many bytes; exactly so many without a pool, or if there are few. */
  #allocate(sizeBytes: number): Uint8Array {
    if (this.#pool === null || sizeBytes < POOLED_BYTES_MIN) return new Uint8Array(sizeBytes);
    return this.#pool.take(sizeBytes);
  }
}
