/**
 * What each request makes of a transactional id: pure functions of what is known of it, which give
 * its next state, if there is one, and the answer (Kafka's `TransactionCoordinator` and
 * `TransactionMetadata`; KIP-98, KIP-360, KIP-588, KIP-890).
 *
 *     Empty ──add──▶ Ongoing ──end──▶ PrepareX ──markers written──▶ CompleteX ──add──▶ Ongoing …
 *       ▲               └─ a new producer or the timeout: PrepareAbort with the next epoch
 *       └────────────────── a new producer: the next epoch ──────────────────┘
 *
 * Kafka keeps a pending state for the time that a record needs to be committed. Here the state is
 * the fold of what is appended, and answers wait until it is committed (`runtime.ts`); so there is
 * no such time, and no failed fencing to remember.
 */
import { type ErrorCode, Errors } from "../../../core/errors.ts";
import { NONE, type TransactionValue, type TxnPartitions } from "./transaction-records.ts";

/** Epochs up to here go to producers; the last one is the coordinator's, to fence with. */
const PRODUCER_EPOCH_MAX = 32_766;

/** The timeout of a transaction that never times out (KIP-939). */
const NO_TIMEOUT_MS = 2_147_483_647;

/** The first version of the client's protocol that bumps the epoch with each transaction. */
export const EPOCH_BUMP_VERSION = 2;

const NO_PARTITIONS: TxnPartitions = new Map();

/** A producer as it believes itself to be. */
export interface ProducerIdentity {
  readonly producerId: number;
  readonly producerEpoch: number;
}

/** The next state (null: it stays) and the answer. */
export interface Transition<T> {
  readonly next: TransactionValue | null;
  readonly response: T;
}

/** What InitProducerId and EndTxn answer; −1 and −1 with an error. */
export interface IdentityAnswer extends ProducerIdentity {
  readonly error: ErrorCode;
}

/** Where an answer takes a new producer id, which has to be fetched first. */
export const NEEDS_PRODUCER_ID = "needs a producer id";

/** The answer that says an error. */
export function identityError(error: ErrorCode): IdentityAnswer {
  return { error, producerId: NONE, producerEpoch: NONE };
}

function stay<T>(response: T): Transition<T> {
  return { next: null, response };
}

/** Whether no further epoch of this producer id may go to a producer. */
function isExhausted(epoch: number): boolean {
  return epoch >= PRODUCER_EPOCH_MAX;
}

/** Whether the transaction is decided and its markers are not all written yet. */
export function isPrepared(value: TransactionValue): boolean {
  return value.state === "PrepareCommit" || value.state === "PrepareAbort";
}

/** An InitProducerId; `expected` is who the producer says that it is (KIP-360), or null. */
export interface InitRequest {
  readonly timeoutMs: number;
  readonly expected: ProducerIdentity | null;
}

/** A producer begins, or begins again: it gets an epoch that fences all before it. */
export function initProducer(
  value: TransactionValue | undefined,
  request: InitRequest,
  freshProducerId: number | null,
  nowMs: number,
): Transition<IdentityAnswer | typeof NEEDS_PRODUCER_ID> {
  const { expected, timeoutMs } = request;
  if (value === undefined) {
    if (freshProducerId === null) return stay(NEEDS_PRODUCER_ID);
    const previousProducerId = freshProducerId;
    return ready(freshProducerId, 0, { previousProducerId, timeoutMs, last: NONE }, nowMs);
  }
  if (expected !== null && !isKnown(value, expected)) {
    return stay(identityError(Errors.PRODUCER_FENCED));
  }
  if (isPrepared(value)) return stay(identityError(Errors.CONCURRENT_TRANSACTIONS));
  if (value.state === "Ongoing") {
    // The epoch of the abort is never given out: the producer asks again and gets the next one.
    const response = identityError(Errors.CONCURRENT_TRANSACTIONS);
    return { next: fence(value, nowMs), response };
  }
  const { producerId, producerEpoch } = value;
  const isCurrent = expected === null || expected.producerEpoch === producerEpoch;
  // A retry whose first answer was lost, or the producer of what was aborted: nobody has begun since.
  const isLast = expected?.producerEpoch === value.lastProducerEpoch;
  if (!isCurrent && !isLast) return stay(identityError(Errors.PRODUCER_FENCED));
  const last = expected === null ? NONE : expected.producerEpoch;
  const facts = { previousProducerId: producerId, timeoutMs, last };
  if (isCurrent ? isExhausted(producerEpoch) : producerEpoch > PRODUCER_EPOCH_MAX) {
    if (freshProducerId === null) return stay(NEEDS_PRODUCER_ID);
    return ready(freshProducerId, 0, facts, nowMs);
  }
  return ready(producerId, isCurrent ? producerEpoch + 1 : producerEpoch, facts, nowMs);
}

