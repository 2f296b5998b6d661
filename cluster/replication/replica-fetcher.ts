/**
 * Follows the partitions that one broker leads: one fetch at a time over all of them, in a fetch session.
 * What a fetch asks for says what this broker has, so everything is durable, as far as the topic wants
 * it, before the fetch is sent. After Kafka's `ReplicaFetcherThread`, with the truncation of KIP-595.
 */
import type { Connection } from "../../core/connection.ts";
import { errorName, Errors } from "../../core/errors.ts";
import { FetchSession, INITIAL_EPOCH, type SessionRequest } from "../../core/fetch-session.ts";
import { type Clock, DiskError, sleep } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { fetch } from "../../core/protocol/01-fetch.ts";
import { baseOffset } from "../../core/records/batch-header.ts";
import type { ResponseOf } from "../../core/protocol/schema.ts";
import { type EpochHistory, truncationOffset } from "./divergence.ts";

/** A partition that this broker follows. */
export interface FollowedPartition {
  readonly topic: string;
  readonly topicId: string;
  readonly index: number;
  readonly logStartOffset: number;
  readonly history: EpochHistory;
  /** Of the last batch; −1: there is none. */
  latestEpoch(): number;
  /** Whether all that was appended counts as written, and nothing is being cut. */
  readonly isSettled: boolean;
  /** Resolves when it is so. Rejects with a `DiskError`. */
  settle(): Promise<void>;
  /** How long it may not fetch, for it would be more than it may, while it is not in sync (KIP-73). */
  holdBackMs(): number;
  /** Appends whole batches as they are; why not, or null. */
  appendFetched(records: Uint8Array): string | null;
  /** What the leader says of its high watermark and of the start of its log. */
  followTo(leaderHighWatermark: number, leaderStartOffset: number): void;
  /** Cuts the log, not below its start. Throws a `DiskError`. */
  truncateTo(offset: number): Promise<void>;
  /** Throws the log away and begins it anew, empty, at `offset`. Throws a `DiskError`. */
  restartAt(offset: number): void;
}

/** What a fetcher is built from. Sizes are bytes. */
export interface ReplicaFetcherOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeId: number;
  /** Of this broker's registration. */
  brokerEpoch(): number;
  /** A connection to the leader, an open one if there is one. */
  connect(signal: AbortSignal): Promise<Connection>;
  /** Another one, which no fetch waits on. */
  connectAside(signal: AbortSignal): Promise<Connection>;
  /** `replica.fetch.wait.max.ms`, `replica.fetch.min.bytes`, `replica.fetch.response.max.bytes`. */
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  /** `replica.fetch.max.bytes`: of one partition. */
  readonly partitionMaxBytes: number;
  /** `replica.fetch.backoff.ms`: the longest pause after something went wrong. */
  readonly backoffMs: number;
  /** `replica.socket.timeout.ms`: for an answer, beyond the wait. */
  readonly timeoutMs: number;
}

interface Followed {
  readonly key: string;
  readonly partition: FollowedPartition;
  readonly leaderEpoch: number;
  retryAtMs: number;
  /** How often in a row it had to rest. */
  rests: number;
  /** Whether it lacks something that is committed, as far as is known. */
  isBehind: boolean;
}

/** A fetch at the leader, which may wait there for records. */
interface Flight {
  isOver: boolean;
  /** Whether the leader is told, or about to be, not to wait any longer. */
  isHurried: boolean;
}

/** So long a fetch may go on that lacks a partition; they come several at a time. */
const HURRY_AFTER_MS = 10;
/** The first pause after something went wrong; each in a row is twice as long. */
const FIRST_PAUSE_MS = 50;

type PartitionResponse = ResponseOf<typeof fetch>["responses"][number]["partitions"][number];

/** See the head of the file. `close` it. */
export class ReplicaFetcher {
  readonly #options: ReplicaFetcherOptions;
  readonly #followed = new Map<string, Followed>();
  readonly #closed = new AbortController();
  readonly #session = new FetchSession();
  readonly #running: Promise<void>;
  /** Rounds in a row that have failed. */
  #failures = 0;
  #wake: (() => void) | null = null;
  #flight: Flight | null = null;
  /** Whether the last round began a session. */
  #hasBegun = false;
  /** Whether something is followed that the round does not know of. */
  #hasNews = false;
  /** Whether this broker has ended the session while a fetch of it was on its way. */
  #hasEnded = false;

  constructor(options: ReplicaFetcherOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** How many partitions it follows. */
  get size(): number {
    return this.#followed.size;
  }

  /** Follows the partition in this leader epoch, in place of an earlier one. */
  follow(partition: FollowedPartition, leaderEpoch: number): void {
    const key = keyOf(partition);
    this.#followed.set(key, {
      key,
      partition,
      leaderEpoch,
      retryAtMs: 0,
      rests: 0,
      isBehind: true,
    });
    this.#hasNews = true;
    this.#wake?.();
    if (this.#flight !== null && !this.#flight.isHurried) void this.#hurry(this.#flight);
  }

