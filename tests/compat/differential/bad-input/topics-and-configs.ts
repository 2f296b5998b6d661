/** Bad requests about topics and configs. */
import { metadata } from "../../../../core/protocol/03-metadata.ts";
import { createTopics } from "../../../../core/protocol/19-create-topics.ts";
import { deleteTopics } from "../../../../core/protocol/20-delete-topics.ts";
import { describeConfigs } from "../../../../core/protocol/32-describe-configs.ts";
import { createPartitions } from "../../../../core/protocol/37-create-partitions.ts";
import { incrementalAlterConfigs } from "../../../../core/protocol/44-incremental-alter-configs.ts";
import { UNKNOWN_ID } from "../step.ts";
import { altering, bad, type BadInput, config, topic } from "./case.ts";

export const TOPICS: readonly BadInput[] = [
  bad(metadata, "bad name", "INVALID_TOPIC_EXCEPTION", () => ({ topics: [{ name: "a b" }] })),
  bad(
    metadata,
    "unknown id",
    "UNKNOWN_TOPIC_ID",
    () => ({ topics: [{ name: null, topicId: UNKNOWN_ID }] }),
  ),
  bad(createTopics, "exists", "TOPIC_ALREADY_EXISTS", (f) => topic(f, { name: f.name("t") })),
  bad(createTopics, "bad name", "INVALID_TOPIC_EXCEPTION", (f) => topic(f, { name: "a b" })),
  bad(createTopics, "no partitions", "INVALID_PARTITIONS", (f) => topic(f, { numPartitions: 0 })),
  bad(
    createTopics,
    "too many replicas",
    "INVALID_REPLICATION_FACTOR",
    (f) => topic(f, { replicationFactor: 2 }),
  ),
  bad(
    createTopics,
    "no replicas",
    "INVALID_REPLICATION_FACTOR",
    (f) => topic(f, { replicationFactor: 0 }),
  ),
  bad(createTopics, "unknown config", "INVALID_CONFIG", (f) => topic(f, config("no.such", "1"))),
  bad(
    createTopics,
    "bad value of a config",
    "INVALID_CONFIG",
    (f) => topic(f, config("retention.ms", "x")),
  ),
  bad(createTopics, "named twice", "INVALID_REQUEST", (f) => ({
    topics: [...topic(f).topics, ...topic(f).topics],
    timeoutMs: 10_000,
  })),
  bad(
    createTopics,
    "assignment and count",
    "INVALID_REQUEST",
    (f) => topic(f, { assignments: [{ partitionIndex: 0, brokerIds: [1] }] }),
  ),
  bad(createTopics, "assigned to an unknown broker", "INVALID_REPLICA_ASSIGNMENT", (f) =>
    topic(f, {
      numPartitions: -1,
      replicationFactor: -1,
      assignments: [{ partitionIndex: 0, brokerIds: [7] }],
    })),
  bad(
    deleteTopics,
    "unknown name",
    "UNKNOWN_TOPIC_OR_PARTITION",
    (f) => ({ timeoutMs: 1_000, topics: [{ name: f.name("none") }] }),
  ),
  bad(
    deleteTopics,
    "unknown id",
    "UNKNOWN_TOPIC_ID",
    () => ({ timeoutMs: 1_000, topics: [{ name: null, topicId: UNKNOWN_ID }] }),
  ),
  bad(deleteTopics, "name and id", "INVALID_REQUEST", (f) => ({
    timeoutMs: 1_000,
    topics: [{ name: f.name("t"), topicId: f.topicId("t") }],
  })),
  bad(
    createPartitions,
    "fewer",
    "INVALID_PARTITIONS",
    (f) => ({ timeoutMs: 1_000, topics: [{ name: f.name("t"), count: 1 }] }),
  ),
  bad(
    createPartitions,
    "as many",
    "INVALID_PARTITIONS",
    (f) => ({ timeoutMs: 1_000, topics: [{ name: f.name("t"), count: 2 }] }),
  ),
  bad(createPartitions, "unknown topic", "UNKNOWN_TOPIC_OR_PARTITION", (f) => ({
    timeoutMs: 1_000,
    topics: [{ name: f.name("none"), count: 2 }],
  })),
  bad(createPartitions, "too many assignments", "INVALID_REPLICA_ASSIGNMENT", (f) => ({
    timeoutMs: 1_000,
    topics: [{
      name: f.name("t"),
      count: 3,
      assignments: [{ brokerIds: [1] }, { brokerIds: [1] }],
    }],
  })),
];

export const CONFIGS: readonly BadInput[] = [
  bad(describeConfigs, "unknown topic", "UNKNOWN_TOPIC_OR_PARTITION", (f) => ({
    resources: [{ resourceType: 2, resourceName: f.name("none"), configurationKeys: null }],
  })),
  bad(describeConfigs, "another broker", "INVALID_REQUEST", () => ({
    resources: [{ resourceType: 4, resourceName: "7", configurationKeys: null }],
  })),
  bad(describeConfigs, "unknown type", "INVALID_REQUEST", () => ({
    resources: [{ resourceType: 77, resourceName: "1", configurationKeys: null }],
  })),
  bad(
    incrementalAlterConfigs,
    "unknown topic",
    "UNKNOWN_TOPIC_OR_PARTITION",
    (f) => altering(2, f.name("none"), "retention.ms", 0, "1"),
  ),
  bad(
    incrementalAlterConfigs,
    "unknown config",
    "INVALID_CONFIG",
    (f) => altering(2, f.name("t"), "no.such", 0, "1"),
  ),
  bad(
    incrementalAlterConfigs,
    "bad value",
    "INVALID_CONFIG",
    (f) => altering(2, f.name("t"), "retention.ms", 0, "x"),
  ),
  bad(
    incrementalAlterConfigs,
    "no value",
    "INVALID_REQUEST",
    (f) => altering(2, f.name("t"), "retention.ms", 0, null),
  ),
  bad(
    incrementalAlterConfigs,
    "append to what is no list",
    "INVALID_CONFIG",
    (f) => altering(2, f.name("t"), "retention.ms", 2, "1"),
  ),
  bad(
    incrementalAlterConfigs,
    "read-only",
    "INVALID_REQUEST",
    () => altering(4, "1", "node.id", 0, "2"),
  ),
  bad(
    incrementalAlterConfigs,
    "unknown group config",
    "INVALID_CONFIG",
    (f) => altering(32, f.name("g"), "no.such", 0, "1"),
  ),
  bad(
    incrementalAlterConfigs,
    "bad group config",
    "INVALID_CONFIG",
    (f) => altering(32, f.name("g"), "share.isolation.level", 0, "x"),
  ),
];
