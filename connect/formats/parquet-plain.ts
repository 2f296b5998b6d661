/**
 * Values of a column one behind the other, as Parquet's encoding PLAIN has them: numbers little-endian,
 * booleans a bit each, texts behind their length in four bytes.
 */

/** The least and the greatest value, for readers that leave row groups out. */
export interface Bounds {
  readonly min_value?: number | bigint | string | boolean;
  readonly max_value?: number | bigint | string | boolean;
  readonly nan_count?: bigint;
}

/** Encodes the values of one column. */
export interface PlainEncoder {
  /** How many values were there, of those encoded last. */
  readonly present: number;
  /**
   * Encodes values from `start` on until there are about `bytesMax` bytes; returns where it has stopped.
   * Null and undefined are left out.
   */
  encode(values: readonly unknown[], start: number, bytesMax: number): number;
  /** What was encoded last; valid until the next call. */
  take(): Uint8Array;
  /** Of all that was encoded, which are `values`. */
  bounds(values: readonly unknown[]): Bounds;
}

/** A page is a mebibyte at most, so that readers need not hold more. */
export const PAGE_BYTES = 1024 * 1024;
/** Of texts a page is as long as it has grown; this is for the first. */
const TEXT_BYTES = 64 * 1024;

const isNothing = (value: unknown) => value === null || value === undefined;

export class PlainBoolean implements PlainEncoder {
  present = 0;
  #bytes = new Uint8Array(0);
  #hasFalse = false;
  #hasTrue = false;

  encode(values: readonly unknown[], start: number, bytesMax: number): number {
    const end = Math.min(values.length, start + bytesMax * 8);
    const bytes = new Uint8Array((end - start + 7) >> 3);
    let present = 0;
    for (let row = start; row < end; row++) {
      const value = values[row];
      if (value === true) {
        bytes[present >> 3]! |= 1 << (present & 7);
        this.#hasTrue = true;
      } else if (value === false) this.#hasFalse = true;
      else continue;
      present++;
    }
    this.present = present;
    this.#bytes = bytes.subarray(0, (present + 7) >> 3);
    return end;
  }

  take(): Uint8Array {
    return this.#bytes;
  }

