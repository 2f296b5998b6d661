/**
 * Share groups as the handlers of ShareFetch and ShareAcknowledge use them: sessions, the share
 * partitions behind them, and the waiting for records (Kafka's `SharePartitionManager` and
 * `DelayedShareFetch`).
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import type { Clock } from "../../core/io.ts";
import type { ShareKey } from "../coordinator/share/share-records.ts";
import type { Partition } from "../partition.ts";
import type { ShareConfig } from "./share-config.ts";
import type { AcquiredRange } from "./delivery-window.ts";
import type { Acknowledgement } from "./acknowledgement.ts";
import type { SharePartition } from "./share-partition.ts";
import type { SharePartitions } from "./share-partitions.ts";
import type { SessionPartition, ShareSession, ShareSessions } from "./share-sessions.ts";

/** What the service is made of. */
export interface ShareServiceOptions {
  readonly clock: Clock;
  readonly sessions: ShareSessions;
  readonly partitions: SharePartitions;
  readonly config: (groupId: string) => ShareConfig;
  /** The hosted partition, or why there is none. */
  readonly partition: (topicId: string, index: number) => Partition | ErrorCode;
}

/** How a fetch reads and waits. */
export interface ShareFetchParams {
  readonly groupId: string;
  readonly memberId: string;
  readonly maxBytes: number;
  readonly maxRecords: number;
  readonly batchSize: number;
  readonly recordLimit: boolean;
  /** On the monotonic clock. */
  readonly deadlineMs: number;
  /** Aborted when the connection goes. */
  readonly signal: AbortSignal;
  /** Aborted when the broker stops, which wakes its partitions: nobody is kept waiting then. */
  readonly stopping: AbortSignal;
}

/** What one partition of a fetch came to. */
export interface ShareFetchEntry {
  readonly partition: SessionPartition;
  readonly error: ErrorCode;
  readonly records: Uint8Array;
  readonly ranges: readonly AcquiredRange[];
}

const NO_BYTES = new Uint8Array(0);

/** See the header. */
export class ShareService {
  readonly sessions: ShareSessions;
  readonly partitions: SharePartitions;
  readonly #options: ShareServiceOptions;

  constructor(options: ShareServiceOptions) {
    this.#options = options;
    this.sessions = options.sessions;
    this.partitions = options.partitions;
  }

  config(groupId: string): ShareConfig {
    return this.#options.config(groupId);
  }

  /**
   * Reads the partitions in turn until there is enough, or waits for the first records that anybody
   * may have, up to the deadline. An error of any partition ends the waiting.
   */
  async fetch(
    wanted: readonly SessionPartition[],
    params: ShareFetchParams,
  ): Promise<ShareFetchEntry[]> {
    const { clock } = this.#options;
    const { signal, stopping } = params;
    for (;;) {
      // The ear is open before the look, so that nothing is missed in between.
      const wait = new Wait(clock, params.deadlineMs, signal);
      try {
        const entries = await this.#round(wanted, params, wait);
        const isDone = entries.some((each) => each.error !== Errors.NONE || each.ranges.length > 0);
        if (isDone || wanted.length === 0 || signal.aborted || stopping.aborted) return entries;
        if (await wait.ended === "over") return entries;
      } finally {
        wait.close();
      }
    }
  }

