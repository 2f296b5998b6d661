import { type ErrorCode, Errors } from "../core/errors.ts";
import type { Clock, Random } from "../core/io.ts";

/**
 * Incremental fetch sessions (KIP-227; Kafka's `FetchSessionCache` and `FetchManager`). A consumer
 * names its partitions once; later requests carry only what changed, and later responses only
 * partitions that have something to say. The epochs make sure that both sides agree on the set.
 */

/** No session. */
export const NO_SESSION_ID = 0;
/** The request opens a session, closing the one it names. */
export const INITIAL_EPOCH = 0;
/** The request closes the session it names, if any, and opens none. */
export const FINAL_EPOCH = -1;

const EPOCH_MAX = 0x7fffffff;

/** One partition as a request asks for it. */
export interface FetchTarget {
  /** Empty from version 13 on, where the id counts. */
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly maxBytes: number;
  readonly fetchOffset: number;
  /** −1: not given. */
  readonly currentLeaderEpoch: number;
  /** −1: not given. */
  readonly lastFetchedEpoch: number;
  /** Where a follower's log starts; −1: not given. */
  readonly logStartOffset: number;
}

/** A partition of a session, and what its client was last told. −1: nothing yet. */
export class SessionPartition {
  sentHighWatermark = -1;
  sentLogStartOffset = -1;
  constructor(public target: FetchTarget) {}
}

/** What a request carries of sessions. */
export interface SessionRequest {
  readonly sessionId: number;
  readonly sessionEpoch: number;
  readonly usesTopicIds: boolean;
  readonly targets: readonly FetchTarget[];
  readonly forgotten: readonly Pick<FetchTarget, "topic" | "topicId" | "partition">[];
}

/** A session: the partitions in the order in which the next response takes them. */
export class FetchSession {
  readonly partitions = new Map<string, SessionPartition>();
  /** The epoch that the next request must carry. */
  epoch = 1;
  lastUsedMs: number;
  /** Ends the wait of the fetch that is parked, if one is. */
  #endWait: (() => void) | null = null;

  constructor(
    readonly id: number,
    readonly usesTopicIds: boolean,
    readonly createdMs: number,
    /** Whether it is a broker's: those of clients make room for it. */
    readonly isFollower = false,
  ) {
    this.lastUsedMs = createdMs;
  }

  /** Adds or changes partitions, and drops the forgotten ones. */
  update(request: SessionRequest): void {
    for (const target of request.targets) {
      const key = keyOf(target, this.usesTopicIds);
      const known = this.partitions.get(key);
      if (known === undefined) this.partitions.set(key, new SessionPartition(target));
      else known.target = target;
    }
    for (const gone of request.forgotten) {
      this.partitions.delete(keyOf(gone, this.usesTopicIds));
    }
  }

  /** A fetch of the session waits; `end` is called when the session ends. Returns how to say it is over. */
  waiting(end: () => void): () => void {
    this.#endWait = end;
    return () => {
      if (this.#endWait === end) this.#endWait = null;
    };
  }

  /** The session is closed, by its client or for another one's. */
  ended(): void {
    this.#endWait?.();
  }

  /** Puts a partition that was just served behind the others, so that each gets its turn. */
  rotate(partition: SessionPartition): void {
    const key = keyOf(partition.target, this.usesTopicIds);
    if (this.partitions.get(key) !== partition) return;
    this.partitions.delete(key);
    this.partitions.set(key, partition);
  }
}

/** How a fetch is to be served. */
export type FetchPlan =
  | { kind: "error"; error: ErrorCode }
  /** Answer all of `partitions` and nothing else. */
  | { kind: "sessionless"; partitions: readonly SessionPartition[] }
  /** Answer all, then `open` a session. */
  | { kind: "full"; partitions: readonly SessionPartition[] }
  /** Answer what changed. `epoch` is the session's: another means that a later request came. */
  | {
    kind: "incremental";
    partitions: readonly SessionPartition[];
    session: FetchSession;
    epoch: number;
  };

/** Bounds of the cache. */
export interface FetchSessionLimits {
  /** `max.incremental.fetch.session.cache.slots`; 0 turns sessions off. */
  readonly slots: number;
  /** A session this old may have to make room for a larger one, one idle for as long for any. */
  readonly evictionMs?: number;
}

/** Kafka's `min.incremental.fetch.session.eviction.ms`, which is no public config. */
const EVICTION_MS = 120_000;

/** All sessions of a broker; bounded, because clients that vanish never close theirs. */
export class FetchSessions {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #slots: number;
  readonly #evictionMs: number;
  /** Least recently used first. */
  readonly #sessions = new Map<number, FetchSession>();

