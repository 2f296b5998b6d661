/** Copies of bytes that are few most of the time: below some length a loop is faster than the call. */

const LOOP_BYTES = 64;

/** `bytes[start, end)`, on its own: a view would cost more. */
export function copyOf(
  bytes: Uint8Array,
  start: number = 0,
  end: number = bytes.length,
): Uint8Array {
  const length = end - start;
  if (length > LOOP_BYTES) return bytes.slice(start, end);
  const copy = new Uint8Array(length);
  for (let at = 0; at < length; at++) copy[at] = bytes[start + at]!;
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
  if (end - start > LOOP_BYTES) {
    return into.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), at);
  }
  for (let index = start; index < end; index++) into[at + index - start] = bytes[index]!;
}
