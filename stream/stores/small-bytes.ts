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
