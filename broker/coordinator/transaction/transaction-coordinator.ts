/**
 * The transaction coordinator of this broker: which transactional ids it coordinates, and one call
 * per API. Ids are spread over the partitions of `__transaction_state` by their hash; whoever leads
 * a partition coordinates its ids (Kafka's `TransactionCoordinator`).
 */
import type { Codecs } from "../../../core/compression/codec.ts";
import { type ErrorCode, Errors } from "../../../core/errors.ts";
import type { Clock } from "../../../core/io.ts";
import type { Logger } from "../../../core/logger.ts";
import type { CoordinatorLog } from "../coordinator-log.ts";
import { type CoordinatorTopic, findCoordinator } from "../coordinator-topic.ts";
import { coordinatorPartition } from "../java-hash.ts";
import { CoordinatorRuntime, type LoadingState } from "../runtime.ts";
import type { CoordinatorResult, Outcome, TimerKind } from "../shard.ts";
import { MarkerSender } from "./marker-sender.ts";
import type { MarkerWriter } from "./markers.ts";
import type { TransactionConfig } from "./transaction-config.ts";
import {
  type TransactionRecord,
  transactionRecordCodec,
  type TransactionState,
  type TransactionValue,
  type TxnPartitions,
} from "./transaction-records.ts";
import { TransactionShard } from "./transaction-shard.ts";
import {
  type EndRequest,
  type IdentityAnswer,
  identityError,
  type InitRequest,
  isPrepared,
  NEEDS_PRODUCER_ID,
  type ProducerIdentity,
} from "./transitions.ts";

/** What a coordinator is made of. */
export interface TransactionCoordinatorOptions {
  readonly clock: Clock;
  /** The clocks of timers, where they are not that one. */
  readonly timerClocks?: Readonly<Record<TimerKind, Clock>> | undefined;
  readonly logger: Logger;
  readonly codecs: Codecs;
  readonly config: TransactionConfig;
  /** How long an operation waits for its record to be committed. */
  readonly commitTimeoutMs: number;
  readonly topic: CoordinatorTopic;
  readonly markers: MarkerWriter;
  /** A producer id that nobody ever had, or why there is none. */
  readonly nextProducerId: () => Promise<Outcome<number>>;
}

/** One id with its state, as administrators see it. */
export interface TransactionListing {
  readonly transactionalId: string;
  readonly value: TransactionValue;
}

type Write<T> = (
  shard: TransactionShard,
  freshProducerId: number | null,
) => CoordinatorResult<TransactionRecord, T | typeof NEEDS_PRODUCER_ID>;

interface LedShard {
  readonly log: CoordinatorLog;
  readonly gone: AbortController;
}

/** See the head of this file. */
export class TransactionCoordinator {
  readonly #options: TransactionCoordinatorOptions;
  readonly #runtime: CoordinatorRuntime<TransactionRecord, TransactionShard>;
  readonly #sender: MarkerSender;
  readonly #led = new Map<number, LedShard>();
  /** Who waits for the end of the last transaction of an id. */
  readonly #waiters = new Map<string, Set<() => void>>();
  #closed = false;

