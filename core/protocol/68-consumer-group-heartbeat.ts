import { api, array, int16, int32, string, struct, uuid } from "./schema.ts";

const topicPartitions = {
  topicId: uuid("0+"),
  partitions: array("0+", "int32"),
};

/**
 * Joins, keeps up and leaves a consumer group of the next-generation protocol (KIP-848).
 *
 * - 1: topics by regular expression (KIP-848); the member makes its id (KIP-1082).
 */
export const consumerGroupHeartbeat = api({
  key: 68,
  name: "ConsumerGroupHeartbeat",
  versions: "0-1",
  flexible: "0+",
  request: {
    groupId: string("0+"),
    memberId: string("0+"),
    memberEpoch: int32("0+"),
    instanceId: string("0+", { nullable: "0+", default: null }),
    rackId: string("0+", { nullable: "0+", default: null }),
    rebalanceTimeoutMs: int32("0+", { default: -1 }),
    subscribedTopicNames: array("0+", "string", { nullable: "0+", default: null }),
    subscribedTopicRegex: string("1+", { nullable: "1+", default: null }),
    serverAssignor: string("0+", { nullable: "0+", default: null }),
    topicPartitions: array("0+", {
      topicId: uuid("0+"),
      partitions: array("0+", "int32"),
    }, { nullable: "0+", default: null }),
  },
  response: {
    throttleTimeMs: int32("0+"),
    errorCode: int16("0+"),
    errorMessage: string("0+", { nullable: "0+", default: null }),
    memberId: string("0+", { nullable: "0+", default: null }),
    memberEpoch: int32("0+"),
    heartbeatIntervalMs: int32("0+"),
    assignment: struct("0+", {
      topicPartitions: array("0+", topicPartitions),
    }, { nullable: "0+", default: null }),
  },
});
