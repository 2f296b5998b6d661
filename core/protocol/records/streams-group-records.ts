/** Records of streams groups (KIP-1071) in `__consumer_offsets`. */
import {
  array,
  coordinatorRecord,
  int16,
  int32,
  int64,
  int8,
  string,
  struct,
  uint16,
} from "../schema.ts";

const lastAssignmentConfig = {
  key: string("0+"),
  value: string("0+"),
};

const endpoint = {
  host: string("0+"),
  port: uint16("0+"),
};

const keyValue = {
  key: string("0+"),
  value: string("0+"),
};

const taskIds = {
  subtopologyId: string("0+"),
  partitions: array("0+", "int32"),
};

const streamsGroupCurrentMemberAssignmentTaskIds = {
  subtopologyId: string("0+"),
  partitions: array("0+", "int32"),
  assignmentEpochs: array("0+", "int32", { nullable: "0+", tag: 0 }),
};

const topicConfig = {
  key: string("0+"),
  value: string("0+"),
};

const topicInfo = {
  name: string("0+"),
  partitions: int32("0+"),
  replicationFactor: int16("0+"),
  topicConfigs: array("0+", topicConfig),
};

export const streamsGroupMetadataRecord = coordinatorRecord({
  type: 17,
  name: "StreamsGroupMetadata",
  versions: "0",
  flexible: "0+",
  key: {
    groupId: string("0"),
  },
  value: {
    epoch: int32("0+"),
    metadataHash: int64("0+"),
    validatedTopologyEpoch: int32("0+", { default: -1, tag: 0 }),
    lastAssignmentConfigs: array("0+", lastAssignmentConfig, { nullable: "0+", tag: 1 }),
    storedDescriptionTopologyEpoch: int32("0+", { default: -1, tag: 2 }),
    failedDescriptionTopologyEpoch: int32("0+", { default: -1, tag: 3 }),
  },
});

export const streamsGroupMemberMetadataRecord = coordinatorRecord({
  type: 19,
  name: "StreamsGroupMemberMetadata",
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
    rebalanceTimeoutMs: int32("0+", { default: -1 }),
    topologyEpoch: int32("0+"),
    processId: string("0+"),
    userEndpoint: struct("0+", endpoint, { nullable: "0+", default: null }),
    clientTags: array("0+", keyValue),
  },
});

export const streamsGroupTargetAssignmentMetadataRecord = coordinatorRecord({
  type: 20,
  name: "StreamsGroupTargetAssignmentMetadata",
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

export const streamsGroupTargetAssignmentMemberRecord = coordinatorRecord({
  type: 21,
  name: "StreamsGroupTargetAssignmentMember",
  versions: "0",
  flexible: "0+",
  key: {
    groupId: string("0"),
    memberId: string("0"),
  },
  value: {
    activeTasks: array("0+", taskIds),
    standbyTasks: array("0+", taskIds),
    warmupTasks: array("0+", taskIds),
  },
});

export const streamsGroupCurrentMemberAssignmentRecord = coordinatorRecord({
  type: 22,
  name: "StreamsGroupCurrentMemberAssignment",
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
    activeTasks: array("0+", streamsGroupCurrentMemberAssignmentTaskIds),
    standbyTasks: array("0+", streamsGroupCurrentMemberAssignmentTaskIds),
    warmupTasks: array("0+", streamsGroupCurrentMemberAssignmentTaskIds),
    activeTasksPendingRevocation: array("0+", streamsGroupCurrentMemberAssignmentTaskIds),
    standbyTasksPendingRevocation: array("0+", streamsGroupCurrentMemberAssignmentTaskIds),
    warmupTasksPendingRevocation: array("0+", streamsGroupCurrentMemberAssignmentTaskIds),
  },
});

export const streamsGroupTopologyRecord = coordinatorRecord({
  type: 23,
  name: "StreamsGroupTopology",
  versions: "0",
  flexible: "0+",
  key: {
    groupId: string("0"),
  },
  value: {
    epoch: int32("0+"),
    subtopologies: array("0+", {
      subtopologyId: string("0+"),
      sourceTopics: array("0+", "string"),
      sourceTopicRegex: array("0+", "string"),
      stateChangelogTopics: array("0+", topicInfo),
      repartitionSinkTopics: array("0+", "string"),
      repartitionSourceTopics: array("0+", topicInfo),
      copartitionGroups: array("0+", {
        sourceTopics: array("0+", "int16"),
        sourceTopicRegex: array("0+", "int16"),
        repartitionSourceTopics: array("0+", "int16"),
      }),
    }),
  },
});
