/**
 * Fetches ahead for the assigned partitions: to each leader one request at a time, as long as what
 * waits to be taken is below its bound.
 */
import { Errors } from "../../core/errors.ts";
import { ConnectionError } from "../../core/connection-error.ts";
import { FetchSession } from "../../core/fetch-session.ts";
import { fetch as fetchApi } from "../../core/protocol/01-fetch.ts";
import type { ResponseOf } from "../../core/protocol/schema.ts";
import { forEachBatch, lastOffset, partitionLeaderEpoch } from "../../core/records/batch-header.ts";
import { nullIfAborted } from "../../core/unless-aborted.ts";
import { ListOffsetsQuery } from "../admin/list-offsets.ts";
import type { Cluster } from "../cluster.ts";
import { isRetriableError, KafkaError, LogTruncationError, TimeoutError } from "../errors.ts";
import { partitionKey, type TopicPartition } from "../group-protocol.ts";
import { checkPositions, type Verdict } from "./check-positions.ts";
import { FetchedChunk } from "./chunk.ts";
import { FetchSize } from "./fetch-size.ts";
import type { PartitionPosition, ResolvedConsumerOptions } from "./options.ts";
import { WakeUp } from "../wake-up.ts";

type FetchResponse = ResponseOf<typeof fetchApi>;
type PartitionResponse = FetchResponse["responses"][number]["partitions"][number];

/** Chunks of one partition that may wait: one to be taken, one to be fetched meanwhile. */
const QUEUED_CHUNKS_MAX = 2;
const EMPTY = new Uint8Array(0);

/** An assigned partition; another object as soon as it is sought elsewhere. */
interface Assigned {
  readonly key: string;
  readonly topic: string;
  readonly partition: number;
  topicId: string | null;
  /** Of the leader that was heard of last; −1: of none. */
  leaderEpoch: number;
  /** Of the batch before `fetchOffset`; −1: not known, or there is none. */
  offsetEpoch: number;
  /** Whether the leader of `leaderEpoch` has what was read before (KIP-320). */
  checked: boolean;
  /** Of what was handed out last. */
  takenEpoch: number;
  /** Where the next fetch begins. */
  fetchOffset: number;
  /** Behind the last chunk or record that was handed out. */
  position: number;
  /** Behind the last that was worked off: whoever got it has come back for more. */
  finished: number;
  /** What was committed last; −1 for nothing yet. */
  committed: number;
  maxBytes: number;
  /** A batch needs more than is asked for as a rule: brokers that are old give pieces. 0: not known. */
  leastBytes: number;
  paused: boolean;
  /** It is about to be taken away: nothing more of it is handed out. */
  held: boolean;
  /** It was taken away, or another object has its place. */
  dropped: boolean;
  /** Who works on a chunk of it and must have that finished before the next. */
  leased: Worker | null;
  queued: number;
  /** The partitions of the request that it is in. */
  inRequest: readonly Assigned[] | null;
  retryAtMs: number;
  failures: number;
  failingSinceMs: number;
  /** Epoch of the leader that was tried last: a newer one is asked without a pause. */
  triedEpoch: number;
  /** The closest replica, as the leader has said (KIP-392). */
  preferred: { readonly nodeId: number; readonly untilMs: number } | null;
}

/** A handler, or a loop over records, which may be closing the consumer itself. */
export type Worker = "handler" | "loop";

interface Queued {
  readonly chunk: FetchedChunk;
  readonly owner: Assigned;
}

/** A chunk in the hands of one worker: its partition rests until `release`. */
export interface Lease {
  readonly chunk: FetchedChunk;
  /** False once the partition was paused, sought elsewhere or is taken away: stop then. */
  readonly isValid: boolean;
  /** The record at `offset` is handed out; everything before it is worked off. */
  handOut(offset: number): void;
  /** Everything before `offset` is worked off. */
  finish(offset: number): void;
  /** Gives the partition back; records from its position on come again. To be called once. */
  release(): void;
}

