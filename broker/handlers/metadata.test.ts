/** Metadata, DescribeCluster, DescribeTopicPartitions, InitProducerId: through the handlers. */
import { describe, expect, test } from "bun:test";
import { errorName, Errors } from "../../core/errors.ts";
import { newPartition } from "../../cluster/controller/partition-change.ts";
import { topicRecords } from "../../cluster/metadata-image.ts";
import { AUTHORIZED_OPERATIONS_OMITTED } from "../authorizer.ts";
import {
  allowAllBut,
  type MetadataBroker,
  metadataBroker,
} from "../metadata-broker.test-helper.ts";
import { accept } from "../outcome.ts";
import { metadataHandler } from "./03-metadata.ts";
import { createTopicsHandler } from "./19-create-topics.ts";
import { initProducerIdHandler } from "./22-init-producer-id.ts";
import { describeClusterHandler } from "./60-describe-cluster.ts";
import { describeTopicPartitionsHandler } from "./75-describe-topic-partitions.ts";

async function withTopics(...names: string[]): Promise<MetadataBroker> {
  const subject = await metadataBroker({ "num.partitions": "3" });
  await subject.call(createTopicsHandler, 7, {
    topics: names.map((name) => ({ name, numPartitions: -1, replicationFactor: -1 })),
  });
  return subject;
}

