/** CreateTopics, DeleteTopics, CreatePartitions: every code through the handlers. */
import { describe, expect, test } from "bun:test";
import { errorName, Errors } from "../../core/errors.ts";
import type { createTopics } from "../../core/protocol/19-create-topics.ts";
import { type EncodableRequest, ZERO_UUID } from "../../core/protocol/schema.ts";
import { allowAllBut, metadataBroker } from "../metadata-broker.test-helper.ts";
import { createTopicsHandler } from "./19-create-topics.ts";
import { deleteTopicsHandler } from "./20-delete-topics.ts";
import { createPartitionsHandler } from "./37-create-partitions.ts";

type NewTopic = NonNullable<EncodableRequest<typeof createTopics>["topics"]>[number];

const topic = (name: string, more: NewTopic = {}): NewTopic => ({
  name,
  numPartitions: -1,
  replicationFactor: -1,
  ...more,
});
const manual = (...replicas: number[][]): NewTopic => ({
  assignments: replicas.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
});

/** What is wrong with a topic, and how it is answered where `a.b` and `taken` are there. */
const REFUSALS: [string, NewTopic, keyof typeof Errors, string][] = [
  ["an empty name", topic(""), "INVALID_TOPIC_EXCEPTION", "the empty string is not allowed"],
  ["the name .", topic("."), "INVALID_TOPIC_EXCEPTION", "'.' is not allowed"],
  ["the name ..", topic(".."), "INVALID_TOPIC_EXCEPTION", "'..' is not allowed"],
  ["a long name", topic("x".repeat(250)), "INVALID_TOPIC_EXCEPTION", "max allowed length 249"],
  ["a blank", topic("a b"), "INVALID_TOPIC_EXCEPTION", "other than ASCII alphanumerics"],
  [
    "a colliding name",
    topic("a_b"),
    "INVALID_TOPIC_EXCEPTION",
    "collides with existing topic: a.b",
  ],
  ["a name that is taken", topic("taken"), "TOPIC_ALREADY_EXISTS", "Topic 'taken' already exists."],
  ["the metadata log", topic("__cluster_metadata"), "INVALID_REQUEST", "prohibited"],
  ["no partitions", topic("t", { numPartitions: 0 }), "INVALID_PARTITIONS", "non-positive"],
  ["−2 partitions", topic("t", { numPartitions: -2 }), "INVALID_PARTITIONS", "non-positive"],
  [
    "too many partitions",
    topic("t", { numPartitions: 10_001 }),
    "POLICY_VIOLATION",
    "Excessively large number of partitions",
  ],
  [
    "no replicas",
    topic("t", { replicationFactor: 0 }),
    "INVALID_REPLICATION_FACTOR",
    "larger than 0, or -1",
  ],
  [
    "too many replicas",
    topic("t", { replicationFactor: 3 }),
    "INVALID_REPLICATION_FACTOR",
    "only 1 broker(s) are registered",
  ],
  [
    "an assignment and a number of partitions",
    topic("t", { ...manual([1]), numPartitions: 1 }),
    "INVALID_REQUEST",
    "numPartitions was not set to -1",
  ],
  [
    "an assignment and a replication factor",
    topic("t", { ...manual([1]), replicationFactor: 1 }),
    "INVALID_REQUEST",
    "replication factor was not set to -1",
  ],
  [
    "an assignment to an unknown broker",
    topic("t", manual([7])),
    "INVALID_REPLICA_ASSIGNMENT",
    "broker 7, but no such broker is registered",
  ],
  [
    "an assignment to nobody",
    topic("t", manual([])),
    "INVALID_REPLICA_ASSIGNMENT",
    "an empty replica list",
  ],
  [
    "an assignment twice to one broker",
    topic("t", manual([1, 1])),
    "INVALID_REPLICA_ASSIGNMENT",
    "broker 1 more than once",
  ],
  [
    "an assignment with a gap",
    topic("t", { assignments: [{ partitionIndex: 1, brokerIds: [1] }] }),
    "INVALID_REPLICA_ASSIGNMENT",
    "consecutive 0-based integer sequence",
  ],
  [
    "one partition assigned twice",
    topic("t", {
      assignments: [
        { partitionIndex: 0, brokerIds: [1] },
        { partitionIndex: 0, brokerIds: [1] },
      ],
    }),
    "INVALID_REPLICA_ASSIGNMENT",
    "multiple manual partition assignments for partition 0",
  ],
  [
    "a bad config",
    topic("t", { configs: [{ name: "retention.ms", value: "soon" }] }),
    "INVALID_CONFIG",
    "Not a number of type LONG",
  ],
  [
    "an unknown config",
    topic("t", { configs: [{ name: "retention.hours", value: "1" }] }),
    "INVALID_CONFIG",
    "Unknown topic config name: retention.hours",
  ],
  [
    "a config without value",
    topic("t", { configs: [{ name: "retention.ms", value: null }] }),
    "INVALID_CONFIG",
    "Null value not supported for topic configs: retention.ms",
  ],
  [
    "tiered storage",
    topic("t", { configs: [{ name: "remote.storage.enable", value: "true" }] }),
    "INVALID_CONFIG",
    "tiered storage is not available",
  ],
];

