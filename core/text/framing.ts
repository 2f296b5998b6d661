/**
 * Where a record of the input ends: at a delimiter, or behind as many bytes as a length before it
 * says. `produce` asks twice: how far a buffer holds whole records, and then for each of them.
 */

/** The input is not framed as it was said to be; nothing behind `position` can be read. */
export class FramingError extends Error {
  override readonly name = "FramingError";
}

/** See the head of the file. */
export interface Framing {
  /** What one record is called in messages: a line, a record. */
  readonly unit: "line" | "record";
  /** Bytes of the record that `next` has found: [start, end). */
  readonly start: number;
  readonly end: number;
  /**
   * The position behind the last whole record of `bytes[from, filled)`, −1 if none is whole.
   * `searched`: up to there the call before has found nothing. Throws `FramingError` if the record
   * at `from` can never be read.
   */
  wholeUntil(bytes: Buffer, from: number, searched: number, filled: number): number;
  /**
   * Whether what is left at the end of the input, without an end of its own, is a record. Throws
   * `FramingError`.
   */
  isRecord(bytes: Buffer, from: number, filled: number): boolean;
  /**
   * Goes over the record at `position`; returns where the next one begins, which is not before `end`
   * if it was the last.
   */
  next(bytes: Buffer, position: number, end: number): number;
  /**
   * The position behind the end of a record that is too long to be kept, −1 if it is not in sight.
   * Never asked of a framing that refuses such records by itself.
   */
  endOfTooLong(bytes: Buffer, from: number, filled: number): number;
  /** How many bytes of an end may be in sight without the rest of it. */
  readonly overlapBytes: number;
}

/** Records that end at one byte: lines. */
export class ByteDelimited implements Framing {
  start = 0;
  end = 0;
  readonly unit: "line" | "record";
  readonly overlapBytes = 0;

  constructor(readonly delimiter: number) {
    this.unit = delimiter === 10 ? "line" : "record";
  }

  wholeUntil(bytes: Buffer, from: number, searched: number, filled: number): number {
    const begin = Math.max(searched, from);
    const last = bytes.subarray(begin, filled).lastIndexOf(this.delimiter);
    return last < 0 ? -1 : begin + last + 1;
  }

  isRecord(): boolean {
    return true;
  }

  next(bytes: Buffer, position: number, end: number): number {
    const found = bytes.indexOf(this.delimiter, position);
    this.start = position;
    this.end = found < 0 || found >= end ? end : found;
    return this.end + 1;
  }

  endOfTooLong(bytes: Buffer, from: number, filled: number): number {
    const found = bytes.subarray(0, filled).indexOf(this.delimiter, from);
    return found < 0 ? -1 : found + 1;
  }
}

/** Records that end at a text of several bytes. */
export class TextDelimited implements Framing {
  start = 0;
  end = 0;
  readonly unit = "record";
  readonly overlapBytes: number;

  constructor(readonly delimiter: Buffer) {
    this.overlapBytes = delimiter.length - 1;
  }

  wholeUntil(bytes: Buffer, from: number, searched: number, filled: number): number {
    const inside = bytes.subarray(0, filled);
    const { length } = this.delimiter;
    // Forwards, since a delimiter like "aa" cuts "aaa" differently from behind.
    let until = -1;
    let position = Math.max(from, searched - length + 1);
    for (;;) {
      const found = inside.indexOf(this.delimiter, position);
      if (found < 0) return until;
      until = position = found + length;
    }
  }

  isRecord(): boolean {
    return true;
  }

  next(bytes: Buffer, position: number, end: number): number {
    const found = bytes.indexOf(this.delimiter, position);
    this.start = position;
    this.end = found < 0 || found >= end ? end : found;
    return this.end + this.delimiter.length;
  }

  endOfTooLong(bytes: Buffer, from: number, filled: number): number {
    const found = bytes.subarray(0, filled).indexOf(this.delimiter, from);
    return found < 0 ? -1 : found + this.delimiter.length;
  }
}

/** A length that was read: how many bytes it takes and how many it announces. */
interface Prefix {
  readonly bytes: number;
  readonly length: number;
  /** What closes the record behind its bytes, for netstrings; −1: nothing. */
  readonly closedBy: number;
}

