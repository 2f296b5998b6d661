/**
 * A sink at work: a member of its connector's group that reads, converts, writes, and commits what
 * the sink says is safe (Connect's `WorkerSinkTask`).
 *
 * Writes, flushes and rebalances exclude each other. A write that is tried again and again lets
 * others in between its attempts, so that partitions can go while a target is down.
 */
import { asError } from "../../core/as-error.ts";
import { Consumer } from "../../client/consumer.ts";
import type { FetchedChunk, PartitionPosition } from "../../client/consumer.ts";
import { KafkaError } from "../../client/errors.ts";
import type { TopicPartition } from "../../client/group-protocol.ts";
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import type { Timer } from "../../core/io.ts";
import { isLogAppendTime } from "../../core/records/batch-header.ts";
import type { RecordCursor } from "../../core/records/record-cursor.ts";
import { nullIfAborted } from "../../core/unless-aborted.ts";
import type { SinkRecord } from "../data/record.ts";
import { RetriableError } from "../connector.ts";
import type { SinkContext, SinkPosition, SinkTask as Sink } from "../connector.ts";
import { Backoff } from "../../core/backoff.ts";
import type { ErrorPolicy } from "./error-policy.ts";
import { messageOf } from "./error-policy.ts";
import { Mutex } from "../../core/mutex.ts";
import { decodeRecord, StageError } from "./pipeline.ts";
import type { FetchedRecord } from "./pipeline.ts";
import type { PreparedSink } from "./running-task.ts";
import { SinkPositions } from "./sink-positions.ts";
import type { OwnedPartition } from "./sink-positions.ts";
import { refusedSinkRecord } from "./refused-sink-record.ts";
import { TaskBase } from "./task-base.ts";
import type { TaskWorld } from "./task-world.ts";

const FIRST_PAUSE_MS = 500;

/** What the consumer is made with, besides the cluster. */
export interface SinkGroup {
  readonly groupId: string;
  readonly topics: readonly string[] | { readonly pattern: string };
  readonly maxPollRecords: number;
}

/** See the head of the file. */
export class SinkTask extends TaskBase<PreparedSink> {
  readonly #positions = new SinkPositions();
  readonly #exclusively = new Mutex();
  readonly #topics = new Set<string>();
  #timer: Timer | null = null;
  #requestCommit: (() => void) | null = null;
  #failure: Error | null = null;
  #records = 0;
  #written = 0;
  #retries = 0;
  /** Since when the sink has not taken what it was given; null: it takes it. */
  #blockedSinceMs: number | null = null;

  constructor(
    world: TaskWorld,
    prepared: PreparedSink,
    readonly consumer: Consumer,
    readonly group: SinkGroup,
    readonly policy: ErrorPolicy,
    /** Hears of every topic that is read, once. */
    readonly onTopic: (topic: string) => void,
  ) {
    super(world, prepared);
  }

