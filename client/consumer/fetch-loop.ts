/**
 * Asks for the records of the assigned partitions: each leader in one request at a time, and only
 * while there is room for what it brings. What goes wrong with a partition is tried again here.
 */
import { asError } from "../../core/as-error.ts";
import { Errors } from "../../core/errors.ts";
import { ConnectionError } from "../../core/connection-error.ts";
import { FetchSession } from "../../core/fetch-session.ts";
import { fetch as fetchApi } from "../../core/protocol/01-fetch.ts";
import type { ResponseOf } from "../../core/protocol/schema.ts";
import { forEachBatch, lastOffset, partitionLeaderEpoch } from "../../core/records/batch-header.ts";
import { nullIfAborted } from "../../core/unless-aborted.ts";
import { ListOffsetsQuery } from "../admin/list-offsets.ts";
import type { Cluster } from "../cluster.ts";
import {
  isRetriableError,
  KafkaError,
  LogTruncationError,
  OffsetOutOfRangeError,
  TimeoutError,
} from "../errors.ts";
import { partitionKey } from "../group-protocol.ts";
import { WakeUp } from "../wake-up.ts";
import { type Assigned, nameOf } from "./assigned.ts";
import { checkPositions, type Verdict } from "./check-positions.ts";
import { FetchedChunk } from "./chunk.ts";
import { FetchSize } from "./fetch-size.ts";
import type { PartitionPosition, ResolvedConsumerOptions } from "./options.ts";

type FetchResponse = ResponseOf<typeof fetchApi>;
type PartitionResponse = FetchResponse["responses"][number]["partitions"][number];

/** Chunks of one partition that may wait: one to be taken, one to be fetched meanwhile. */
const QUEUED_CHUNKS_MAX = 2;
/** How long a fetch waits at the most while a partition of the same leader is paused briefly. */
const BRIEF_WAIT_MS = 20;
const EMPTY = new Uint8Array(0);

/** Who keeps what is fetched until it is taken. */
export interface FetchEvents {
  /** Whether more may be fetched. */
  hasRoom(): boolean;
  /** A fetch has brought this; the next one goes on behind it. */
  arrived(chunk: FetchedChunk, owner: Assigned): void;
  /** What was read from here on is gone from the log: the partition is to be read on from here. */
  cut(position: PartitionPosition): void;
  /** Something that will not pass. */
  failed(error: Error): void;
}

/** See the head of the file. */
export class FetchLoop {
  readonly #busyLeaders = new Set<number>();
  /** By node. */
  readonly #sessions = new Map<number, FetchSession>();
  readonly #sizes = new Map<number, FetchSize>();
  readonly #pumping: WakeUp;
  #refreshing = false;
  #hasFetched = false;
  #closed = false;

