/**
 * Finds repetitions for the LZ4 and snappy compressors in TypeScript: a greedy search with one
 * table of earlier places by the hash of their four bytes, as both formats' own compressors do.
 */

/** Repetitions are at least so long. */
const MATCH_BYTES_MIN = 4;
const HASH_BITS = 14;
/** After so many places without a repetition the search begins to skip some. */
const PATIENCE_BITS = 6;

/** `bytes[literalStart, matchStart)` are new; `length` bytes from there stand `offset` earlier, too. */
export type OnMatch = (
  literalStart: number,
  matchStart: number,
  length: number,
  offset: number,
) => void;

const table = new Int32Array(1 << HASH_BITS);

/**
 * Reports the repetitions within `bytes[start, end)`, at most 64 KiB. None begins after `lastStart`
 * or reaches beyond `lastEnd`. Returns where the bytes begin that are in none.
 */
export function findMatches(
  bytes: Uint8Array,
  start: number,
  { lastStart, lastEnd }: { readonly lastStart: number; readonly lastEnd: number },
  onMatch: OnMatch,
): number {
  table.fill(-1);
  let literalStart = start;
  let misses = 0;
  for (let at = start; at <= lastStart;) {
    const word = wordAt(bytes, at);
    const slot = Math.imul(word, 2654435761) >>> (32 - HASH_BITS);
    const earlier = table[slot]!;
    table[slot] = at;
    if (earlier < 0 || wordAt(bytes, earlier) !== word) {
      at += 1 + (misses++ >> PATIENCE_BITS);
      continue;
    }
    misses = 0;
    let end = at + MATCH_BYTES_MIN;
    for (
      let from = earlier + MATCH_BYTES_MIN;
      end < lastEnd && bytes[end] === bytes[from];
      from++
    ) {
      end++;
    }
    onMatch(literalStart, at, end - at, at - earlier);
    literalStart = end;
    at = end;
  }
  return literalStart;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
