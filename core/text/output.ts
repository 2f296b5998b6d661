/** Gathers bytes in one buffer, which is used again, and writes it out when told. */

/** Writes all the bytes; false once nobody reads any more. */
export type WriteOut = (bytes: Uint8Array) => Promise<boolean>;

const FIRST_BYTES = 256 * 1024;
/** Below this a loop over bytes beats a native copy. */
const COPY_BY_LOOP_BYTES = 24;
/** The most bytes that a UTF-16 unit takes in UTF-8. */
const UTF8_BYTES_MAX = 3;

/** See the head of the file. */
export class Output {
  #buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #filled = 0;
  #open = true;

  constructor(readonly write: WriteOut) {}

  /** Bytes that wait for `flush`. */
  get size(): number {
    return this.#filled;
  }

  /** False once the reader has gone. */
  get open(): boolean {
    return this.#open;
  }

  byte(value: number): void {
    if (this.#filled === this.#buffer.length) this.#grow(1);
    this.#buffer[this.#filled++] = value;
  }

  /** The bytes `source[start, end)`. */
  range(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (this.#filled + length > this.#buffer.length) this.#grow(length);
    if (length > COPY_BY_LOOP_BYTES) {
      this.#buffer.set(source.subarray(start, end), this.#filled);
      this.#filled += length;
      return;
    }
    let at = this.#filled;
    for (let i = start; i < end; i++) this.#buffer[at++] = source[i]!;
    this.#filled = at;
  }

  /** The text in UTF-8. */
  text(text: string): void {
    const most = text.length * UTF8_BYTES_MAX;
    if (this.#filled + most > this.#buffer.length) this.#grow(most);
    this.#filled += this.#buffer.write(text, this.#filled, "utf8");
  }

  /** Takes back what has gathered beyond so many bytes. */
  truncate(size: number): void {
    this.#filled = Math.min(this.#filled, size);
  }

  /** Hands over what has gathered. */
  moveTo(other: Output): void {
    other.range(this.#buffer, 0, this.#filled);
    this.#filled = 0;
  }

  /** A copy of what has gathered, which is then gone. */
  take(): Uint8Array {
    const bytes = new Uint8Array(this.#buffer.subarray(0, this.#filled));
    this.#filled = 0;
    return bytes;
  }

  /** Writes out what has gathered. False once the reader has gone. */
  async flush(): Promise<boolean> {
    if (this.#filled > 0 && this.#open) {
      this.#open = await this.write(this.#buffer.subarray(0, this.#filled));
    }
    this.#filled = 0;
    return this.#open;
  }

  #grow(bytes: number): void {
    const size = Math.max(this.#buffer.length * 2, this.#filled + bytes);
    const grown = Buffer.allocUnsafeSlow(size);
    this.#buffer.copy(grown, 0, 0, this.#filled);
    this.#buffer = grown;
  }
}