  /** Nothing more is appended to it, also not what is on its way. */
  unfollow(partition: Pick<FollowedPartition, "topicId" | "index">): void {
    this.#followed.delete(keyOf(partition));
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error("the fetcher closes"));
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closed;
    while (!signal.aborted) {
      const ready = await this.#ready();
      if (ready.length === 0) continue;
      try {
        await this.#round(ready);
        this.#failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        this.#session.failed();
        const reason = error instanceof Error ? error.message : String(error);
        this.#options.logger.warn("fetching from a leader failed", { reason });
        await sleep(this.#options.clock, this.#pauseMs(this.#failures++), signal).catch(() => {});
      }
    }
  }

  /** Those whose pause is over; none after a while without any. */
  async #ready(): Promise<Followed[]> {
    const { clock } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#hasNews = false;
    let next = Infinity;
    const ready: Followed[] = [];
    for (const followed of this.#followed.values()) {
      const heldBackMs = followed.isBehind ? followed.partition.holdBackMs() : 0;
      const readyAtMs = Math.max(followed.retryAtMs, nowMs + heldBackMs);
      if (readyAtMs <= nowMs) ready.push(followed);
      else next = Math.min(next, readyAtMs);
    }
    if (ready.length > 0 || this.#closed.signal.aborted) return ready;
    await new Promise<void>((resolve) => {
      const timer = next === Infinity ? null : clock.setTimer(next - nowMs, resolve);
      this.#wake = () => {
        timer?.cancel();
        resolve();
      };
    });
    this.#wake = null;
    return [];
  }

  async #round(ready: readonly Followed[]): Promise<void> {
    const { signal } = this.#closed;
    const settled = await this.#settle(ready);
    if (settled.length === 0) return;
    const connection = await this.#options.connect(signal);
    const asks = this.#session.next(settled.map((followed) => this.#target(followed)));
    // What has no session yet cannot be hurried. Where the leader gives none it has to wait all the same.
    const begins = asks.sessionEpoch === INITIAL_EPOCH && !this.#hasBegun;
    this.#hasBegun = begins;
    const response = await this.#fetch(connection, asks, begins ? 0 : this.#waitMs());
    const isHeard = this.#session.heard(response);
    if (this.#hasEnded) this.#session.failed();
    if (!isHeard) return;
    if (response.errorCode !== Errors.NONE) throw new Error(errorName(response.errorCode));
    const asked = new Map(settled.map((followed) => [followed.key, followed]));
    for (const { topicId, partitions } of response.responses) {
      for (const answer of partitions) {
        const key = keyOf({ topicId, index: answer.partitionIndex });
        const followed = asked.get(key);
        // It may have another leader by now, or this broker may lead it.
        if (followed === undefined || this.#followed.get(key) !== followed) continue;
        await this.#take(followed, answer);
      }
    }
  }

  /** Sends a fetch and waits for its answer. */
  async #fetch(
    connection: Connection,
    asks: SessionRequest,
    maxWaitMs: number,
  ): Promise<ResponseOf<typeof fetch>> {
    const { minBytes, timeoutMs } = this.#options;
    const { signal } = this.#closed;
    const flight: Flight = { isOver: false, isHurried: false };
    this.#flight = flight;
    this.#hasEnded = false;
    try {
      const request = { ...this.#common, ...asks, maxWaitMs, minBytes };
      return await connection.request(fetch, request, {
        timeoutMs: maxWaitMs + timeoutMs,
        signal,
      });
    } finally {
      flight.isOver = true;
      this.#flight = null;
    }
  }

  get #common() {
    const { nodeId, maxBytes } = this.#options;
    const replicaEpoch = BigInt(this.#options.brokerEpoch());
    return { replicaState: { replicaId: nodeId, replicaEpoch }, maxBytes };
  }

  /**
   * Something is to be fetched that is not in the fetch on its way, which may wait at the leader for
   * records that do not come, while a producer waits for this broker to have its own. Kafka's followers
   * let that last up to `replica.fetch.wait.max.ms`; here the session is ended over another connection.
   */
  async #hurry(flight: Flight): Promise<void> {
    const { clock, logger, timeoutMs } = this.#options;
    const { signal } = this.#closed;
    flight.isHurried = true;
    try {
      await sleep(clock, HURRY_AFTER_MS, signal);
      if (flight.isOver) return;
      const connection = await this.#options.connectAside(signal);
      const ends = flight.isOver ? null : this.#session.final();
      if (ends === null) return;
      this.#hasEnded = true;
      await connection.request(fetch, { ...this.#common, ...ends, maxWaitMs: 0, minBytes: 0 }, {
        timeoutMs,
        signal,
      });
    } catch (error) {
      if (signal.aborted) return;
      // Then it lasts as long as it was to.
      logger.debug("a fetch could not be hurried", { reason: String(error) });
    }
  }

  /** How long a fetch may wait, so that those that rest now need not rest longer. */
  #waitMs(): number {
    const { clock, maxWaitMs } = this.#options;
    const nowMs = clock.monotonicMs();
    let waitMs = this.#hasNews ? 0 : maxWaitMs;
    for (const { retryAtMs } of this.#followed.values()) {
      if (retryAtMs > nowMs) waitMs = Math.min(waitMs, Math.ceil(retryAtMs - nowMs));
    }
    return waitMs;
  }

  /** Makes durable what has to be; those of which the disk refuses that rest. */
  async #settle(ready: readonly Followed[]): Promise<readonly Followed[]> {
    if (ready.every(({ partition }) => partition.isSettled)) return ready;
    const outcomes = await Promise.all(ready.map(async (followed) => {
      try {
        if (!followed.partition.isSettled) await followed.partition.settle();
        return followed;
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        this.#rest(followed, error.message);
        return null;
      }
    }));
    return outcomes.filter((followed) => followed !== null);
  }

  #target({ key, partition, leaderEpoch }: Followed) {
    const { topic, topicId, index, logStartOffset, history } = partition;
    return {
      key,
      topic,
      topicId,
      partition: index,
      fetchOffset: history.logEndOffset,
      maxBytes: this.#options.partitionMaxBytes,
      leaderEpoch,
      lastFetchedEpoch: partition.latestEpoch(),
      logStartOffset,
    };
  }

  async #take(followed: Followed, answer: PartitionResponse): Promise<void> {
    const { partition } = followed;
    const { history } = partition;
    const leaderStart = Number(answer.logStartOffset);
    const isEmpty = partition.logStartOffset === history.logEndOffset;
    if (answer.errorCode === Errors.OFFSET_OUT_OF_RANGE) {
      // Neither has anything that the other has.
      const isApart = leaderStart > history.logEndOffset || (isEmpty && leaderStart >= 0);
      if (isApart) return this.#beginAnew(followed, leaderStart);
    }
    if (answer.errorCode !== Errors.NONE) {
      return this.#rest(followed, errorName(answer.errorCode));
    }
    const { epoch: leaderEpoch, endOffset } = answer.divergingEpoch;
    if (leaderEpoch >= 0 || endOffset >= 0n) {
      const leaderEnd = { leaderEpoch, endOffset: Number(endOffset) };
      const cut = truncationOffset(history, leaderEnd);
      if (cut < partition.logStartOffset) return this.#beginAnew(followed, leaderStart);
      return await this.#cut(followed, cut);
    }
    const records = answer.records ?? new Uint8Array(0);
    // The leader's log starts within its first batch: that comes whole.
    const isWithin = records.length > 0 && isEmpty && baseOffset(records, 0) < history.logEndOffset;
    if (isWithin) this.#beginAnew(followed, baseOffset(records, 0));
    const refused = records.length === 0 ? null : partition.appendFetched(records);
    if (refused !== null) return this.#rest(followed, refused);
    followed.rests = 0;
    followed.isBehind = Number(answer.highWatermark) > partition.history.logEndOffset;
    partition.followTo(Number(answer.highWatermark), leaderStart);
  }

  #beginAnew(followed: Followed, offset: number): void {
    const { topic, index, logStartOffset, history } = followed.partition;
    this.#options.logger.info("beginning a log anew at its leader's start", {
      topic,
      partition: index,
      from: logStartOffset,
      to: history.logEndOffset,
      start: offset,
    });
    try {
      followed.partition.restartAt(offset);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#rest(followed, error.message);
    }
  }

  async #cut(followed: Followed, offset: number): Promise<void> {
    const { topic, index, history } = followed.partition;
    const fields = { topic, partition: index, from: history.logEndOffset, to: offset };
    this.#options.logger.info("cutting what the leader has not", fields);
    try {
      await followed.partition.truncateTo(offset);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#rest(followed, error.message);
    }
  }

  #rest(followed: Followed, reason: string): void {
    const { clock, logger } = this.#options;
    followed.retryAtMs = clock.monotonicMs() + this.#pauseMs(followed.rests++);
    const { topic, index } = followed.partition;
    logger.debug("a partition cannot be followed at the moment", {
      topic,
      partition: index,
      reason,
    });
  }

  #pauseMs(failures: number): number {
    return Math.min(this.#options.backoffMs, FIRST_PAUSE_MS * 2 ** Math.min(failures, 16));
  }
}

function keyOf({ topicId, index }: Pick<FollowedPartition, "topicId" | "index">): string {
  return `${topicId}:${index}`;
}
