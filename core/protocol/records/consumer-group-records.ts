/** Records of consumer groups (KIP-848) in `__consumer_offsets`. */
import {
  array,
  bytes,
  coordinatorRecord,
  int32,
  int64,
  int8,
  string,
  struct,
  uuid,
} from "../schema.ts";

const topicPartitions = {
  topicId: uuid("0+"),
  partitions: array("0+", "int32"),
  assignmentEpochs: array("0+", "int32", { nullable: "0+", tag: 0 }),
};

export const consumerGroupMetadataRecord = coordinatorRecord({
  type: 3,
  name: "ConsumerGroupMetadata",
  versions: "0",
  flexible: "0+",
  key: {
    groupId: string("0"),
  },
  value: {
    epoch: int32("0+"),
    metadataHash: int64("0+", { tag: 0 }),
  },
});

export const consumerGroupPartitionMetadataRecord = coordinatorRecord({
  type: 4,
  name: "ConsumerGroupPartitionMetadata",
  versions: "0",
  flexible: "0+",
  key: {
    groupId: string("0"),
  },
  value: {
    topics: array("0+", {
      topicId: uuid("0+"),
      topicName: string("0+"),
      numPartitions: int32("0+"),
      partitionMetadata: array("0+", {
        partition: int32("0+"),
        racks: array("0+", "string"),
      }),
    }),
  },
});

export const consumerGroupMemberMetadataRecord = coordinatorRecord({
  type: 5,
  name: "ConsumerGroupMemberMetadata",
  versions: "0",
  flexible: "0+",
  key: {
    groupId: string("0"),
    memberId: string("0"),
  },
  value: {
    instanceId: string("0+", { nullable: "0+" }),
    rackId: string("0+", { nullable: "0+" }),
    clientId: string("0+"),
    clientHost: string("0+"),
    subscribedTopicNames: array("0+", "string"),
    subscribedTopicRegex: string("0+", { nullable: "0+" }),
    rebalanceTimeoutMs: int32("0+", { default: -1 }),
    serverAssignor: string("0+", { nullable: "0+" }),
    classicMemberMetadata: struct("0+", {
      sessionTimeoutMs: int32("0+"),
      supportedProtocols: array("0+", {
        name: string("0+"),
        metadata: bytes("0+"),
      }),
    }, { nullable: "0+", tag: 0 }),
  },
});

export const consumerGroupTargetAssignmentMetadataRecord = coordinatorRecord({
  type: 6,
  name: "ConsumerGroupTargetAssignmentMetadata",
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

export const consumerGroupTargetAssignmentMemberRecord = coordinatorRecord({
  type: 7,
  name: "ConsumerGroupTargetAssignmentMember",
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

export const consumerGroupCurrentMemberAssignmentRecord = coordinatorRecord({
  type: 8,
  name: "ConsumerGroupCurrentMemberAssignment",
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
    partitionsPendingRevocation: array("0+", topicPartitions),
  },
});

export const consumerGroupRegularExpressionRecord = coordinatorRecord({
  type: 16,
  name: "ConsumerGroupRegularExpression",
  versions: "0",
  flexible: "0+",
  key: {
    groupId: string("0"),
    regularExpression: string("0"),
  },
  value: {
    topics: array("0+", "string"),
    version: int64("0+"),
    timestamp: int64("0+"),
  },
});