/** Reads the length at `position`; null if it is not whole. Throws `FramingError`. */
type ReadPrefix = (bytes: Buffer, position: number, filled: number) => Prefix | null;

/** Records behind their length. */
export class LengthPrefixed implements Framing {
  start = 0;
  end = 0;
  readonly unit = "record";
  readonly overlapBytes = 0;

  constructor(readonly read: ReadPrefix, readonly recordBytesMax: number) {}

  wholeUntil(bytes: Buffer, from: number, _searched: number, filled: number): number {
    let position = from;
    try {
      for (;;) {
        const next = this.#after(bytes, position, filled);
        if (next < 0) return position > from ? position : -1;
        position = next;
      }
    } catch (error) {
      // What comes before the fault is whole; the next call meets with it again.
      if (position > from) return position;
      throw error;
    }
  }

  isRecord(bytes: Buffer, from: number, filled: number): boolean {
    const prefix = this.read(bytes, from, filled);
    if (prefix === null) throw new FramingError("the input ends within a length");
    const { length } = prefix;
    const there = filled - from - prefix.bytes;
    throw new FramingError(`the input ends after ${there} of ${length} bytes`);
  }

  next(bytes: Buffer, position: number, end: number): number {
    const next = this.#after(bytes, position, end);
    return next < 0 ? end : next;
  }

  endOfTooLong(): number {
    return -1;
  }

  /** Sets the record at `position` if it is whole; returns the position behind it, else −1. */
  #after(bytes: Buffer, position: number, filled: number): number {
    if (position === filled) return -1;
    const prefix = this.read(bytes, position, filled);
    if (prefix === null) return -1;
    const { length, closedBy } = prefix;
    if (length > this.recordBytesMax) {
      throw new FramingError(`a length of ${length} bytes: is the input framed like this?`);
    }
    const start = position + prefix.bytes;
    const after = start + length + (closedBy < 0 ? 0 : 1);
    if (after > filled) return -1;
    if (closedBy >= 0 && bytes[after - 1] !== closedBy) {
      throw new FramingError("no comma behind the bytes of a netstring");
    }
    this.start = start;
    this.end = start + length;
    return after;
  }
}

/** The kinds of `--frame`. */
export const FRAMES = ["u32", "varint", "netstring"] as const;

/** How `--frame` is called. */
export type FrameName = (typeof FRAMES)[number];

/** Lengths as 4 bytes, big-endian; as varints (LEB128, as of protobuf); in digits before a colon. */
export function lengthPrefixed(frame: FrameName, recordBytesMax: number): Framing {
  return new LengthPrefixed(PREFIXES[frame], recordBytesMax);
}

/** Records that end at these bytes, of which there is one at least. */
export function delimited(delimiter: Uint8Array): Framing {
  return delimiter.length === 1
    ? new ByteDelimited(delimiter[0]!)
    : new TextDelimited(Buffer.from(delimiter));
}

const VARINT_BYTES_MAX = 5;
const DIGITS_MAX = 10;
const COLON = 58;
const COMMA = 44;

const PREFIXES: Readonly<Record<FrameName, ReadPrefix>> = {
  u32: (bytes, position, filled) =>
    filled - position < 4 ? null : { bytes: 4, length: bytes.readUInt32BE(position), closedBy: -1 },

  varint: (bytes, position, filled) => {
    let length = 0;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      if (position + i >= filled) return null;
      const byte = bytes[position + i]!;
      length += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return { bytes: i + 1, length, closedBy: -1 };
    }
    throw new FramingError("a varint of more than 5 bytes: is the input framed like this?");
  },

  netstring: (bytes, position, filled) => {
    let length = 0;
    for (let i = 0; i <= DIGITS_MAX; i++) {
      if (position + i >= filled) return null;
      const byte = bytes[position + i]!;
      if (byte === COLON && i > 0) return { bytes: i + 1, length, closedBy: COMMA };
      if (byte < 48 || byte > 57) break;
      length = length * 10 + byte - 48;
    }
    throw new FramingError("no length in digits and a colon: is the input framed like this?");
  },
};
