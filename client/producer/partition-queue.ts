import { assert } from "../../core/assert.ts";
import { addSequence } from "../../core/records/batch-header.ts";
import type { ProducerBatch, ProducerIdentity } from "./batch.ts";

/** Gives the producer a new epoch, unless it has left `stale` already. */
export type RenewIdentity = (stale: ProducerIdentity) => ProducerIdentity;

/**
 * What a broker remembers of a producer: no more may be sent from the first batch on that has no answer
 * yet, also not to another leader while the old one keeps silent.
 */
const REMEMBERED_BATCHES = 5;

/** A batch that was sent. `left` is null while it flies, then what is to be sent in its place. */
interface Slot {
  readonly batch: ProducerBatch;
  left: readonly ProducerBatch[] | null;
  /** Whether it takes up its sequence numbers: stored, or perhaps stored. */
  counts: boolean;
  acknowledged: boolean;
}

/**
 * The batches of one partition, in order, and the sequence numbers by which the broker keeps that
 * order (KIP-98).
 *
 * Several batches are sent ahead. When one of them fails, the broker refuses those behind it as out
 * of order; so the queue stops sending, waits until all of them have landed, and sends what is left
 * again, each under its old number, one at a time: a broker recognises only the last five batches of
 * a producer, so none may overtake one that it has perhaps stored. New numbers are given only behind
 * a batch that was refused for good or split: the broker took nothing behind it, so no duplicate can
 * come of it. Where a batch was given up without an answer, or the broker's count is not ours, a new
 * epoch begins (KIP-360).
 *
 * The first batch of an identity flies alone: a broker takes any number of a producer that it does not
 * know, so where the leader moves, the new one could take the second batch first.
 */
export class PartitionQueue {
  /** The batch that takes records. */
  open: ProducerBatch | null = null;
  /** Not to be sent before this time of the monotonic clock, unless another leader is known… */
  retryAtMs = 0;
  /** …than the one of this epoch, which was tried last. */
  triedEpoch = -1;
  /** Whether the last batch was closed because it was full. */
  lastFull = false;
  /** How many records were in its batches before the open one. */
  recordsBefore = 0;
  readonly #pending: ProducerBatch[] = [];
  #isDue = false;
  #slots: Slot[] = [];
  #flying = 0;
  #recovering = false;
  /** Whether the batch in flight, then the only one, was sent before. */
  #retryFlies = false;
  #identity: ProducerIdentity | null = null;
  #newEpochNeeded = false;
  #nextSequence = 0;
  /** Whether the partition's log has a batch of this identity, so that every leader knows its count. */
  #isKnown = false;

  constructor(readonly topic: string, readonly partition: number) {}

