/**
 * All transactional ids of one partition of `__transaction_state` (Kafka's
 * `TransactionStateManager`). State and decisions only; the runtime does what they say.
 */
import { type ErrorCode, Errors } from "../../../core/errors.ts";
import type { Clock } from "../../../core/io.ts";
import type { Logger } from "../../../core/logger.ts";
import type { CoordinatorResult, CoordinatorShard, CoordinatorTimers } from "../shard.ts";
import type { TransactionConfig } from "./transaction-config.ts";
import { TRANSACTIONAL_IDS_PER_SHARD_MAX } from "./transaction-config.ts";
import type { TransactionRecord, TransactionValue, TxnPartitions } from "./transaction-records.ts";
import {
  addPartitions,
  complete,
  type EndRequest,
  endTransaction,
  hasExpired,
  type IdentityAnswer,
  identityError,
  initProducer,
  type InitRequest,
  isPrepared,
  NEEDS_PRODUCER_ID,
  type ProducerIdentity,
  timedOut,
  type Transition,
  verifyPartitions,
} from "./transitions.ts";

/** What a shard is made of. */
export interface TransactionShardOptions {
  readonly config: TransactionConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timers: CoordinatorTimers<TransactionRecord>;
  /** A transaction is decided (though not committed yet), or was found so after loading. */
  readonly onPrepared: (transactionalId: string, value: TransactionValue) => void;
  /** An id has left the prepared state. */
  readonly onCompleted: (transactionalId: string) => void;
}

type Result<T> = CoordinatorResult<TransactionRecord, T>;

/** See the head of this file. */
export class TransactionShard implements CoordinatorShard<TransactionRecord> {
  readonly #values = new Map<string, TransactionValue>();
  readonly #options: TransactionShardOptions;

  constructor(options: TransactionShardOptions) {
    this.#options = options;
  }

  // ---- The log's view of the state.

  replay({ transactionalId, value }: TransactionRecord): void {
    if (value === null) this.#values.delete(transactionalId);
    else this.#values.set(transactionalId, value);
  }

  written(record: TransactionRecord): void {
    const { transactionalId, value } = record;
    const before = this.#values.get(transactionalId);
    this.replay(record);
    if (value === before) return;
    if (value !== null && isPrepared(value)) this.#options.onPrepared(transactionalId, value);
    else if (before !== undefined && isPrepared(before)) this.#options.onCompleted(transactionalId);
  }

  stateKeys(): string[] {
    return [...this.#values.keys()];
  }

  stateOf(transactionalId: string): TransactionRecord[] {
    const value = this.#values.get(transactionalId);
    return value === undefined ? [] : [{ transactionalId, value }];
  }

  onLoaded(): void {
    for (const [transactionalId, value] of this.#values) {
      if (isPrepared(value)) this.#options.onPrepared(transactionalId, value);
    }
    this.#scheduleTimeouts();
    this.#scheduleExpiry();
  }

  onUnloaded(_error: ErrorCode): void {
    this.#values.clear();
  }

  // ---- What producers ask for.

  init(
    transactionalId: string,
    request: InitRequest,
    freshProducerId: number | null,
  ): Result<IdentityAnswer | typeof NEEDS_PRODUCER_ID> {
    const value = this.#values.get(transactionalId);
    if (value === undefined && this.#values.size >= TRANSACTIONAL_IDS_PER_SHARD_MAX) {
      return { records: [], response: identityError(Errors.COORDINATOR_NOT_AVAILABLE) };
    }
    return this.#result(
      transactionalId,
      initProducer(value, request, freshProducerId, this.#nowMs()),
    );
  }

  add(
    transactionalId: string,
    producer: ProducerIdentity,
    partitions: TxnPartitions,
    clientVersion: number,
  ): Result<ErrorCode> {
    const value = this.#values.get(transactionalId);
    return this.#result(
      transactionalId,
      addPartitions(value, producer, partitions, clientVersion, this.#nowMs()),
    );
  }

  verify(transactionalId: string, producer: ProducerIdentity, partitions: TxnPartitions) {
    return verifyPartitions(this.#values.get(transactionalId), producer, partitions);
  }

  end(
    transactionalId: string,
    request: EndRequest,
    freshProducerId: number | null,
  ): Result<IdentityAnswer | typeof NEEDS_PRODUCER_ID> {
    const value = this.#values.get(transactionalId);
    return this.#result(
      transactionalId,
      endTransaction(value, request, freshProducerId, this.#nowMs()),
    );
  }

  // ---- What the markers' sender asks for.

  /** Whether the id is still where `value` says: decided, with markers on their way. */
  isStill(transactionalId: string, value: TransactionValue): boolean {
    const now = this.#values.get(transactionalId);
    return now !== undefined && now.state === value.state && isPrepared(now) &&
      now.producerId === value.producerId && now.producerEpoch === value.producerEpoch;
  }

  /** All markers of `value` are written. */
  complete(transactionalId: string, value: TransactionValue): Result<void> {
    const now = this.#values.get(transactionalId);
    if (now === undefined || !this.isStill(transactionalId, value)) {
      return { records: [], response: undefined };
    }
    const next = complete(now, this.#nowMs());
    return { records: [{ transactionalId, value: next }], response: undefined };
  }

  // ---- What administrators ask for.

  get(transactionalId: string): TransactionValue | undefined {
    return this.#values.get(transactionalId);
  }

  entries(): Iterable<[string, TransactionValue]> {
    return this.#values;
  }

  /** Whether a transaction is decided and not complete yet. */
  get hasPrepared(): boolean {
    for (const value of this.#values.values()) if (isPrepared(value)) return true;
    return false;
  }

  // ---- Inside.

  #nowMs(): number {
    return this.#options.clock.wallMs();
  }

  #result<T>(transactionalId: string, { next, response }: Transition<T>): Result<T> {
    return { records: next === null ? [] : [{ transactionalId, value: next }], response };
  }

  #scheduleTimeouts(): void {
    const { config, timers } = this.#options;
    timers.schedule(
      "timeouts",
      config.timeoutCheckIntervalMs,
      () => this.#abortTimedOut(),
      "housekeeping",
    );
  }

  #scheduleExpiry(): void {
    const { config, timers } = this.#options;
    timers.schedule(
      "expiry",
      config.expirationCheckIntervalMs,
      () => this.#expire(),
      "housekeeping",
    );
  }

  #abortTimedOut(): Result<void> {
    const nowMs = this.#nowMs();
    const records: TransactionRecord[] = [];
    for (const [transactionalId, value] of this.#values) {
      const next = timedOut(value, nowMs);
      if (next === null) continue;
      records.push({ transactionalId, value: next });
      this.#options.logger.info("aborting a transaction that took longer than its timeout", {
        transactionalId,
        producerId: value.producerId,
        timeoutMs: value.timeoutMs,
      });
    }
    this.#scheduleTimeouts();
    return { records, response: undefined, atomic: false };
  }

  #expire(): Result<void> {
    const nowMs = this.#nowMs();
    const { expirationMs } = this.#options.config;
    const records: TransactionRecord[] = [];
    for (const [transactionalId, value] of this.#values) {
      if (hasExpired(value, expirationMs, nowMs)) records.push({ transactionalId, value: null });
    }
    this.#scheduleExpiry();
    return { records, response: undefined, atomic: false };
  }
}
