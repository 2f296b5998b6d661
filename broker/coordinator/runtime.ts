/**
 * Runs coordinators: one shard per partition of an internal topic (Kafka's `CoordinatorRuntime`).
 *
 *     operation(state) ─▶ records ─▶ appended ─▶ folded into the state ─▶ high watermark ─▶ answer
 *
 * - An operation runs in one go; nothing comes between its look at the state and its append.
 * - A batch that cannot be appended is not folded, so the state never is ahead of the log.
 * - No answer leaves before everything that it rests on is committed. Reads too are answered only
 *   when the high watermark covers what they saw; that is later than Kafka's, never older.
 * - What was appended and then lost (another leader) goes with the shard: the next leader replays.
 */
import { assert } from "../../core/assert.ts";
import type { Codecs } from "../../core/compression/codec.ts";
import { type ErrorCode, Errors } from "../../core/errors.ts";
import type { Clock, Timer } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import { BATCH_HEADER_BYTES } from "../../core/records/batch-header.ts";
import { buildEndTxnMarker, type EndTxnMarker } from "../../core/records/control-records.ts";
import type { CoordinatorLog } from "./coordinator-log.ts";
import { loadShard } from "./load.ts";
import { LogRewriter } from "./rewrite.ts";
import type {
  CoordinatorResult,
  CoordinatorShard,
  CoordinatorTimers,
  EncodedRecord,
  Outcome,
  RecordCodec,
  TimerKind,
} from "./shard.ts";

/** A batch of records that need not be written at once is cut at about this size. */
const BATCH_BYTES = 512 * 1024;

/** Room for what a record takes beside its key and value. */
const RECORD_OVERHEAD_BYTES = 24;

/** What a runtime is made of. */
export interface RuntimeOptions<R, S extends CoordinatorShard<R>> {
  /** For log lines, e.g. `group coordinator`. */
  readonly name: string;
  readonly clock: Clock;
  /** The clocks of timers, by what they are for; default `clock`. */
  readonly timerClocks?: Readonly<Record<TimerKind, Clock>> | undefined;
  readonly logger: Logger;
  readonly codecs: Codecs;
  readonly recordCodec: RecordCodec<R>;
  /** How long an operation waits for its records to be committed (offsets.commit.timeout.ms). */
  readonly commitTimeoutMs: number;
  readonly newShard: (partition: number, timers: CoordinatorTimers<R>) => S;
}

/** Kafka's answer where the log gave `error` (`CoordinatorOperationExceptionHelper`). */
export function coordinatorError(error: ErrorCode): ErrorCode {
  switch (error) {
    case Errors.UNKNOWN_TOPIC_OR_PARTITION:
    case Errors.NOT_ENOUGH_REPLICAS:
    case Errors.REQUEST_TIMED_OUT:
      return Errors.COORDINATOR_NOT_AVAILABLE;
    case Errors.NOT_LEADER_OR_FOLLOWER:
    case Errors.KAFKA_STORAGE_ERROR:
      return Errors.NOT_COORDINATOR;
    case Errors.MESSAGE_TOO_LARGE:
    case Errors.RECORD_LIST_TOO_LARGE:
    case Errors.INVALID_FETCH_SIZE:
      return Errors.UNKNOWN_SERVER_ERROR;
    default:
      return error;
  }
}

/** The partitions whose state is not there. */
export interface LoadingState {
  readonly loading: readonly number[];
  readonly failed: readonly number[];
}

/** See the header. */
export class CoordinatorRuntime<R, S extends CoordinatorShard<R>> {
  readonly #hosts = new Map<number, ShardHost<R, S>>();

  constructor(readonly options: RuntimeOptions<R, S>) {}

