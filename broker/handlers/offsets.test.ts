import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { errorName, Errors } from "../../core/errors.ts";
import { produce } from "../../core/protocol/00-produce.ts";
import { listOffsets } from "../../core/protocol/02-list-offsets.ts";
import { deleteRecords } from "../../core/protocol/21-delete-records.ts";
import { offsetForLeaderEpoch } from "../../core/protocol/23-offset-for-leader-epoch.ts";
import { batch, DataTest, values } from "./data-path.test-helper.ts";

let t: DataTest;
beforeAll(async () => {
  t = await DataTest.start();
  await t.createTopic("times");
  for (const [i, timestampMs] of [1000, 3000, 2000].entries()) {
    await produceTo("times", batch([`a${i}`, `b${i}`], { timestampMs }));
  }
});
afterAll(() => t.stop());

async function produceTo(name: string, records: Uint8Array): Promise<void> {
  const response = await t.connection.request(produce, {
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ name, partitionData: [{ index: 0, records }] }],
  }, { maxVersion: 12 });
  expect(response.responses[0].partitionResponses[0].errorCode).toBe(Errors.NONE);
}

describe("list offsets", () => {
  async function list(
    timestamp: bigint,
    {
      name = "times",
      version = 11,
      partitionIndex = 0,
      currentLeaderEpoch = -1,
      isolationLevel = 0,
    } = {},
  ) {
    const response = await t.connection.request(listOffsets, {
      replicaId: -1,
      ...(version >= 2 ? { isolationLevel } : {}),
      topics: [{ name, partitions: [{ partitionIndex, currentLeaderEpoch, timestamp }] }],
    }, { maxVersion: version });
    return response.topics[0].partitions[0];
  }

  const found: [string, bigint, { offset: bigint; timestamp: bigint; leaderEpoch: number }][] = [
    ["latest", -1n, { offset: 6n, timestamp: -1n, leaderEpoch: 0 }],
    ["earliest", -2n, { offset: 0n, timestamp: -1n, leaderEpoch: 0 }],
    ["the largest timestamp", -3n, { offset: 2n, timestamp: 3000n, leaderEpoch: 0 }],
    ["earliest local", -4n, { offset: 0n, timestamp: -1n, leaderEpoch: 0 }],
    ["latest tiered", -5n, { offset: -1n, timestamp: -1n, leaderEpoch: -1 }],
    ["earliest pending upload", -6n, { offset: -1n, timestamp: -1n, leaderEpoch: -1 }],
    ["a time before all", 0n, { offset: 0n, timestamp: 1000n, leaderEpoch: 0 }],
    ["a time between", 1001n, { offset: 2n, timestamp: 3000n, leaderEpoch: 0 }],
    ["a time of a record", 3000n, { offset: 2n, timestamp: 3000n, leaderEpoch: 0 }],
    ["a time after all", 3001n, { offset: -1n, timestamp: -1n, leaderEpoch: -1 }],
    ["the end of time", 0x7fff_ffff_ffff_ffffn, { offset: -1n, timestamp: -1n, leaderEpoch: -1 }],
  ];
  for (const [what, timestamp, wanted] of found) {
    for (const isolationLevel of [0, 1]) {
      test(`${what}, isolation ${isolationLevel}`, async () => {
        expect(await list(timestamp, { isolationLevel }))
          .toMatchObject({ errorCode: Errors.NONE, ...wanted });
      });
    }
  }

  for (let version = 1; version <= 11; version++) {
    test(`version ${version} knows the special timestamps of its time, and no others`, async () => {
      const known: Record<number, number> = { 1: 1, 2: 1, 3: 7, 4: 8, 5: 9, 6: 11, 7: 99 };
      for (let timestamp = 1; timestamp <= 7; timestamp++) {
        const { errorCode } = await list(BigInt(-timestamp), { version });
        const wanted = version >= known[timestamp] ? Errors.NONE : Errors.UNSUPPORTED_VERSION;
        expect([timestamp, errorCode]).toEqual([timestamp, wanted]);
      }
    });
  }

  test("an unknown topic and an unknown partition: UNKNOWN_TOPIC_OR_PARTITION", async () => {
    for (const where of [{ name: "none" }, { partitionIndex: 1 }]) {
      expect(errorName((await list(-1n, where)).errorCode)).toBe("UNKNOWN_TOPIC_OR_PARTITION");
    }
  });

  test("a leader epoch to come: UNKNOWN_LEADER_EPOCH", async () => {
    const { errorCode } = await list(-1n, { currentLeaderEpoch: 7 });
    expect(errorName(errorCode)).toBe("UNKNOWN_LEADER_EPOCH");
  });

  test("a partition that is named twice: INVALID_REQUEST, once", async () => {
    const response = await t.connection.request(listOffsets, {
      topics: [{
        name: "times",
        partitions: [{ partitionIndex: 0, timestamp: -1n }, { partitionIndex: 0, timestamp: -2n }],
      }],
    });
    const codes = response.topics[0].partitions.map(({ errorCode }) => errorName(errorCode));
    expect(codes).toEqual(["INVALID_REQUEST"]);
  });

  test("an empty topic", async () => {
    await t.createTopic("empty");
    expect(await list(-1n, { name: "empty" })).toMatchObject({ errorCode: 0, offset: 0n });
    expect(await list(-2n, { name: "empty" })).toMatchObject({ offset: 0n, leaderEpoch: 0 });
    expect(await list(-3n, { name: "empty" })).toMatchObject({ errorCode: 0, offset: -1n });
    expect(await list(5n, { name: "empty" })).toMatchObject({ errorCode: 0, offset: -1n });
  });
});

