/**
 * Incremental fetches from one broker (KIP-227; Kafka's `FetchSessionHandler`): the broker remembers
 * what is read, requests name only what has changed, answers only what has something to say. For
 * consumers and for followers.
 */
import type { fetch as fetchApi } from "./protocol/01-fetch.ts";
import { Errors } from "./errors.ts";
import { groupBy } from "./group-by.ts";
import type { EncodableRequest } from "./protocol/schema.ts";

/** A partition that is to be read. */
export interface SessionPartition {
  /** Of topic and partition, unique. */
  readonly key: string;
  readonly topic: string;
  /** Null where the broker is too old to tell. */
  readonly topicId: string | null;
  readonly partition: number;
  readonly fetchOffset: number;
  readonly maxBytes: number;
  /** Of the leader, as far as is known; −1: not. */
  readonly leaderEpoch: number;
  /** Of the record before `fetchOffset`, where the leader is to say whether it has that (KIP-595). */
  readonly lastFetchedEpoch?: number;
  /** Where a follower's log starts. */
  readonly logStartOffset?: number;
}

type Named = Pick<SessionPartition, "topic" | "topicId" | "partition">;
type FetchRequest = EncodableRequest<typeof fetchApi>;
/** The part of a request that is the session's. */
export type SessionRequest = Required<
  Pick<FetchRequest, "sessionId" | "sessionEpoch" | "topics" | "forgottenTopicsData">
>;

/** What the broker remembers of a partition. */
interface Sent extends Named {
  fetchOffset: number;
  maxBytes: number;
  leaderEpoch: number;
  lastFetchedEpoch: number;
  logStartOffset: number;
  /** The request that it was wanted in last. */
  round: number;
  /** The end as it has told it; −1: not yet. It tells that again only when it is another. */
  endOffset: number;
}

const NO_SESSION = 0;
/** Of a request that begins a session. */
export const INITIAL_EPOCH = 0;
const EPOCH_MAX = 0x7fff_ffff;
const FINAL_EPOCH = -1;

/** See the head of the file. One request at a time: `next`, then `heard` or `failed`. */
export class FetchSession {
  #id = NO_SESSION;
  #epoch = INITIAL_EPOCH;
  #round = 0;
  #sent = new Map<string, Sent>();
  /** Names of topics in the session by their ids. */
  readonly #names = new Map<string, string>();

  /** What to ask for so that all of these are read, and nothing else. */
  next(wanted: readonly SessionPartition[]): SessionRequest {
    const round = ++this.#round;
    // All topics have ids or none has: requests name them one way.
    const isFull = this.#epoch === INITIAL_EPOCH;
    if (isFull) {
      this.#sent = new Map();
      this.#names.clear();
    }
    const changed: SessionPartition[] = [];
    const forgotten: Named[] = [];
    for (const partition of wanted) {
      const before = this.#sent.get(partition.key);
      if (before !== undefined && before.topicId === partition.topicId) {
        before.round = round;
        if (isSame(before, partition)) continue;
        Object.assign(before, askedOf(partition));
      } else {
        // A topic that was deleted and made again.
        if (before !== undefined) forgotten.push(before);
        this.#add(partition, round);
      }
      changed.push(partition);
    }
    if (this.#sent.size > wanted.length) {
      for (const [key, sent] of this.#sent) {
        if (sent.round === round) continue;
        forgotten.push(sent);
        this.#sent.delete(key);
      }
    }
    return {
      sessionId: this.#id,
      sessionEpoch: this.#epoch,
      topics: topicsOf(changed),
      forgottenTopicsData: forgottenTopicsOf(forgotten),
    };
  }

