import { assert } from "../assert.ts";
import type { Random } from "../io.ts";

const POOL_WORDS = 256;
const pool = new Uint32Array(POOL_WORDS);
let used = POOL_WORDS;

function nextWord(): number {
  if (used === POOL_WORDS) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  return pool[used++] ?? 0;
}

/** Chance from the system's cryptographic generator. */
export const systemRandom: Random = {
  below(bound: number): number {
    assert(Number.isInteger(bound) && bound >= 1 && bound <= 2 ** 32, "bound is 1 to 2^32");
    // Words above the largest multiple of `bound` would make small results likelier.
    const limit = 2 ** 32 - (2 ** 32 % bound);
    let word = nextWord();
    while (word >= limit) word = nextWord();
    return word % bound;
  },
  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    // getRandomValues refuses more than 65,536 bytes at once.
    for (let from = 0; from < count; from += 65_536) {
      crypto.getRandomValues(bytes.subarray(from, from + 65_536));
    }
    return bytes;
  },
};
