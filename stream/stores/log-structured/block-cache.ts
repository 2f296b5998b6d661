/**
 * Blocks of runs that were read lately, of all stores of a process together, in one buffer of slots: to
 * read a block makes no garbage. What was not asked for since the hand went by last is replaced (CLOCK).
 */
import { BLOCK_BYTES } from "./run-format.ts";

/** Who is told that its block has been replaced. */
export interface BlockOwner {
  forget(index: number): void;
}

/** See the head of the file. */
export class BlockCache {
  readonly bytes: Uint8Array;
  readonly #owners: (BlockOwner | null)[];
  readonly #indexes: Uint32Array;
  readonly #wasUsed: Uint8Array;
  #hand = 0;

  /** Memory is taken as it is used. */
  constructor(bytesMax: number) {
    const slots = Math.max(1, Math.floor(bytesMax / BLOCK_BYTES));
    this.bytes = new Uint8Array(slots * BLOCK_BYTES);
    this.#owners = new Array<BlockOwner | null>(slots).fill(null);
    this.#indexes = new Uint32Array(slots);
    this.#wasUsed = new Uint8Array(slots);
  }

  /** A slot for a block, whose bytes the caller puts there: at `slot * BLOCK_BYTES`. */
  take(owner: BlockOwner, index: number): number {
    const slots = this.#owners.length;
    while (this.#wasUsed[this.#hand] === 1) {
      this.#wasUsed[this.#hand] = 0;
      this.#hand = (this.#hand + 1) % slots;
    }
    const slot = this.#hand;
    this.#owners[slot]?.forget(this.#indexes[slot]!);
    this.#owners[slot] = owner;
    this.#indexes[slot] = index;
    this.#hand = (slot + 1) % slots;
    return slot;
  }

  /** The block there was asked for again. */
  use(slot: number): void {
    this.#wasUsed[slot] = 1;
  }

  /** The block there is not wanted any more. */
  free(slot: number): void {
    this.#owners[slot] = null;
    this.#wasUsed[slot] = 0;
  }
}
