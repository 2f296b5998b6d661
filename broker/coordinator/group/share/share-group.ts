/**
 * A share group (KIP-932) as the fold of its records (Kafka's `ShareGroup`). Members share
 * partitions, so nobody waits for anybody: a member has its target as soon as it hears of it.
 */
import { assert } from "../../../../core/assert.ts";
import { type ErrorCode, Errors } from "../../../../core/errors.ts";
import type { Group } from "../group.ts";
import { ModernGroup, type ModernMember } from "../modern/modern-group.ts";
import {
  type Assignment,
  assignmentOf,
  NO_PARTITIONS,
  topicPartitionsOf,
} from "../modern/topic-partitions.ts";
import { KnownPartitions } from "./known-partitions.ts";
import type { ShareGroupRecord } from "./share-group-records.ts";

/** A member; replaced as a whole, never changed. */
export interface ShareMember extends ModernMember {
  readonly assigned: Assignment;
}

/** The one assignor. */
export const SHARE_ASSIGNOR = "simple";

/** `MemberState.STABLE` of the records; a member of a share group has no other. */
const STABLE = 0;

/** See the header. */
export class ShareGroup extends ModernGroup<ShareMember> implements Group {
  readonly kind = "share";
  readonly protocolType = "share";
  /** What the share coordinator knows of the group. */
  known = KnownPartitions.NONE;

  get state(): "Empty" | "Stable" {
    return this.members.size === 0 ? "Empty" : "Stable";
  }

  /** It has no offsets that could expire. */
  get canExpire(): boolean {
    return false;
  }

  commitProblem(): ErrorCode {
    return Errors.GROUP_ID_NOT_FOUND;
  }

  commitPartitionProblem(): ErrorCode {
    return Errors.GROUP_ID_NOT_FOUND;
  }

  fetchProblem(): ErrorCode {
    return Errors.GROUP_ID_NOT_FOUND;
  }

  offsetDeleteProblem(): ErrorCode {
    return Errors.GROUP_ID_NOT_FOUND;
  }

  deleteProblem(): ErrorCode {
    return this.members.size > 0 ? Errors.NON_EMPTY_GROUP : Errors.NONE;
  }

  retentionStart(): null {
    return null;
  }

  /** Folds one record; the group's own end is up to who holds it. */
  fold(record: ShareGroupRecord): void {
    switch (record.type) {
      case "ShareGroupMetadata":
        assert(record.value !== null, "the end of a group is not folded into it");
        this.groupEpoch = record.value.epoch;
        this.metadataHash = record.value.metadataHash;
        return;
      case "ShareGroupMemberMetadata": {
        const { memberId } = record.key;
        if (record.value === null) this.memberMap.delete(memberId);
        else {
          const { rackId, clientId, clientHost, subscribedTopicNames } = record.value;
          const known = this.members.get(memberId) ?? newShareMember(memberId);
          const subscribed = new Set(subscribedTopicNames);
          const changed = { rackId, clientId, clientHost, subscribedTopicNames: subscribed };
          this.memberMap.set(memberId, { ...known, ...changed });
        }
        return this.subscriptionsChanged();
      }
      case "ShareGroupCurrentMemberAssignment":
        return this.#foldPlace(record);
      case "ShareGroupTargetAssignmentMetadata":
        this.assignmentEpoch = record.value?.assignmentEpoch ?? -1;
        this.assignmentTimestampMs = Number(record.value?.assignmentTimestamp ?? 0n);
        return;
      case "ShareGroupTargetAssignmentMember": {
        const { value } = record;
        const target = value === null ? null : assignmentOf(value.topicPartitions);
        return this.setTarget(record.key.memberId, target);
      }
      case "ShareGroupStatePartitionMetadata":
        this.known = record.value === null
          ? KnownPartitions.NONE
          : KnownPartitions.of(record.value);
        return;
    }
  }