describe("delete records", () => {
  beforeAll(async () => {
    await t.createTopic("trim");
    await produceTo("trim", batch(["a", "b", "c", "d"]));
    await t.createTopic("keys", { configs: { "cleanup.policy": "compact" } });
    await t.createTopic("both", { configs: { "cleanup.policy": "compact,delete" } });
  });

  async function remove(name: string, offset: bigint, partitionIndex = 0) {
    const response = await t.connection.request(deleteRecords, {
      timeoutMs: 5000,
      topics: [{ name, partitions: [{ partitionIndex, offset }] }],
    });
    const { errorCode, lowWatermark } = response.topics[0].partitions[0];
    return [errorName(errorCode), lowWatermark];
  }

  test("moves the start of the log, never back, and up to the high watermark", async () => {
    expect(await remove("trim", 2n)).toEqual(["NONE", 2n]);
    expect(await remove("trim", 1n)).toEqual(["NONE", 2n]);
    expect(await remove("trim", 5n)).toEqual(["OFFSET_OUT_OF_RANGE", -1n]);
    expect(await remove("trim", -2n)).toEqual(["OFFSET_OUT_OF_RANGE", -1n]);
    expect(await remove("trim", -1n)).toEqual(["NONE", 4n]);
    await produceTo("trim", batch(["e"]));
    await expect(t.fetchAll("trim")).rejects.toThrow("error 1");
  });

  test("is refused by name where it cannot be", async () => {
    expect(await remove("none", 0n)).toEqual(["UNKNOWN_TOPIC_OR_PARTITION", -1n]);
    expect(await remove("trim", 0n, 1)).toEqual(["UNKNOWN_TOPIC_OR_PARTITION", -1n]);
    expect(await remove("keys", 0n)).toEqual(["POLICY_VIOLATION", -1n]);
    expect(await remove("both", 0n)).toEqual(["NONE", 0n]);
    await t.createInternalTopics();
    expect(await remove("__consumer_offsets", 0n)).toEqual(["INVALID_TOPIC_EXCEPTION", -1n]);
  });

  test("a topic's cleanup policy can change", async () => {
    await t.setTopicConfig("both", "cleanup.policy", "compact");
    expect(await remove("both", 0n)).toEqual(["POLICY_VIOLATION", -1n]);
  });
});

describe("offset for leader epoch", () => {
  beforeAll(() => t.createTopic("blank"));

  for (let version = 2; version <= 4; version++) {
    test(`version ${version} gives the end of an epoch`, async () => {
      const ask = async (leaderEpoch: number, more: object = {}, topic = "times") => {
        const response = await t.connection.request(offsetForLeaderEpoch, {
          ...(version >= 3 ? { replicaId: -1 } : {}),
          topics: [{ topic, partitions: [{ partition: 0, leaderEpoch, ...more }] }],
        }, { maxVersion: version });
        const answer = response.topics[0].partitions[0];
        return [errorName(answer.errorCode), answer.leaderEpoch, answer.endOffset];
      };
      expect(await ask(0)).toEqual(["NONE", 0, 6n]);
      expect(await ask(3)).toEqual(["NONE", -1, -1n]);
      expect(await ask(0, { currentLeaderEpoch: 0 })).toEqual(["NONE", 0, 6n]);
      expect(await ask(0, { currentLeaderEpoch: 1 })).toEqual(["UNKNOWN_LEADER_EPOCH", -1, -1n]);
      expect(await ask(0, {}, "blank")).toEqual(["NONE", 0, 0n]);
      expect(await ask(0, {}, "none")).toEqual(["UNKNOWN_TOPIC_OR_PARTITION", -1, -1n]);
    });
  }
});

describe("a restart", () => {
  test("keeps records, start of the log and topics; a topic made again has nothing", async () => {
    const own = await DataTest.start();
    try {
      await own.createTopic("kept");
      for (const value of ["a", "b", "c"]) {
        await own.connection.request(produce, {
          acks: -1,
          timeoutMs: 5000,
          topicData: [{ name: "kept", partitionData: [{ index: 0, records: batch([value]) }] }],
        }, { maxVersion: 12 });
      }
      await own.restart();
      expect(values(await own.fetchAll("kept"))).toEqual(["a", "b", "c"]);
      await own.deleteTopic("kept");
      await own.createTopic("kept");
      expect(await own.fetchAll("kept")).toEqual([]);
      await own.restart();
      expect(await own.fetchAll("kept")).toEqual([]);
    } finally {
      await own.stop();
    }
  });
});
