/** Topics: created, extended and deleted, in ways that make sense and ways that do not. */
import { metadata } from "../../../../core/protocol/03-metadata.ts";
import { createTopics } from "../../../../core/protocol/19-create-topics.ts";
import { deleteTopics } from "../../../../core/protocol/20-delete-topics.ts";
import { createPartitions } from "../../../../core/protocol/37-create-partitions.ts";
import { describeCluster } from "../../../../core/protocol/60-describe-cluster.ts";
import { describeTopicPartitions } from "../../../../core/protocol/75-describe-topic-partitions.ts";
import type { Area, Draw, Facts, Step } from "../step.ts";
import { step } from "../step.ts";

const NAMES = ["a", "b", "c", "d"];
const ODD_NAMES = [
  "",
  "=.",
  "=..",
  "x y",
  "é",
  "a/b",
  "x.y",
  "x_y",
  "x".repeat(300),
  "=__consumer_offsets",
];
const CONFIGS: readonly (readonly [string, string | null])[] = [
  ["retention.ms", "1000"],
  ["cleanup.policy", "compact"],
  ["cleanup.policy", "compact,delete"],
  ["segment.bytes", "1048576"],
  ["min.insync.replicas", "2"],
  ["max.message.bytes", "100"],
  ["message.timestamp.type", "LogAppendTime"],
  ["retention.ms", "soon"],
  ["retention.ms", "-2"],
  ["retention.ms", null],
  ["segment.bytes", "1"],
  ["cleanup.policy", "forget"],
  ["cleanup.policy", ""],
  ["compression.type", "zip"],
  ["no.such.config", "1"],
  ["message.format.version", "2.8"],
  ["", "1"],
];

const topicName = ({ random }: Draw) =>
  random.chance(80) ? random.pick(NAMES) : random.pick(ODD_NAMES);

function assignments({ random }: Draw) {
  return random.pick([
    [],
    [],
    [],
    [],
    [{ partitionIndex: 0, brokerIds: [1] }],
    [{ partitionIndex: 0, brokerIds: [1] }, { partitionIndex: 1, brokerIds: [1] }],
    [{ partitionIndex: 1, brokerIds: [1] }],
    [{ partitionIndex: 0, brokerIds: [] }],
    [{ partitionIndex: 0, brokerIds: [7] }],
    [{ partitionIndex: 0, brokerIds: [1, 1] }],
    [{ partitionIndex: 0, brokerIds: [1] }, { partitionIndex: 0, brokerIds: [1] }],
    [{ partitionIndex: 0, brokerIds: [1, 2] }],
    [{ partitionIndex: -1, brokerIds: [1] }],
  ]);
}

function newTopic(draw: Draw) {
  const { random } = draw;
  const assigned = assignments(draw);
  const manual = assigned.length > 0 && random.chance(80);
  return {
    name: topicName(draw),
    numPartitions: manual ? -1 : random.pick([1, 1, 2, 3, -1, 0, -2]),
    replicationFactor: manual ? -1 : random.pick([1, 1, 1, -1, 0, 2, -3]),
    assignments: assigned,
    configs: Array.from({ length: random.chance(30) ? random.between(1, 2) : 0 }, () => {
      const [name, value] = random.pick(CONFIGS);
      return { name, value };
    }),
  };
}

function create(draw: Draw): Step {
  const { random } = draw;
  const topics = Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, () => newTopic(draw));
  const validateOnly = random.chance(15);
  return step(createTopics, (facts) => ({
    topics: topics.map((topic) => ({ ...topic, name: facts.name(topic.name) })),
    validateOnly,
    timeoutMs: 10_000,
  }), { version: draw.version(createTopics), changesMetadata: true });
}