describe("Metadata", () => {
  test("describes broker and topic at every version", async () => {
    const { call, broker } = await withTopics("t");
    for (let version = 0; version <= 13; version++) {
      const response = await call(metadataHandler, version, { topics: [{ name: "t" }] });
      expect(response.brokers).toEqual([{ nodeId: 1, host: "127.0.0.1", port: 9092, rack: null }]);
      expect(response.topics).toHaveLength(1);
      expect(response.topics[0]).toMatchObject({
        errorCode: Errors.NONE,
        name: "t",
        topicAuthorizedOperations: AUTHORIZED_OPERATIONS_OMITTED,
      });
      expect(response.topics[0]?.partitions.map((partition) => partition.leaderId))
        .toEqual([1, 1, 1]);
      if (version >= 1) expect(response.controllerId).toBe(1);
      if (version >= 2) expect(response.clusterId).toBe("test-cluster");
      if (version >= 7) expect(response.topics[0]?.partitions[0]?.leaderEpoch).toBe(0);
      if (version >= 10) {
        expect(response.topics[0]?.topicId).toBe(broker.metadata.topic("t")?.id ?? "");
      }
    }
  });

  test("names no leader whose address clients of the listener cannot be told", async () => {
    const { call, broker } = await withTopics();
    const other = {
      ...{ type: "broker", version: 1, brokerId: 2, incarnationId: "", epoch: 5 } as const,
      ...{ rack: null, host: "", features: [] },
    };
    const endpoint = { name: "ELSEWHERE", host: "10.0.0.2", port: 9092, securityProtocol: 0 };
    const here = { ...endpoint, name: "PLAINTEXT" };
    const partitions = [newPartition([2], () => true)];
    const topic = { name: "t", id: "AAAAAAAAAAAAAAAAAAAAEQ", partitions, configs: new Map() };
    const leaders = async (state: "active" | "fenced", endpoints: (typeof endpoint)[]) => {
      const registered = { ...other, state, endpoints };
      await broker.controller.change(1, (_, image = broker.metadata.image) => ({
        records: [registered, ...image.topics.has("t") ? [] : topicRecords(topic)],
        outcomes: [accept(null)],
      }));
      const { topics } = await call(metadataHandler, 13, { topics: [{ name: "t" }] });
      const described = await call(describeTopicPartitionsHandler, 0, { topics: [{ name: "t" }] });
      return [topics[0]?.partitions[0], described.topics[0]?.partitions[0]]
        .map((found) => `${found?.leaderId} ${errorName(found?.errorCode ?? 0)}`);
    };
    expect(await leaders("active", [here])).toEqual(["2 NONE", "2 NONE"]);
    expect(await leaders("active", [endpoint]))
      .toEqual(["-1 LISTENER_NOT_FOUND", "-1 LISTENER_NOT_FOUND"]);
    expect(await leaders("fenced", [here]))
      .toEqual(["-1 LEADER_NOT_AVAILABLE", "-1 LEADER_NOT_AVAILABLE"]);
  });

  test("lists all topics for null, in version 0 for an empty list, else none", async () => {
    const { call } = await withTopics("a", "b");
    const count = async (version: number, topics: [] | null) =>
      (await call(metadataHandler, version, { topics })).topics.length;
    expect(await count(0, [])).toBe(2);
    expect(await count(1, [])).toBe(0);
    expect(await count(1, null)).toBe(2);
    expect(await count(13, null)).toBe(2);
  });

  test("creates a topic where it may, once, for all who ask at the same time", async () => {
    const { call, broker } = await metadataBroker({ "num.partitions": "2" });
    const asks = Array.from(
      { length: 5 },
      () => call(metadataHandler, 9, { topics: [{ name: "new" }], allowAutoTopicCreation: true }),
    );
    for (const { topics } of await Promise.all(asks)) {
      expect(topics[0]).toMatchObject({ errorCode: Errors.NONE, name: "new" });
      expect(topics[0]?.partitions.map(({ leaderId }) => leaderId)).toEqual([1, 1]);
    }
    expect(broker.metadata.image.topics.size).toBe(1);
  });

  test("gives coordinators' topics what their records need", async () => {
    const { call, broker } = await metadataBroker();
    await call(metadataHandler, 9, { topics: [{ name: "__consumer_offsets" }] });
    const topic = broker.metadata.topic("__consumer_offsets");
    expect(topic?.partitions).toHaveLength(50);
    expect(topic?.configs.get("cleanup.policy")).toBe("compact");
  });

  test("says what keeps a topic from being created", async () => {
    const ask = { topics: [{ name: "new" }], allowAutoTopicCreation: true };
    const code = async (subject: MetadataBroker, request: typeof ask, ...denied: string[]) => {
      const { topics } = await subject.call(metadataHandler, 9, request, allowAllBut(...denied));
      return errorName(topics[0]?.errorCode ?? 0);
    };
    const plain = await metadataBroker();
    const off = await metadataBroker({ "auto.create.topics.enable": "false" });
    const wide = await metadataBroker({ "default.replication.factor": "2" });
    expect(await code(plain, { ...ask, allowAutoTopicCreation: false }))
      .toBe("UNKNOWN_TOPIC_OR_PARTITION");
    expect(await code(off, ask)).toBe("UNKNOWN_TOPIC_OR_PARTITION");
    expect(await code(wide, ask)).toBe("INVALID_REPLICATION_FACTOR");
    expect(await code(plain, { ...ask, topics: [{ name: "a b" }] }))
      .toBe("INVALID_TOPIC_EXCEPTION");
    expect(await code(plain, ask, "DESCRIBE TOPIC")).toBe("TOPIC_AUTHORIZATION_FAILED");
    expect(await code(plain, ask, "CREATE TOPIC", "CREATE CLUSTER"))
      .toBe("TOPIC_AUTHORIZATION_FAILED");
    plain.log.failure = "disk full";
    expect(await code(plain, ask)).toBe("UNKNOWN_TOPIC_OR_PARTITION");
    expect(plain.broker.metadata.image.topics.size).toBe(0);
  });

  test("finds topics by id from version 12 on", async () => {
    const { call, broker } = await withTopics("t");
    const known = { name: null, topicId: broker.metadata.topic("t")?.id ?? "" };
    const unknown = { name: null, topicId: "0123456789012345678901" };
    const { topics } = await call(metadataHandler, 12, { topics: [known, unknown] });
    expect(topics.map(({ name, errorCode }) => [name, errorName(errorCode)]))
      .toEqual([["t", "NONE"], [null, "UNKNOWN_TOPIC_ID"]]);
    // Java's clients send the empty name beside an id; names beside ids do not count.
    const asJava = [{ ...known, name: "" }, { ...unknown, name: "t" }];
    const java = await call(metadataHandler, 13, { topics: asJava });
    expect(java.topics.map(({ name, errorCode }) => [name, errorName(errorCode)]))
      .toEqual([["t", "NONE"], [null, "UNKNOWN_TOPIC_ID"]]);
    const early = await call(metadataHandler, 11, { topics: [known] });
    expect(early.topics[0]?.errorCode).toBe(Errors.INVALID_REQUEST);
    const hidden = await call(
      metadataHandler,
      12,
      { topics: [known] },
      allowAllBut("DESCRIBE TOPIC"),
    );
    expect(hidden.topics[0]).toMatchObject({
      name: null,
      errorCode: Errors.TOPIC_AUTHORIZATION_FAILED,
    });
  });

  test("tells authorized operations only to who asks", async () => {
    const { call } = await withTopics("t");
    const response = await call(metadataHandler, 8, {
      topics: [{ name: "t" }],
      includeTopicAuthorizedOperations: true,
      includeClusterAuthorizedOperations: true,
    });
    expect(response.topics[0]?.topicAuthorizedOperations).toBeGreaterThan(0);
    expect(response.clusterAuthorizedOperations).toBeGreaterThan(0);
  });

  test("answers a topic that is named twice once", async () => {
    const { call } = await withTopics("t");
    const request = { topics: [{ name: "t" }, { name: "t" }] };
    expect((await call(metadataHandler, 9, request)).topics).toHaveLength(1);
  });
});

