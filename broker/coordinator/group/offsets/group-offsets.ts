/** The committed offsets of all groups of a shard (Kafka's `OffsetMetadataManager`). */
import { type ErrorCode, Errors } from "../../../../core/errors.ts";
import { ZERO_UUID } from "../../../../core/protocol/schema.ts";
import type { CoordinatorResult, RecordTransaction } from "../../shard.ts";
import type { Group, GroupContext } from "../group.ts";
import { GROUPS_PER_SHARD_MAX } from "../group-config.ts";
import type { GroupRecord } from "../group-records.ts";
import type { CommittedOffset, OffsetCommitRecord } from "./offset-records.ts";
import type { OffsetStore } from "./offset-store.ts";
import { PendingOffsets } from "./pending-offsets.ts";
import {
  commitOffsets,
  type CommitRequest,
  deleteOffsets,
  expireOffsets,
  offsetTombstone,
  offsetTombstones,
  type PartitionErrors,
} from "./offsets.ts";

/** Most offsets that one step of the expiry removes, and about how many it looks at. */
const EXPIRED_PER_STEP = 500;
const OFFSETS_PER_STEP = 5000;

/** See the header. */
export class GroupOffsets {
  readonly pending = new PendingOffsets();

  /**
   * `store` holds what is committed. `materialize` makes the empty classic group that offsets
   * without a group belong to. `touch` is told of members that commit: they are alive.
   */
  constructor(
    readonly context: GroupContext,
    readonly store: OffsetStore,
    readonly materialize: (groupId: string) => void,
    readonly touch: (group: Group, memberId: string) => void,
  ) {}

  /** Folds one record, at `recordOffset` in the log, into the state. */
  fold({ groupId, topic, partition, value }: OffsetCommitRecord, recordOffset: number): void {
    if (value === null) {
      this.pending.delete(groupId, topic, partition);
      return this.store.delete(groupId, topic, partition);
    }
    // Consumers that only commit have a group too: an empty one without a protocol type.
    if (!this.context.groups.has(groupId)) this.materialize(groupId);
    this.store.set(groupId, topic, partition, { ...value, recordOffset });
  }

  /** As `fold`, for a record that counts when the producer's transaction is committed. */
  pend(record: OffsetCommitRecord, recordOffset: number, producerId: number): void {
    const { groupId, value } = record;
    if (value === null) return;
    // The group is there as long as the transaction is, even if nothing else is known of it.
    if (!this.context.groups.has(groupId)) this.materialize(groupId);
    this.pending.set(producerId, record, { ...value, recordOffset });
  }

  /** A producer's transaction has ended. */
  endTransaction(producerId: number, isCommitted: boolean): void {
    for (const { groupId, topic, partition, offset } of this.pending.take(producerId)) {
      const present = this.store.get(groupId, topic, partition);
      const isNewer = (present?.recordOffset ?? -1) < (offset.recordOffset ?? -1);
      if (!isCommitted || !isNewer) continue;
      if (!this.context.groups.has(groupId)) this.materialize(groupId);
      this.store.set(groupId, topic, partition, offset);
    }
  }

  /** The records that give the offsets of a group as they are now. */
  stateRecords(groupId: string): GroupRecord[] {
    const records: GroupRecord[] = [];
    for (const [topic, partitions] of this.store.ofGroup(groupId)) {
      for (const [partition, value] of partitions) {
        records.push({ type: "OffsetCommit", groupId, topic, partition, value });
      }
    }
    return records;
  }

  /**
   * Commits; with `transaction` the offsets count once that is committed (KIP-447: whoever commits
   * has to be a current member, as with OffsetCommit).
   */
  commit(
    request: CommitRequest,
    transaction?: RecordTransaction,
  ): CoordinatorResult<GroupRecord, PartitionErrors> {
    const group = this.context.groups.get(request.groupId);
    const error = group === undefined
      ? this.#missingGroupProblem(request)
      : group.commitProblem(request);
    if (error !== Errors.NONE) return { records: [], response: { ok: false, error } };
    if (group !== undefined) this.touch(group, request.memberId);
    const { config, clock } = this.context;
    const result = commitOffsets(request, group, config.offsetMetadataMaxBytes, clock.wallMs());
    return transaction === undefined ? result : { ...result, transaction };
  }

