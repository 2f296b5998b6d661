/**
 * The last offset of each key, in bounded memory: 24 bytes per slot, open addressing (as Kafka's
 * `SkimpyOffsetMap`). Keys are known by their hash alone. The table grows with its keys, and is
 * full when it can grow no more.
 */
import { assert } from "../../core/assert.ts";
import { KeyHash } from "./key-hash.ts";

/** 16 bytes of hash, 8 of offset. */
export const SLOT_BYTES = 24;
const WORDS_PER_SLOT = 4;
const SLOTS_AT_START = 16 * 1024;
const GROWTH = 4;
/** Share of the slots that may be in use (`log.cleaner.io.buffer.load.factor`). */
const LOAD_MAX = 0.9;
const TWO_32 = 0x1_0000_0000;

/** See the head of this file. */
export class KeyMap {
  /** The last offset that the map has been told of, −1 at first. */
  latestOffset = -1;
  private count = 0;
  private slots: number;
  private hashes: Int32Array;
  /** Offset + 1; 0 marks a free slot. */
  private offsets: Float64Array;
  private readonly hash: KeyHash;

  constructor(
    secret: Uint8Array,
    private readonly bytesMax: number,
    private readonly loadMax: number = LOAD_MAX,
  ) {
    this.hash = new KeyHash(secret);
    this.slots = Math.max(2, Math.min(SLOTS_AT_START, Math.floor(bytesMax / SLOT_BYTES)));
    this.hashes = new Int32Array(this.slots * WORDS_PER_SLOT);
    this.offsets = new Float64Array(this.slots);
  }

  /** How many keys are in. */
  get size(): number {
    return this.count;
  }

  /**
   * Notes that the key `bytes[start, end)` is at `offset`, which is beyond all earlier ones. False
   * if the key is new and the map full; nothing has changed then.
   */
  put(bytes: Uint8Array, start: number, end: number, offset: number): boolean {
    assert(offset > this.latestOffset, "offsets ascend");
    this.hash.compute(bytes, start, end);
    let slot = this.find();
    if (this.offsets[slot] === 0) {
      if (this.count + 1 > this.slots * this.loadMax) {
        if (!this.grow()) return false;
        slot = this.find();
      }
      const { hash, hashes } = this;
      const at = slot * WORDS_PER_SLOT;
      hashes[at] = hash.a;
      hashes[at + 1] = hash.b;
      hashes[at + 2] = hash.c;
      hashes[at + 3] = hash.d;
      this.count++;
    }
    this.offsets[slot] = offset + 1;
    this.latestOffset = offset;
    return true;
  }

  /** The last offset of the key, −1 if it is not in. */
  get(bytes: Uint8Array, start: number, end: number): number {
    if (this.count === 0) return -1;
    this.hash.compute(bytes, start, end);
    return this.offsets[this.find()]! - 1;
  }

  /** Everything up to `offset` has been looked at. */
  advance(offset: number): void {
    this.latestOffset = Math.max(this.latestOffset, offset);
  }

  /** The slot of the hash, or the free one where it belongs. There is always a free one. */
  private find(): number {
    const { hashes, offsets, slots } = this;
    const { a, b, c, d } = this.hash;
    let slot = Math.floor(((a >>> 0) / TWO_32) * slots);
    while (offsets[slot] !== 0) {
      const at = slot * WORDS_PER_SLOT;
      const isIt = hashes[at] === a && hashes[at + 1] === b && hashes[at + 2] === c &&
        hashes[at + 3] === d;
      if (isIt) return slot;
      slot++;
      if (slot === slots) slot = 0;
    }
    return slot;
  }

  /** Moves to a larger table, if old and new fit into the bound together. */
  private grow(): boolean {
    const room = Math.floor(this.bytesMax / SLOT_BYTES) - this.slots;
    const slots = Math.min(this.slots * GROWTH, room);
    if (slots <= this.slots) return false;
    const old = { hashes: this.hashes, offsets: this.offsets, slots: this.slots };
    const wanted = { a: this.hash.a, b: this.hash.b, c: this.hash.c, d: this.hash.d };
    this.slots = slots;
    this.hashes = new Int32Array(slots * WORDS_PER_SLOT);
    this.offsets = new Float64Array(slots);
    for (let from = 0; from < old.slots; from++) {
      if (old.offsets[from] === 0) continue;
      const words = old.hashes.subarray(from * WORDS_PER_SLOT, (from + 1) * WORDS_PER_SLOT);
      [this.hash.a, this.hash.b, this.hash.c, this.hash.d] = [
        words[0]!,
        words[1]!,
        words[2]!,
        words[3]!,
      ];
      const slot = this.find();
      this.hashes.set(words, slot * WORDS_PER_SLOT);
      this.offsets[slot] = old.offsets[from]!;
    }
    Object.assign(this.hash, wanted);
    return true;
  }
}