  #foldPlace(
    { key, value }: Extract<ShareGroupRecord, { type: "ShareGroupCurrentMemberAssignment" }>,
  ): void {
    const known = this.members.get(key.memberId);
    // A member that is gone, or one whose metadata follows.
    if (known === undefined && value === null) return;
    const member = known ?? newShareMember(key.memberId);
    this.memberMap.set(key.memberId, {
      ...member,
      memberEpoch: value?.memberEpoch ?? -1,
      previousMemberEpoch: value?.previousMemberEpoch ?? -1,
      assigned: value === null ? NO_PARTITIONS : assignmentOf(value.assignedPartitions),
    });
  }

  stateRecords(): ShareGroupRecord[] {
    const { groupId } = this;
    const key = { groupId };
    const records: ShareGroupRecord[] = [];
    for (const member of this.members.values()) records.push(memberRecord(groupId, member));
    records.push(epochRecord(groupId, this.groupEpoch, this.metadataHash));
    if (!this.known.isNothing) records.push(knownRecord(groupId, this.known));
    for (const [memberId, target] of this.targetAssignment) {
      records.push(targetRecord(groupId, memberId, target));
    }
    records.push({
      type: "ShareGroupTargetAssignmentMetadata",
      key,
      value: {
        assignmentEpoch: this.assignmentEpoch,
        assignmentTimestamp: BigInt(this.assignmentTimestampMs),
      },
    });
    for (const member of this.members.values()) records.push(placeRecord(groupId, member));
    return records;
  }

  tombstones(): ShareGroupRecord[] {
    const key = { groupId: this.groupId };
    const records: ShareGroupRecord[] = [];
    for (const memberId of this.members.keys()) {
      records.push(...memberTombstones(this.groupId, memberId));
    }
    records.push({ type: "ShareGroupTargetAssignmentMetadata", key, value: null });
    if (!this.known.isNothing) {
      records.push({ type: "ShareGroupStatePartitionMetadata", key, value: null });
    }
    records.push({ type: "ShareGroupMetadata", key, value: null });
    return records;
  }
}

/** A member that has just come. */
export function newShareMember(memberId: string): ShareMember {
  return {
    memberId,
    memberEpoch: 0,
    previousMemberEpoch: -1,
    rackId: null,
    clientId: "",
    clientHost: "",
    subscribedTopicNames: new Set(),
    assigned: NO_PARTITIONS,
  };
}

/** The group's epoch, and what its topics were like then. */
export function epochRecord(
  groupId: string,
  epoch: number,
  metadataHash: bigint,
): ShareGroupRecord {
  return { type: "ShareGroupMetadata", key: { groupId }, value: { epoch, metadataHash } };
}

/** What a member says of itself. */
export function memberRecord(groupId: string, member: ShareMember): ShareGroupRecord {
  const { memberId, rackId, clientId, clientHost } = member;
  const subscribedTopicNames = [...member.subscribedTopicNames].toSorted();
  return {
    type: "ShareGroupMemberMetadata",
    key: { groupId, memberId },
    value: { rackId, clientId, clientHost, subscribedTopicNames },
  };
}

/** What a member is to have. */
export function targetRecord(
  groupId: string,
  memberId: string,
  target: Assignment,
): ShareGroupRecord {
  return {
    type: "ShareGroupTargetAssignmentMember",
    key: { groupId, memberId },
    value: { topicPartitions: topicPartitionsOf(target) },
  };
}

/** What a member has. */
export function placeRecord(groupId: string, member: ShareMember): ShareGroupRecord {
  const { memberId, memberEpoch, previousMemberEpoch, assigned } = member;
  return {
    type: "ShareGroupCurrentMemberAssignment",
    key: { groupId, memberId },
    value: {
      memberEpoch,
      previousMemberEpoch,
      state: STABLE,
      assignedPartitions: topicPartitionsOf(assigned),
    },
  };
}

/** What the share coordinator knows of the group. */
export function knownRecord(groupId: string, known: KnownPartitions): ShareGroupRecord {
  return {
    type: "ShareGroupStatePartitionMetadata",
    key: { groupId },
    value: known.isNothing ? null : known.value(),
  };
}

/** The member is gone. */
export function memberTombstones(groupId: string, memberId: string): ShareGroupRecord[] {
  const key = { groupId, memberId };
  return [
    { type: "ShareGroupCurrentMemberAssignment", key, value: null },
    { type: "ShareGroupTargetAssignmentMember", key, value: null },
    { type: "ShareGroupMemberMetadata", key, value: null },
  ];
}
