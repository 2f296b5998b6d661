/**
 * What was written and what has come of it, computed without any of the product's code: how often each word
 * came, how many were in each window, and that each record was joined.
 */
import { nameOf, PAIR_EVERY, WINDOW_MS, WORD_COUNT, wordOf } from "./app.ts";

const decoder = new TextDecoder();
const KEY_TIME_BYTES = 8;

/** A count by key, of what is to be and of what came. */
class Counts {
  readonly wanted = new Map<string, number>();
  readonly found = new Map<string, number>();

  constructor(readonly topic: string, readonly isExact: boolean) {}

  want(key: string): void {
    this.wanted.set(key, (this.wanted.get(key) ?? 0) + 1);
  }

  /** Exactly: each follows the one before it. */
  take(key: string, count: number): void {
    const before = this.found.get(key) ?? 0;
    if (this.isExact && count !== before + 1) {
      throw new Error(`${this.topic}: ${key} is ${count} after ${before}`);
    }
    this.found.set(key, Math.max(before, count));
  }

  /** How many are still to come. */
  get missing(): number {
    let sum = 0;
    for (const [key, count] of this.wanted) sum += Math.max(0, count - (this.found.get(key) ?? 0));
    return sum;
  }

  requireNoMore(): void {
    for (const [key, count] of this.found) {
      const wanted = this.wanted.get(key) ?? 0;
      const isRight = this.isExact ? count === wanted : count >= wanted && wanted > 0;
      if (!isRight) throw new Error(`${this.topic}: ${key} is ${count}, not ${wanted}`);
    }
  }
}

/** Which of some records have come, each once. */
class Seen {
  readonly #bits: Uint8Array;
  #count = 0;

  constructor(readonly topic: string, records: number, readonly isExact: boolean) {
    this.#bits = new Uint8Array(records);
  }

  get count(): number {
    return this.#count;
  }

  take(index: number): void {
    if (!(index < this.#bits.length)) throw new Error(`${this.topic}: nobody wrote ${index}`);
    if (this.#bits[index] === 0) this.#count++;
    else if (this.isExact) throw new Error(`${this.topic}: ${index} came twice`);
    this.#bits[index] = 1;
  }
}

/** See the head of the file. */
export class Ledger {
  written = 0;
  /** Records of all outputs. */
  taken = 0;
  readonly #totals: Counts;
  readonly #windows: Counts;
  readonly #joined: Seen;
  readonly #pairs: Seen;
  /** By word: the record of it that was joined last. */
  readonly #lastJoined = new Map<string, number>();

  constructor(readonly isExact: boolean, readonly beganMs: number, records: number) {
    this.#totals = new Counts("totals", isExact);
    this.#windows = new Counts("windows", isExact);
    this.#joined = new Seen("joined", records, isExact);
    this.#pairs = new Seen("pairs", records, isExact);
  }

  /** Record `written` was written. */
  add(): void {
    const word = wordOf(this.written);
    const startMs = Math.floor((this.beganMs + this.written) / WINDOW_MS) * WINDOW_MS;
    this.#totals.want(word);
    this.#windows.want(`${word.length} ${startMs}`);
    this.written++;
  }

  /** Results that are to come of what was written. */
  get missing(): number {
    const pairs = Math.ceil(this.written / PAIR_EVERY);
    return this.#totals.missing + this.#windows.missing + this.written - this.#joined.count +
      pairs - this.#pairs.count;
  }

  /** Records whose join with the table is still to come. */
  get behind(): number {
    return this.written - this.#joined.count;
  }

  /** A record of an output. Throws what is wrong with it. */
  take(topic: string, key: Uint8Array, value: Uint8Array): void {
    this.taken++;
    switch (topic) {
      case "totals":
        return this.#totals.take(decoder.decode(key), longOf(value, 0));
      case "windows": {
        const timeAt = key.length - KEY_TIME_BYTES;
        const length = decoder.decode(key.subarray(0, timeAt));
        return this.#windows.take(`${length} ${longOf(key, timeAt)}`, longOf(value, 0));
      }
      case "joined":
        return this.#takeJoined(decoder.decode(key), decoder.decode(value));
      case "pairs": {
        const [left, right] = decoder.decode(value).split(" ");
        if (left !== right) throw new Error(`pairs: ${left} is with ${right}`);
        return this.#pairs.take(Number(left));
      }
      default:
        throw new Error(`${topic} is no output`);
    }
  }

  /** There is no more than is to be. */
  requireNoMore(): void {
    this.#totals.requireNoMore();
    this.#windows.requireNoMore();
  }

  /** Those of a word come in their order, none is left out. */
  #takeJoined(word: string, value: string): void {
    const [name, text] = value.split(" ");
    const index = Number(text);
    if (name !== nameOf(word) || wordOf(index) !== word) {
      throw new Error(`joined: ${word} is with ${value}`);
    }
    const last = this.#lastJoined.get(word);
    if (this.isExact && last !== undefined && index !== last + WORD_COUNT) {
      throw new Error(`joined: ${word} has ${index} after ${last}`);
    }
    this.#lastJoined.set(word, index);
    this.#joined.take(index);
  }
}

function longOf(bytes: Uint8Array, at: number): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(at));
}