  /** NONE, or why a member of that id and epoch may not see the offsets; null is nobody. */
  fetchProblem(groupId: string, memberId: string | null, memberEpoch: number): ErrorCode {
    // A group that is not there has no offsets, whoever asks.
    return this.context.groups.get(groupId)?.fetchProblem(memberId, memberEpoch) ?? Errors.NONE;
  }

  /** What is committed for a partition, or undefined. An offset of a topic that was is none. */
  get(groupId: string, topic: string, partition: number): CommittedOffset | undefined {
    const offset = this.store.get(groupId, topic, partition);
    return offset !== undefined && this.#isOfTopic(topic, offset) ? offset : undefined;
  }

  /** Whether an open transaction may still change the offset (KIP-447). */
  isUnstable(groupId: string, topic: string, partition: number): boolean {
    return this.pending.has(groupId, topic, partition);
  }

  /** Everything that is committed for a group. */
  all(groupId: string): ReadonlyMap<string, ReadonlyMap<number, CommittedOffset>> {
    return this.store.ofGroup(groupId);
  }

  delete(
    groupId: string,
    topics: readonly { readonly name: string; readonly partitions: readonly number[] }[],
  ): CoordinatorResult<GroupRecord, PartitionErrors> {
    return deleteOffsets(this.store, this.context.groups.get(groupId), topics);
  }

  /** Records that remove all offsets of a group. */
  tombstones(groupId: string): GroupRecord[] {
    const pending = [...this.pending.ofGroup(groupId)].map(({ topic, partition }) =>
      offsetTombstone(groupId, topic, partition)
    );
    return [...offsetTombstones(this.store, groupId, () => true), ...pending];
  }

  /** Removes the offsets of topics that do not exist, or not any more. */
  dropDeleted(): CoordinatorResult<GroupRecord, void> {
    const records = [...this.store.groupIds()].flatMap((groupId) =>
      offsetTombstones(this.store, groupId, (topic, offset) => !this.#isOfTopic(topic, offset))
    );
    return { records, response: undefined, atomic: false };
  }

  /**
   * Records that remove what has expired of these groups, and those that are left with nothing: as
   * many as may be done in one go. The groups in `rest` are still to be looked at.
   */
  expire(groupIds: readonly string[]): {
    readonly records: readonly GroupRecord[];
    readonly rest: readonly string[];
  } {
    const { config, clock, groups } = this.context;
    const records: GroupRecord[] = [];
    let looked = 0;
    for (const [index, groupId] of groupIds.entries()) {
      const recordsMax = EXPIRED_PER_STEP - records.length;
      if (recordsMax <= 0 || looked >= OFFSETS_PER_STEP) {
        return { records, rest: groupIds.slice(index) };
      }
      const group = groups.get(groupId);
      // What a transaction is about to commit would be the group's again.
      if (group === undefined || this.pending.hasGroup(groupId)) continue;
      const limits = { retentionMs: config.offsetsRetentionMs, recordsMax };
      const expired = expireOffsets(this.store, group, limits, clock.wallMs());
      records.push(...expired.records);
      looked += 1 + expired.looked;
      if (expired.left === "unknown") return { records, rest: groupIds.slice(index) };
      if (expired.left === "nothing" && group.canExpire) records.push(...group.tombstones());
    }
    return { records, rest: [] };
  }

  /** Whether the topic that the offset was committed for is there, and no other of its name. */
  #isOfTopic(topic: string, offset: CommittedOffset): boolean {
    const topicId = this.context.topics.byName(topic)?.id;
    return topicId !== undefined && (offset.topicId === ZERO_UUID || offset.topicId === topicId);
  }

  #missingGroupProblem(request: CommitRequest): ErrorCode {
    if (request.generationId >= 0) {
      return request.knowsGroupIdNotFound ? Errors.GROUP_ID_NOT_FOUND : Errors.ILLEGAL_GENERATION;
    }
    if (this.context.groups.size >= GROUPS_PER_SHARD_MAX) return Errors.COORDINATOR_NOT_AVAILABLE;
    // As in Kafka, where an empty group is made first and then asked whether the sender is in it.
    return Errors.NONE;
  }
}
