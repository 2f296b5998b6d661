/**
 * A consumer: it fetches ahead for the partitions that it is given (`assign`) or that its group gives
 * it (`subscribe`), and hands out records (`records`, `run`) or chunks of whole batches (`nextChunk`).
 * Nothing is committed but by `commit`, unless `autoCommitIntervalMs` is set.
 */
import { nullIfAborted } from "../core/unless-aborted.ts";
import { Cluster } from "./cluster.ts";
import { ListOffsetsQuery } from "./admin/list-offsets.ts";
import type { OffsetSpec } from "./admin/list-offsets.ts";
import { GroupAdmin } from "./admin/groups.ts";
import { commitOffsets } from "./commit-offsets.ts";
import type { Worker } from "./consumer/assigned.ts";
import { AutoCommit, isTooLate } from "./consumer/auto-commit.ts";
import type { ConsumerRecord, FetchedChunk } from "./consumer/chunk.ts";
import { ClassicMembership } from "./consumer/classic-membership.ts";
import { Fetcher } from "./consumer/fetcher.ts";
import type { Membership, MembershipEvents, TopicSelection } from "./consumer/membership.ts";
import { ModernMembership } from "./consumer/modern-membership.ts";
import { resolveConsumerOptions } from "./consumer/options.ts";
import type {
  ConsumerOptions,
  PartitionPosition,
  ResolvedConsumerOptions,
} from "./consumer/options.ts";
import { RecordLoop } from "./consumer/record-loop.ts";
import { RecordReader } from "./consumer/record-reader.ts";
import { runHandlers } from "./consumer/run.ts";
import type { RecordHandler, RunOptions } from "./consumer/run.ts";
import { UnsupportedError } from "./errors.ts";
import { byTopic, partitionKey } from "./group-protocol.ts";
import type { TopicPartition, TopicPartitions } from "./group-protocol.ts";
import type { ClientIo, OperationOptions } from "./options.ts";
import { bytesSerde } from "./serde.ts";
import type { Serde, SerdeOptions } from "./serde.ts";

export type {
  ConsumerOptions,
  GroupProtocol,
  OffsetReset,
  PartitionPosition,
} from "./consumer/options.ts";
export { FetchedChunk } from "./consumer/chunk.ts";
export type { AbortedTransaction, ConsumerRecord } from "./consumer/chunk.ts";
export type { TopicSelection } from "./consumer/membership.ts";
export type { HandlerContext, RecordBatch, RecordHandler, RunOptions } from "./consumer/run.ts";

/** What a subscriber may want to know of rebalances. */
export interface RebalanceListener {
  /**
   * The partitions are this consumer's, beside those that it has, and where it goes on in them.
   * Called also with none, at the end of a rebalance that brought none. What it gives back takes the
   * place of these positions: those who keep offsets elsewhere begin there.
   */
  assigned?(
    positions: readonly PartitionPosition[],
  ): void | readonly PartitionPosition[] | Promise<void | undefined | readonly PartitionPosition[]>;
  /**
   * They go to others: commit what is done. Nothing more of them is handed out. `lost` says that it
   * is too late for a commit.
   */
  revoked?(partitions: readonly TopicPartition[], lost: boolean): void | Promise<void>;
  /** Called instead of `revoked` where it is too late. */
  lost?(partitions: readonly TopicPartition[]): void | Promise<void>;
}

/** How long `close` tries to commit. */
const CLOSE_COMMIT_MS = 5000;
/** How long it tries to tell brokers that they need not remember what it read. */
const CLOSE_FETCH_MS = 500;

/** See the head of the file. `close` it. */
export class Consumer<K = Uint8Array, V = Uint8Array> {
  readonly cluster: Cluster;
  readonly #options: ResolvedConsumerOptions;
  readonly #fetcher: Fetcher;
  readonly #reader: RecordReader<K, V>;
  readonly #closed = new AbortController();
  readonly #autoCommit: AutoCommit | null = null;
  #membership: Membership | null = null;
  #hasJoined = false;
  #committing: Promise<void> = Promise.resolve();