  /** Takes up the partitions that are led here now and gives up the others. */
  follow(led: ReadonlyMap<number, CoordinatorLog>): void {
    for (const [partition, host] of [...this.#hosts]) {
      if (led.get(partition) !== host.log) this.resign(partition);
    }
    for (const [partition, log] of led) {
      if (!this.#hosts.has(partition)) void this.elect(partition, log);
    }
  }

  /** This broker leads the partition now. Resolves when its log has been replayed. */
  elect(partition: number, log: CoordinatorLog): Promise<void> {
    this.resign(partition);
    const host = new ShardHost(this.options, partition, log);
    this.#hosts.set(partition, host);
    return host.load();
  }

  /** This broker leads it no more: all that wait are told, timers stop, the state goes. */
  resign(partition: number): void {
    this.#hosts.get(partition)?.close(Errors.NOT_COORDINATOR);
    this.#hosts.delete(partition);
  }

  /** Ends every shard; an operation that comes later is refused. */
  close(): void {
    for (const partition of [...this.#hosts.keys()]) this.resign(partition);
  }

  /** The partitions that are led here, loaded or not. */
  partitions(): number[] {
    return [...this.#hosts.keys()];
  }

  /** What is led here and cannot be used yet, or at all. */
  loadingState(): LoadingState {
    const hosts = [...this.#hosts.values()];
    const inState = (state: "loading" | "failed") =>
      hosts.filter((host) => host.state === state).map(({ partition }) => partition);
    return { loading: inState("loading"), failed: inState("failed") };
  }

  /**
   * Resolves when the shard is loaded (true); or with false: it cannot be, it is not led here, or it
   * has taken as long as an operation may.
   */
  ready(partition: number): Promise<boolean> {
    const host = this.#hosts.get(partition);
    if (host === undefined) return Promise.resolve(false);
    const { clock, commitTimeoutMs } = this.options;
    return new Promise((resolve) => {
      const timer = clock.setTimer(commitTimeoutMs, () => resolve(false));
      void host.ready().then((ready) => {
        timer.cancel();
        resolve(ready);
      });
    });
  }

  /** Runs an operation that may write; resolves when its records are committed. */
  write<T>(
    partition: number,
    operation: (shard: S) => CoordinatorResult<R, T>,
  ): Promise<Outcome<T>> {
    const host = this.#hosts.get(partition);
    if (host === undefined) return Promise.resolve(NOT_COORDINATOR);
    return host.write(operation);
  }

  /** Writes the end of a transaction; resolves when it is committed. */
  completeTransaction(
    partition: number,
    marker: EndTxnMarker,
    transactionVersion: number,
  ): Promise<Outcome<void>> {
    const host = this.#hosts.get(partition);
    if (host === undefined) return Promise.resolve(NOT_COORDINATOR);
    return host.completeTransaction(marker, transactionVersion);
  }

  /** Runs an operation that only looks; resolves when what it saw is committed. */
  read<T>(partition: number, operation: (shard: S) => T): Promise<Outcome<T>> {
    return this.write(partition, (shard) => ({ records: [], response: operation(shard) }));
  }

  /** Runs, at once, what rests on nothing that is in the log. */
  now<T>(partition: number, operation: (shard: S) => T): Outcome<T> {
    return this.#hosts.get(partition)?.now(operation) ?? NOT_COORDINATOR;
  }
}

const NOT_COORDINATOR = { ok: false, error: Errors.NOT_COORDINATOR } as const;

/** An operation that waits for the high watermark. */
interface Deferred {
  /** The high watermark has to be at least this. */
  readonly endOffset: number;
  settle: ((error: ErrorCode) => void) | null;
}

/** One shard with its log, its timers and whoever waits for it. */
class ShardHost<R, S extends CoordinatorShard<R>> {
  #state: "loading" | "active" | "failed" | "closed" = "loading";
  readonly #shard: S;
  readonly #rewriter: LogRewriter<R>;
  readonly #deferred: Deferred[] = [];
  readonly #timers = new Map<string, Timer>();
  readonly #whenLoaded: Promise<boolean>;
  #loaded: (active: boolean) => void = () => {};
  #unsubscribe: () => void = () => {};
  /** End of what the shard has appended, or has replayed. */
  #endOffset = 0;

  constructor(
    readonly options: RuntimeOptions<R, S>,
    readonly partition: number,
    readonly log: CoordinatorLog,
  ) {
    this.#shard = options.newShard(partition, {
      schedule: (key, delayMs, operation, kind = "session") =>
        this.#schedule(key, delayMs, operation, options.timerClocks?.[kind] ?? options.clock),
      cancel: (key) => this.#cancel(key),
    });
    this.#rewriter = new LogRewriter({
      log,
      shard: this.#shard,
      write: (operation) => this.write(operation),
    });
    this.#whenLoaded = new Promise((resolve) => this.#loaded = resolve);
  }

  get state(): "loading" | "active" | "failed" | "closed" {
    return this.#state;
  }

  ready(): Promise<boolean> {
    return this.#state === "active" ? Promise.resolve(true) : this.#whenLoaded;
  }

  async load(): Promise<void> {
    const { name, logger, clock, codecs, recordCodec } = this.options;
    const fields = { partition: this.partition };
    const result = await loadShard({
      log: this.log,
      clock,
      logger,
      codecs,
      name,
      partition: this.partition,
      isCancelled: () => this.#state !== "loading",
      replay: (key, value, offset, transactionOf) => {
        const record = recordCodec.decode(key, value);
        if (record === null) return false;
        if (transactionOf === null) this.#shard.replay(record, offset);
        else this.#shard.pend?.(record, offset, transactionOf);
        return true;
      },
      endTransaction: (producerId, isCommitted) =>
        this.#shard.endTransaction?.(producerId, isCommitted),
    });
    if (this.#state !== "loading") return;
    if (!result.ok) {
      logger.error(`${name} cannot load its partition`, { ...fields, error: result.error });
      this.#state = "failed";
      this.#loaded(false);
      return;
    }
    this.#endOffset = result.endOffset;
    this.#rewriter.count(result.bytes);
    if (result.skipped > 0) this.#rewriter.keepAll();
    this.#state = "active";
    this.#unsubscribe = this.log.onAdvance(() => this.#settleCommitted());
    this.#shard.onLoaded();
    this.#loaded(true);
  }

  close(error: ErrorCode): void {
    const wasActive = this.#state === "active";
    this.#state = "closed";
    this.#unsubscribe();
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    for (const deferred of this.#deferred.splice(0)) deferred.settle?.(error);
    if (wasActive) this.#shard.onUnloaded(error);
    this.#loaded(false);
  }

  now<T>(operation: (shard: S) => T): Outcome<T> {
    if (this.#state !== "active") return { ok: false, error: this.#refusal() };
    return { ok: true, value: operation(this.#shard) };
  }

  write<T>(operation: (shard: S) => CoordinatorResult<R, T>): Promise<Outcome<T>> {
    if (this.#state !== "active") {
      return Promise.resolve({ ok: false, error: this.#refusal() });
    }
    const result = operation(this.#shard);
    const error = this.#append(result);
    if (error !== Errors.NONE) {
      result.onFailed?.(error);
      return Promise.resolve({ ok: false, error });
    }
    this.#rewriter.maybeStart();
    return this.#whenCommitted(result);
  }

  completeTransaction(marker: EndTxnMarker, transactionVersion: number): Promise<Outcome<void>> {
    if (this.#state !== "active") {
      return Promise.resolve({ ok: false, error: this.#refusal() });
    }
    const batch = buildEndTxnMarker(marker);
    const appended = this.log.append(batch, { transactionVersion });
    if (!appended.ok) return Promise.resolve({ ok: false, error: appended.error });
    this.#endOffset = Math.max(this.#endOffset, appended.lastOffset + 1);
    this.#rewriter.count(batch.length);
    this.#shard.endTransaction?.(marker.producerId, marker.type === "commit");
    return this.#whenCommitted({ records: [], response: undefined });
  }

  #refusal(): ErrorCode {
    switch (this.#state) {
      case "loading":
        return Errors.COORDINATOR_LOAD_IN_PROGRESS;
      case "failed":
        return Errors.COORDINATOR_NOT_AVAILABLE;
      default:
        return Errors.NOT_COORDINATOR;
    }
  }

  /** Writes the records and folds those that were written. */
  #append<T>(result: CoordinatorResult<R, T>): ErrorCode {
    const { recordCodec } = this.options;
    let encoded: EncodedRecord[] = [];
    let sizeBytes = 0;
    let first = 0;
    for (const [index, record] of result.records.entries()) {
      const { key, value } = recordCodec.encode(record);
      encoded.push({ key, value });
      sizeBytes += RECORD_OVERHEAD_BYTES + key.length + (value?.length ?? 0);
      const full = result.atomic === false && sizeBytes >= BATCH_BYTES;
      if (!full && index < result.records.length - 1) continue;
      const error = this.#appendBatch(encoded, sizeBytes, result, first);
      if (error !== Errors.NONE) return error;
      encoded = [];
      sizeBytes = 0;
      first = index + 1;
    }
    return Errors.NONE;
  }

  /** Writes one batch: the records of the result from `first` on, as `encoded`. */
  #appendBatch<T>(
    encoded: readonly EncodedRecord[],
    sizeBytes: number,
    result: CoordinatorResult<R, T>,
    first: number,
  ): ErrorCode {
    const { clock, logger, name } = this.options;
    // The buffer stays in memory as long as the log keeps its recent end, so it fits the records.
    const { transaction } = result;
    const builder = new BatchBuilder({
      sizeHintBytes: BATCH_HEADER_BYTES + sizeBytes,
      ...(transaction !== undefined && {
        producerId: transaction.producerId,
        producerEpoch: transaction.producerEpoch,
        transactional: true,
      }),
    });
    for (const { key, value } of encoded) builder.append(clock.wallMs(), key, value);
    const batch = builder.build();
    const appended = this.log.append(batch, { verification: transaction?.verification });
    if (!appended.ok) {
      const { error, message } = appended;
      logger.warn(`${name} could not write`, { partition: this.partition, error, message });
      return coordinatorError(error);
    }
    const { baseOffset, lastOffset } = appended;
    assert(
      lastOffset - baseOffset === encoded.length - 1,
      "a batch takes as many offsets as it has records",
    );
    this.#endOffset = lastOffset + 1;
    this.#rewriter.count(batch.length);
    for (let index = 0; index < encoded.length; index++) {
      const record = result.records[first + index]!;
      const offset = baseOffset + index;
      if (transaction === undefined) this.#shard.written(record, offset);
      else this.#shard.pend?.(record, offset, transaction.producerId);
    }
    return Errors.NONE;
  }

  #whenCommitted<T>(result: CoordinatorResult<R, T>): Promise<Outcome<T>> {
    if (this.log.highWatermark >= this.#endOffset) {
      result.onCommitted?.();
      return Promise.resolve({ ok: true, value: result.response });
    }
    return new Promise((resolve) => {
      const deferred: Deferred = {
        endOffset: this.#endOffset,
        settle: (error) => {
          deferred.settle = null;
          deadline.cancel();
          if (error === Errors.NONE) result.onCommitted?.();
          else result.onFailed?.(error);
          resolve(
            error === Errors.NONE ? { ok: true, value: result.response } : { ok: false, error },
          );
        },
      };
      const deadline = this.options.clock.setTimer(this.options.commitTimeoutMs, () => {
        deferred.settle?.(coordinatorError(Errors.REQUEST_TIMED_OUT));
        this.#dropSettled();
      });
      this.#deferred.push(deferred);
    });
  }

  #settleCommitted(): void {
    const highWatermark = this.log.highWatermark;
    for (;;) {
      const first = this.#deferred[0];
      if (first === undefined || first.endOffset > highWatermark) return;
      this.#deferred.shift();
      first.settle?.(Errors.NONE);
    }
  }

  /** Deadlines come in the order of the queue, so those that have timed out are at its head. */
  #dropSettled(): void {
    while (this.#deferred[0]?.settle === null) this.#deferred.shift();
  }

  #schedule(
    key: string,
    delayMs: number,
    operation: () => CoordinatorResult<R, void>,
    clock: Clock,
  ): void {
    this.#cancel(key);
    const timer = clock.setTimer(delayMs, () => {
      if (this.#timers.get(key) !== timer) return;
      this.#timers.delete(key);
      // A failure has been logged where it came up, and `onFailed` has dealt with it.
      void this.write(() => operation());
    });
    this.#timers.set(key, timer);
  }

  #cancel(key: string): void {
    this.#timers.get(key)?.cancel();
    this.#timers.delete(key);
  }
}
