/** Finds where a run of plain bytes in a JSON string ends, four bytes at a time. */

/** 1 for what ends a run: quote, backslash, control characters. */
export const ENDS_RUN = new Uint8Array(256).fill(1, 0, 0x20);
ENDS_RUN[0x22] = ENDS_RUN[0x5c] = 1;

/**
 * The position of the first byte in `[from, end)` that is a quote, a backslash or a control character;
 * `end` if there is none. `view` and `bytes` are of the same bytes.
 */
export function endOfRun(view: DataView, bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at + 4 <= end && !hasEnd(view.getInt32(at))) at += 4;
  while (at < end && ENDS_RUN[bytes[at]!] === 0) at++;
  return at;
}

/**
 * Whether one of the four bytes of the word ends a run. A byte minus n has its high bit set, which it
 * did not have, only if it is below n; equal is below 1 after an exclusive or. What a byte borrows from
 * the next one comes from one that ends a run itself, so the word has one anyway.
 */
function hasEnd(word: number): boolean {
  const quote = word ^ 0x22222222;
  const backslash = word ^ 0x5c5c5c5c;
  const high = ((quote - 0x01010101) & ~quote) | ((backslash - 0x01010101) & ~backslash) |
    ((word - 0x20202020) & ~word);
  return (high & 0x80808080) !== 0;
}
