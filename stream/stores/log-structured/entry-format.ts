/**
 * An entry as bytes, in memory, in logs and in runs alike:
 *
 *     length of the key (varint), length of the value + 1 (varint; 0: the key is gone), key, value
 *
 * Varints have seven bits in a byte, the lowest first.
 */

import { copyInto, copyOf } from "../small-bytes.ts";

/** Where the parts of an entry are; one is used again and again. */
export class EntryView {
  keyStart = 0;
  keyEnd = 0;
  /** −1: the key is gone. */
  valueLength = 0;
  end = 0;

  get isGone(): boolean {
    return this.valueLength < 0;
  }

  /** Reads the entry that begins at `start`. Nothing is checked: what comes from files has a checksum. */
  read(bytes: Uint8Array, start: number): void {
    let at = start;
    let byte = bytes[at++]!;
    let keyLength = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = bytes[at++]!;
      keyLength |= (byte & 0x7f) << shift;
    }
    byte = bytes[at++]!;
    let length = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = bytes[at++]!;
      length |= (byte & 0x7f) << shift;
    }
    this.keyStart = at;
    this.keyEnd = at + keyLength;
    this.valueLength = length - 1;
    this.end = this.keyEnd + (length === 0 ? 0 : length - 1);
  }

  /** A copy of the value; null: the key is gone. */
  valueOf(bytes: Uint8Array): Uint8Array | null {
    return this.valueLength < 0 ? null : copyOf(bytes, this.keyEnd, this.end);
  }
}

/** Most that an entry takes besides its key and value. */
export const ENTRY_HEADER_BYTES_MAX = 10;

function writeLength(bytes: Uint8Array, start: number, length: number): number {
  let at = start;
  let rest = length;
  for (; rest > 0x7f; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
  bytes[at++] = rest;
  return at;
}

/** Writes an entry, for which there must be room; gives where it ends. */
export function writeEntry(
  bytes: Uint8Array,
  start: number,
  key: Uint8Array,
  value: Uint8Array | null,
): number {
  let at = writeLength(bytes, start, key.length);
  at = writeLength(bytes, at, value === null ? 0 : value.length + 1);
  copyInto(bytes, at, key);
  at += key.length;
  if (value === null) return at;
  copyInto(bytes, at, value);
  return at + value.length;
}
