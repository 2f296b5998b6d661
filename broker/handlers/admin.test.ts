/** The metadata APIs over loopback, on the log engine and across restarts. */
import { expect, test } from "bun:test";
import { errorName, Errors } from "../../core/errors.ts";
import { produce } from "../../core/protocol/00-produce.ts";
import { metadata } from "../../core/protocol/03-metadata.ts";
import { describeConfigs } from "../../core/protocol/32-describe-configs.ts";
import { alterReplicaLogDirs } from "../../core/protocol/34-alter-replica-log-dirs.ts";
import { describeLogDirs } from "../../core/protocol/35-describe-log-dirs.ts";
import { createPartitions } from "../../core/protocol/37-create-partitions.ts";
import { batch, DataTest } from "./data-path.test-helper.ts";

async function send(subject: DataTest, topicId: string, index: number): Promise<number> {
  const { responses } = await subject.connection.request(produce, {
    acks: -1,
    timeoutMs: 1000,
    topicData: [{ topicId, partitionData: [{ index, records: batch(["a", "b"]) }] }],
  });
  return responses[0]?.partitionResponses[0]?.errorCode ?? -1;
}

test("a topic that was asked for can be written at once, and is there after a restart", async () => {
  const subject = await DataTest.start();
  try {
    const asked = await subject.connection.request(metadata, { topics: [{ name: "new" }] });
    const [topic] = asked.topics;
    expect(topic).toMatchObject({ errorCode: Errors.NONE, name: "new" });
    expect(await send(subject, topic?.topicId ?? "", 0)).toBe(Errors.NONE);
    const grown = await subject.connection.request(createPartitions, {
      topics: [{ name: "new", count: 4, assignments: null }],
      timeoutMs: 1000,
    });
    expect(grown.results[0]?.errorCode).toBe(Errors.NONE);
    expect(await send(subject, topic?.topicId ?? "", 3)).toBe(Errors.NONE);

    await subject.restart();
    const again = await subject.connection.request(metadata, { topics: null });
    expect(again.topics.map(({ name, topicId }) => [name, topicId])).toEqual([
      ["new", topic?.topicId ?? ""],
    ]);
    expect(again.topics[0]?.partitions).toHaveLength(4);
    expect(again.clusterId).toBe(asked.clusterId);
    expect(again.brokers[0]?.host).toBe("127.0.0.1");
  } finally {
    await subject.stop();
  }
});

test("the log directory lists what was written, by topic and size", async () => {
  const subject = await DataTest.start();
  try {
    const topicId = await subject.createTopic("t", { partitions: 3 });
    await send(subject, topicId, 1);
    await subject.createTopic("idle");
    for (const topics of [null, [{ topic: "t", partitions: [0, 1, 1, 9] }]]) {
      const { errorCode, results } = await subject.connection.request(describeLogDirs, { topics });
      expect(errorCode).toBe(Errors.NONE);
      expect(results).toHaveLength(1);
      expect(results[0]).toMatchObject({ errorCode: Errors.NONE, logDir: "/data" });
      const written = (results[0]?.topics ?? []).map(({ name, partitions }) => [
        name,
        ...partitions.filter(({ partitionSize }) => partitionSize > 0n)
          .map(({ partitionIndex }) => partitionIndex),
      ]);
      expect(written).toContainEqual(["t", 1]);
      expect(written.map(([name]) => name)).not.toContain("__cluster_metadata");
    }
  } finally {
    await subject.stop();
  }
});

test("partitions are spread over several log directories", async () => {
  const subject = await DataTest.start(["/more"]);
  try {
    const topicId = await subject.createTopic("t", { partitions: 5 });
    for (let index = 0; index < 5; index++) await send(subject, topicId, index);
    for (const restarts of [false, true]) {
      if (restarts) await subject.restart();
      const { results } = await subject.connection.request(describeLogDirs, { topics: null });
      const counts = results.map(({ logDir, topics }) => [logDir, topics[0]?.partitions.length]);
      // The log of the metadata counts, too.
      expect(counts).toEqual([["/data", 2], ["/more", 3]]);
    }
  } finally {
    await subject.stop();
  }
});

test("a partition goes to another log directory when it is told to", async () => {
  const subject = await DataTest.start(["/more"]);
  try {
    const topicId = await subject.createTopic("t");
    for (let count = 0; count < 50; count++) await send(subject, topicId, 0);
    const move = async (path: string, name: string, partition: number) => {
      const { results } = await subject.connection.request(alterReplicaLogDirs, {
        dirs: [{ path, topics: [{ name, partitions: [partition] }] }],
      });
      const [result] = results;
      expect(result?.topicName).toBe(name);
      return errorName(result?.partitions[0]?.errorCode ?? -1);
    };
    expect(await move("/none", "t", 0)).toBe("LOG_DIR_NOT_FOUND");
    expect(await move("/data", "t", 1)).toBe("UNKNOWN_TOPIC_OR_PARTITION");
    expect(await move("/data", "none", 0)).toBe("UNKNOWN_TOPIC_OR_PARTITION");
    const places = async () => {
      const { results } = await subject.connection.request(describeLogDirs, { topics: null });
      return results.flatMap(({ logDir, topics }) =>
        topics.flatMap(({ name, partitions }) =>
          name !== "t" ? [] : partitions.map(({ isFutureKey }) => ({ logDir, isFutureKey }))
        )
      );
    };
    expect(await places()).toEqual([{ logDir: "/more", isFutureKey: false }]);
    for (const path of ["/data", "/more"]) {
      expect(await move(path, "t", 0)).toBe("NONE");
      // Moves go on beside the requests, which are answered all the time.
      for (let tries = 0; tries < 1000; tries++) {
        expect(await send(subject, topicId, 0)).toBe(Errors.NONE);
        const found = await places();
        if (found.length === 1 && found[0]?.logDir === path) break;
      }
      expect(await places()).toEqual([{ logDir: path, isFutureKey: false }]);
      expect(await move(path, "t", 0)).toBe("NONE");
    }
    const records = await subject.fetchAll("t");
    expect(records.length).toBeGreaterThanOrEqual(104);
    expect(records.map(({ offset }) => offset)).toEqual([...records.keys()]);
    await subject.restart();
    expect(await places()).toEqual([{ logDir: "/more", isFutureKey: false }]);
    expect(await subject.fetchAll("t")).toEqual(records);
  } finally {
    await subject.stop();
  }
});

test("a topic's configs are those of its creation, after a restart too", async () => {
  const subject = await DataTest.start();
  try {
    await subject.createTopic("t", { configs: { "retention.ms": "1234" } });
    await subject.restart();
    const { results } = await subject.connection.request(describeConfigs, {
      resources: [{ resourceType: 2, resourceName: "t", configurationKeys: ["retention.ms"] }],
    });
    expect(results[0]?.configs[0]).toMatchObject({ value: "1234", configSource: 1 });
  } finally {
    await subject.stop();
  }
});