  override async run(): Promise<void> {
    let sink: Sink | null = null;
    try {
      sink = await this.prepared.definition.open(this.#itsContext());
      this.#subscribe(sink);
      this.#arm(sink, this.world.settings.offsetFlushIntervalMs);
      this.#requestCommit = () => this.#arm(sink!, 0);
      await this.#readAll(sink);
      await this.#exclusively.run(() => this.#leave(sink!, this.#positions.all()));
      if (this.#failure !== null) throw this.#failure;
    } finally {
      this.stopping.abort();
      this.#timer?.cancel();
      await this.#close(sink);
    }
  }

  protected override ownFigures(): Readonly<Record<string, number>> {
    return {
      "sink-record-read-total": this.#records,
      "sink-record-send-total": this.#written,
      "sink-write-retries-total": this.#retries,
      "sink-write-blocked-ms": this.#blockedMs(),
      "partition-count": this.#positions.all().length,
    };
  }

  async #close(sink: Sink | null): Promise<void> {
    try {
      await sink?.close?.();
    } catch (error) {
      this.log.warn("the sink did not end well", { error: messageOf(error) });
    }
    await this.consumer.close();
  }

  #subscribe(sink: Sink): void {
    this.consumer.subscribe(this.group.topics, {
      assigned: (positions) => this.#guarded(() => this.#assigned(sink, positions)),
      revoked: (partitions, lost) =>
        this.#guarded(async () => {
          const mine = partitions.flatMap(({ topic, partition }) =>
            this.#positions.get(topic, partition) ?? []
          );
          if (lost) await this.#forget(sink, mine);
          else await this.#leave(sink, mine);
        }),
    });
  }

  /** What fails in a rebalance fails the task, which the loop finds out. */
  async #guarded<T>(body: () => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#exclusively.run(body);
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= asError(error);
    this.stop(true);
  }

  async #assigned(
    sink: Sink,
    positions: readonly PartitionPosition[],
  ): Promise<readonly PartitionPosition[]> {
    if (positions.length === 0) return positions;
    for (const { topic, partition } of positions) this.#positions.add(topic, partition);
    const wanted = await sink.assigned?.(positions) ?? [];
    return positions.map((position) => {
      const better = wanted.find(({ topic, partition }) =>
        topic === position.topic && partition === position.partition
      );
      return better === undefined ? position : { ...better };
    });
  }

  /** Partitions go: what can be made safe is committed. */
  async #leave(sink: Sink, partitions: readonly TopicPartition[]): Promise<void> {
    if (partitions.length === 0) return;
    await this.#commit(sink, true);
    await this.#forget(sink, partitions);
  }

  async #forget(sink: Sink, partitions: readonly TopicPartition[]): Promise<void> {
    if (partitions.length === 0) return;
    for (const { topic, partition } of partitions) this.#positions.remove(topic, partition);
    await sink.revoked?.(partitions.map(({ topic, partition }) => ({ topic, partition })));
  }

  #arm(sink: Sink, delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.world.io.clock.setTimer(delayMs, () => this.#commitInTurn(sink));
  }

  #commitInTurn(sink: Sink): void {
    this.#guarded(() => this.#commit(sink, false)).then(() => {
      if (this.stopping.signal.aborted) return;
      this.#arm(sink, this.world.settings.offsetFlushIntervalMs);
    }, (error: unknown) => this.#fail(error));
  }

  async #commit(sink: Sink, leaving: boolean): Promise<void> {
    const taken = this.#positions.taken();
    if (taken.length === 0) return;
    let safe: readonly SinkPosition[];
    try {
      safe = sink.flush === undefined ? taken : await sink.flush(taken, leaving);
    } catch (error) {
      if (!(error instanceof RetriableError)) throw error;
      this.log.warn("nothing is committed: the sink cannot flush", { error: error.message });
      return;
    }
    const positions = this.#positions.toCommit(safe);
    if (positions.length === 0) return;
    try {
      await this.consumer.commit(positions);
      this.#positions.committed(positions);
    } catch (error) {
      if (!isPassing(error)) throw error;
      this.log.warn("offsets are not committed now", { error: messageOf(error) });
    }
  }

  /** For the sink, which is at work: so nothing else is. */
  async #commitNow(positions: readonly SinkPosition[]): Promise<void> {
    try {
      await this.consumer.commit(positions);
    } catch (error) {
      if (!isPassing(error)) throw error;
      const why = messageOf(error);
      throw new RetriableError(`offsets cannot be committed now: ${why}`, { cause: error });
    }
    this.#positions.committed(positions);
  }

  async #readAll(sink: Sink): Promise<void> {
    const { signal } = this.stopping;
    for (;;) {
      await this.gate.passed();
      if (signal.aborted) return;
      const chunk = await nullIfAborted(this.consumer.nextChunk(signal), signal);
      if (chunk === null) return;
      await this.#takeChunk(sink, chunk);
    }
  }

  /** Writes what a fetch has brought of a partition, in portions. */
  async #takeChunk(sink: Sink, chunk: FetchedChunk): Promise<void> {
    const owned = this.#positions.get(chunk.topic, chunk.partition);
    const isHere = () =>
      !this.stopping.signal.aborted && this.#positions.get(chunk.topic, chunk.partition) === owned;
    if (owned === null) return;
    this.#uses(chunk.topic);
    const write = (records: readonly SinkRecord[], next: bigint) =>
      this.#write(sink, owned, records, next, isHere);
    let records: SinkRecord[] = [];
    for (const cursor of chunk.cursors()) {
      const type = typeOf(chunk);
      while (cursor.next()) {
        if (cursor.offset < chunk.fetchOffset) continue;
        const decoded = this.#decode(fetched(chunk, cursor, type));
        // Nothing is waited for as a rule, and a turn of the microtask queue per record is dear.
        const record = decoded instanceof Promise ? await decoded : decoded;
        if (record !== null) records.push(record);
        if (records.length < this.group.maxPollRecords) continue;
        await write(records, BigInt(cursor.offset) + 1n);
        if (!isHere()) return;
        records = [];
      }
    }
    await write(records, BigInt(chunk.nextOffset));
  }

  #uses(topic: string): void {
    if (this.#topics.has(topic)) return;
    this.#topics.add(topic);
    this.onTopic(topic);
  }

  /** Null: it was dropped or left out. */
  #decode(record: FetchedRecord): SinkRecord | null | Promise<SinkRecord | null> {
    this.#records++;
    try {
      return decodeRecord(this.prepared.pipeline, record);
    } catch (error) {
      return this.#decodeAgain(record, error);
    }
  }

  async #decodeAgain(record: FetchedRecord, first: unknown): Promise<SinkRecord | null> {
    try {
      if (!(first instanceof StageError) || !(first.cause instanceof RetriableError)) throw first;
      return await this.policy.attempt(() => decodeRecord(this.prepared.pipeline, record));
    } catch (error) {
      if (!(error instanceof StageError)) throw error;
      await this.policy.refuse(record, error.stage, error.cause);
      return null;
    }
  }

  /** Writes until the sink has taken the records or their partition is not here any more. */
  async #write(
    sink: Sink,
    owned: OwnedPartition,
    records: readonly SinkRecord[],
    next: bigint,
    isHere: () => boolean,
  ): Promise<void> {
    const pauses = new Backoff(
      this.world.io.random,
      FIRST_PAUSE_MS,
      this.prepared.common["errors.retry.delay.max.ms"],
    );
    for (;;) {
      const failure = await this.#exclusively.run(async () => {
        if (!isHere()) return null;
        const failure = await this.#writeOnce(sink, records);
        if (failure === null) owned.taken = next;
        return failure;
      });
      if (failure === null) {
        this.#blockedSinceMs = null;
        break;
      }
      this.#retries++;
      this.#blockedSinceMs ??= this.world.io.clock.monotonicMs();
      const pauseMs = pauses.nextMs();
      this.log.warn("the sink is tried again", { error: failure.message, pauseMs });
      await nullIfAborted(sleep(this.world.io.clock, pauseMs), this.stopping.signal);
    }
    await nullIfAborted(this.pace.went(records.length, this.stopping.signal), this.stopping.signal);
  }

  #blockedMs(): number {
    const since = this.#blockedSinceMs;
    return since === null ? 0 : Math.round(this.world.io.clock.monotonicMs() - since);
  }

  /** Null if the records are taken; what to wait for else. */
  async #writeOnce(sink: Sink, records: readonly SinkRecord[]): Promise<RetriableError | null> {
    try {
      if (records.length > 0) await sink.write(records);
      this.#written += records.length;
      return null;
    } catch (error) {
      if (error instanceof RetriableError) return error;
      throw error;
    }
  }

  #itsContext(): SinkContext<Readonly<Record<string, unknown>>> {
    return {
      ...this.context(),
      reject: (record, error) =>
        this.policy.refuse(refusedSinkRecord(this.prepared.pipeline, record), "TASK_PUT", error),
      requestCommit: () => this.#requestCommit?.(),
      commit: (positions) => this.#commitNow(positions),
    };
  }
}

function typeOf(chunk: FetchedChunk): SinkRecord["timestampType"] {
  return isLogAppendTime(chunk.bytes, chunk.batchStart) ? "LogAppendTime" : "CreateTime";
}

function fetched(
  { topic, partition }: FetchedChunk,
  cursor: RecordCursor,
  type: SinkRecord["timestampType"],
): FetchedRecord {
  return {
    topic,
    partition,
    offset: BigInt(cursor.offset),
    timestampMs: cursor.timestamp,
    timestampType: cursor.timestamp < 0 ? "NoTimestampType" : type,
    key: cursor.key(),
    value: cursor.value(),
    headers: cursor.headers(),
  };
}

/** Whether a commit that failed so may work the next time, or is another member's by now. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof KafkaError)) return true;
  const { code } = error;
  return error.retriable || code === Errors.ILLEGAL_GENERATION ||
    code === Errors.UNKNOWN_MEMBER_ID || code === Errors.REBALANCE_IN_PROGRESS ||
    code === Errors.FENCED_INSTANCE_ID;
}