  constructor(clock: Clock, random: Random, limits: FetchSessionLimits) {
    this.#clock = clock;
    this.#random = random;
    this.#slots = limits.slots;
    this.#evictionMs = limits.evictionMs ?? EVICTION_MS;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Decides how to serve a request, and brings its session up to date. */
  plan(request: SessionRequest): FetchPlan {
    if (request.sessionEpoch === INITIAL_EPOCH || request.sessionEpoch === FINAL_EPOCH) {
      this.#end(request.sessionId);
      const kind = request.sessionEpoch === FINAL_EPOCH ? "sessionless" : "full";
      return { kind, partitions: request.targets.map((target) => new SessionPartition(target)) };
    }
    const session = this.#sessions.get(request.sessionId);
    if (session === undefined) return { kind: "error", error: Errors.FETCH_SESSION_ID_NOT_FOUND };
    if (session.epoch !== request.sessionEpoch) {
      return { kind: "error", error: Errors.INVALID_FETCH_SESSION_EPOCH };
    }
    if (session.usesTopicIds !== request.usesTopicIds) {
      return { kind: "error", error: Errors.FETCH_SESSION_TOPIC_ID_ERROR };
    }
    session.update(request);
    if (session.partitions.size === 0) {
      this.#sessions.delete(session.id);
      return { kind: "sessionless", partitions: [] };
    }
    session.epoch = session.epoch === EPOCH_MAX ? 1 : session.epoch + 1;
    this.#touch(session);
    return {
      kind: "incremental",
      partitions: [...session.partitions.values()],
      session,
      epoch: session.epoch,
    };
  }

  /** Opens a session over the partitions of a full fetch; null where there is no room for it. */
  open(
    partitions: readonly SessionPartition[],
    usesTopicIds: boolean,
    isFollower = false,
  ): FetchSession | null {
    const nowMs = this.#clock.monotonicMs();
    if (!this.#makeRoom(partitions.length, nowMs, isFollower)) return null;
    const session = new FetchSession(this.#freshId(), usesTopicIds, nowMs, isFollower);
    for (const partition of partitions) {
      session.partitions.set(keyOf(partition.target, usesTopicIds), partition);
    }
    this.#sessions.set(session.id, session);
    return session;
  }

  /** What waits in it is answered: its client wants something else by now. */
  #end(sessionId: number): void {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return;
    this.#sessions.delete(sessionId);
    session.ended();
  }

  #touch(session: FetchSession): void {
    session.lastUsedMs = this.#clock.monotonicMs();
    this.#sessions.delete(session.id);
    this.#sessions.set(session.id, session);
  }

  /**
   * Evicts the idlest session if it is idle for long; else the smallest of those that had time. Else, for
   * a broker, a client's; one of a broker makes room for clients only when it is idle.
   */
  #makeRoom(partitionCount: number, nowMs: number, isFollower: boolean): boolean {
    if (this.#sessions.size < this.#slots) return true;
    let victim: FetchSession | null = null;
    for (const session of this.#sessions.values()) {
      if (nowMs - session.lastUsedMs > this.#evictionMs) {
        victim = session;
        break;
      }
      if (session.isFollower && !isFollower) continue;
      if (isFollower && !session.isFollower && victim?.isFollower !== false) victim = session;
      if (
        nowMs - session.createdMs > this.#evictionMs &&
        session.partitions.size < (victim?.partitions.size ?? partitionCount)
      ) victim = session;
    }
    if (victim === null) return false;
    this.#sessions.delete(victim.id);
    return true;
  }

  #freshId(): number {
    for (;;) {
      const id = 1 + this.#random.below(0x7fffffff);
      if (!this.#sessions.has(id)) return id;
    }
  }
}

function keyOf(
  target: Pick<FetchTarget, "topic" | "topicId" | "partition">,
  usesTopicIds: boolean,
): string {
  return `${usesTopicIds ? target.topicId : target.topic}:${target.partition}`;
}