  /** Takes note of the answer. False where the broker has no such session: ask once more. */
  heard({ errorCode, sessionId }: { errorCode: number; sessionId: number }): boolean {
    switch (errorCode) {
      case Errors.NONE:
        this.#id = sessionId;
        // Without one (no room, an old broker) each request is full.
        this.#epoch = sessionId === NO_SESSION
          ? INITIAL_EPOCH
          : this.#epoch === EPOCH_MAX
          ? 1
          : this.#epoch + 1;
        return true;
      case Errors.FETCH_SESSION_ID_NOT_FOUND:
        this.#id = NO_SESSION;
        this.#epoch = INITIAL_EPOCH;
        return false;
      case Errors.INVALID_FETCH_SESSION_EPOCH:
      case Errors.FETCH_SESSION_TOPIC_ID_ERROR:
        this.failed();
        return false;
      default:
        this.failed();
        return true;
    }
  }

  /** What the broker has heard is not known: the next request replaces the session. */
  failed(): void {
    this.#epoch = INITIAL_EPOCH;
  }

  /** The broker has told where a partition ends. */
  told(key: string, endOffset: number): void {
    const sent = this.#sent.get(key);
    if (sent !== undefined) sent.endOffset = endOffset;
  }

  /** Where a partition ends that the last answer had nothing to say of; −1: the broker has not told. */
  endOffsetOf(key: string): number {
    return this.#sent.get(key)?.endOffset ?? -1;
  }

  /** What ends the session, so that the broker need not keep it; null where there is none. */
  final(): SessionRequest | null {
    if (this.#id === NO_SESSION) return null;
    return { sessionId: this.#id, sessionEpoch: FINAL_EPOCH, topics: [], forgottenTopicsData: [] };
  }

  /** The name of a topic in an answer, by id or, where there are none, by the name itself. */
  nameOf(topicId: string, topic: string): string {
    return this.#names.get(topicId) ?? topic;
  }

  #add(partition: SessionPartition, round: number): void {
    const { key, topic, topicId, partition: index } = partition;
    if (topicId !== null) this.#names.set(topicId, topic);
    const asked = askedOf(partition);
    this.#sent.set(key, { topic, topicId, partition: index, ...asked, round, endOffset: -1 });
  }
}

function askedOf(partition: SessionPartition): Omit<Sent, keyof Named | "round" | "endOffset"> {
  const { fetchOffset, maxBytes, leaderEpoch } = partition;
  const { lastFetchedEpoch = -1, logStartOffset = -1 } = partition;
  return { fetchOffset, maxBytes, leaderEpoch, lastFetchedEpoch, logStartOffset };
}

function isSame(sent: Sent, partition: SessionPartition): boolean {
  const { lastFetchedEpoch = -1, logStartOffset = -1 } = partition;
  return sent.fetchOffset === partition.fetchOffset && sent.maxBytes === partition.maxBytes &&
    sent.leaderEpoch === partition.leaderEpoch && sent.lastFetchedEpoch === lastFetchedEpoch &&
    sent.logStartOffset === logStartOffset;
}

function topicsOf(partitions: readonly SessionPartition[]): SessionRequest["topics"] {
  return [...groupBy(partitions, ({ topic }) => topic)].map(([topic, list]) => ({
    topic,
    ...idOf(list[0]),
    partitions: list.map((each) => ({
      partition: each.partition,
      currentLeaderEpoch: each.leaderEpoch,
      fetchOffset: BigInt(each.fetchOffset),
      partitionMaxBytes: each.maxBytes,
      ...(each.lastFetchedEpoch === undefined ? {} : { lastFetchedEpoch: each.lastFetchedEpoch }),
      ...(each.logStartOffset === undefined ? {} : { logStartOffset: BigInt(each.logStartOffset) }),
    })),
  }));
}

function forgottenTopicsOf(
  partitions: readonly Named[],
): SessionRequest["forgottenTopicsData"] {
  return [...groupBy(partitions, ({ topic, topicId }) => `${topicId}/${topic}`).values()]
    .map((list) => ({
      topic: list[0]?.topic ?? "",
      ...idOf(list[0]),
      partitions: list.map(({ partition }) => partition),
    }));
}

function idOf(named: Named | undefined): { topicId?: string } {
  return named === undefined || named.topicId === null ? {} : { topicId: named.topicId };
}