/** Whether the producer is the current one or, epochs being exhausted, the one before it. */
function isKnown(value: TransactionValue, { producerId, producerEpoch }: ProducerIdentity) {
  return producerId === value.producerId ||
    (producerId === value.previousProducerId && isExhausted(producerEpoch));
}

function ready(
  producerId: number,
  producerEpoch: number,
  facts: { previousProducerId: number; timeoutMs: number; last: number },
  nowMs: number,
): Transition<IdentityAnswer> {
  return {
    next: {
      producerId,
      previousProducerId: facts.previousProducerId,
      nextProducerId: NONE,
      producerEpoch,
      lastProducerEpoch: facts.last,
      timeoutMs: facts.timeoutMs,
      state: "Empty",
      partitions: NO_PARTITIONS,
      startMs: -1,
      lastUpdateMs: nowMs,
      clientVersion: 0,
    },
    response: { error: Errors.NONE, producerId, producerEpoch },
  };
}

/**
 * Aborts an ongoing transaction with an epoch that fences its producer. As with transaction version
 * 2 in Kafka, that is one more, and the producer that was fenced gets it if it asks for the next.
 */
function fence(value: TransactionValue, nowMs: number): TransactionValue {
  return {
    ...value,
    previousProducerId: value.producerId,
    producerEpoch: value.producerEpoch + 1,
    lastProducerEpoch: value.producerEpoch,
    state: "PrepareAbort",
    lastUpdateMs: nowMs,
    clientVersion: EPOCH_BUMP_VERSION,
  };
}

/** The abort that is due because the transaction took too long, or null. */
export function timedOut(value: TransactionValue, nowMs: number): TransactionValue | null {
  if (value.state !== "Ongoing" || value.timeoutMs === NO_TIMEOUT_MS) return null;
  return value.startMs + value.timeoutMs < nowMs ? fence(value, nowMs) : null;
}

/** Whether nothing has been heard of the id for so long that it is forgotten. */
export function hasExpired(value: TransactionValue, expirationMs: number, nowMs: number): boolean {
  return value.state !== "Ongoing" && !isPrepared(value) &&
    value.lastUpdateMs <= nowMs - expirationMs;
}

/** What is wrong with a producer that wants to add to, or asks about, its transaction. */
function producerProblem(
  value: TransactionValue | undefined,
  { producerId, producerEpoch }: ProducerIdentity,
): ErrorCode {
  if (value === undefined || value.producerId !== producerId) {
    return Errors.INVALID_PRODUCER_ID_MAPPING;
  }
  if (value.producerEpoch !== producerEpoch) return Errors.PRODUCER_FENCED;
  return isPrepared(value) ? Errors.CONCURRENT_TRANSACTIONS : Errors.NONE;
}

