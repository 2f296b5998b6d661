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
    let a = secret[0]!;
    let b = secret[1]!;
    let c = secret[2]! ^ 0x6c796765;
    let d = secret[3]! ^ 0x74656462;
    const lastWord = start + ((end - start) & ~3);
    // Two rounds for each word, the rest of the bytes with the length among them, four at the end.
    for (let at = start, atEnd = 0; atEnd < 3;) {
      let word = 0;
      if (at < lastWord) {
        word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
        at += 4;
      } else if (atEnd++ === 0) {
        word = (end - start) << 24;
        for (let shift = 0; at < end; at++, shift += 8) word |= bytes[at]! << shift;
      } else if (atEnd === 2) {
        c ^= 0xff;
      }
      d ^= word;
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
      a ^= word;
    }
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
  }
}