async function brokerWithTopics() {
  const subject = await metadataBroker();
  await subject.call(createTopicsHandler, 7, { topics: [topic("a.b"), topic("taken")] });
  return subject;
}

describe("CreateTopics", () => {
  for (const [what, request, code, message] of REFUSALS) {
    test(`refuses ${what} with ${code} and changes nothing`, async () => {
      const { call, broker } = await brokerWithTopics();
      const before = broker.metadata.image;
      for (const validateOnly of [true, false]) {
        const { topics } = await call(createTopicsHandler, 7, { topics: [request], validateOnly });
        expect(topics.map((answer) => errorName(answer.errorCode))).toEqual([code]);
        expect(topics[0]?.errorMessage).toContain(message);
      }
      expect(broker.metadata.image).toBe(before);
    });
  }

  test("answers what it made, at every version", async () => {
    const { call, broker } = await metadataBroker({ "num.partitions": "3" });
    for (let version = 2; version <= 7; version++) {
      const { topics } = await call(createTopicsHandler, version, {
        topics: [topic(`t${version}`, { configs: [{ name: "retention.ms", value: "5" }] })],
      });
      const made = broker.metadata.topic(`t${version}`);
      expect(made?.partitions).toHaveLength(3);
      expect(topics[0]?.errorCode).toBe(Errors.NONE);
      if (version >= 5) {
        expect(topics[0]).toMatchObject({ numPartitions: 3, replicationFactor: 1 });
        expect(topics[0]?.configs?.find(({ name }) => name === "retention.ms"))
          .toEqual({
            name: "retention.ms",
            value: "5",
            readOnly: false,
            configSource: 1,
            isSensitive: false,
          });
      }
      if (version >= 7) expect(topics[0]?.topicId).toBe(made?.id ?? "");
    }
  });

  test("judges each topic alone, and refuses both of a pair in one answer", async () => {
    const { call, broker } = await metadataBroker();
    const { topics } = await call(createTopicsHandler, 7, {
      topics: [topic("good"), topic("twice"), topic("bad", { numPartitions: 0 }), topic("twice")],
    });
    expect(topics.map(({ errorCode }) => errorName(errorCode))).toEqual([
      "NONE",
      "INVALID_REQUEST",
      "INVALID_PARTITIONS",
    ]);
    expect([...broker.metadata.image.topics.keys()]).toEqual(["good"]);
  });

  test("refuses the second of two names in one request that collide", async () => {
    const { call } = await metadataBroker();
    const { topics } = await call(createTopicsHandler, 7, { topics: [topic("x.y"), topic("x_y")] });
    expect(topics.map(({ errorCode }) => errorName(errorCode)))
      .toEqual(["NONE", "INVALID_TOPIC_EXCEPTION"]);
  });

  test("only validates if that is asked for", async () => {
    const { call, broker } = await metadataBroker();
    const { topics } = await call(createTopicsHandler, 7, {
      topics: [topic("t", { numPartitions: 4 })],
      validateOnly: true,
    });
    expect(topics[0]).toMatchObject({ errorCode: 0, numPartitions: 4 });
    expect(broker.metadata.topic("t")).toBeUndefined();
  });

  test("denies, and hides configs", async () => {
    const { call } = await metadataBroker();
    const denied = allowAllBut("CREATE CLUSTER", "CREATE TOPIC no", "DESCRIBE_CONFIGS TOPIC");
    const { topics } = await call(
      createTopicsHandler,
      7,
      { topics: [topic("no"), topic("yes")] },
      denied,
    );
    expect(topics.map(({ errorCode }) => errorName(errorCode)))
      .toEqual(["TOPIC_AUTHORIZATION_FAILED", "NONE"]);
    expect(topics[1]).toMatchObject({
      topicConfigErrorCode: Errors.TOPIC_AUTHORIZATION_FAILED,
      numPartitions: -1,
      configs: [],
    });
  });

  test("says so when the metadata cannot be written, and the topic is not there", async () => {
    const { call, broker, log } = await metadataBroker();
    log.failure = "disk full";
    const { topics } = await call(createTopicsHandler, 7, { topics: [topic("t")] });
    expect(topics[0]).toMatchObject({
      errorCode: Errors.KAFKA_STORAGE_ERROR,
      errorMessage: "disk full",
    });
    log.failure = null;
    const again = await call(createTopicsHandler, 7, { topics: [topic("t")] });
    expect(again.topics[0]?.errorCode).toBe(Errors.NONE);
    expect(broker.metadata.topic("t")).toBeDefined();
  });

  test("two controllers on one log never make the same topic twice", async () => {
    const first = await metadataBroker();
    const second = await metadataBroker({}, first.log);
    const requests = [first, second, first, second].map(({ call }) =>
      call(createTopicsHandler, 7, { topics: [topic("t")] })
    );
    const codes = (await Promise.all(requests)).map(({ topics }) => topics[0]?.errorCode ?? -1);
    expect(codes.toSorted((a, b) => a - b).map(errorName)).toEqual([
      "NONE",
      ...Array.from({ length: 3 }, () => "TOPIC_ALREADY_EXISTS"),
    ]);
    expect(first.broker.metadata.topic("t")?.id).toBe(second.broker.metadata.topic("t")?.id ?? "");
  });
});