  constructor(io: ClientIo, options: ConsumerOptions & SerdeOptions<K, V>) {
    this.cluster = new Cluster(io, options);
    this.#options = resolveConsumerOptions(options);
    this.#fetcher = new Fetcher(this.cluster, this.#options);
    // Without serdes the types are what they are by default: bytes.
    const bytes = bytesSerde as unknown as Serde<K> & Serde<V>;
    this.#reader = new RecordReader(options.key ?? bytes, options.value ?? bytes);
    const { autoCommitIntervalMs, groupId } = this.#options;
    if (autoCommitIntervalMs === null || groupId === null) return;
    this.#autoCommit = new AutoCommit(
      io.clock,
      autoCommitIntervalMs,
      () => this.#commitNews("finished"),
      (error) => this.#fetcher.fail(error),
    );
  }

  /** Reads these partitions from these offsets, without a group's assignment. */
  async assign(positions: readonly PartitionPosition[]): Promise<void> {
    for (const topic of new Set(positions.map(({ topic }) => topic))) {
      await this.cluster.topic(topic);
    }
    this.#fetcher.assign(positions);
  }

  /** Removes partitions from what is read. */
  unassign(partitions: readonly TopicPartition[]): void {
    this.#fetcher.unassign(partitions);
  }

  /**
   * Joins the group; it goes on at committed offsets, else as `autoOffsetReset` says. A pattern has
   * to match whole names; in the consumer protocol it is one of RE2.
   */
  subscribe(
    topics: readonly string[] | { readonly pattern: string },
    listener: RebalanceListener = {},
  ): void {
    const { groupId, groupProtocol } = this.#options;
    if (groupId === null) throw new UnsupportedError("subscribe needs a groupId");
    if (this.#membership !== null) throw new UnsupportedError("a consumer subscribes once");
    const selection: TopicSelection = "pattern" in topics ? topics : { topics };
    const Protocol = groupProtocol === "consumer" ? ModernMembership : ClassicMembership;
    this.#membership = new Protocol(
      this.cluster,
      groupId,
      selection,
      this.#options,
      this.#events(groupId, listener),
    );
    this.#membership.start();
  }

  #events(groupId: string, listener: RebalanceListener): MembershipEvents {
    const lost = async (partitions: readonly TopicPartition[]) => {
      // Whoever works on a record of them stops after it.
      this.#fetcher.unassign(partitions);
      await (listener.lost ?? ((all) => listener.revoked?.(all, true)))(partitions);
    };
    return {
      assigned: async (partitions, isStillMine, session) => {
        // Who has not heard yet that they were lost for a while may commit what it is working on.
        await this.#patiently(session, (signal) => this.#fetcher.finished(partitions, signal));
        const starts = this.#startPositions(groupId, byTopic(partitions));
        const positions = await nullIfAborted(starts, session);
        if (positions === null || !isStillMine()) return false;
        this.#fetcher.assign(await listener.assigned?.(positions) ?? positions);
        this.#hasJoined = true;
        return true;
      },
      revoked: async (partitions, session) => {
        await this.#rest(partitions, ["handler", "loop"], session);
        if (this.#autoCommit !== null) await this.#commitBeforeLoss(partitions, session);
        if (session.aborted) return await lost(partitions);
        await listener.revoked?.(partitions, false);
        this.#fetcher.unassign(partitions);
      },
      lost,
      failed: (error) => this.#fetcher.fail(error),
    };
  }

  /** Waits, within bounds, for those who work on records of these partitions. */
  async #rest(
    partitions: readonly TopicPartition[],
    workers: readonly Worker[],
    session?: AbortSignal,
  ): Promise<void> {
    await this.#patiently(session, (signal) => this.#fetcher.hold(partitions, workers, signal));
  }

  /** For work that ends at once with the signal, which the session or the patience aborts. */
  async #patiently(
    session: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const enough = new AbortController();
    const { clock } = this.cluster.io;
    const timer = clock.setTimer(this.#options.revokePatienceMs, () => enough.abort());
    const signal = session === undefined
      ? enough.signal
      : AbortSignal.any([enough.signal, session]);
    await work(signal).finally(() => timer.cancel());
  }

  async #commitBeforeLoss(
    partitions: readonly TopicPartition[],
    session: AbortSignal,
  ): Promise<void> {
    try {
      await nullIfAborted(this.#commitNews("finished", partitions, { signal: session }), session);
    } catch (error) {
      if (!isTooLate(error) && !session.aborted) throw error;
    }
  }

  /**
   * Whether what is there to be read would have begun to come: a broker has answered a fetch, or the
   * group has given this member nothing to fetch. Before that, silence says nothing.
   */
  get isReading(): boolean {
    return this.#fetcher.hasFetched || (this.#hasJoined && this.assignment().length === 0);
  }

  /**
   * The next chunk of any partition, in the order of arrival; null once the consumer is closed. The
   * chunk before counts as worked off. Rejects when reading fails for good, and with the signal's
   * reason.
   */
  nextChunk(signal?: AbortSignal): Promise<FetchedChunk | null> {
    return this.#fetcher.next(signal);
  }

  /** Chunks until `close`, as `nextChunk` gives them: no object per record. */
  async *chunks(
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<FetchedChunk, void, undefined> {
    for (;;) {
      const chunk = await this.nextChunk(options.signal);
      if (chunk === null) return;
      yield chunk;
    }
  }

  /**
   * Records one by one until `close`, each partition in its order. A record is worked off when the
   * next is asked for; until then a rebalance waits for it (`revokePatienceMs`). Pausing, seeking and
   * rebalances take effect at the next record: none is skipped, none comes twice. Rejects as `nextChunk`
   * does, and with a `SerdeError`, after which the same record comes again unless it is sought past.
   */
  records(
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<ConsumerRecord<K, V>, void, undefined> {
    return new RecordLoop({
      reader: this.#reader,
      isClosed: () => this.#closed.signal.aborted,
      lease: (signal) => this.#fetcher.lease("loop", signal),
    }, options.signal);
  }

  /** [Symbol.asyncIterator] of `records`. */
  [Symbol.asyncIterator](): AsyncGenerator<ConsumerRecord<K, V>, void, undefined> {
    return this.records();
  }

  /**
   * Calls the handler for each record or batch, partitions side by side as `concurrency` says, until
   * `close` or the signal. Rejects with what a handler throws, and as `records` does; what was not
   * worked off comes again.
   */
  async run(handler: RecordHandler<K, V>, options: RunOptions = {}): Promise<void> {
    await runHandlers(
      {
        fetcher: this.#fetcher,
        reader: this.#reader,
        commit: (offsets) => this.commit(offsets),
      },
      handler,
      options,
    );
  }

  /** Partitions that are read now. */
  assignment(): TopicPartition[] {
    return this.#fetcher.assignment();
  }

  /** The offset behind what was handed out last, or null if the partition is not read. */
  position(topic: string, partition: number): bigint | null {
    return this.#fetcher.position(topic, partition);
  }

  /**
   * The end of what may be read of the partition, as the last fetch told it (with `position`: KIP-695's
   * lag); null if none has yet, or the partition is not read.
   */
  endOffset(topic: string, partition: number): number | null {
    return this.#fetcher.endOffset(topic, partition);
  }

  /**
   * Hands out nothing of the partition until `resume`, which goes on where it stood. `isBrief`: that is
   * soon, for it has given more than can be worked off at once. Then fetches of others do not wait for
   * `maxWaitMs`, and this one behind them.
   */
  pause(topic: string, partition: number, { isBrief = false } = {}): void {
    this.#fetcher.pause(topic, partition, isBrief);
  }

  resume(topic: string, partition: number): void {
    this.#fetcher.resume(topic, partition);
  }

  /** Goes on at another offset, an earlier one to replay; what was fetched already is dropped. */
  seek(position: PartitionPosition): void {
    const { topic, partition } = position;
    if (this.#fetcher.position(topic, partition) === null) {
      throw new UnsupportedError(`partition ${topic}-${partition} is not assigned`);
    }
    this.#fetcher.assign([position]);
  }

  /**
   * Goes on at the start, the end or a time (milliseconds since 1970; the end if no record is that
   * young) in these partitions, or in all.
   */
  async seekTo(
    at: OffsetSpec,
    partitions: readonly TopicPartition[] = this.assignment(),
    options: OperationOptions = {},
  ): Promise<void> {
    for (const position of await this.#offsetsAt(at, partitions, options)) {
      // Those that a rebalance has taken meanwhile are others' now.
      if (this.position(position.topic, position.partition) !== null) this.seek(position);
    }
  }

  /**
   * Commits for the group: the offsets of the records to be read next, or without them the position
   * in each partition: all that was handed out. Throws `KafkaError`; with ILLEGAL_GENERATION,
   * UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS or STALE_MEMBER_EPOCH the group has gone on.
   */
  async commit(
    offsets?: readonly PartitionPosition[],
    options: OperationOptions = {},
  ): Promise<void> {
    if (offsets === undefined) return await this.#commitNews("position", undefined, options);
    const { groupId } = this.#options;
    if (groupId === null) throw new UnsupportedError("commit needs a groupId");
    // One after the other, or an earlier one might come last.
    const mine = this.#committing.then(async () => {
      if (this.#membership !== null) await this.#membership.commit(offsets, options);
      else await commitOffsets(this.cluster, groupId, offsets, null, options);
      this.#fetcher.committed(offsets);
    });
    this.#committing = mine.catch(() => {});
    await mine;
  }

  /** The group as `Producer.sendOffsets` wants it, or null outside of one. */
  groupMetadata(): { groupId: string } & Partial<Membership["member"]> | null {
    const { groupId } = this.#options;
    return groupId === null ? null : { groupId, ...this.#membership?.member };
  }

  /**
   * Waits for handlers at work (`revokePatienceMs`; so none of them may wait for this), leaves the
   * group and closes the connections. With `autoCommitIntervalMs` it commits what is worked off
   * before, else nothing.
   */
  async close(): Promise<void> {
    this.#closed.abort();
    this.#autoCommit?.stop();
    let failure: unknown = null;
    // A loop may be closing the consumer itself, and would wait for its own end.
    await this.#rest(this.assignment(), ["handler"]);
    if (this.#autoCommit !== null) {
      const options = { timeoutMs: CLOSE_COMMIT_MS };
      await this.#commitNews("finished", undefined, options).catch((error: unknown) => {
        if (!isTooLate(error)) failure = error;
      });
    }
    const enough = new AbortController();
    const timer = this.cluster.io.clock.setTimer(CLOSE_FETCH_MS, () => enough.abort());
    await Promise.all([this.#fetcher.close(enough.signal), this.#membership?.stop()])
      .finally(() => timer.cancel());
    this.cluster.close();
    if (failure !== null) throw failure;
  }

  async #commitNews(
    by: "position" | "finished",
    partitions?: readonly TopicPartition[],
    options: OperationOptions = {},
  ): Promise<void> {
    const news = this.#fetcher.uncommitted(by, partitions);
    if (news.length > 0) await this.commit(news, options);
  }

  async #offsetsAt(
    at: OffsetSpec,
    partitions: readonly TopicPartition[],
    options: OperationOptions,
  ): Promise<PartitionPosition[]> {
    const { isolationLevel } = this.#options;
    const list = async (spec: OffsetSpec, of: readonly TopicPartition[]) => {
      const query = new ListOffsetsQuery(this.cluster, { isolationLevel, ...options });
      const answers = await query.run(of.map((each) => ({ ...each, at: spec })));
      for (const { error } of answers) if (error !== null) throw error;
      return answers;
    };
    const found = await list(at, partitions);
    const beyond = found.filter(({ offset }) => offset < 0n);
    const ends = beyond.length === 0 ? [] : await list("latest", beyond);
    return [...found.filter(({ offset }) => offset >= 0n), ...ends];
  }

  async #startPositions(
    groupId: string,
    assigned: readonly TopicPartitions[],
  ): Promise<PartitionPosition[]> {
    for (const { topic } of assigned) await this.cluster.topic(topic);
    if (assigned.length === 0) return [];
    const found = new Map<string, Omit<PartitionPosition, "topic" | "partition">>();
    const offsets = await new GroupAdmin(this.cluster).listOffsets(groupId, {
      partitions: assigned,
      stable: this.#options.isolationLevel === "read_committed",
    });
    for (const { topic, partition, offset, leaderEpoch, metadata } of offsets) {
      found.set(partitionKey(topic, partition), {
        offset,
        ...(leaderEpoch < 0 ? {} : { leaderEpoch }),
        ...(metadata === null || metadata === "" ? {} : { metadata }),
      });
    }
    const at = this.#options.autoOffsetReset;
    const without: TopicPartition[] = [];
    for (const { topic, partitions } of assigned) {
      for (const partition of partitions) {
        if (found.has(partitionKey(topic, partition))) continue;
        if (at === "none") {
          throw new UnsupportedError(
            `group "${groupId}" has no offset for ${topic}-${partition}, and no reset is set`,
          );
        }
        without.push({ topic, partition });
      }
    }
    if (at !== "none") {
      for (const { topic, partition, offset } of await this.#offsetsAt(at, without, {})) {
        found.set(partitionKey(topic, partition), { offset });
      }
    }
    return assigned.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({
        topic,
        partition,
        ...found.get(partitionKey(topic, partition)) ?? { offset: 0n },
      }))
    );
  }
}