  bounds(): Bounds {
    if (!this.#hasTrue && !this.#hasFalse) return {};
    return { min_value: !this.#hasFalse, max_value: this.#hasTrue };
  }
}

/** How many values of eight bytes are in a page that begins at `start`. */
function wordsOf(values: readonly unknown[], start: number, bytesMax: number): number {
  return Math.min(values.length - start, Math.max(1, Math.floor(bytesMax / 8)));
}

export class PlainDouble implements PlainEncoder {
  present = 0;
  #words = new Float64Array(0);
  #min = Infinity;
  #max = -Infinity;
  #nans = 0;

  encode(values: readonly unknown[], start: number, bytesMax: number): number {
    const count = wordsOf(values, start, bytesMax);
    if (this.#words.length < count) this.#words = new Float64Array(count);
    const words = this.#words;
    let [min, max, present] = [this.#min, this.#max, 0];
    for (let row = start; row < start + count; row++) {
      const value = values[row];
      if (typeof value !== "number") continue;
      words[present++] = value;
      if (value < min) min = value;
      if (value > max) max = value;
      if (value !== value) this.#nans++;
    }
    [this.#min, this.#max, this.present] = [min, max, present];
    return start + count;
  }

  take(): Uint8Array {
    return new Uint8Array(this.#words.buffer, 0, this.present * 8);
  }

  /** Zeros are −0 below and +0 above, as the format wants it. */
  bounds(): Bounds {
    const nan_count = BigInt(this.#nans);
    if (this.#min > this.#max) return { nan_count };
    const min_value = this.#min === 0 ? -0 : this.#min;
    return { min_value, max_value: this.#max === 0 ? 0 : this.#max, nan_count };
  }
}

const WORD = 2 ** 32;

/** Whole numbers: those of `number` are split without being made a `bigint`, which is dear. */
export class PlainInt64 implements PlainEncoder {
  present = 0;
  #halves = new Int32Array(0);
  #min: number | bigint | null = null;
  #max: number | bigint | null = null;

  encode(values: readonly unknown[], start: number, bytesMax: number): number {
    const count = wordsOf(values, start, bytesMax);
    if (this.#halves.length < count * 2) this.#halves = new Int32Array(count * 2);
    const halves = this.#halves;
    let [min, max, at] = [Infinity, -Infinity, 0];
    for (let row = start; row < start + count; row++) {
      const value = values[row];
      if (typeof value === "number") {
        halves[at] = value | 0;
        halves[at + 1] = Math.floor(value / WORD);
        if (value < min) min = value;
        if (value > max) max = value;
      } else if (typeof value === "bigint") {
        halves[at] = Number(BigInt.asIntN(32, value));
        halves[at + 1] = Number(value >> 32n);
        this.#seen(value, value);
      } else continue;
      at += 2;
    }
    this.present = at / 2;
    if (min <= max) this.#seen(min, max);
    return start + count;
  }

  #seen(min: number | bigint, max: number | bigint): void {
    if (this.#min === null || min < this.#min) this.#min = min;
    if (this.#max === null || max > this.#max) this.#max = max;
  }

  take(): Uint8Array {
    return new Uint8Array(this.#halves.buffer, 0, this.present * 8);
  }

  bounds(): Bounds {
    if (this.#min === null || this.#max === null) return {};
    return { min_value: BigInt(this.#min), max_value: BigInt(this.#max) };
  }
}

/** Longer texts are written by the runtime, whose call costs as much as so many characters. */
const SHORT_TEXT = 48;
const LENGTH_BYTES = 4;

export class PlainText implements PlainEncoder {
  present = 0;
  #bytes = Buffer.allocUnsafeSlow(TEXT_BYTES);
  #filled = 0;
  #isAscii = true;

  encode(values: readonly unknown[], start: number, bytesMax: number): number {
    this.#filled = 0;
    let present = 0;
    let row = start;
    for (; row < values.length && this.#filled < bytesMax; row++) {
      const value = values[row];
      if (isNothing(value)) continue;
      this.#append(value as string);
      present++;
    }
    this.present = present;
    return row;
  }

  #append(text: string): void {
    const at = this.#filled + LENGTH_BYTES;
    // Three bytes for a unit of UTF-16 are enough.
    if (at + text.length * 3 > this.#bytes.length) this.#grow(at + text.length * 3);
    const bytes = this.#bytes;
    let length = text.length > SHORT_TEXT ? -1 : copyAscii(text, bytes, at);
    if (length < 0) {
      length = bytes.write(text, at);
      if (length !== text.length) this.#isAscii = false;
    }
    bytes.writeUInt32LE(length, this.#filled);
    this.#filled = at + length;
  }

  #grow(least: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(least, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#filled);
    this.#bytes = grown;
  }

  take(): Uint8Array {
    return this.#bytes.subarray(0, this.#filled);
  }

  bounds(values: readonly unknown[]): Bounds {
    const isLess = this.#isAscii ? (a: string, b: string) => a < b : isBefore;
    let min: string | null = null;
    let max: string | null = null;
    for (const value of values) {
      if (typeof value !== "string") continue;
      if (min === null || isLess(value, min)) min = value;
      if (max === null || isLess(max, value)) max = value;
    }
    return min === null || max === null ? {} : { min_value: min, max_value: max };
  }
}

/** Copies a text of ASCII; −1 if it is none. */
function copyAscii(text: string, into: Buffer, at: number): number {
  const { length } = text;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 127) return -1;
    into[at + i] = unit;
  }
  return length;
}

const FIRST_SURROGATE = 0xd800;
/** What a surrogate is written as that has no other half. */
const REPLACEMENT = 0xfffd;

/** Whether a text is before another one in the order of its bytes, which is that of code points. */
function isBefore(a: string, b: string): boolean {
  const length = Math.min(a.length, b.length);
  let at = 0;
  while (at < length && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  if (at === length) return a.length < b.length;
  const [x, y] = [a.charCodeAt(at), b.charCodeAt(at)];
  if (x < FIRST_SURROGATE || y < FIRST_SURROGATE) return x < y;
  return codePoint(a, at) < codePoint(b, at);
}

/** Of the character that the unit at `at` is a part of. */
function codePoint(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  const isSecond = unit >= 0xdc00 && unit <= 0xdfff && at > 0;
  const whole = text.codePointAt(isSecond ? at - 1 : at) ?? REPLACEMENT;
  if (whole > 0xffff) return whole;
  return unit >= FIRST_SURROGATE && unit <= 0xdfff ? REPLACEMENT : unit;
}