describe("DeleteTopics", () => {
  test("deletes by name and by id, at every version", async () => {
    const { call, broker } = await metadataBroker();
    for (let version = 1; version <= 6; version++) {
      await call(createTopicsHandler, 7, { topics: [topic("t")] });
      const id = broker.metadata.topic("t")?.id ?? "";
      const request = version < 6
        ? { topicNames: ["t"] }
        : { topics: [{ name: null, topicId: id }] };
      const { responses } = await call(deleteTopicsHandler, version, {
        ...request,
        timeoutMs: 1000,
      });
      expect(responses[0]).toMatchObject({ name: "t", errorCode: Errors.NONE });
      expect(broker.metadata.topic("t")).toBeUndefined();
    }
  });

  test("names what it does not find, and refuses what is asked twice", async () => {
    const { call, broker } = await metadataBroker();
    await call(createTopicsHandler, 7, { topics: [topic("t"), topic("u")] });
    const id = broker.metadata.topic("u")?.id ?? "";
    const { responses } = await call(deleteTopicsHandler, 6, {
      timeoutMs: 1000,
      topics: [
        { name: "missing", topicId: ZERO_UUID },
        { name: null, topicId: "0123456789012345678901" },
        { name: null, topicId: ZERO_UUID },
        { name: "u", topicId: id },
        { name: "t", topicId: ZERO_UUID },
        { name: "t", topicId: ZERO_UUID },
      ],
    });
    expect(responses.map(({ errorCode }) => errorName(errorCode))).toEqual([
      "UNKNOWN_TOPIC_OR_PARTITION",
      "UNKNOWN_TOPIC_ID",
      "INVALID_REQUEST",
      "INVALID_REQUEST",
      "INVALID_REQUEST",
    ]);
    expect(broker.metadata.image.topics.size).toBe(2);
  });

  test("a topic once by name and once by id stays, and is answered once, with both", async () => {
    const { call, broker } = await metadataBroker();
    await call(createTopicsHandler, 7, { topics: [topic("t")] });
    const topicId = broker.metadata.topic("t")?.id ?? "";
    const topics = [{ name: null, topicId }, { name: "t", topicId: ZERO_UUID }];
    const { responses } = await call(deleteTopicsHandler, 6, { timeoutMs: 1000, topics });
    expect(responses).toMatchObject([{ name: "t", topicId, errorCode: Errors.INVALID_REQUEST }]);
    expect(broker.metadata.topic("t")).toBeDefined();
  });

  test("what has both a name and an id counts for neither", async () => {
    const { call, broker } = await metadataBroker();
    await call(createTopicsHandler, 7, { topics: [topic("t")] });
    const topicId = broker.metadata.topic("t")?.id ?? "";
    const topics = [{ name: "t", topicId }, { name: null, topicId }];
    const { responses } = await call(deleteTopicsHandler, 6, { timeoutMs: 1000, topics });
    expect(responses.map(({ errorCode }) => errorName(errorCode)))
      .toEqual(["INVALID_REQUEST", "NONE"]);
    expect(broker.metadata.topic("t")).toBeUndefined();
  });

  test("can be switched off", async () => {
    const { call } = await metadataBroker({ "delete.topic.enable": "false" });
    await call(createTopicsHandler, 7, { topics: [topic("t")] });
    const at = async (version: number) =>
      (await call(deleteTopicsHandler, version, { topicNames: ["t"], timeoutMs: 1 })).responses[0];
    expect((await at(2))?.errorCode).toBe(Errors.INVALID_REQUEST);
    expect((await at(3))?.errorCode).toBe(Errors.TOPIC_DELETION_DISABLED);
  });

  test("does not tell the name behind an id to those who may not know it", async () => {
    const { call, broker } = await metadataBroker();
    await call(createTopicsHandler, 7, { topics: [topic("t")] });
    const topics = [{ name: null, topicId: broker.metadata.topic("t")?.id ?? "" }];
    const request = { topics, timeoutMs: 1000 };
    const blind = allowAllBut("DELETE TOPIC", "DESCRIBE TOPIC");
    const hidden = await call(deleteTopicsHandler, 6, request, blind);
    const code = Errors.TOPIC_AUTHORIZATION_FAILED;
    expect(hidden.responses[0]).toMatchObject({ name: null, errorCode: code });
    const denied = await call(deleteTopicsHandler, 6, request, allowAllBut("DELETE TOPIC"));
    expect(denied.responses[0]).toMatchObject({ name: "t", errorCode: code });
    expect(broker.metadata.topic("t")).toBeDefined();
  });
});