/** The fetching half of a consumer. */
export class Fetcher {
  readonly #assigned = new Map<string, Assigned>();
  /** Taken away while somebody worked on a record of them, who is not done yet. */
  readonly #unfinished = new Set<Assigned>();
  readonly #busyLeaders = new Set<number>();
  /** By node. */
  readonly #sessions = new Map<number, FetchSession>();
  readonly #sizes = new Map<number, FetchSize>();
  #chunks: Queued[] = [];
  /** Whose chunk `next` gave last. */
  #last: Assigned | null = null;
  #queuedBytes = 0;
  #error: Error | null = null;
  #waiters: (() => void)[] = [];
  readonly #pumping: WakeUp;
  #refreshing = false;
  #hasFetched = false;
  #closed = false;

  constructor(readonly cluster: Cluster, readonly options: ResolvedConsumerOptions) {
    this.#pumping = new WakeUp(cluster.io.clock, () => this.#pump());
    cluster.onMetadata(() => this.#pumping.soon());
  }

  /** Whether a broker has answered a fetch, with or without records. */
  get hasFetched(): boolean {
    return this.#hasFetched;
  }

  /** Adds partitions; one that is there already is set to the new offset, and stays paused. */
  assign(positions: readonly PartitionPosition[]): void {
    for (const { topic, partition, offset, leaderEpoch = -1 } of positions) {
      const key = partitionKey(topic, partition);
      const before = this.#assigned.get(key);
      this.#drop(topic, partition);
      this.#assigned.set(key, {
        key,
        topic,
        partition,
        topicId: null,
        leaderEpoch: -1,
        offsetEpoch: leaderEpoch,
        checked: true,
        takenEpoch: leaderEpoch,
        fetchOffset: Number(offset),
        position: Number(offset),
        finished: Number(offset),
        committed: -1,
        maxBytes: 0,
        leastBytes: 0,
        paused: before?.paused ?? false,
        held: before?.held ?? false,
        dropped: false,
        leased: null,
        queued: 0,
        inRequest: null,
        retryAtMs: 0,
        failures: 0,
        failingSinceMs: 0,
        triedEpoch: -1,
        preferred: null,
      });
    }
    this.#pumping.soon();
  }

  /** Removes partitions and what was fetched of them. */
  unassign(partitions: readonly { topic: string; partition: number }[]): void {
    for (const { topic, partition } of partitions) this.#drop(topic, partition);
  }

  /** What is assigned. */
  assignment(): { topic: string; partition: number }[] {
    return [...this.#assigned.values()].map(({ topic, partition }) => ({ topic, partition }));
  }

  /** The offset behind the last chunk that was taken, or null if the partition is not assigned. */
  position(topic: string, partition: number): bigint | null {
    const assigned = this.#assigned.get(partitionKey(topic, partition));
    return assigned === undefined ? null : BigInt(assigned.position);
  }

  /** What is fetched already waits for `resume`, unless that is too much. */
  pause(topic: string, partition: number): void {
    const assigned = this.#assigned.get(partitionKey(topic, partition));
    if (assigned === undefined || assigned.paused) return;
    assigned.paused = true;
    // What rests must not stop the others: it is fetched again.
    if (assigned.leased !== null || this.#queuedBytes < this.options.queuedBytes / 2) return;
    const { position, finished, committed, takenEpoch: leaderEpoch } = assigned;
    this.assign([{ topic, partition, offset: BigInt(position), leaderEpoch }]);
    Object.assign(this.#assigned.get(partitionKey(topic, partition)) ?? {}, {
      finished,
      committed,
    });
  }

  resume(topic: string, partition: number): void {
    const assigned = this.#assigned.get(partitionKey(topic, partition));
    if (assigned === undefined) return;
    assigned.paused = false;
    this.#wake();
    this.#pumping.soon();
  }

  /** Hands out nothing more of these until they are unassigned, and waits for who works on them. */
  async hold(
    partitions: readonly TopicPartition[],
    workers: readonly Worker[],
    signal: AbortSignal,
  ): Promise<void> {
    const held = partitions.flatMap(({ topic, partition }) => {
      const assigned = this.#assigned.get(partitionKey(topic, partition));
      return assigned === undefined ? [] : [assigned];
    });
    for (const assigned of held) assigned.held = true;
    const isWorking = () => held.some(({ leased }) => leased !== null && workers.includes(leased));
    while (!signal.aborted && isWorking()) await this.#changed(signal);
  }

  /** Waits for who still works on records of these from before they were taken away. */
  async finished(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<void> {
    const keys = new Set(partitions.map(({ topic, partition }) => partitionKey(topic, partition)));
    const isWorking = () => [...this.#unfinished].some(({ key }) => keys.has(key));
    while (!signal.aborted && isWorking()) await this.#changed(signal);
  }

  /** What is to be committed, by what was handed out or worked off; of these partitions or all. */
  uncommitted(
    by: "position" | "finished",
    partitions: readonly TopicPartition[] = [...this.#assigned.values()],
  ): PartitionPosition[] {
    return partitions.flatMap(({ topic, partition }) => {
      const assigned = this.#assigned.get(partitionKey(topic, partition));
      if (assigned === undefined || assigned[by] === assigned.committed) return [];
      const { takenEpoch: leaderEpoch } = assigned;
      const position = { topic, partition, offset: BigInt(assigned[by]) };
      return [leaderEpoch < 0 ? position : { ...position, leaderEpoch }];
    });
  }

  /** Remembers what was committed. */
  committed(positions: readonly PartitionPosition[]): void {
    for (const { topic, partition, offset } of positions) {
      const assigned = this.#assigned.get(partitionKey(topic, partition));
      if (assigned !== undefined) assigned.committed = Number(offset);
    }
  }

  /**
   * The next chunk in the order of arrival; null when closed. Rejects on what will not pass. The one
   * before counts as worked off.
   */
  async next(signal?: AbortSignal): Promise<FetchedChunk | null> {
    if (this.#last !== null) this.#last.finished = this.#last.position;
    this.#last = null;
    const taken = await this.#wait(null, signal);
    if (taken === null) return null;
    this.#last = taken.owner;
    taken.owner.position = taken.chunk.nextOffset;
    return taken.chunk;
  }

  /** As `next`, but the caller has the partition for itself until it gives it back. */
  async lease(worker: Worker, signal?: AbortSignal): Promise<Lease | null> {
    const taken = await this.#wait(worker, signal);
    if (taken === null) return null;
    const { chunk, owner } = taken;
    return {
      chunk,
      get isValid(): boolean {
        return !owner.dropped && !owner.paused && !owner.held;
      },
      handOut(offset) {
        owner.finished = offset;
        owner.position = offset + 1;
      },
      finish(offset) {
        owner.finished = offset;
        owner.position = offset;
      },
      release: () => {
        owner.leased = null;
        this.#unfinished.delete(owner);
        if (!owner.dropped && owner.position < chunk.nextOffset) this.#putBack(taken);
        this.#wake();
        this.#pumping.soon();
      },
    };
  }

  /** Makes the next `next` reject. */
  fail(error: Error): void {
    this.#error ??= error;
    this.#wake();
  }

  /** Ends fetching, and tells the brokers as long as the signal lasts. Never rejects. */
  async close(signal: AbortSignal): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#pumping.close();
    this.#chunks = [];
    this.#wake();
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

  async #wait(worker: Worker | null, signal: AbortSignal | undefined): Promise<Queued | null> {
    for (;;) {
      signal?.throwIfAborted();
      const taken = this.#take(worker);
      if (taken !== null) return taken;
      if (this.#error !== null) {
        const error = this.#error;
        this.#error = null;
        throw error;
      }
      if (this.#closed) return null;
      await this.#changed(signal);
    }
  }

  /**
   * At once for the worker: of two that wake together, the other may look for a chunk before the
   * first goes on, and would get the next one of the same partition.
   */
  #take(worker: Worker | null): Queued | null {
    const at = this.#chunks.findIndex(({ owner }) => {
      return !owner.paused && !owner.held && owner.leased === null;
    });
    const taken = this.#chunks[at];
    if (taken === undefined) return null;
    this.#chunks.splice(at, 1);
    this.#queuedBytes -= taken.chunk.bytes.length;
    taken.owner.leased = worker;
    taken.owner.queued--;
    taken.owner.takenEpoch = taken.chunk.leaderEpoch;
    this.#pumping.soon();
    return taken;
  }

  /** The rest of a chunk, before all that was fetched after it. */
  #putBack({ chunk, owner }: Queued): void {
    this.#chunks.unshift({ chunk: chunk.from(owner.position), owner });
    this.#queuedBytes += chunk.bytes.length;
    owner.queued++;
  }

  #changed(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal?.removeEventListener("abort", done);
        resolve();
      };
      signal?.addEventListener("abort", done, { once: true });
      this.#waiters.push(done);
    });
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  #drop(topic: string, partition: number): void {
    const assigned = this.#assigned.get(partitionKey(topic, partition));
    if (assigned === undefined) return;
    this.#assigned.delete(partitionKey(topic, partition));
    assigned.dropped = true;
    if (assigned.leased !== null) this.#unfinished.add(assigned);
    this.#dropChunks(assigned);
    // Who waits for its worker need not wait any more.
    this.#wake();
  }

  #dropChunks(dropped: Assigned): void {
    this.#chunks = this.#chunks.filter(({ chunk, owner }) => {
      if (owner === dropped) this.#queuedBytes -= chunk.bytes.length;
      return owner !== dropped;
    });
  }

  #pump(): void {
    if (this.#queuedBytes >= this.options.queuedBytes) return;
    const nowMs = this.cluster.io.clock.monotonicMs();
    const byLeader = new Map<number, Assigned[]>();
    const unchecked = new Map<number, Assigned[]>();
    // A request for the idle partitions of a leader alone would wait, and keep those with much to
    // read waiting after their chunks are taken. So a leader is asked for all or none of them.
    const full = new Set<number>();
    for (const assigned of this.#assigned.values()) {
      if (assigned.paused || assigned.held || assigned.inRequest !== null) continue;
      if (assigned.retryAtMs > nowMs && !this.#hasNewLeader(assigned)) {
        this.#pumping.at(assigned.retryAtMs);
        continue;
      }
      const { topic } = assigned;
      this.cluster.touch(topic);
      const leader = this.#nodeFor(assigned, nowMs);
      if (leader < 0 || !this.cluster.brokers.has(leader)) {
        assigned.triedEpoch = this.#knownEpoch(assigned);
        this.#failed(assigned, new KafkaError(Errors.LEADER_NOT_AVAILABLE, name(assigned)), true);
      } else if (!assigned.checked) {
        add(unchecked, leader, assigned);
      } else if (assigned.queued >= QUEUED_CHUNKS_MAX) {
        // Who works on one partition for long does not stop the others.
        if (assigned.leased === null) full.add(leader);
      } else if (!this.#busyLeaders.has(leader)) add(byLeader, leader, assigned);
    }
    for (const [leader, list] of unchecked) void this.#check(leader, list);
    for (const [leader, list] of byLeader) {
      if (!full.has(leader)) void this.#fetch(leader, list);
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

  /** Takes note of a new leader: it is asked first whether it has what was read of others. */
  #learn(assigned: Assigned): void {
    const known = this.cluster.cached(assigned.topic);
    if (known === undefined) return;
    if (assigned.topicId !== known.topicId) {
      // Epochs of a topic that was deleted and made again say nothing.
      if (assigned.topicId !== null) assigned.leaderEpoch = assigned.offsetEpoch = -1;
      assigned.topicId = known.topicId;
    }
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
        if (this.#assigned.get(assigned.key) === assigned) this.#judge(assigned, verdict);
      }
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      for (const assigned of list) this.#failed(assigned, failure, true);
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
        return this.#failed(assigned, verdict.error, true);
      case "cut": {
        const { endOffset, epoch: leaderEpoch } = verdict;
        if (this.options.autoOffsetReset === "none") {
          // It rests until it is sought elsewhere.
          return this.fail(new LogTruncationError(topic, partition, fetchOffset, endOffset));
        }
        assigned.checked = true;
        if (endOffset < 0) return void this.#reset(assigned, Errors.OFFSET_OUT_OF_RANGE);
        this.assign([{ topic, partition, offset: BigInt(endOffset), leaderEpoch }]);
      }
    }
  }

  async #fetch(leader: number, list: readonly Assigned[]): Promise<void> {
    this.#busyLeaders.add(leader);
    for (const assigned of list) {
      assigned.inRequest = list;
      assigned.triedEpoch = this.#knownEpoch(assigned);
    }
    const session = this.#sessions.get(leader) ?? new FetchSession();
    this.#sessions.set(leader, session);
    const { maxWaitMs, minBytes, maxBytes, isolationLevel, rackId } = this.options;
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
      const failure = error instanceof Error ? error : new Error(String(error));
      for (const assigned of list) this.#failed(assigned, failure, true);
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
        const assigned = this.#assigned.get(partitionKey(topicName, answer.partitionIndex));
        // It may have been taken away or sought elsewhere meanwhile.
        if (assigned?.inRequest === list) this.#answered(assigned, answer);
      }
    }
    // Whom the answer does not speak of is well, as is whoever has not failed just now.
    const nowMs = this.cluster.io.clock.monotonicMs();
    for (const assigned of list) {
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
        return this.#records(assigned, answer);
      case Errors.OFFSET_OUT_OF_RANGE:
        return void this.#reset(assigned, answer.errorCode);
      default: {
        const error = new KafkaError(answer.errorCode, `fetch from ${name(assigned)}`);
        this.#failed(assigned, error, true);
      }
    }
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
    assigned.queued++;
    this.#queuedBytes += chunk.bytes.length;
    this.#chunks.push({ chunk, owner: assigned });
    this.#wake();
  }

  async #reset(assigned: Assigned, code: number): Promise<void> {
    const { topic, partition } = assigned;
    const at = this.options.autoOffsetReset;
    if (at === "none") {
      const detail = `there is no offset ${assigned.fetchOffset}`;
      return this.fail(new KafkaError(code, name(assigned), detail));
    }
    assigned.retryAtMs = Infinity;
    try {
      const [answer] = await new ListOffsetsQuery(this.cluster, {
        isolationLevel: this.options.isolationLevel,
      }).run([{ topic, partition, at }]);
      if (answer === undefined || answer.error !== null) {
        throw answer?.error ?? new KafkaError(code, name(assigned));
      }
      assigned.fetchOffset = Number(answer.offset);
      assigned.offsetEpoch = answer.leaderEpoch;
      if (assigned.queued === 0 && assigned.leased === null) {
        assigned.position = assigned.fetchOffset;
      }
      assigned.retryAtMs = 0;
      this.#pumping.soon();
    } catch (error) {
      this.#failed(assigned, error instanceof Error ? error : new Error(String(error)), true);
    }
  }

  /** Tries again later, unless the error is for good or has lasted too long. */
  #failed(assigned: Assigned, error: Error, refresh: boolean): void {
    if (
      this.#closed ||
      this.#assigned.get(partitionKey(assigned.topic, assigned.partition)) !== assigned
    ) {
      return;
    }
    assigned.preferred = null;
    const nowMs = this.cluster.io.clock.monotonicMs();
    if (assigned.failures++ === 0) assigned.failingSinceMs = nowMs;
    assigned.retryAtMs = nowMs + this.cluster.backoffMs(assigned.failures - 1);
    this.#pumping.at(assigned.retryAtMs);
    const lastedMs = nowMs - assigned.failingSinceMs;
    if (!isRetriableError(error)) return this.fail(error);
    if (lastedMs >= this.cluster.options.apiTimeoutMs) {
      assigned.failures = 0;
      const message = `${name(assigned)} could not be read for ${Math.round(lastedMs)} ms; last: ` +
        error.message;
      return this.fail(new TimeoutError(message, { cause: error }));
    }
    if (refresh) this.#refresh();
  }

  #refresh(): void {
    if (this.#refreshing) return;
    this.#refreshing = true;
    const topics = [...new Set([...this.#assigned.values()].map(({ topic }) => topic))];
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

function name({ topic, partition }: { topic: string; partition: number }): string {
  return `partition ${topic}-${partition}`;
}

function add<T>(lists: Map<number, T[]>, key: number, item: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}
