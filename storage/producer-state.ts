/**
 * What idempotence needs: for each producer id its epoch and its last five batches (Kafka's
 * `ProducerStateManager` and `ProducerAppendInfo`, KIP-98, KIP-360). A retry of one of the five is
 * recognised and answered with its first offsets; anything else has to be next in sequence.
 * Sequences wrap from 2^31 − 1 to 0.
 */
import { type ErrorCode, Errors } from "../core/errors.ts";
import {
  addSequence,
  baseOffset,
  baseSequence,
  isControl,
  isTransactional,
  lastOffset,
  lastOffsetDelta,
  lastSequence,
  maxTimestamp,
  NO_SEQUENCE,
  producerEpoch,
  producerId,
} from "../core/records/batch-header.ts";

/** A client keeps at most five requests in flight, so that no older batch can come again. */
const BATCHES_KEPT = 5;

/** One batch as it is remembered. */
export interface ProducerBatch {
  readonly lastSequence: number;
  readonly lastOffset: number;
  /** Last offset − first offset. */
  readonly offsetDelta: number;
  /** Largest timestamp of the batch, in milliseconds. */
  readonly timestampMs: number;
}

/** What is known of a producer. `batches` are the latest ones, oldest first. */
export interface ProducerStateEntry {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly batches: readonly ProducerBatch[];
  /** −1 until a transaction coordinator has written a marker. */
  readonly coordinatorEpoch: number;
  /** First offset of the open transaction, −1 if there is none. */
  readonly currentTxnFirstOffset: number;
}

interface Entry extends ProducerStateEntry {
  producerEpoch: number;
  readonly batches: ProducerBatch[];
  coordinatorEpoch: number;
  currentTxnFirstOffset: number;
  /** Wall time of the last append or load: a producer expires by it. */
  lastSeenMs: number;
}

/** What to do with a batch. */
export type SequenceVerdict =
  | { readonly kind: "append" }
  | {
    readonly kind: "duplicate";
    readonly baseOffset: number;
    readonly lastOffset: number;
    readonly timestampMs: number;
  }
  | { readonly kind: "refused"; readonly error: ErrorCode; readonly message: string };

const APPEND: SequenceVerdict = { kind: "append" };

/** The producers of one log. */
export class ProducerStates {
  private readonly byId = new Map<number, Entry>();

  get size(): number {
    return this.byId.size;
  }

  /** All producers. */
  *entries(): IterableIterator<ProducerStateEntry> {
    yield* this.byId.values();
  }

  /** Judges a client's batch at `position` before it is appended. */
  check(bytes: Uint8Array, position: number): SequenceVerdict {
    const id = producerId(bytes, position);
    if (id < 0) return APPEND;
    const entry = this.byId.get(id);
    if (entry === undefined) return APPEND;
    const epoch = producerEpoch(bytes, position);
    const first = baseSequence(bytes, position);
    if (epoch < entry.producerEpoch) {
      return {
        kind: "refused",
        error: Errors.INVALID_PRODUCER_EPOCH,
        message: `producer ${id} has epoch ${entry.producerEpoch}, the batch has ${epoch}`,
      };
    }
    if (epoch > entry.producerEpoch) {
      if (first === 0) return APPEND;
      return outOfOrder(id, `epoch ${epoch} is new and has to begin with sequence 0, not ${first}`);
    }
    const last = entry.batches.at(-1);
    if (last === undefined) return APPEND;
    const duplicate = findDuplicate(entry, first, lastSequence(bytes, position));
    if (duplicate !== null) {
      return {
        kind: "duplicate",
        baseOffset: duplicate.lastOffset - duplicate.offsetDelta,
        lastOffset: duplicate.lastOffset,
        timestampMs: duplicate.timestampMs,
      };
    }
    const expected = addSequence(last.lastSequence, 1);
    if (first === expected) return APPEND;
    return outOfOrder(id, `expected sequence ${expected}, the batch has ${first}`);
  }

  /** Takes an appended (or recovered, or replicated) batch in. `nowMs` is wall time. */
  update(bytes: Uint8Array, position: number, nowMs: number): void {
    const id = producerId(bytes, position);
    if (id < 0) return;
    const epoch = producerEpoch(bytes, position);
    const entry = this.byId.get(id) ?? this.add(id, epoch, nowMs);
    if (epoch !== entry.producerEpoch) {
      entry.producerEpoch = epoch;
      entry.batches.length = 0;
    }
    entry.lastSeenMs = nowMs;
    if (isControl(bytes, position)) {
      entry.currentTxnFirstOffset = -1;
      return;
    }
    const sequence = lastSequence(bytes, position);
    if (sequence === NO_SEQUENCE) return;
    if (entry.batches.length === BATCHES_KEPT) entry.batches.shift();
    entry.batches.push({
      lastSequence: sequence,
      lastOffset: lastOffset(bytes, position),
      offsetDelta: lastOffsetDelta(bytes, position),
      timestampMs: maxTimestamp(bytes, position),
    });
    if (isTransactional(bytes, position) && entry.currentTxnFirstOffset < 0) {
      entry.currentTxnFirstOffset = baseOffset(bytes, position);
    }
  }

  /** Takes in an entry of a snapshot. */
  restore(entry: ProducerStateEntry, nowMs: number): void {
    this.byId.set(entry.producerId, { ...entry, batches: [...entry.batches], lastSeenMs: nowMs });
  }

  /** Forgets producers not heard of for `expirationMs`, save those with an open transaction. */
  expire(nowMs: number, expirationMs: number): void {
    for (const [id, entry] of this.byId) {
      const isOpen = entry.currentTxnFirstOffset >= 0;
      if (!isOpen && nowMs - entry.lastSeenMs >= expirationMs) this.byId.delete(id);
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.byId.clear();
  }

  private add(id: number, epoch: number, nowMs: number): Entry {
    const entry: Entry = {
      producerId: id,
      producerEpoch: epoch,
      batches: [],
      coordinatorEpoch: -1,
      currentTxnFirstOffset: -1,
      lastSeenMs: nowMs,
    };
    this.byId.set(id, entry);
    return entry;
  }
}

function outOfOrder(id: number, message: string): SequenceVerdict {
  return {
    kind: "refused",
    error: Errors.OUT_OF_ORDER_SEQUENCE_NUMBER,
    message: `producer ${id}: ${message}`,
  };
}

function findDuplicate(entry: Entry, first: number, last: number): ProducerBatch | null {
  for (const batch of entry.batches) {
    if (batch.lastSequence !== last) continue;
    if (addSequence(first, batch.offsetDelta) === last) return batch;
  }
  return null;
}
