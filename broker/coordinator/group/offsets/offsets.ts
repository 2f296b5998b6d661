/**
 * Committing, fetching, deleting and expiring offsets, as Kafka's `OffsetMetadataManager` does it
 * (KIP-211 expiry, KIP-496 OffsetDelete).
 */
import { type ErrorCode, Errors } from "../../../../core/errors.ts";
import type { CoordinatorResult } from "../../shard.ts";
import type { CommitFence, Group } from "../group.ts";
import type { GroupRecord } from "../group-records.ts";
import type { CommittedOffset, OffsetCommitRecord } from "./offset-records.ts";
import type { OffsetStore } from "./offset-store.ts";

/** An OffsetCommit, apart from versions; topics by name. */
export interface CommitRequest extends CommitFence {
  readonly groupId: string;
  /** Milliseconds that the offsets are kept whatever the group does (version 2 to 4), or null. */
  readonly retentionMs: number | null;
  /** Version 9 on, a group that is not there has its own error. */
  readonly knowsGroupIdNotFound: boolean;
  readonly topics: readonly CommitTopic[];
}

export interface CommitTopic {
  readonly name: string;
  /** `ZERO_UUID` if it is not known. */
  readonly topicId: string;
  readonly partitions: readonly CommitPartition[];
}

export interface CommitPartition {
  readonly partition: number;
  readonly offset: bigint;
  readonly leaderEpoch: number;
  readonly metadata: string | null;
}

/** Partitions of a topic, each with how it went. */
export interface TopicErrors {
  readonly name: string;
  readonly partitions: readonly { readonly partition: number; readonly error: ErrorCode }[];
}

/** The outcome of an OffsetCommit or OffsetDelete: refused as a whole, or by partition. */
export type PartitionErrors =
  | { readonly ok: false; readonly error: ErrorCode }
  | { readonly ok: true; readonly topics: readonly TopicErrors[] };

/**
 * Writes what can be written, partition by partition. A commit outside of transactions is refused as
 * a whole if its sender may not commit for one of them, as in Kafka.
 */
export function commitOffsets(
  request: CommitRequest,
  group: Group | undefined,
  metadataMaxChars: number,
  wallMs: number,
): CoordinatorResult<GroupRecord, PartitionErrors> {
  const records: GroupRecord[] = [];
  const expireTimestampMs = request.retentionMs === null ? null : wallMs + request.retentionMs;
  const problem = request.isTransactional ? Errors.NONE : anyProblem(request, group);
  if (problem !== Errors.NONE) return { records, response: { ok: false, error: problem } };
  const topics = request.topics.map(({ name, topicId, partitions }) => ({
    name,
    partitions: partitions.map(({ partition, offset, leaderEpoch, metadata }) => {
      if ((metadata?.length ?? 0) > metadataMaxChars) {
        return { partition, error: Errors.OFFSET_METADATA_TOO_LARGE };
      }
      const error = group?.commitPartitionProblem(request, { topic: name, topicId, partition }) ??
        Errors.NONE;
      if (error !== Errors.NONE) return { partition, error };
      const value: CommittedOffset = {
        offset,
        leaderEpoch,
        metadata: metadata ?? "",
        commitTimestampMs: wallMs,
        expireTimestampMs,
        topicId,
      };
      records.push({
        type: "OffsetCommit",
        groupId: request.groupId,
        topic: name,
        partition,
        value,
      });
      return { partition, error: Errors.NONE };
    }),
  }));
  return { records, response: { ok: true, topics } };
}

/** NONE, or why the sender may not commit for some partition. */
function anyProblem(request: CommitRequest, group: Group | undefined): ErrorCode {
  for (const { name, topicId, partitions } of request.topics) {
    for (const { partition } of partitions) {
      const target = { topic: name, topicId, partition };
      const problem = group?.commitPartitionProblem(request, target) ?? Errors.NONE;
      if (problem !== Errors.NONE) return problem;
    }
  }
  return Errors.NONE;
}

/** A record that removes an offset. */
export function offsetTombstone(
  groupId: string,
  topic: string,
  partition: number,
): OffsetCommitRecord {
  return { type: "OffsetCommit", groupId, topic, partition, value: null };
}

/** Records that remove all offsets of a group for which `which` holds. */
export function offsetTombstones(
  store: OffsetStore,
  groupId: string,
  which: (topic: string, offset: CommittedOffset) => boolean,
): OffsetCommitRecord[] {
  const records: OffsetCommitRecord[] = [];
  for (const [topic, partitions] of store.ofGroup(groupId)) {
    for (const [partition, offset] of partitions) {
      if (which(topic, offset)) records.push(offsetTombstone(groupId, topic, partition));
    }
  }
  return records;
}

/** Removes offsets of topics that no member reads (KIP-496). */
export function deleteOffsets(
  store: OffsetStore,
  group: Group | undefined,
  topics: readonly { readonly name: string; readonly partitions: readonly number[] }[],
): CoordinatorResult<GroupRecord, PartitionErrors> {
  if (group === undefined) {
    return { records: [], response: { ok: false, error: Errors.GROUP_ID_NOT_FOUND } };
  }
  const problem = group.offsetDeleteProblem();
  if (problem !== Errors.NONE) return { records: [], response: { ok: false, error: problem } };
  const records: GroupRecord[] = [];
  const results = topics.map(({ name, partitions }) => {
    const error = group.isSubscribedTo(name) ? Errors.GROUP_SUBSCRIBED_TO_TOPIC : Errors.NONE;
    for (const partition of error === Errors.NONE ? partitions : []) {
      if (store.get(group.groupId, name, partition) !== undefined) {
        records.push(offsetTombstone(group.groupId, name, partition));
      }
    }
    return { name, partitions: partitions.map((partition) => ({ partition, error })) };
  });
  return { records, response: { ok: true, topics: results } };
}

/**
 * Records, at most `recordsMax`, that remove what has expired; how many offsets were looked at; and
 * what is left after them, which is not known where there were too many.
 */
export function expireOffsets(
  store: OffsetStore,
  group: Group,
  limits: { readonly retentionMs: number; readonly recordsMax: number },
  wallMs: number,
): {
  readonly records: readonly OffsetCommitRecord[];
  readonly looked: number;
  readonly left: "nothing" | "something" | "unknown";
} {
  if (!store.has(group.groupId)) return { records: [], looked: 0, left: "nothing" };
  const startOf = group.retentionStart();
  if (startOf === null) return { records: [], looked: 0, left: "something" };
  const isExpired = (topic: string, offset: CommittedOffset) =>
    !group.isSubscribedTo(topic) &&
    (offset.expireTimestampMs !== null
      ? wallMs >= offset.expireTimestampMs
      : wallMs - startOf(offset) >= limits.retentionMs);
  const records: OffsetCommitRecord[] = [];
  let looked = 0;
  for (const [topic, partitions] of store.ofGroup(group.groupId)) {
    for (const [partition, offset] of partitions) {
      if (records.length >= limits.recordsMax) return { records, looked, left: "unknown" };
      looked++;
      if (isExpired(topic, offset)) records.push(offsetTombstone(group.groupId, topic, partition));
    }
  }
  return { records, looked, left: looked === records.length ? "nothing" : "something" };
}
