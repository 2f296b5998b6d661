/**
 * What every kind of group is to the shard that holds it, to committed offsets and to
 * administrators (Kafka's `Group`). Each kind has a folder: its state implements `Group`, and its
 * operations implement `GroupKindOperations`.
 */
import type { ErrorCode } from "../../../core/errors.ts";
import type { Clock, Random } from "../../../core/io.ts";
import type { Logger } from "../../../core/logger.ts";
import type { CoordinatorTimers } from "../shard.ts";
import type { GroupConfig } from "./group-config.ts";
import type { CommittedOffset } from "./offsets/offset-records.ts";
import type { GroupRecord } from "./group-records.ts";

/** Kafka's names, as ListGroups shows them. */
export type GroupKind = "classic" | "consumer" | "share" | "streams";

/** A commit, as the group judges who sends it. */
export interface CommitFence {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  /** Generation or member epoch; −1 for a consumer that does not take part in a group. */
  readonly generationId: number;
  /** TxnOffsetCommit. */
  readonly isTransactional: boolean;
  /** Whether the sender knows STALE_MEMBER_EPOCH: OffsetCommit from version 9 on. */
  readonly knowsStaleMemberEpoch: boolean;
}

/** A partition that is committed. */
export interface CommitTarget {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
}

/** See the header. Reads of state only; what changes it are records. */
export interface Group {
  readonly groupId: string;
  readonly kind: GroupKind;
  /** As ListGroups shows it; `Empty` is without members for every kind. */
  readonly state: string;
  /** As ListGroups shows it; null if nobody has joined yet. */
  readonly protocolType: string | null;
  /** Whether it holds nothing but offsets, so that it goes with the last of them. */
  readonly canExpire: boolean;
  /** Whether a member reads the topic, so that its offsets neither expire nor may be deleted. */
  isSubscribedTo(topic: string): boolean;
  /** NONE, or why the sender may not commit at all. */
  commitProblem(fence: CommitFence): ErrorCode;
  /** As `commitProblem`, for one partition of a commit that may be sent (KIP-1251). */
  commitPartitionProblem(fence: CommitFence, target: CommitTarget): ErrorCode;
  /** NONE, or why the sender may not see the offsets; null and −1 are somebody who is no member. */
  fetchProblem(memberId: string | null, memberEpoch: number): ErrorCode;
  /** NONE, or why no offset may be deleted now (OffsetDelete). */
  offsetDeleteProblem(): ErrorCode;
  /** NONE, or why the group may not be deleted now (DeleteGroups). */
  deleteProblem(): ErrorCode;
  /**
   * Since when an offset's retention runs (wall time), or null if nothing of the group expires now
   * (KIP-211).
   */
  retentionStart(): ((offset: CommittedOffset) => number) | null;
  /** The records that give the group as it is now, without offsets. */
  stateRecords(): GroupRecord[];
  /** The records that remove the group, without offsets. */
  tombstones(): GroupRecord[];
}

/** One kind of group in a shard, with the sessions and deadlines of its members. */
export interface GroupKindOperations<R extends GroupRecord> {
  /** Folds one record, that was in the log before, into the table of groups. */
  replay(record: R): void;
  /** As `replay`, for a record that an operation of this shard has just written. */
  written(record: R): void;
  /** The whole log has been replayed; timers may be set from here on. */
  onLoaded(): void;
  /** The partition is led elsewhere: answer all that wait. */
  onUnloaded(error: ErrorCode): void;
}

/** A topic that exists now. */
export interface TopicView {
  readonly id: string;
  readonly name: string;
  readonly partitions: { readonly length: number };
}

/** The topics that exist now. */
export interface Topics {
  byName(name: string): TopicView | undefined;
  byId(id: string): TopicView | undefined;
  all(): Iterable<TopicView>;
  /** Which metadata this is; grows with every change of it. */
  version(): number;
}

/** Topics that have been created, deleted, or changed in the number of partitions. */
export interface TopicsChange {
  readonly names: readonly string[];
  readonly created: boolean;
  readonly deleted: boolean;
}

/** What the kinds of groups in a shard work with. */
export interface GroupContext {
  readonly config: GroupConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly timers: CoordinatorTimers<GroupRecord>;
  readonly topics: Topics;
  /** All groups of the shard. */
  readonly groups: Map<string, Group>;
  /** Whether anything is committed for the group. */
  readonly hasOffsets: (groupId: string) => boolean;
}