/** Adds partitions to the transaction, which begins with the first of them. */
export function addPartitions(
  value: TransactionValue | undefined,
  producer: ProducerIdentity,
  added: TxnPartitions,
  clientVersion: number,
  nowMs: number,
): Transition<ErrorCode> {
  const error = producerProblem(value, producer);
  if (value === undefined || error !== Errors.NONE) return stay(error);
  if (value.state === "Ongoing" && missing(value.partitions, added).size === 0) {
    return stay(Errors.NONE);
  }
  const begins = value.state !== "Ongoing";
  const next: TransactionValue = {
    ...value,
    previousProducerId: value.producerId,
    state: "Ongoing",
    partitions: union(begins ? NO_PARTITIONS : value.partitions, added),
    startMs: begins ? nowMs : value.startMs,
    lastUpdateMs: nowMs,
    clientVersion,
  };
  return { next, response: Errors.NONE };
}

/**
 * Whether the partitions are in the transaction of this producer: an error, or those that are not,
 * for which Kafka answers TRANSACTION_ABORTABLE (KIP-890).
 */
export function verifyPartitions(
  value: TransactionValue | undefined,
  producer: ProducerIdentity,
  wanted: TxnPartitions,
): { readonly error: ErrorCode; readonly missing: TxnPartitions } {
  const error = producerProblem(value, producer);
  if (value === undefined || error !== Errors.NONE) return { error, missing: NO_PARTITIONS };
  return { error, missing: missing(value.partitions, wanted) };
}

function missing(present: TxnPartitions, wanted: TxnPartitions): TxnPartitions {
  const result = new Map<string, ReadonlySet<number>>();
  for (const [topic, partitions] of wanted) {
    const absent = partitions.difference(present.get(topic) ?? new Set());
    if (absent.size > 0) result.set(topic, absent);
  }
  return result;
}

function union(first: TxnPartitions, second: TxnPartitions): TxnPartitions {
  const result = new Map(first);
  for (const [topic, partitions] of second) {
    result.set(topic, partitions.union(result.get(topic) ?? new Set()));
  }
  return result;
}

/** An EndTxn. */
export interface EndRequest extends ProducerIdentity {
  readonly commit: boolean;
  /** 2 for EndTxn of version 5 and later, else 0. */
  readonly clientVersion: number;
}

/** Decides the transaction; the markers follow. */
export function endTransaction(
  value: TransactionValue | undefined,
  request: EndRequest,
  freshProducerId: number | null,
  nowMs: number,
): Transition<IdentityAnswer | typeof NEEDS_PRODUCER_ID> {
  return request.clientVersion >= EPOCH_BUMP_VERSION
    ? endWithBump(value, request, freshProducerId, nowMs)
    : endPlainly(value, request, nowMs);
}

function isOutcome(value: TransactionValue, commit: boolean, kind: "Prepare" | "Complete") {
  return value.state === `${kind}${commit ? "Commit" : "Abort"}`;
}

/** Until version 4: the epoch stays, and the state alone tells a retry. */
function endPlainly(
  value: TransactionValue | undefined,
  { producerId, producerEpoch, commit }: EndRequest,
  nowMs: number,
): Transition<IdentityAnswer> {
  if (value === undefined || value.producerId !== producerId) {
    return stay(identityError(Errors.INVALID_PRODUCER_ID_MAPPING));
  }
  if (value.producerEpoch !== producerEpoch) return stay(identityError(Errors.PRODUCER_FENCED));
  const identity = { producerId, producerEpoch };
  if (value.state === "Ongoing") {
    const state = commit ? "PrepareCommit" : "PrepareAbort";
    const facts = { previousProducerId: producerId, lastUpdateMs: nowMs, clientVersion: 0 };
    return {
      next: { ...value, ...facts, state },
      response: { error: Errors.NONE, ...identity },
    };
  }
  if (isOutcome(value, commit, "Complete")) return stay({ error: Errors.NONE, ...identity });
  return stay(identityError(
    isOutcome(value, commit, "Prepare") ? Errors.CONCURRENT_TRANSACTIONS : Errors.INVALID_TXN_STATE,
  ));
}

/**
 * From version 5 on every end bumps the epoch (KIP-890), so that nothing of this transaction can
 * come into the next one; and the epoch tells a retry from the next request.
 */
