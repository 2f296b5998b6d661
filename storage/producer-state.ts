/**
 * What idempotence and transactions need: for each producer id its epoch, its last five batches and
 * its open transaction (Kafka's `ProducerStateManager` and `ProducerAppendInfo`, KIP-98, KIP-360,
 * KIP-890). A retry of one of the five is recognised and answered with its first offsets; anything
 * else has to be next in sequence. Sequences wrap from 2^31 − 1 to 0.
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
import { readEndTxnMarker } from "../core/records/control-records.ts";
import { type EndedTransaction, OpenTransactions } from "./open-transactions.ts";
import { type VerificationGuard, Verifications } from "./verifications.ts";

/** A client keeps at most five requests in flight, so that no older batch can come again. */
const BATCHES_KEPT = 5;

/** The first transaction version whose markers carry an epoch that the producer never had. */
const MARKER_BUMP_VERSION = 2;

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
  /** The timestamp of its last batch or marker, in milliseconds; −1 if it is not known. */
  readonly lastTimestampMs: number;
  /** −1 until a transaction coordinator has written a marker. */
  readonly coordinatorEpoch: number;
  /** First offset of the open transaction, −1 if there is none. */
  readonly currentTxnFirstOffset: number;
}

interface Entry extends ProducerStateEntry {
  producerEpoch: number;
  readonly batches: ProducerBatch[];
  lastTimestampMs: number;
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
  /** A marker that is there already. */
  | { readonly kind: "done" }
  | { readonly kind: "refused"; readonly error: ErrorCode; readonly message: string };

/** What a batch is judged by, apart from itself. */
export interface CheckOptions {
  /** Sequences are a client's only. */
  readonly isClient: boolean;
  /** The guard of the question to the coordinator; "off" where nobody has to ask. */
  readonly verification: VerificationGuard | null | "off";
  /** With a marker: the version of the transaction that it ends (KIP-890). */
  readonly transactionVersion: number;
}

const APPEND: SequenceVerdict = { kind: "append" };
const CLIENT: CheckOptions = { isClient: true, verification: null, transactionVersion: 0 };

/** The producers of one log. */
export class ProducerStates {
  private readonly byId = new Map<number, Entry>();
  private readonly transactions = new OpenTransactions();
  private readonly verifications = new Verifications();

  get size(): number {
    return this.byId.size;
  }

  /** All producers. */
  *entries(): IterableIterator<ProducerStateEntry> {
    yield* this.byId.values();
  }

  /** As `OpenTransactions.firstUnstableOffset`. */
  firstUnstableOffset(highWatermark: number): number | null {
    return this.transactions.firstUnstableOffset(highWatermark);
  }

  /**
   * The guard under which the coordinator is asked whether the producer's transaction includes this
   * partition; null if the transaction is open here, so that there is nothing to ask.
   */
  startVerification(
    id: number,
    epoch: number,
    sequence: number,
    nowMs: number,
  ): VerificationGuard | null {
    if (this.hasOpenTransaction(id, epoch)) return null;
    return this.verifications.start(id, epoch, sequence, nowMs);
  }

  /** Judges a client's or a coordinator's batch at `position` before it is appended. */
  check(bytes: Uint8Array, position: number, options: CheckOptions = CLIENT): SequenceVerdict {
    const id = producerId(bytes, position);
    if (id < 0) return APPEND;
    const entry = this.byId.get(id);
    if (isControl(bytes, position)) return checkMarker(entry, bytes, position, options);
    const epoch = producerEpoch(bytes, position);
    if (options.isClient && entry?.producerEpoch === epoch) {
      const duplicate = duplicateOf(entry, bytes, position);
      if (duplicate !== null) return duplicate;
    }
    const isTransaction = isTransactional(bytes, position);
    if (isTransaction && this.lacksVerification(id, epoch, options)) {
      return refused(Errors.INVALID_TXN_STATE, `producer ${id} has not begun a transaction here`);
    }
    const problem = epochProblem(entry, epoch) ??
      (options.isClient ? this.sequenceProblem(entry, id, epoch, bytes, position) : null);
    if (problem !== null) return problem;
    if (!isTransaction && entry !== undefined && entry.currentTxnFirstOffset >= 0) {
      return refused(Errors.INVALID_TXN_STATE, `producer ${id} is in a transaction`);
    }
    return APPEND;
  }