  constructor(
    readonly cluster: Cluster,
    readonly options: ResolvedConsumerOptions,
    readonly assigned: ReadonlyMap<string, Assigned>,
    readonly events: FetchEvents,
  ) {
    this.#pumping = new WakeUp(cluster.io.clock, () => this.#pump());
    cluster.onMetadata(() => this.#pumping.soon());
  }

  /** Whether a broker has answered a fetch, with or without records. */
  get hasFetched(): boolean {
    return this.#hasFetched;
  }

  /** There may be something to fetch. */
  wake(): void {
    this.#pumping.soon();
  }

  /** Fetches no more, and tells the brokers as long as the signal lasts. Never rejects. */
  async close(signal: AbortSignal): Promise<void> {
    this.#closed = true;
    this.#pumping.close();
    const ends = [...this.#sessions].map(([node, session]) => this.#end(node, session, signal));
    await nullIfAborted(Promise.allSettled(ends), signal);
  }

  /** Ends a session, so that it takes no room in the broker's cache any more (KIP-227). */
  async #end(node: number, session: FetchSession, signal: AbortSignal): Promise<void> {
    const final = session.final();
    if (final === null || !this.cluster.brokers.has(node)) return;
    // A fetch under way may wait for records, and all behind it on its connection.
    const purpose = this.#busyLeaders.has(node) ? "main" : "fetch";
    const connection = await this.cluster.broker(node, purpose, signal);
    await connection.request(fetchApi, { maxWaitMs: 0, minBytes: 0, ...final }, { signal });
  }

  #pump(): void {
    if (!this.events.hasRoom()) return;
    const nowMs = this.cluster.io.clock.monotonicMs();
    const byLeader = new Map<number, Assigned[]>();
    const unchecked = new Map<number, Assigned[]>();
    // A request for the idle partitions of a leader alone would wait, and keep those with much to
    // read waiting after their chunks are taken. So a leader is asked for all or none of them.
    const full = new Set<number>();
    const brief = new Set<number>();
    for (const assigned of this.assigned.values()) {
      if (assigned.paused && assigned.isBrief) brief.add(this.#nodeFor(assigned, nowMs));
      if (assigned.paused || assigned.held || assigned.inRequest !== null) continue;
      if (assigned.retryAtMs > nowMs && !this.#hasNewLeader(assigned)) {
        this.#pumping.at(assigned.retryAtMs);
        continue;
      }
      const { topic } = assigned;
      this.cluster.touch(topic);
      if (this.#isOfAnotherTopic(assigned)) {
        void this.#reset(assigned, Errors.OFFSET_OUT_OF_RANGE);
        continue;
      }
      const leader = this.#nodeFor(assigned, nowMs);
      if (leader < 0 || !this.cluster.brokers.has(leader)) {
        assigned.triedEpoch = this.#knownEpoch(assigned);
        this.#failed(assigned, new KafkaError(Errors.LEADER_NOT_AVAILABLE, nameOf(assigned)));
      } else if (!assigned.checked) {
        add(unchecked, leader, assigned);
      } else if (assigned.queued >= QUEUED_CHUNKS_MAX) {
        // Who works on one partition for long does not stop the others.
        if (assigned.leased === null) full.add(leader);
      } else if (!this.#busyLeaders.has(leader)) add(byLeader, leader, assigned);
    }
    for (const [leader, list] of unchecked) void this.#check(leader, list);
    for (const [leader, list] of byLeader) {
      const waitMs = brief.has(leader) ? BRIEF_WAIT_MS : Infinity;
      if (!full.has(leader)) void this.#fetch(leader, list, waitMs);
    }
  }

  /** The replica to read from: the leader, unless it has named a closer one. */
  #nodeFor(assigned: Assigned, nowMs: number): number {
    this.#learn(assigned);
    const { topic, partition, preferred } = assigned;
    if (preferred !== null) {
      if (preferred.untilMs > nowMs && this.cluster.brokers.has(preferred.nodeId)) {
        return preferred.nodeId;
      }
      assigned.preferred = null;
    }
    const leaderEpoch = this.cluster.leaderEpochOf(topic, partition);
    // Whoever still tells of a leader before the one that wrote what was read is cut off from the others;
    // that leader may not even have this offset.
    const isOld = leaderEpoch >= 0 && leaderEpoch < assigned.offsetEpoch;
    return isOld ? -1 : this.cluster.leaderOf(topic, partition);
  }

  #hasNewLeader(assigned: Assigned): boolean {
    // Infinity: something is under way already.
    return assigned.retryAtMs < Infinity && this.#knownEpoch(assigned) > assigned.triedEpoch;
  }