function endWithBump(
  value: TransactionValue | undefined,
  request: EndRequest,
  freshProducerId: number | null,
  nowMs: number,
): Transition<IdentityAnswer | typeof NEEDS_PRODUCER_ID> {
  const { producerId, producerEpoch, commit } = request;
  if (value === undefined) return stay(identityError(Errors.INVALID_PRODUCER_ID_MAPPING));
  const afterOverflow = value.previousProducerId === producerId &&
    value.producerId !== producerId &&
    producerEpoch === PRODUCER_EPOCH_MAX && value.producerEpoch === 0;
  if (value.producerId !== producerId && !afterOverflow) {
    return stay(identityError(Errors.INVALID_PRODUCER_ID_MAPPING));
  }
  const isRetry = afterOverflow || value.producerEpoch === producerEpoch + 1;
  const isCurrent = value.producerEpoch === producerEpoch;
  const fenced = stay(identityError(Errors.PRODUCER_FENCED));
  const invalid = stay(identityError(Errors.INVALID_TXN_STATE));
  const decide = () => decideWithBump(value, commit, freshProducerId, nowMs);
  switch (value.state) {
    case "Ongoing":
      return isCurrent ? decide() : fenced;
    case "Empty":
      if (!isCurrent) return fenced;
      return commit ? invalid : decide();
    case "PrepareCommit":
    case "PrepareAbort":
      // The end of the next transaction, which is empty, while markers of this one are on the way.
      if (isCurrent) return stay(identityError(Errors.CONCURRENT_TRANSACTIONS));
      if (!isRetry) return fenced;
      return isOutcome(value, commit, "Prepare")
        ? stay(identityError(Errors.CONCURRENT_TRANSACTIONS))
        : invalid;
    case "CompleteCommit":
    case "CompleteAbort":
      if (isRetry && isOutcome(value, commit, "Complete")) {
        return stay({ error: Errors.NONE, ...pick(value) });
      }
      if (!isRetry && !isCurrent) return fenced;
      return isRetry || commit ? invalid : decide();
    case "Dead":
    case "PrepareEpochFence":
      return invalid;
  }
}

function pick({ producerId, producerEpoch }: ProducerIdentity): ProducerIdentity {
  return { producerId, producerEpoch };
}

function decideWithBump(
  value: TransactionValue,
  commit: boolean,
  freshProducerId: number | null,
  nowMs: number,
): Transition<IdentityAnswer | typeof NEEDS_PRODUCER_ID> {
  const overflows = isExhausted(value.producerEpoch);
  if (overflows && freshProducerId === null) return stay(NEEDS_PRODUCER_ID);
  const begun = value.state === "Ongoing";
  const next: TransactionValue = {
    ...value,
    previousProducerId: value.producerId,
    nextProducerId: overflows ? freshProducerId ?? NONE : NONE,
    producerEpoch: value.producerEpoch + 1,
    lastProducerEpoch: value.producerEpoch,
    state: commit ? "PrepareCommit" : "PrepareAbort",
    // An abort of nothing begins and ends at once.
    partitions: begun ? value.partitions : NO_PARTITIONS,
    startMs: begun ? value.startMs : nowMs,
    lastUpdateMs: nowMs,
    clientVersion: EPOCH_BUMP_VERSION,
  };
  // The producer hears who it is once the transaction is complete.
  return { next, response: { error: Errors.NONE, ...pick(complete(next, nowMs)) } };
}

/** The state once all markers of a decided transaction are written. */
export function complete(value: TransactionValue, nowMs: number): TransactionValue {
  const rotates = value.nextProducerId !== NONE;
  return {
    ...value,
    previousProducerId: value.producerId,
    producerId: rotates ? value.nextProducerId : value.producerId,
    nextProducerId: NONE,
    producerEpoch: rotates ? 0 : value.producerEpoch,
    state: value.state === "PrepareCommit" ? "CompleteCommit" : "CompleteAbort",
    partitions: NO_PARTITIONS,
    lastUpdateMs: nowMs,
  };
}
