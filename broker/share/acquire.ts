/**
 * Which records of a read a member gets (`SharePartition.acquire`, KIP-932 and KIP-1206).
 *
 * - Batches of the log are delivered whole, so `maxRecords` is soft: the batch that reaches it is
 *   the last. With `recordLimit` it is hard.
 * - New records are taken while the window has room; what may be delivered again has its place.
 * - Records that have failed often are delivered in ever smaller portions, and for the last time
 *   alone: so one bad record does not take its neighbours with it to the delivery limit.
 */
import type { AcquiredRange, DeliveryWindow, Lock } from "./delivery-window.ts";

/** A batch of the log. `isDelivered` is false for control batches and aborted transactions. */
export interface LogBatch {
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly isDelivered: boolean;
}

/** What somebody asks for. */
export interface AcquireRequest {
  readonly lock: Lock;
  /** Where the read began: the batches are all there is from here to the end of the last one. */
  readonly fetchOffset: number;
  readonly batches: readonly LogBatch[];
  readonly maxRecords: number;
  /** Ranges are not made longer than this, save by whole batches of the log. */
  readonly batchSize: number;
  readonly recordLimit: boolean;
  /** group.share.partition.max.record.locks */
  readonly maxInFlight: number;
  /** group.share.delivery.count.limit */
  readonly deliveryLimit: number;
}

/** Acquires; answers the ranges in the order of offsets, none if there is nothing to be had. */
export function acquire(window: DeliveryWindow, request: AcquireRequest): AcquiredRange[] {
  const round = new AcquireRound(window, request);
  // The window was made anew while the log was read: what lies before the read is not known.
  if (request.fetchOffset > window.nextOffset) return [];
  let next = request.fetchOffset;
  for (const batch of request.batches) {
    if (round.isFull) break;
    if (batch.firstOffset > next) round.skip(next, batch.firstOffset - 1);
    if (batch.isDelivered) round.take(batch);
    else round.skip(Math.max(batch.firstOffset, next), batch.lastOffset);
    next = batch.lastOffset + 1;
  }
  window.tidy();
  return round.ranges;
}

/** From so many deliveries on records come in smaller portions (half of the limit). */
function isSuspect(deliveryCount: number, deliveryLimit: number): boolean {
  return deliveryCount > 0 && deliveryCount >= Math.ceil(deliveryLimit / 2);
}

class AcquireRound {
  readonly ranges: AcquiredRange[] = [];
  #remaining: number;
  #stopped = false;

  constructor(readonly window: DeliveryWindow, readonly request: AcquireRequest) {
    this.#remaining = request.maxRecords;
  }

  /** How many new records the window takes. */
  get #room(): number {
    return this.request.maxInFlight - this.window.inFlightCount;
  }

  get isFull(): boolean {
    return this.#stopped || this.#remaining <= 0;
  }

  /** There is nothing to deliver in these offsets. */
  skip(first: number, last: number): void {
    // Behind a window that is full nothing is looked at yet.
    const isNew = last >= this.window.nextOffset;
    if (isNew && this.#room <= 0) this.#stopped = true;
    const end = this.#stopped ? Math.min(last, this.window.nextOffset - 1) : last;
    if (end >= first) this.window.archiveHole(first, end);
    this.window.tidy();
  }

  /** Takes what it can of a batch of the log. */
  take(batch: LogBatch): void {
    const { window } = this;
    const behind = Math.max(batch.firstOffset, window.nextOffset);
    // No further than the batch goes: the next one may not have been read, so nobody would get it.
    const known = Math.min(batch.lastOffset, behind - 1);
    for (const piece of [...window.available(batch.firstOffset, known)]) {
      if (this.isFull) return;
      this.#takeAgain(piece);
    }
    if (this.isFull || batch.lastOffset < behind) return;
    this.#takeNew(behind, batch.lastOffset);
  }

  #takeAgain({ firstOffset, lastOffset, deliveryCount }: AcquiredRange): void {
    const { request, window } = this;
    let count = lastOffset - firstOffset + 1;
    if (request.recordLimit) count = Math.min(count, this.#remaining);
    if (isSuspect(deliveryCount, request.deliveryLimit)) {
      // Suspects come alone; those behind them wait for a later fetch.
      if (this.ranges.length > 0) {
        this.#stopped = true;
        return;
      }
      count = Math.min(count, portion(count, deliveryCount, request.deliveryLimit));
      this.#stopped = true;
    }
    window.acquire(firstOffset, firstOffset + count - 1, request.lock);
    this.#note(firstOffset, firstOffset + count - 1, deliveryCount + 1);
  }

  #takeNew(firstOffset: number, batchLastOffset: number): void {
    const { request, window } = this;
    if (this.#room <= 0) {
      this.#stopped = true;
      return;
    }
    const limit = Math.min(this.#remaining, this.#room);
    const lastOffset = request.recordLimit
      ? Math.min(batchLastOffset, firstOffset + limit - 1)
      : batchLastOffset;
    window.acquireNew(lastOffset, request.lock);
    this.#note(firstOffset, lastOffset, 1);
  }

  #note(firstOffset: number, lastOffset: number, deliveryCount: number): void {
    this.#remaining -= lastOffset - firstOffset + 1;
    const before = this.ranges.at(-1);
    const joins = before !== undefined && before.lastOffset + 1 === firstOffset &&
      before.deliveryCount === deliveryCount &&
      before.lastOffset - before.firstOffset + 1 < this.request.batchSize;
    if (joins) this.ranges[this.ranges.length - 1] = { ...before, lastOffset };
    else this.ranges.push({ firstOffset, lastOffset, deliveryCount });
  }
}

/** How many of `count` suspects are delivered at once: half, a quarter, …, for the last time one. */
function portion(count: number, deliveryCount: number, deliveryLimit: number): number {
  if (deliveryCount >= deliveryLimit - 1) return deliveryLimit > 2 ? 1 : count;
  const halvings = deliveryCount - Math.ceil(deliveryLimit / 2) + 1;
  return Math.max(1, Math.floor(count / 2 ** halvings));
}
