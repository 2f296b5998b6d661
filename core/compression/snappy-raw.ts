/**
 * Raw snappy blocks in TypeScript, both ways. A block is the length of its contents as a varint and
 * then elements, by the two low bits of their first byte:
 *
 *     0  literal: length − 1 in six bits, or in 1 to 4 bytes (60 to 63 there)
 *     1  copy: length − 4 in three bits, offset of 11 bits
 *     2  copy: length − 1 in six bits, offset u16      3  likewise, offset u32
 *
 * (https://github.com/google/snappy/blob/main/format_description.txt)
 */
import { CorruptRecordError } from "../records/corrupt-record-error.ts";
import { findMatches } from "./matches.ts";
import type { RawSnappy } from "./snappy-framing.ts";

/** Compressed piece by piece, so that an offset fits into 16 bits. */
const PIECE_BYTES = 64 * 1024;
const COPY_BYTES_MAX = 64;

/** Snappy without an addon. */
export const rawSnappy: RawSnappy = { compress, uncompress };

function compress(bytes: Uint8Array): Uint8Array {
  const output = new Uint8Array(bytes.length + Math.ceil(bytes.length / 6) + 32);
  let at = writeVarint(output, 0, bytes.length);
  for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
    const end = Math.min(start + PIECE_BYTES, bytes.length);
    const bounds = { lastStart: end - 4, lastEnd: end };
    const rest = findMatches(bytes, start, bounds, (literalStart, matchStart, length, offset) => {
      at = writeLiteral(output, at, bytes, literalStart, matchStart);
      at = writeCopies(output, at, length, offset);
    });
    at = writeLiteral(output, at, bytes, rest, end);
  }
  return output.slice(0, at);
}

function writeVarint(output: Uint8Array, at: number, value: number): number {
  for (; value >= 0x80; value >>>= 7) output[at++] = (value & 0x7f) | 0x80;
  output[at++] = value;
  return at;
}

/** At most 64 KiB. */
function writeLiteral(
  output: Uint8Array,
  at: number,
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
  const count = to - from;
  if (count === 0) return at;
  if (count <= 60) output[at++] = (count - 1) << 2;
  else if (count <= 256) {
    output[at++] = 60 << 2;
    output[at++] = count - 1;
  } else {
    output[at++] = 61 << 2;
    output[at++] = (count - 1) & 0xff;
    output[at++] = (count - 1) >> 8;
  }
  output.set(bytes.subarray(from, to), at);
  return at + count;
}

function writeCopies(output: Uint8Array, at: number, length: number, offset: number): number {
  while (length > 0) {
    const part = Math.min(length, COPY_BYTES_MAX);
    if (part >= 4 && part <= 11 && offset < 2048) {
      output[at++] = 1 | ((part - 4) << 2) | ((offset >> 8) << 5);
      output[at++] = offset & 0xff;
    } else {
      output[at++] = 2 | ((part - 1) << 2);
      output[at++] = offset & 0xff;
      output[at++] = offset >> 8;
    }
    length -= part;
  }
  return at;
}

/** Whoever calls it has looked at the length that the block claims. */
function uncompress(bytes: Uint8Array): Uint8Array {
  const { value: size, next } = readLength(bytes);
  const output = new Uint8Array(size);
  let to = 0;
  for (let at = next; at < bytes.length;) {
    const tag = bytes[at]!;
    const element = readElement(bytes, at, tag);
    at = element.next;
    const { length, offset } = element;
    if (length > size - to) throw new CorruptRecordError("snappy: more data than was announced");
    if (offset === null) {
      if (length > bytes.length - at) throw cutShort();
      output.set(bytes.subarray(at, at + length), to);
      at += length;
    } else {
      if (offset === 0 || offset > to) throw new CorruptRecordError("snappy: a copy from nowhere");
      for (let i = 0; i < length; i++) output[to + i] = output[to + i - offset]!;
    }
    to += length;
  }
  if (to !== size) throw cutShort();
  return output;
}

interface Element {
  readonly length: number;
  /** Null for a literal. */
  readonly offset: number | null;
  readonly next: number;
}

function readElement(bytes: Uint8Array, at: number, tag: number): Element {
  const upper = tag >> 2;
  switch (tag & 3) {
    case 0: {
      const more = Math.max(0, upper - 59);
      const length = more === 0 ? upper : readLittleEndian(bytes, at + 1, more);
      return { length: length + 1, offset: null, next: at + 1 + more };
    }
    case 1: {
      const offset = ((tag >> 5) << 8) | readLittleEndian(bytes, at + 1, 1);
      return { length: (upper & 7) + 4, offset, next: at + 2 };
    }
    default: {
      const size = (tag & 3) === 2 ? 2 : 4;
      const offset = readLittleEndian(bytes, at + 1, size);
      return { length: upper + 1, offset, next: at + 1 + size };
    }
  }
}

function readLength(bytes: Uint8Array): { value: number; next: number } {
  let value = 0;
  for (let at = 0; at < 5; at++) {
    const byte = bytes[at];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) return { value, next: at + 1 };
  }
  throw new CorruptRecordError("snappy: no length");
}

function readLittleEndian(bytes: Uint8Array, at: number, count: number): number {
  if (count > bytes.length - at) throw cutShort();
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}

function cutShort(): CorruptRecordError {
  return new CorruptRecordError("snappy: the data is cut short");
}