describe("CreatePartitions", () => {
  const grow = (count: number, assignments: { brokerIds: number[] }[] | null = null) => ({
    topics: [{ name: "t", count, assignments }],
    timeoutMs: 1000,
  });

  test("adds partitions, at every version", async () => {
    const { call, broker } = await metadataBroker();
    await call(createTopicsHandler, 7, { topics: [topic("t")] });
    for (let version = 0; version <= 3; version++) {
      const { results } = await call(createPartitionsHandler, version, grow(version + 2));
      expect(results[0]).toEqual({ name: "t", errorCode: Errors.NONE, errorMessage: null });
      expect(broker.metadata.topic("t")?.partitions).toHaveLength(version + 2);
    }
  });

  const refusals: [string, ReturnType<typeof grow>, keyof typeof Errors][] = [
    ["as many as there are", grow(3), "INVALID_PARTITIONS"],
    ["fewer than there are", grow(2), "INVALID_PARTITIONS"],
    ["far too many", grow(20_000), "INVALID_PARTITIONS"],
    ["assignments for some only", grow(5, [{ brokerIds: [1] }]), "INVALID_REPLICA_ASSIGNMENT"],
    ["an unknown broker", grow(4, [{ brokerIds: [9] }]), "INVALID_REPLICA_ASSIGNMENT"],
    ["other replication", grow(4, [{ brokerIds: [] }]), "INVALID_REPLICA_ASSIGNMENT"],
    [
      "an unknown topic",
      { topics: [{ name: "x", count: 9, assignments: null }], timeoutMs: 1000 },
      "UNKNOWN_TOPIC_OR_PARTITION",
    ],
  ];
  for (const [what, request, code] of refusals) {
    test(`refuses ${what} with ${code}`, async () => {
      const { call, broker } = await metadataBroker({ "num.partitions": "3" });
      await call(createTopicsHandler, 7, { topics: [topic("t")] });
      const { results } = await call(createPartitionsHandler, 3, request);
      expect(results.map(({ errorCode }) => errorName(errorCode))).toEqual([code]);
      expect(broker.metadata.topic("t")?.partitions).toHaveLength(3);
    });
  }

  test("refuses a topic that is named twice, and who may not", async () => {
    const { call } = await metadataBroker();
    await call(createTopicsHandler, 7, { topics: [topic("t")] });
    const [one] = grow(2).topics;
    if (one === undefined) throw new Error("no topic");
    const twice = await call(createPartitionsHandler, 3, { topics: [one, one], timeoutMs: 1 });
    expect(twice.results.map(({ errorCode }) => errorName(errorCode)))
      .toEqual(["INVALID_REQUEST"]);
    const denied = await call(createPartitionsHandler, 3, grow(2), allowAllBut("ALTER TOPIC"));
    expect(denied.results[0]?.errorCode).toBe(Errors.TOPIC_AUTHORIZATION_FAILED);
  });

  test("only validates if that is asked for", async () => {
    const { call, broker } = await metadataBroker();
    await call(createTopicsHandler, 7, { topics: [topic("t")] });
    const request = { ...grow(5), validateOnly: true };
    expect((await call(createPartitionsHandler, 3, request)).results[0]?.errorCode).toBe(0);
    expect(broker.metadata.topic("t")?.partitions).toHaveLength(1);
  });
});