  /** The transaction that the batch at `position` ends, if it is a marker that ends one. */
  endedBy(bytes: Uint8Array, position: number): EndedTransaction | null {
    if (!isControl(bytes, position)) return null;
    const entry = this.byId.get(producerId(bytes, position));
    if (entry === undefined || entry.currentTxnFirstOffset < 0) return null;
    const marker = readEndTxnMarker(bytes, position);
    if (marker === null) return null;
    return {
      producerId: entry.producerId,
      firstOffset: entry.currentTxnFirstOffset,
      lastOffset: baseOffset(bytes, position),
      isAborted: marker.type === "abort",
    };
  }

  /** As `OpenTransactions.stableOffsetAfter`. */
  stableOffsetAfter(ended: EndedTransaction): number {
    return this.transactions.stableOffsetAfter(ended);
  }

  /** Takes an appended (or recovered, or replicated) batch in. `nowMs` is wall time. */
  update(bytes: Uint8Array, position: number, nowMs: number): void {
    const id = producerId(bytes, position);
    if (id < 0) return;
    if (isControl(bytes, position)) return this.takeMarker(bytes, position, nowMs);
    const entry = this.entryOf(id, producerEpoch(bytes, position), nowMs);
    entry.lastTimestampMs = maxTimestamp(bytes, position);
    if (isTransactional(bytes, position)) {
      this.verifications.forget(id);
      if (entry.currentTxnFirstOffset < 0) {
        entry.currentTxnFirstOffset = baseOffset(bytes, position);
        this.transactions.begin(id, entry.currentTxnFirstOffset);
      }
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
  }

  /** Takes in a whole snapshot, in place of what is known. */
  restore(entries: readonly ProducerStateEntry[], nowMs: number): void {
    this.clear();
    for (const entry of entries) {
      const batches = [...entry.batches];
      this.byId.set(entry.producerId, { ...entry, batches, lastSeenMs: nowMs });
    }
    this.transactions.restore(entries);
  }

  /** Forgets producers not heard of for `expirationMs`, save those with an open transaction. */
  expire(nowMs: number, expirationMs: number): void {
    for (const [id, entry] of this.byId) {
      const isOpen = entry.currentTxnFirstOffset >= 0;
      if (!isOpen && nowMs - entry.lastSeenMs >= expirationMs) this.byId.delete(id);
    }
    this.verifications.expire(nowMs, expirationMs);
  }

  /** Forgets everything. */
  clear(): void {
    this.byId.clear();
    this.transactions.clear();
    this.verifications.clear();
  }

  private hasOpenTransaction(id: number, epoch: number): boolean {
    const entry = this.byId.get(id);
    return entry !== undefined && entry.currentTxnFirstOffset >= 0 &&
      entry.producerEpoch === epoch;
  }

  private lacksVerification(id: number, epoch: number, { verification }: CheckOptions): boolean {
    return verification !== "off" && !this.hasOpenTransaction(id, epoch) &&
      !this.verifications.holds(id, verification);
  }

  private sequenceProblem(
    entry: Entry | undefined,
    id: number,
    epoch: number,
    bytes: Uint8Array,
    position: number,
  ): SequenceVerdict | null {
    const first = baseSequence(bytes, position);
    const lowest = this.verifications.lowestSequence(id);
    if (lowest !== null && first > lowest) {
      return outOfOrder(id, `the batch of sequence ${lowest} is still awaited, not ${first}`);
    }
    if (entry === undefined) return null;
    if (epoch !== entry.producerEpoch) {
      if (first === 0) return null;
      return outOfOrder(id, `epoch ${epoch} is new and has to begin with sequence 0, not ${first}`);
    }
    const last = entry.batches.at(-1);
    const expected = last === undefined ? 0 : addSequence(last.lastSequence, 1);
    if (first === expected) return null;
    return outOfOrder(id, `expected sequence ${expected}, the batch has ${first}`);
  }

  private takeMarker(bytes: Uint8Array, position: number, nowMs: number): void {
    const marker = readEndTxnMarker(bytes, position);
    if (marker === null) return;
    const ended = this.endedBy(bytes, position);
    if (ended !== null) this.transactions.end(ended);
    const id = producerId(bytes, position);
    const entry = this.entryOf(id, producerEpoch(bytes, position), nowMs);
    entry.coordinatorEpoch = marker.coordinatorEpoch;
    entry.currentTxnFirstOffset = -1;
    entry.lastTimestampMs = maxTimestamp(bytes, position);
    this.verifications.forget(id);
  }

  /** The producer under this epoch, which forgets the batches of another one. */
  private entryOf(id: number, epoch: number, nowMs: number): Entry {
    let entry = this.byId.get(id);
    if (entry === undefined) {
      entry = {
        producerId: id,
        producerEpoch: epoch,
        batches: [],
        lastTimestampMs: -1,
        coordinatorEpoch: -1,
        currentTxnFirstOffset: -1,
        lastSeenMs: nowMs,
      };
      this.byId.set(id, entry);
    } else if (epoch !== entry.producerEpoch) {
      entry.producerEpoch = epoch;
      entry.batches.length = 0;
    }
    entry.lastSeenMs = nowMs;
    return entry;
  }
}

/** A marker's epoch is at least the producer's; with the bump it is one that nobody wrote with. */
function checkMarker(
  entry: Entry | undefined,
  bytes: Uint8Array,
  position: number,
  { transactionVersion }: CheckOptions,
): SequenceVerdict {
  if (entry === undefined) return APPEND;
  const epoch = producerEpoch(bytes, position);
  const isBumped = transactionVersion >= MARKER_BUMP_VERSION;
  if (isBumped && epoch === entry.producerEpoch && entry.batches.length === 0) {
    // The coordinator did not hear of the first time. An open transaction of this epoch is the next.
    if (entry.currentTxnFirstOffset < 0) return { kind: "done" };
  }
  if (isBumped && epoch === entry.producerEpoch) return epochRefusal(entry, epoch);
  const problem = epochProblem(entry, epoch);
  if (problem !== null) return problem;
  const marker = readEndTxnMarker(bytes, position);
  if (marker !== null && marker.coordinatorEpoch < entry.coordinatorEpoch) {
    return refused(
      Errors.TRANSACTION_COORDINATOR_FENCED,
      `the coordinator has epoch ${entry.coordinatorEpoch}, the marker ${marker.coordinatorEpoch}`,
    );
  }
  return APPEND;
}

function epochProblem(entry: Entry | undefined, epoch: number): SequenceVerdict | null {
  if (entry === undefined || epoch >= entry.producerEpoch) return null;
  return epochRefusal(entry, epoch);
}

function epochRefusal(entry: Entry, epoch: number): SequenceVerdict {
  const { producerId, producerEpoch } = entry;
  const message = `producer ${producerId} has epoch ${producerEpoch}, the batch has ${epoch}`;
  return refused(Errors.INVALID_PRODUCER_EPOCH, message);
}

function refused(error: ErrorCode, message: string): SequenceVerdict {
  return { kind: "refused", error, message };
}

function outOfOrder(id: number, message: string): SequenceVerdict {
  return refused(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER, `producer ${id}: ${message}`);
}

function duplicateOf(entry: Entry, bytes: Uint8Array, position: number): SequenceVerdict | null {
  const first = baseSequence(bytes, position);
  const last = lastSequence(bytes, position);
  for (const batch of entry.batches) {
    if (batch.lastSequence !== last) continue;
    if (addSequence(first, batch.offsetDelta) !== last) continue;
    return {
      kind: "duplicate",
      baseOffset: batch.lastOffset - batch.offsetDelta,
      lastOffset: batch.lastOffset,
      timestampMs: batch.timestampMs,
    };
  }
  return null;
}
