/** Records of share groups (KIP-932) in `__consumer_offsets`. */
import { array, coordinatorRecord, int32, int64, int8, string, uuid } from "../schema.ts";

const topicPartitions = {
  topicId: uuid("0+"),
  partitions: array("0+", "int32"),
};

const topicPartitionsInfo = {
  topicId: uuid("0+"),
  topicName: string("0+"),
  partitions: array("0+", "int32"),
};

const topicInfo = {
  topicId: uuid("0+"),
  topicName: string("0+"),
};

export const shareGroupMemberMetadataRecord = coordinatorRecord({
  type: 10,
  name: "ShareGroupMemberMetadata",
  versions: "0",
  flexible: "0+",
  key: {
    groupId: string("0"),
    memberId: string("0"),
  },
  value: {
    rackId: string("0+", { nullable: "0+" }),
    clientId: string("0+"),
    clientHost: string("0+"),
    subscribedTopicNames: array("0+", "string"),
  },
});

export const shareGroupMetadataRecord = coordinatorRecord({
  type: 11,
  name: "ShareGroupMetadata",
  versions: "0",
  flexible: "0+",
  key: {
    groupId: string("0"),
  },
  value: {
    epoch: int32("0+"),
    metadataHash: int64("0+"),
  },
});

export const shareGroupTargetAssignmentMetadataRecord = coordinatorRecord({
  type: 12,
  name: "ShareGroupTargetAssignmentMetadata",
  versions: "0",
  flexible: "0+",
  key: {
    groupId: string("0"),
  },
  value: {
    assignmentEpoch: int32("0+"),
    assignmentTimestamp: int64("0+", { tag: 0, ignorable: true }),
  },
});

export const shareGroupTargetAssignmentMemberRecord = coordinatorRecord({
  type: 13,
  name: "ShareGroupTargetAssignmentMember",
  versions: "0",
  flexible: "0+",
  key: {
    groupId: string("0"),
    memberId: string("0"),
  },
  value: {
    topicPartitions: array("0+", {
      topicId: uuid("0+"),
      partitions: array("0+", "int32"),
    }),
  },
});

export const shareGroupCurrentMemberAssignmentRecord = coordinatorRecord({
  type: 14,
  name: "ShareGroupCurrentMemberAssignment",
  versions: "0",
  flexible: "0+",
  key: {
    groupId: string("0"),
    memberId: string("0"),
  },
  value: {
    memberEpoch: int32("0+"),
    previousMemberEpoch: int32("0+"),
    state: int8("0+"),
    assignedPartitions: array("0+", topicPartitions),
  },
});

export const shareGroupStatePartitionMetadataRecord = coordinatorRecord({
  type: 15,
  name: "ShareGroupStatePartitionMetadata",
  versions: "0",
  flexible: "0+",
  key: {
    groupId: string("0"),
  },
  value: {
    initializingTopics: array("0+", topicPartitionsInfo),
    initializedTopics: array("0+", topicPartitionsInfo),
    deletingTopics: array("0+", topicInfo),
  },
});