function remove(draw: Draw): Step {
  const { random } = draw;
  // Both brokers would delete their internal topics, and be of no use afterwards.
  const names = Array.from({ length: random.pick([1, 1, 2]) }, () => topicName(draw))
    .filter((name) => !name.startsWith("=__"));
  const version = draw.version(deleteTopics);
  const by = names.map(() => random.pick(["name", "name", "id", "both", "neither"] as const));
  return step(deleteTopics, (facts) => {
    if (version < 6) {
      return { topicNames: names.map((name) => facts.name(name)), timeoutMs: 10_000 };
    }
    const topics = names.map((name, index) => deletion(facts, name, by[index] ?? "name"));
    return { topics, timeoutMs: 10_000 };
  }, { version, changesMetadata: true });
}

function deletion(facts: Facts, name: string, by: "name" | "id" | "both" | "neither") {
  return {
    name: by === "id" || by === "neither" ? null : facts.name(name),
    topicId: by === "id" || by === "both" ? facts.topicId(name) : facts.topicId(""),
  };
}

function extend(draw: Draw): Step {
  const { random } = draw;
  const topics = Array.from({ length: random.pick([1, 1, 2]) }, () => ({
    name: topicName(draw),
    count: random.pick([1, 2, 3, 4, 5, 0, -1]),
    assignments: random.pick([
      null,
      null,
      null,
      [],
      [{ brokerIds: [1] }],
      [{ brokerIds: [1] }, { brokerIds: [1] }],
      [{ brokerIds: [9] }],
      [{ brokerIds: [] }],
      [{ brokerIds: [1, 1] }],
    ]),
  }));
  const validateOnly = random.chance(15);
  return step(createPartitions, (facts) => ({
    topics: topics.map((topic) => ({ ...topic, name: facts.name(topic.name) })),
    validateOnly,
    timeoutMs: 10_000,
  }), { version: draw.version(createPartitions), changesMetadata: true });
}

function look(draw: Draw): Step {
  const { random } = draw;
  const version = draw.version(metadata);
  const names = Array.from({ length: random.pick([1, 2, 2]) }, () => topicName(draw));
  const byId = version >= 12 && random.chance(30);
  const all = random.chance(10);
  return step(metadata, (facts) => ({
    topics: all
      ? version === 0 ? [] : null
      : names.map((name) =>
        byId ? { name: null, topicId: facts.topicId(name) } : { name: facts.name(name) }
      ),
    allowAutoTopicCreation: version < 4,
    includeTopicAuthorizedOperations: version >= 8 && names.length > 1,
  }), { version, changesMetadata: version < 4 });
}

function describe(draw: Draw): Step {
  const { random } = draw;
  const names = Array.from({ length: random.pick([0, 1, 2, 3]) }, () => topicName(draw));
  const limit = random.pick([2000, 1, 2, 0, -1]);
  const cursor = random.pick([null, null, null, { topic: "b", partition: 0 }, {
    topic: "b",
    partition: 1,
  }, { topic: "b", partition: -1 }]);
  return step(describeTopicPartitions, (facts) => ({
    topics: names.map((name) => ({ name: facts.name(name) })),
    responsePartitionLimit: limit,
    cursor: cursor === null
      ? null
      : { topicName: facts.name(cursor.topic), partitionIndex: cursor.partition },
  }), { version: draw.version(describeTopicPartitions) });
}

function cluster(draw: Draw): Step {
  const endpointType = draw.random.pick([1, 1, 2, 3]);
  const includeClusterAuthorizedOperations = draw.random.chance(50);
  return step(
    describeCluster,
    () => ({ endpointType, includeClusterAuthorizedOperations }),
    { version: draw.version(describeCluster, 1) },
  );
}

export const topics: Area = {
  name: "topics",
  needs: [metadata, createTopics, deleteTopics, createPartitions, describeTopicPartitions],
  setUp: () => [],
  next: (draw) => {
    const kind = draw.random.below(100);
    if (kind < 35) return [create(draw)];
    if (kind < 50) return [remove(draw)];
    if (kind < 68) return [extend(draw)];
    if (kind < 85) return [look(draw)];
    if (kind < 97) return [describe(draw)];
    return [cluster(draw)];
  },
};
