/**
 * A hash of 128 bits for keys: HalfSipHash-2-4's rounds under a secret of 128 bits, of whose state
 * all four words are taken at the end. Two keys with the same hash would be taken for one, so it
 * has to be wide enough never to happen by chance, and, as whoever may write could choose keys that
 * collide, it depends on a secret that is drawn for each cleaning. (Kafka's `SkimpyOffsetMap` uses
 * MD5, for which colliding keys are known.)
 */
import { assert } from "../../core/assert.ts";

/** Bytes of the secret. */
export const SECRET_BYTES = 16;

const ROUNDS_PER_WORD = 2;
const ROUNDS_AT_END = 4;

/** Hashes keys; the result of the last one is in `a` to `d`, 32 bits each. */
export class KeyHash {
  a = 0;
  b = 0;
  c = 0;
  d = 0;
  private readonly secret: Int32Array;

  constructor(secret: Uint8Array) {
    assert(secret.length === SECRET_BYTES, `the secret has ${SECRET_BYTES} bytes`);
    this.secret = new Int32Array(secret.slice().buffer);
  }

  /** Hashes `bytes[start, end)`. */
  compute(bytes: Uint8Array, start: number, end: number): void {
    const { secret } = this;
    this.a = secret[0]!;
    this.b = secret[1]!;
    this.c = secret[2]! ^ 0x6c796765;
    this.d = secret[3]! ^ 0x74656462;
    let at = start;
    for (; at + 4 <= end; at += 4) {
      const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) |
        (bytes[at + 3]! << 24);
      this.mix(word, ROUNDS_PER_WORD);
    }
    let last = (end - start) << 24;
    for (let shift = 0; at < end; at++, shift += 8) last |= bytes[at]! << shift;
    this.mix(last, ROUNDS_PER_WORD);
    this.c ^= 0xff;
    this.mix(0, ROUNDS_AT_END);
  }

  private mix(word: number, rounds: number): void {
    let { a, b, c } = this;
    let d = this.d ^ word;
    for (let left = rounds; left > 0; left--) {
      a = (a + b) | 0;
      b = ((b << 5) | (b >>> 27)) ^ a;
      a = (a << 16) | (a >>> 16);
      c = (c + d) | 0;
      d = ((d << 8) | (d >>> 24)) ^ c;
      a = (a + d) | 0;
      d = ((d << 7) | (d >>> 25)) ^ a;
      c = (c + b) | 0;
      b = ((b << 13) | (b >>> 19)) ^ c;
      c = (c << 16) | (c >>> 16);
    }
    this.a = a ^ word;
    this.b = b;
    this.c = c;
    this.d = d;
  }
}