  async #round(
    wanted: readonly SessionPartition[],
    params: ShareFetchParams,
    wait: Wait,
  ): Promise<ShareFetchEntry[]> {
    const entries: ShareFetchEntry[] = [];
    let bytesLeft = params.maxBytes;
    let recordsLeft = params.maxRecords;
    for (const [index, partition] of wanted.entries()) {
      const { topicId } = partition;
      const key = { groupId: params.groupId, topicId, partition: partition.partition };
      const shared = await this.partitions.open(key);
      if (typeof shared === "number") {
        entries.push({ partition, error: shared, records: NO_BYTES, ranges: [] });
        continue;
      }
      this.#listen(wait, partition, shared);
      const acquired = await shared.fetch({
        ...params,
        // Evenly over the partitions; what one does not need the others may take.
        maxBytes: Math.floor(bytesLeft / (wanted.length - index)),
        maxRecords: bytesLeft > 0 ? recordsLeft : 0,
      });
      bytesLeft = Math.max(0, bytesLeft - acquired.records.length);
      for (const { firstOffset, lastOffset } of acquired.ranges) {
        recordsLeft -= lastOffset - firstOffset + 1;
      }
      entries.push({ partition, ...acquired });
    }
    return entries;
  }

  #listen(wait: Wait, { topicId, partition }: SessionPartition, shared: SharePartition): void {
    wait.on((wake) => shared.onChange(wake));
    const hosted = this.#options.partition(topicId, partition);
    if (typeof hosted !== "number") wait.on((wake) => hosted.onAdvance(wake));
  }

  /**
   * Persists what the member says; UNKNOWN_TOPIC_OR_PARTITION where it never got anything,
   * NOT_LEADER_OR_FOLLOWER where another broker leads: there it gets the records again.
   */
  async acknowledge(
    key: ShareKey,
    memberId: string,
    acknowledgements: readonly Acknowledgement[],
  ): Promise<ErrorCode> {
    const shared = this.partitions.find(key);
    if (shared === undefined) return this.#absence(key);
    return await shared.acknowledge(memberId, acknowledgements);
  }

  #absence({ topicId, partition }: ShareKey): ErrorCode {
    const hosted = this.#options.partition(topicId, partition);
    const error = typeof hosted === "number" ? hosted : hosted.checkLeader(-1);
    return error === Errors.NOT_LEADER_OR_FOLLOWER ? error : Errors.UNKNOWN_TOPIC_OR_PARTITION;
  }

  /** Ends a session: what the member had acquired goes to others. */
  async closeSession(session: ShareSession): Promise<void> {
    const { sessions, partitions } = this;
    if (!sessions.isCurrent(session)) return;
    sessions.close(session);
    await this.releaseMember(session.groupId, session.memberId);
    if (!sessions.hasGroup(session.groupId)) partitions.dropIdle(session.groupId);
  }

  /**
   * A fetch came too late for its session, so nobody hears what it acquired: others get it, unless
   * the member has a session again, whose records these may be as well.
   */
  async releaseUnheard(session: ShareSession): Promise<void> {
    if (this.sessions.hasMember(session)) return;
    await this.releaseMember(session.groupId, session.memberId);
  }

  /** A member has left its group, or its session has ended. */
  async releaseMember(groupId: string, memberId: string): Promise<void> {
    const shared = [...this.partitions.ofGroup(groupId)];
    await Promise.all(shared.map((each) => each.release(memberId)));
  }

  /** The group's offsets were changed, or it was deleted: nothing that is in memory holds. */
  forgetGroup(groupId: string): void {
    for (const session of this.sessions.ofGroup(groupId)) this.sessions.close(session);
    this.partitions.dropGroup(groupId);
  }

  close(): void {
    this.partitions.close();
  }
}

/** Waits for any of several things that may happen, with a deadline. */
class Wait {
  readonly ended: Promise<"happened" | "over">;
  readonly #unsubscribe: (() => void)[] = [];
  #end: (how: "happened" | "over") => void = () => {};

  constructor(clock: Clock, deadlineMs: number, signal: AbortSignal) {
    this.ended = new Promise((resolve) => this.#end = resolve);
    const over = () => this.#end("over");
    const timer = clock.setTimer(Math.max(0, deadlineMs - clock.monotonicMs()), over);
    signal.addEventListener("abort", over, { once: true });
    this.#unsubscribe.push(
      () => timer.cancel(),
      () => signal.removeEventListener("abort", over),
    );
  }

  /** `subscribe` takes what is to be called when it happens, and gives the way to unsubscribe. */
  on(subscribe: (wake: () => void) => () => void): void {
    this.#unsubscribe.push(subscribe(() => this.#end("happened")));
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
  }
}
