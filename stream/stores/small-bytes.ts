/**
 * Copies parts of bytes without a view of them, which would cost more than the copy: a few bytes by a loop,
 * others by `Buffer`'s copy, which takes any bytes.
 */

const LOOP_BYTES = 32;
const nativeCopy = Buffer.prototype.copy;

/** `bytes[start, end)`, on its own. */
export function copyOf(
  bytes: Uint8Array,
  start: number = 0,
  end: number = bytes.length,
): Uint8Array {
  const copy = new Uint8Array(end - start);
  copyInto(copy, 0, bytes, start, end);
  return copy;
}

/** Puts `bytes[start, end)` at a place of `into`, where there is room. */
export function copyInto(
  into: Uint8Array,
  at: number,
  bytes: Uint8Array,
  start: number = 0,
  end: number = bytes.length,
): void {
  if (end - start > LOOP_BYTES) return void nativeCopy.call(bytes, into, at, start, end);
  let from = start;
  let to = at;
  for (; from + 4 <= end; from += 4, to += 4) {
    into[to] = bytes[from]!;
    into[to + 1] = bytes[from + 1]!;
    into[to + 2] = bytes[from + 2]!;
    into[to + 3] = bytes[from + 3]!;
  }
  for (; from < end; from++, to++) into[to] = bytes[from]!;
}

const LENT_BYTES_MAX = 2048;

/**
 * Copies that are lent: those of one length are the same bytes each time. A loop over records that looks
 * at each but once needs neither views, which cost more than such a copy, nor garbage.
 */
export class LentBytes {
  readonly #byLength: Uint8Array[] = [];

  /** So many bytes as they were left, good until as many are asked for again. */
  ofLength(length: number): Uint8Array {
    if (length > LENT_BYTES_MAX) return new Uint8Array(length);
    return this.#byLength[length] ??= new Uint8Array(length);
  }

  /** `bytes[start, end)`, good until another of that length is asked for; of many bytes a view. */
  copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
    if (end - start > LENT_BYTES_MAX) return bytes.subarray(start, end);
    const copy = this.ofLength(end - start);
    copyInto(copy, 0, bytes, start, end);
    return copy;
  }
}