describe("DescribeCluster", () => {
  test("names this broker at every version", async () => {
    const { call } = await metadataBroker();
    for (let version = 0; version <= 2; version++) {
      expect(await call(describeClusterHandler, version, {})).toMatchObject({
        errorCode: Errors.NONE,
        clusterId: "test-cluster",
        controllerId: 1,
        brokers: [{ brokerId: 1, host: "127.0.0.1", port: 9092, isFenced: false }],
        clusterAuthorizedOperations: AUTHORIZED_OPERATIONS_OMITTED,
      });
    }
  });

  test("is no controller endpoint", async () => {
    const { call } = await metadataBroker();
    const code = async (endpointType: number) =>
      errorName((await call(describeClusterHandler, 1, { endpointType })).errorCode);
    expect(await code(2)).toBe("MISMATCHED_ENDPOINT_TYPE");
    expect(await code(3)).toBe("UNSUPPORTED_ENDPOINT_TYPE");
  });
});

describe("DescribeTopicPartitions", () => {
  test("pages through all topics, each partition once and in order", async () => {
    const { call } = await withTopics("c", "a", "b");
    for (let limit = 1; limit <= 10; limit++) {
      const seen: string[] = [];
      let cursor: { topicName: string; partitionIndex: number } | null = null;
      do {
        const response: Awaited<ReturnType<typeof page>> = await page(call, limit, cursor);
        let count = 0;
        for (const { name, partitions } of response.topics) {
          for (const { partitionIndex } of partitions) seen.push(`${name}-${partitionIndex}`);
          count += partitions.length;
        }
        expect(count).toBeLessThanOrEqual(limit);
        cursor = response.nextCursor;
      } while (cursor !== null);
      expect(seen).toEqual(["a", "b", "c"].flatMap((name) => [0, 1, 2].map((i) => `${name}-${i}`)));
    }
  });

  const page = (
    call: MetadataBroker["call"],
    responsePartitionLimit: number,
    cursor: { topicName: string; partitionIndex: number } | null,
  ) => call(describeTopicPartitionsHandler, 0, { responsePartitionLimit, cursor });

  test("says what is wrong with each topic", async () => {
    const { call } = await withTopics("t");
    const names = ["a b", "missing", "secret", "t"];
    const { topics } = await call(
      describeTopicPartitionsHandler,
      0,
      { topics: names.map((name) => ({ name })) },
      allowAllBut("DESCRIBE TOPIC secret"),
    );
    expect(topics.map(({ name, errorCode }) => [name, errorName(errorCode)])).toEqual([
      ["a b", "INVALID_TOPIC_EXCEPTION"],
      ["missing", "UNKNOWN_TOPIC_OR_PARTITION"],
      ["secret", "TOPIC_AUTHORIZATION_FAILED"],
      ["t", "NONE"],
    ]);
    const cursors = [{ topicName: "t", partitionIndex: -1 }, { topicName: "u", partitionIndex: 0 }];
    for (const cursor of cursors) {
      const request = { topics: [{ name: "t" }], cursor, responsePartitionLimit: 10 };
      const { topics } = await call(describeTopicPartitionsHandler, 0, request);
      expect(topics.map(({ errorCode }) => errorCode)).toEqual([Errors.INVALID_REQUEST]);
    }
  });
});

describe("InitProducerId", () => {
  const idempotent = { transactionalId: null, transactionTimeoutMs: 60_000 };

  test("never gives an id twice, across blocks, brokers' restarts and versions", async () => {
    const first = await metadataBroker();
    const ids = new Set<bigint>();
    for (let count = 0; count < 2500; count++) {
      const answer = await first.call(initProducerIdHandler, count % 6, idempotent);
      expect(answer).toMatchObject({ errorCode: Errors.NONE, producerEpoch: 0 });
      ids.add(answer.producerId);
    }
    const restarted = await metadataBroker({}, first.log);
    const asks = Array.from(
      { length: 1500 },
      () => restarted.call(initProducerIdHandler, 5, idempotent),
    );
    for (const { producerId } of await Promise.all(asks)) ids.add(producerId);
    expect(ids.size).toBe(4000);
  });

  test("refuses who may not", async () => {
    const { call, log } = await metadataBroker();
    const code = async (transactionalId: string | null, ...denied: string[]) => {
      const request = { ...idempotent, transactionalId };
      const answer = await call(initProducerIdHandler, 5, request, allowAllBut(...denied));
      return errorName(answer.errorCode);
    };
    expect(await code("tx", "WRITE TRANSACTIONAL_ID")).toBe(
      "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
    );
    expect(await code(null, "IDEMPOTENT_WRITE CLUSTER", "WRITE TOPIC"))
      .toBe("CLUSTER_AUTHORIZATION_FAILED");
    log.failure = "disk full";
    expect(await code(null)).toBe("KAFKA_STORAGE_ERROR");
    log.failure = null;
    expect(await code(null, "IDEMPOTENT_WRITE CLUSTER")).toBe("NONE");
  });
});