  constructor(options: TransactionCoordinatorOptions) {
    this.#options = options;
    const { clock, logger, codecs, config, markers, commitTimeoutMs } = options;
    this.#sender = new MarkerSender({
      clock,
      logger,
      writer: markers,
      runtime: () => this.#runtime,
    });
    this.#runtime = new CoordinatorRuntime({
      name: "transaction coordinator",
      clock,
      timerClocks: options.timerClocks,
      logger,
      codecs,
      recordCodec: transactionRecordCodec,
      commitTimeoutMs,
      newShard: (partition, timers) =>
        new TransactionShard({
          config,
          clock,
          logger,
          timers,
          onPrepared: (id, value) => this.#onPrepared(partition, id, value),
          onCompleted: (id) => this.#onCompleted(id),
        }),
    });
  }

  /** What is led here and cannot be used yet, or at all. */
  loadingState(): LoadingState {
    return this.#runtime.loadingState();
  }

  /** Takes up the partitions that are led here now and gives up the others. */
  follow(): void {
    if (this.#closed) return;
    const led = this.#options.topic.led();
    for (const [partition, shard] of this.#led) {
      if (led.get(partition) === shard.log) continue;
      this.#resign(partition, shard);
    }
    for (const [partition, log] of led) {
      if (this.#led.has(partition)) continue;
      this.#led.set(partition, { log, gone: new AbortController() });
      void this.#runtime.elect(partition, log);
    }
  }

  /** Nothing is coordinated here any more. */
  close(): void {
    this.#closed = true;
    for (const [partition, shard] of [...this.#led]) this.#resign(partition, shard);
    this.#runtime.close();
  }

  /** The broker that coordinates the id; creates the topic and waits for loading. */
  find(transactionalId: string): Promise<Outcome<number>> {
    return findCoordinator(
      this.#options.topic,
      () => this.#partitionOf(transactionalId),
      (partition) => this.#runtime.ready(partition),
    );
  }

  /** The broker that coordinates the id, as far as this one knows; −1: none. */
  leaderOf(transactionalId: string): number {
    return this.#options.topic.leader(this.#partitionOf(transactionalId)) ?? -1;
  }

  /** A producer begins: its id and the epoch that fences its predecessors. */
  initProducerId(transactionalId: string, request: InitRequest): Promise<IdentityAnswer> {
    if (transactionalId === "") return Promise.resolve(identityError(Errors.INVALID_REQUEST));
    if (request.timeoutMs <= 0 || request.timeoutMs > this.#options.config.maxTimeoutMs) {
      return Promise.resolve(identityError(Errors.INVALID_TRANSACTION_TIMEOUT));
    }
    return this.#writeIdentity(
      transactionalId,
      (shard, fresh) => shard.init(transactionalId, request, fresh),
    );
  }

  /**
   * Adds partitions to the id's transaction. While the markers of the last one are on their way it
   * waits a little, rather than let the producer ask again: CONCURRENT_TRANSACTIONS after that, or at
   * once for those who `waits` false. `clientVersion` is 2 where the client bumps its epoch with each
   * transaction, else 0.
   */
  async addPartitions(
    transactionalId: string,
    producer: ProducerIdentity,
    partitions: TxnPartitions,
    clientVersion: number,
    waits = true,
  ): Promise<ErrorCode> {
    if (transactionalId === "") return Errors.INVALID_REQUEST;
    const { clock, config } = this.#options;
    const deadlineMs = clock.monotonicMs() + (waits ? config.concurrentWaitMs : 0);
    for (;;) {
      const outcome = await this.#runtime.write(
        this.#partitionOf(transactionalId),
        (shard) => shard.add(transactionalId, producer, partitions, clientVersion),
      );
      const error = outcome.ok ? outcome.value : outcome.error;
      if (error !== Errors.CONCURRENT_TRANSACTIONS) return error;
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0 || this.#closed) return error;
      await this.#whenCompleted(transactionalId, leftMs);
    }
  }

  /**
   * Whether the partitions are in the transaction of this producer: those that are not get
   * TRANSACTION_ABORTABLE, all get the error of the producer.
   */
  async verifyPartitions(
    transactionalId: string,
    producer: ProducerIdentity,
    partitions: TxnPartitions,
  ): Promise<{ readonly error: ErrorCode; readonly missing: TxnPartitions }> {
    const none: TxnPartitions = new Map();
    if (transactionalId === "") return { error: Errors.INVALID_REQUEST, missing: none };
    const outcome = await this.#runtime.read(
      this.#partitionOf(transactionalId),
      (shard) => shard.verify(transactionalId, producer, partitions),
    );
    return outcome.ok ? outcome.value : { error: outcome.error, missing: none };
  }

  /** Decides the transaction; answers when the decision is committed, before the markers are. */
  endTransaction(transactionalId: string, request: EndRequest): Promise<IdentityAnswer> {
    if (transactionalId === "") return Promise.resolve(identityError(Errors.INVALID_REQUEST));
    return this.#writeIdentity(
      transactionalId,
      (shard, fresh) => shard.end(transactionalId, request, fresh),
    );
  }

  /** What is known of an id, undefined if nothing is. */
  describe(transactionalId: string): Promise<Outcome<TransactionValue | undefined>> {
    return this.#runtime.read(
      this.#partitionOf(transactionalId),
      (shard) => shard.get(transactionalId),
    );
  }

  /** All ids that are coordinated here and for which `wanted` holds. */
  async list(
    wanted: (transactionalId: string, value: TransactionValue) => boolean,
  ): Promise<Outcome<readonly TransactionListing[]>> {
    const outcomes = await Promise.all(
      this.#runtime.partitions().map((partition) =>
        this.#runtime.read(partition, (shard) => {
          const found: TransactionListing[] = [];
          for (const [transactionalId, value] of shard.entries()) {
            if (wanted(transactionalId, value)) found.push({ transactionalId, value });
          }
          return found;
        })
      ),
    );
    const all: TransactionListing[] = [];
    for (const outcome of outcomes) {
      if (outcome.ok) all.push(...outcome.value);
      else if (outcome.error !== Errors.NOT_COORDINATOR) return outcome;
    }
    return { ok: true, value: all };
  }

  /** How many ids are coordinated here, by the state of their transactions. */
  countByState(): ReadonlyMap<TransactionState, number> {
    const counts = new Map<TransactionState, number>();
    for (const partition of this.#runtime.partitions()) {
      this.#runtime.now(partition, (shard) => {
        for (const [, { state }] of shard.entries()) {
          counts.set(state, (counts.get(state) ?? 0) + 1);
        }
      });
    }
    return counts;
  }

  /** Whether a decided transaction waits for its markers. */
  get isEnding(): boolean {
    return this.#runtime.partitions().some((partition) => {
      const found = this.#runtime.now(partition, (shard) => shard.hasPrepared);
      return found.ok && found.value;
    });
  }

  // ---- Inside.

  #partitionOf(transactionalId: string): number {
    return coordinatorPartition(transactionalId, this.#options.topic.partitionCount());
  }

  async #writeIdentity(
    transactionalId: string,
    operation: Write<IdentityAnswer>,
  ): Promise<IdentityAnswer> {
    const partition = this.#partitionOf(transactionalId);
    let fresh: number | null = null;
    for (;;) {
      const id = fresh;
      const outcome = await this.#runtime.write(partition, (shard) => operation(shard, id));
      if (!outcome.ok) return identityError(outcome.error);
      if (outcome.value !== NEEDS_PRODUCER_ID) return outcome.value;
      const next = await this.#options.nextProducerId();
      if (!next.ok) return identityError(next.error);
      fresh = next.value;
    }
  }

  #resign(partition: number, shard: LedShard): void {
    this.#led.delete(partition);
    shard.gone.abort(new Error("the partition is not led here any more"));
    this.#runtime.resign(partition);
  }

  #onPrepared(shard: number, transactionalId: string, value: TransactionValue): void {
    const led = this.#led.get(shard);
    if (led === undefined) return;
    const coordinatorEpoch = led.log.leaderEpoch;
    const signal = led.gone.signal;
    this.#sender.start({ transactionalId, value, shard, coordinatorEpoch, signal });
  }

  #onCompleted(transactionalId: string): void {
    for (const wake of [...this.#waiters.get(transactionalId) ?? []]) wake();
  }

  /** Resolves when the id's last transaction is complete, or after `maxMs`. */
  #whenCompleted(transactionalId: string, maxMs: number): Promise<void> {
    const prepared = this.#runtime.now(this.#partitionOf(transactionalId), (shard) => {
      const value = shard.get(transactionalId);
      return value !== undefined && isPrepared(value);
    });
    if (!prepared.ok || !prepared.value) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        const waiting = this.#waiters.get(transactionalId);
        waiting?.delete(done);
        if (waiting?.size === 0) this.#waiters.delete(transactionalId);
        resolve();
      };
      const timer = this.#options.clock.setTimer(maxMs, done);
      const waiting = this.#waiters.get(transactionalId) ?? new Set();
      this.#waiters.set(transactionalId, waiting.add(done));
    });
  }
}
