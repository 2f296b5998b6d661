/**
 * Says of most keys that are not in a run that they are not: ten bits for each key, of which a key sets six
 * within 64 bytes, so that asking touches one line of the processor's cache. It is wrong for about 2 of
 * 100 keys that are not there (Putze et al., "Cache-, hash- and space-efficient Bloom filters").
 */
import { mixed } from "./bytes-order.ts";

const BITS_PER_KEY = 10;
const PROBES = 6;
const BLOCK_WORDS = 16;
const BLOCK_BITS = BLOCK_WORDS * 32;

/** See the head of the file. */
export class BloomFilter {
  readonly #blocks: number;

  /** `words`: as `bytes` gave them, or zeros. */
  constructor(private readonly words: Uint32Array) {
    this.#blocks = Math.max(1, Math.floor(words.length / BLOCK_WORDS));
  }

  static forKeys(count: number): BloomFilter {
    const blocks = Math.ceil(Math.max(1, count) * BITS_PER_KEY / BLOCK_BITS);
    return new BloomFilter(new Uint32Array(blocks * BLOCK_WORDS));
  }

  add(hash: number): void {
    const first = this.#firstWord(hash);
    let bits = mixed(hash + 1);
    for (let probe = 0; probe < PROBES; probe++) {
      const bit = bits & (BLOCK_BITS - 1);
      this.words[first + (bit >>> 5)]! |= 1 << (bit & 31);
      bits = Math.imul(bits >>> 9, 0x9e3779b1);
    }
  }

  mayHave(hash: number): boolean {
    const first = this.#firstWord(hash);
    let bits = mixed(hash + 1);
    for (let probe = 0; probe < PROBES; probe++) {
      const bit = bits & (BLOCK_BITS - 1);
      if ((this.words[first + (bit >>> 5)]! & (1 << (bit & 31))) === 0) return false;
      bits = Math.imul(bits >>> 9, 0x9e3779b1);
    }
    return true;
  }

  /** For files: in the order of the machine's bytes, which all machines that Bun runs on share. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.words.buffer, this.words.byteOffset, this.words.byteLength);
  }

  #firstWord(hash: number): number {
    return Math.floor((hash >>> 0) / 2 ** 32 * this.#blocks) * BLOCK_WORDS;
  }
}