  /** The next batch to send, or null if there is none or the queue recovers. The open one, once due. */
  get sendable(): ProducerBatch | null {
    const next = this.#pending[0] ?? (this.#isDue ? this.open : null);
    if (this.#flying === 0) return next;
    if (this.#identity !== null && this.#slots.length >= REMEMBERED_BATCHES) return null;
    const isNew = this.#identity !== null && !this.#isKnown;
    const alone = isNew || this.#recovering || this.#newEpochNeeded || this.#retryFlies ||
      (next !== null && next.attempts > 0);
    return alone ? null : next;
  }

  /** The open batch takes no more records and waits to be sent. */
  closeOpen(): void {
    if (this.open === null) return;
    this.#pending.push(this.open);
    this.recordsBefore += this.open.recordCount;
    this.open = null;
    this.#isDue = false;
  }

  /**
   * The open batch has lingered. It takes records until it is its turn to be sent: while a leader is
   * slow or changes, what waits becomes larger batches, not more.
   */
  due(): void {
    this.#isDue = this.open !== null;
    this.lastFull = false;
  }

  /** Whether the open batch has lingered and waits for its turn. */
  get isDue(): boolean {
    return this.#isDue;
  }

  /** The batch to be taken now, closed. */
  get next(): ProducerBatch | null {
    if (this.sendable !== null && this.sendable === this.open) this.closeOpen();
    return this.sendable;
  }

  /** Takes the next batch and numbers it; `identity` is null without idempotence. */
  take(identity: ProducerIdentity | null, renew: RenewIdentity): ProducerBatch {
    const batch = this.next;
    assert(batch !== null, "only a sendable batch is taken");
    this.#pending.shift();
    if (identity !== null) this.#number(batch, identity, renew);
    this.#slots.push({ batch, left: null, counts: true, acknowledged: false });
    this.#flying++;
    this.#retryFlies = batch.attempts > 0;
    batch.attempts++;
    batch.perhapsStored = true;
    return batch;
  }

  /** The batch is stored. */
  acknowledged(batch: ProducerBatch): void {
    const slot = this.#slots.find((slot) => slot.batch === batch);
    if (slot !== undefined) slot.acknowledged = true;
    this.#isKnown = true;
    this.#land(batch, [], true);
  }

  /** The batch, or those that it was split into, shall be sent again, in its old place. */
  retry(batch: ProducerBatch, left: readonly ProducerBatch[] = [batch]): void {
    this.#recovering = true;
    this.#land(batch, left, left.length === 1 && left[0] === batch);
  }

  /** The batch was refused for good: its sequence numbers are free again. */
  refused(batch: ProducerBatch): void {
    this.#recovering = true;
    this.#land(batch, [], false);
  }

  /** The batch is given up though it may be stored. */
  abandoned(batch: ProducerBatch): void {
    this.#recovering = true;
    this.#newEpochNeeded = true;
    this.#land(batch, [], true);
  }

  /**
   * The broker refused the first batch as out of order, so neither it nor any behind it is stored:
   * they go on in a new epoch.
   */
  outOfOrder(batch: ProducerBatch): void {
    this.#newEpochNeeded = true;
    batch.perhapsStored = false;
  }

  /** Whether every batch before this one, which flies, is acknowledged. */
  isFirst(batch: ProducerBatch): boolean {
    return this.#slots.find(({ acknowledged }) => !acknowledged)?.batch === batch;
  }

  /** Drops the batches that wait and for which `expired` says so, the oldest first; the open one, too. */
  dropPending(expired: (batch: ProducerBatch) => boolean): ProducerBatch[] {
    if (this.open !== null && expired(this.open)) this.closeOpen();
    // They wait in the order of their age, so a long queue is not gone through each time.
    const [oldest] = this.#pending;
    if (oldest === undefined || !expired(oldest)) return [];
    const dropped = this.#pending.filter(expired);
    const kept = this.#pending.filter((batch) => !expired(batch));
    this.#pending.splice(0, this.#pending.length, ...kept);
    // One that was sent may be stored though no answer came.
    if (dropped.some(({ perhapsStored }) => perhapsStored)) this.#newEpochNeeded = true;
    return dropped;
  }

  #number(batch: ProducerBatch, identity: ProducerIdentity, renew: RenewIdentity): void {
    let next = identity;
    if (this.#flying === 0) {
      if (this.#identity !== null && batch.perhapsStored) {
        // Under another number it might be stored twice. Its answer tells how to go on.
        next = this.#identity;
      } else {
        if (this.#newEpochNeeded && this.#identity !== null) next = renew(this.#identity);
        this.#newEpochNeeded = false;
      }
      if (this.#identity?.producerId !== next.producerId || this.#identity.epoch !== next.epoch) {
        // Each epoch counts from 0, and must not begin while batches of the last one fly.
        this.#identity = next;
        this.#isKnown = false;
        this.#nextSequence = 0;
        batch.sequence = -1;
        for (const waiting of this.#pending) waiting.sequence = -1;
      }
    }
    assert(this.#identity !== null, "a numbered queue has an identity");
    if (batch.sequence < 0) {
      batch.sequence = this.#nextSequence;
      this.#nextSequence = addSequence(this.#nextSequence, batch.recordCount);
    }
    batch.number(this.#identity);
  }

  #land(batch: ProducerBatch, left: readonly ProducerBatch[], counts: boolean): void {
    const slot = this.#slots.find((slot) => slot.batch === batch && slot.left === null);
    assert(slot !== undefined, "only a batch in flight lands");
    slot.left = left;
    slot.counts = counts;
    this.#flying--;
    this.#retryFlies = false;
    if (!this.#recovering) { while (this.#slots[0]?.acknowledged) this.#slots.shift(); }
    if (this.#flying === 0 && this.#recovering) this.#recover();
  }

  /** Puts what is left back in front, with new numbers behind the first gap. */
  #recover(): void {
    let next = -1;
    const left: ProducerBatch[] = [];
    for (const slot of this.#slots) {
      const { batch } = slot;
      assert(slot.left !== null, "recovery waits until every batch has landed");
      if (!slot.counts && next < 0) next = batch.sequence;
      // The broker went past a gap: it lost what we were told, or never checked.
      if (slot.acknowledged && next >= 0) this.#newEpochNeeded = true;
      for (const again of slot.left) {
        if (next >= 0) {
          again.sequence = next;
          next = addSequence(next, again.recordCount);
        }
        left.push(again);
      }
    }
    if (next >= 0) {
      // Those that wait behind were sent and refused in an earlier round.
      for (const waiting of this.#pending) {
        if (waiting.sequence < 0) break;
        waiting.sequence = next;
        next = addSequence(next, waiting.recordCount);
      }
      this.#nextSequence = next;
    }
    this.#pending.unshift(...left);
    this.#slots = [];
    this.#recovering = false;
  }
}