  #knownEpoch({ topic, partition }: Assigned): number {
    return this.cluster.leaderEpochOf(topic, partition);
  }

  /**
   * Its topic was deleted and made again. Offsets that were read of the one before say nothing: whoever
   * wants no reset is told; others are read on where they are, as by Kafka's consumer.
   */
  #isOfAnotherTopic(assigned: Assigned): boolean {
    const known = this.cluster.cached(assigned.topic);
    if (known === undefined || known.topicId === assigned.topicId) return false;
    const wasOther = assigned.topicId !== null;
    assigned.topicId = known.topicId;
    if (!wasOther) return false;
    // Nor do epochs of its leaders.
    assigned.leaderEpoch = assigned.offsetEpoch = -1;
    return assigned.fetchOffset > 0 && this.options.autoOffsetReset === "none";
  }

  /** Takes note of a new leader: it is asked first whether it has what was read of others. */
  #learn(assigned: Assigned): void {
    const known = this.cluster.cached(assigned.topic);
    if (known === undefined) return;
    const leaderEpoch = known.partitions[assigned.partition]?.leaderEpoch ?? -1;
    if (leaderEpoch <= assigned.leaderEpoch) return;
    assigned.leaderEpoch = leaderEpoch;
    if (assigned.offsetEpoch < 0 || assigned.offsetEpoch === leaderEpoch) return;
    assigned.checked = false;
    assigned.preferred = null;
  }

  async #check(leader: number, list: readonly Assigned[]): Promise<void> {
    for (const assigned of list) {
      assigned.retryAtMs = Infinity;
      assigned.triedEpoch = this.#knownEpoch(assigned);
    }
    try {
      const verdicts = await checkPositions(this.cluster, leader, list);
      for (const [assigned, verdict] of verdicts) {
        if (!assigned.dropped) this.#judge(assigned, verdict);
      }
    } catch (error) {
      const failure = asError(error);
      for (const assigned of list) this.#failed(assigned, failure);
    }
    this.#pumping.soon();
  }

  #judge(assigned: Assigned, verdict: Verdict): void {
    const { topic, partition, fetchOffset } = assigned;
    switch (verdict.kind) {
      case "there":
        Object.assign(assigned, { checked: true, retryAtMs: 0, failures: 0 });
        return;
      case "failed":
        return this.#failed(assigned, verdict.error);
      case "cut": {
        const { endOffset, epoch: leaderEpoch } = verdict;
        if (this.options.autoOffsetReset === "none") {
          // It rests until it is sought elsewhere.
          return this.events.failed(
            new LogTruncationError(topic, partition, fetchOffset, endOffset),
          );
        }
        assigned.checked = true;
        if (endOffset < 0) return void this.#reset(assigned, Errors.OFFSET_OUT_OF_RANGE);
        this.events.cut({ topic, partition, offset: BigInt(endOffset), leaderEpoch });
      }
    }
  }

  async #fetch(leader: number, list: readonly Assigned[], waitMs: number): Promise<void> {
    this.#busyLeaders.add(leader);
    for (const assigned of list) {
      assigned.inRequest = list;
      assigned.triedEpoch = this.#knownEpoch(assigned);
    }
    const session = this.#sessions.get(leader) ?? new FetchSession();
    this.#sessions.set(leader, session);
    const { minBytes, maxBytes, isolationLevel, rackId } = this.options;
    const maxWaitMs = Math.min(waitMs, this.options.maxWaitMs);
    const size = this.#sizes.get(leader) ?? new FetchSize(this.options.partitionMaxBytes, maxBytes);
    this.#sizes.set(leader, size);
    for (const assigned of list) {
      assigned.maxBytes = Math.max(assigned.leastBytes, size.partitionBytes);
    }
    try {
      const connection = await this.cluster.broker(leader, "fetch");
      const sentMs = this.cluster.io.clock.monotonicMs();
      const response = await connection.request(fetchApi, {
        maxWaitMs,
        minBytes,
        maxBytes: size.answerBytes,
        isolationLevel: isolationLevel === "read_committed" ? 1 : 0,
        ...session.next(list),
        ...(rackId === null ? {} : { rackId }),
      }, {
        timeoutMs: maxWaitMs + this.cluster.options.requestTimeoutMs,
        mayWaitMs: maxWaitMs,
        isMoot: () => list.every((assigned) => !this.#isReadFrom(assigned, leader)),
        // Version 13 names topics by id alone.
        maxVersion: list.some(({ topicId }) => topicId === null) ? 12 : fetchApi.maxVersion,
      });
      size.heard(largestOf(response), this.cluster.io.clock.monotonicMs() - sentMs);
      if (session.heard(response)) this.#arrived(list, response, session);
    } catch (error) {
      session.failed();
      if (isTimeout(error)) size.failed();
      const failure = asError(error);
      for (const assigned of list) this.#failed(assigned, failure);
    } finally {
      this.#busyLeaders.delete(leader);
      for (const assigned of list) assigned.inRequest = null;
      this.#pumping.soon();
    }
  }

  #isReadFrom({ topic, partition, preferred }: Assigned, nodeId: number): boolean {
    return this.cluster.leaderOf(topic, partition) === nodeId || preferred?.nodeId === nodeId;
  }

  #arrived(list: readonly Assigned[], response: FetchResponse, session: FetchSession): void {
    if (response.errorCode !== Errors.NONE) throw new KafkaError(response.errorCode, "fetch");
    this.#hasFetched = true;
    for (const { topic, topicId, partitions } of response.responses) {
      const topicName = session.nameOf(topicId, topic);
      for (const answer of partitions) {
        const key = partitionKey(topicName, answer.partitionIndex);
        if (answer.errorCode === Errors.NONE) session.told(key, this.#endOf(answer));
        const assigned = this.assigned.get(key);
        // It may have been taken away or sought elsewhere meanwhile.
        if (assigned?.inRequest === list) this.#answered(assigned, answer);
      }
    }
    // Whom the answer does not speak of is well, as is whoever has not failed just now.
    const nowMs = this.cluster.io.clock.monotonicMs();
    for (const assigned of list) {
      // Assigned again between two requests, it is for the broker what it was.
      if (assigned.endOffset < 0) assigned.endOffset = session.endOffsetOf(assigned.key);
      if (assigned.failures > 0 && assigned.retryAtMs <= nowMs) assigned.failures = 0;
    }
  }

  #answered(assigned: Assigned, answer: PartitionResponse): void {
    if (answer.errorCode !== Errors.NONE && assigned.preferred !== null) {
      // Whatever is wrong with the follower, the leader knows better.
      assigned.preferred = null;
      return;
    }
    switch (answer.errorCode) {
      case Errors.NONE:
        assigned.failures = 0;
        assigned.leastBytes = 0;
        this.#prefer(assigned, answer.preferredReadReplica);
        assigned.endOffset = this.#endOf(answer);
        return this.#records(assigned, answer);
      case Errors.OFFSET_OUT_OF_RANGE:
        return void this.#reset(assigned, answer.errorCode);
      default: {
        const error = new KafkaError(answer.errorCode, `fetch from ${nameOf(assigned)}`);
        this.#failed(assigned, error);
      }
    }
  }

  #endOf({ lastStableOffset, highWatermark }: PartitionResponse): number {
    const isCommitted = this.options.isolationLevel === "read_committed";
    return Number(isCommitted ? lastStableOffset : highWatermark);
  }

  #prefer(assigned: Assigned, nodeId: number): void {
    if (nodeId < 0) return;
    const nowMs = this.cluster.io.clock.monotonicMs();
    assigned.preferred = { nodeId, untilMs: nowMs + this.cluster.options.metadataMaxAgeMs };
    if (!this.cluster.brokers.has(nodeId)) this.#refresh();
  }

  #records(assigned: Assigned, answer: PartitionResponse): void {
    const bytes = answer.records ?? EMPTY;
    let nextOffset = assigned.fetchOffset;
    let last = 0;
    const whole = forEachBatch(bytes, (position) => {
      nextOffset = Math.max(nextOffset, lastOffset(bytes, position) + 1);
      last = position;
    });
    if (whole === 0) {
      // Only a piece of a batch: an old broker, which needs to be asked for more at once.
      if (bytes.length > 0) assigned.leastBytes = Math.min(2 * assigned.maxBytes, 0x7fff_ffff);
      return;
    }
    const { topic, partition, fetchOffset } = assigned;
    const aborted = this.options.isolationLevel === "read_committed"
      ? (answer.abortedTransactions ?? []).map(({ producerId, firstOffset }) => ({
        producerId: Number(producerId),
        firstOffset: Number(firstOffset),
      }))
      : null;
    const chunk = new FetchedChunk(
      topic,
      partition,
      fetchOffset,
      nextOffset,
      Number(answer.highWatermark),
      bytes.subarray(0, whole),
      aborted,
      this.options.codecs,
    );
    chunk.logStartOffset = Number(answer.logStartOffset);
    chunk.lastStableOffset = Number(answer.lastStableOffset);
    chunk.leaderEpoch = partitionLeaderEpoch(bytes, last);
    assigned.fetchOffset = nextOffset;
    assigned.offsetEpoch = chunk.leaderEpoch;
    this.events.arrived(chunk, assigned);
  }

  async #reset(assigned: Assigned, code: number): Promise<void> {
    const { topic, partition, fetchOffset } = assigned;
    const at = this.options.autoOffsetReset;
    assigned.retryAtMs = Infinity;
    if (at === "none") {
      // It rests until it is sought elsewhere.
      return this.events.failed(new OffsetOutOfRangeError(topic, partition, fetchOffset));
    }
    try {
      const [answer] = await new ListOffsetsQuery(this.cluster, {
        isolationLevel: this.options.isolationLevel,
      }).run([{ topic, partition, at }]);
      if (answer === undefined || answer.error !== null) {
        throw answer?.error ?? new KafkaError(code, nameOf(assigned));
      }
      assigned.fetchOffset = Number(answer.offset);
      assigned.offsetEpoch = answer.leaderEpoch;
      if (assigned.queued === 0 && assigned.leased === null) {
        assigned.position = assigned.fetchOffset;
      }
      assigned.retryAtMs = 0;
      this.#pumping.soon();
    } catch (error) {
      this.#failed(assigned, asError(error));
    }
  }

  /** Tries again later, unless the error is for good or has lasted too long. */
  #failed(assigned: Assigned, error: Error): void {
    if (this.#closed || assigned.dropped) return;
    assigned.preferred = null;
    const nowMs = this.cluster.io.clock.monotonicMs();
    if (assigned.failures++ === 0) assigned.failingSinceMs = nowMs;
    assigned.retryAtMs = nowMs + this.cluster.backoffMs(assigned.failures - 1);
    this.#pumping.at(assigned.retryAtMs);
    const lastedMs = nowMs - assigned.failingSinceMs;
    if (!isRetriableError(error)) return this.events.failed(error);
    if (lastedMs >= this.cluster.options.apiTimeoutMs) {
      assigned.failures = 0;
      const message =
        `${nameOf(assigned)} could not be read for ${Math.round(lastedMs)} ms; last: ` +
        error.message;
      return this.events.failed(new TimeoutError(message, { cause: error }));
    }
    this.#refresh();
  }

  #refresh(): void {
    if (this.#refreshing) return;
    this.#refreshing = true;
    const topics = [...new Set([...this.assigned.values()].map(({ topic }) => topic))];
    this.cluster.refresh(topics)
      // No broker answered: the partitions try again after their pause.
      .catch(() => {})
      .finally(() => {
        this.#refreshing = false;
        this.#pumping.soon();
      });
  }
}

/** What the partition gave that gave most. */
function largestOf({ responses }: FetchResponse): number {
  let largest = 0;
  for (const { partitions } of responses) {
    for (const { records } of partitions) largest = Math.max(largest, records?.length ?? 0);
  }
  return largest;
}

function isTimeout(error: unknown): boolean {
  return error instanceof ConnectionError && error.failure === "timeout";
}

function add<T>(lists: Map<number, T[]>, key: number, item: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}
