import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { errorName, Errors } from "../../core/errors.ts";
import { bunCodecs } from "../../core/compression/bun.ts";
import { recompress } from "../../core/records/recompress.ts";
import { produce } from "../../core/protocol/00-produce.ts";
import { metadata } from "../../core/protocol/03-metadata.ts";
import { ZERO_UUID } from "../../core/protocol/schema.ts";
import {
  BatchField,
  compressionId,
  crcMatches,
  setBaseOffset,
  updateCrc,
  writeInt32,
} from "../../core/records/batch-header.ts";
import { batch, DataTest, values } from "./data-path.test-helper.ts";

let t: DataTest;
beforeAll(async () => {
  t = await DataTest.start();
});
afterAll(() => t.stop());

/** Produces one batch and answers the partition's response. */
async function produceTo(
  topic: string,
  records: Uint8Array | null,
  options: { partition?: number; acks?: number; version?: number; topicId?: string } = {},
) {
  const { partition = 0, acks = -1, version = 12, topicId = ZERO_UUID } = options;
  const response = await t.connection.request(produce, {
    acks,
    timeoutMs: 10_000,
    topicData: [{ name: topic, topicId, partitionData: [{ index: partition, records }] }],
  }, { maxVersion: version });
  return response.responses[0].partitionResponses[0];
}

describe("produce", () => {
  for (let version = 3; version <= 13; version++) {
    test(`version ${version} appends, and the offset is the one that a fetch finds`, async () => {
      const name = `versions-${version}`;
      const topicId = await t.createTopic(name);
      const first = await produceTo(name, batch(["a", "b"]), { version, topicId });
      expect(first).toMatchObject({ errorCode: Errors.NONE, baseOffset: 0n, logAppendTimeMs: -1n });
      expect(first.logStartOffset).toBe(version >= 5 ? 0n : -1n);
      const second = await produceTo(name, batch(["c"]), { version, topicId, acks: 1 });
      expect(second).toMatchObject({ errorCode: Errors.NONE, baseOffset: 2n });
      expect(values(await t.fetchAll(name))).toEqual(["a", "b", "c"]);
    });
  }

  test("compression.type packs anew what comes in another codec", async () => {
    const words = Array.from({ length: 50 }, () => "the same words again and again");
    for (const [id, type] of ["uncompressed", "gzip", "snappy", "lz4", "zstd"].entries()) {
      const name = `compression-${type}`;
      await t.createTopic(name, { configs: { "compression.type": type } });
      expect(await produceTo(name, batch(words))).toMatchObject({ baseOffset: 0n });
      const stored = await t.fetchBytes(name);
      expect(compressionId(stored, 0)).toBe(id);
      expect(crcMatches(stored, 0)).toBe(true);
      expect(values(await t.fetchAll(name))).toEqual(words);
    }
  });

  test("a batch that grows beyond max.message.bytes is refused", async () => {
    const words = Array.from({ length: 50 }, () => "the same words again and again");
    const packed = recompress(batch(words), { type: "gzip", level: 9 }, bunCodecs);
    if (!packed.ok) throw new Error(packed.message);
    const configs = { "compression.type": "uncompressed", "max.message.bytes": "500" };
    await t.createTopic("grows", { configs });
    expect(packed.bytes.length).toBeLessThan(500);
    expect(await produceTo("grows", packed.bytes)).toMatchObject({
      errorCode: Errors.MESSAGE_TOO_LARGE,
    });
  });

  test("acks=0 has no answer, and keeps its place before what follows", async () => {
    await t.createTopic("acks-0");
    await t.connection.sendOneWay(produce, {
      acks: 0,
      timeoutMs: 1000,
      topicData: [{ name: "acks-0", partitionData: [{ index: 0, records: batch(["quiet"]) }] }],
    }, { maxVersion: 12 });
    expect((await produceTo("acks-0", batch(["loud"]))).baseOffset).toBe(1n);
    expect(values(await t.fetchAll("acks-0"))).toEqual(["quiet", "loud"]);
  });

  test("acks=0 that fails closes the connection", async () => {
    const connection = await t.connect();
    const closed = new Promise<void>((resolve) => connection.onClose(() => resolve()));
    await connection.sendOneWay(produce, {
      acks: 0,
      timeoutMs: 1000,
      topicData: [{ name: "no-such", partitionData: [{ index: 0, records: batch(["x"]) }] }],
    }, { maxVersion: 12 });
    await closed;
  });

  test("a request that makes the files of many partitions comes before what follows it", async () => {
    const partitions = 1200;
    await t.createTopic("many", { partitions });
    const other = await t.connect();
    const all = t.connection.request(produce, {
      acks: 1,
      timeoutMs: 10_000,
      topicData: [{
        name: "many",
        partitionData: Array.from({ length: partitions }, (_, index) => ({
          index,
          records: batch(["first"]),
        })),
      }],
    }, { maxVersion: 12 });
    const last = produceTo("many", batch(["second"]), { partition: partitions - 1, acks: 1 });
    // Others are served meanwhile.
    const order: string[] = [];
    await Promise.all([
      all.then(() => order.push("all")),
      other.request(metadata, { topics: [] }, {}).then(() => order.push("other")),
    ]);
    expect(order).toEqual(["other", "all"]);
    const { partitionResponses } = (await all).responses[0];
    expect(partitionResponses.map(({ baseOffset }) => baseOffset)).toEqual(
      Array.from({ length: partitions }, () => 0n),
    );
    expect((await last).baseOffset).toBe(1n);
    other.close();
  });

  test("pipelined requests are appended in the order in which they were sent", async () => {
    await t.createTopic("pipelined");
    const wanted = Array.from({ length: 200 }, (_, i) => `value ${i}`);
    const answers = await Promise.all(
      wanted.map((value, i) =>
        produceTo("pipelined", batch([value]), { acks: i % 3 === 0 ? 1 : -1 })
      ),
    );
    expect(answers.map((answer) => Number(answer.baseOffset))).toEqual(wanted.map((_, i) => i));
    expect(values(await t.fetchAll("pipelined"))).toEqual(wanted);
  });

  test("log append time is told, and is in the records", async () => {
    await t.createTopic("append-time", { configs: { "message.timestamp.type": "LogAppendTime" } });
    const answer = await produceTo("append-time", batch(["x"], { timestampMs: 5 }));
    expect(answer.errorCode).toBe(Errors.NONE);
    expect(answer.logAppendTimeMs).toBeGreaterThan(1_600_000_000_000n);
    const [record] = await t.fetchAll("append-time");
    expect(BigInt(record.timestampMs)).toBe(answer.logAppendTimeMs);
  });
});

describe("what produce refuses", () => {
  beforeAll(async () => {
    await t.createTopic("refusing", { partitions: 2, configs: { "max.message.bytes": "1000" } });
    await t.createTopic("compacted", { configs: { "cleanup.policy": "compact" } });
  });

  const twoBatches = () => Buffer.concat([batch(["a"]), batch(["b"])]);
  const badCrc = () => {
    const bytes = batch(["a"]);
    bytes[bytes.length - 1] ^= 1;
    return bytes;
  };
  const wrongCount = () => {
    const bytes = batch(["a"]);
    writeInt32(bytes, BatchField.recordsCount, 2);
    updateCrc(bytes, 0);
    return bytes;
  };
  const baseOffsetSet = () => {
    const bytes = batch(["a"]);
    setBaseOffset(bytes, 0, 7);
    return bytes;
  };
  const control = () => batch(["a"], { options: { control: true } });
  const noSequence = () => batch(["a"], { options: { producerId: 9, producerEpoch: 0 } });
  const gap = () => batch(["a"], { options: { producerId: 8, producerEpoch: 0, baseSequence: 5 } });
  const transactional = () =>
    batch(["a"], {
      options: { producerId: 9, producerEpoch: 0, baseSequence: 0, transactional: true },
    });
  const future = () => batch(["a"], { timestampMs: Date.UTC(2200, 0) });
  const fresh = () => batch(["a"]);

  const cases: [string, string, () => Uint8Array | null, object, string][] = [
    ["an unknown topic", "none", fresh, {}, "UNKNOWN_TOPIC_OR_PARTITION"],
    [
      "a partition beyond the last",
      "refusing",
      fresh,
      { partition: 2 },
      "UNKNOWN_TOPIC_OR_PARTITION",
    ],
    ["a negative partition", "refusing", fresh, { partition: -1 }, "UNKNOWN_TOPIC_OR_PARTITION"],
    [
      "an unknown topic id",
      "",
      fresh,
      { version: 13, topicId: "x".repeat(21) + "A" },
      "UNKNOWN_TOPIC_ID",
    ],
    ["no topic id", "", fresh, { version: 13 }, "UNKNOWN_TOPIC_ID"],
    ["acks 2", "refusing", fresh, { acks: 2 }, "INVALID_REQUIRED_ACKS"],
    ["acks -2", "refusing", fresh, { acks: -2 }, "INVALID_REQUIRED_ACKS"],
    ["an internal topic", "__consumer_offsets", fresh, {}, "INVALID_TOPIC_EXCEPTION"],
    ["no records", "refusing", () => null, {}, "INVALID_RECORD"],
    ["empty records", "refusing", () => new Uint8Array(0), {}, "INVALID_RECORD"],
    ["two batches", "refusing", twoBatches, {}, "INVALID_RECORD"],
    ["a base offset", "refusing", baseOffsetSet, {}, "INVALID_RECORD"],
    ["a wrong count", "refusing", wrongCount, {}, "INVALID_RECORD"],
    ["a control batch", "refusing", control, {}, "INVALID_RECORD"],
    ["a producer id without a sequence", "refusing", noSequence, {}, "INVALID_RECORD"],
    ["a flipped bit", "refusing", badCrc, {}, "CORRUPT_MESSAGE"],
    [
      "more than max.message.bytes",
      "refusing",
      () => batch(["x".repeat(1000)]),
      {},
      "MESSAGE_TOO_LARGE",
    ],
    ["a timestamp far in the future", "refusing", future, {}, "INVALID_TIMESTAMP"],
    [
      "a transactional batch without an id",
      "refusing",
      transactional,
      {},
      "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
    ],
    ["a record without a key in a compacted topic", "compacted", fresh, {}, "INVALID_RECORD"],
    [
      "zstd before version 7",
      "refusing",
      () => zstdLabelled(),
      { version: 6 },
      "UNSUPPORTED_COMPRESSION_TYPE",
    ],
  ];
  for (const [what, topic, records, options, error] of cases) {
    test(`${what}: ${error}`, async () => {
      if (topic === "__consumer_offsets") await t.createInternalTopics();
      const answer = await produceTo(topic, records(), options);
      expect(errorName(answer.errorCode)).toBe(error);
      expect(answer.baseOffset).toBe(-1n);
    });
  }

  test("a sequence that does not follow: OUT_OF_ORDER_SEQUENCE_NUMBER", async () => {
    const first = batch(["a"], { options: { producerId: 8, producerEpoch: 0, baseSequence: 0 } });
    expect((await produceTo("refusing", first, { partition: 1 })).errorCode).toBe(Errors.NONE);
    const answer = await produceTo("refusing", gap(), { partition: 1 });
    expect(errorName(answer.errorCode)).toBe("OUT_OF_ORDER_SEQUENCE_NUMBER");
  });

  test("the records that are at fault are named", async () => {
    const answer = await produceTo("compacted", batch(["a", "b"]));
    expect(answer.errorCode).toBe(Errors.INVALID_RECORD);
    expect(answer.recordErrors.map((error) => error.batchIndex)).toEqual([0, 1]);
    expect(answer.errorMessage).not.toBeNull();
  });

  test("a partition that is named twice is refused each time, and the others are written", async () => {
    await t.createTopic("twice", { partitions: 2 });
    const response = await t.connection.request(produce, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{
        name: "twice",
        partitionData: [0, 1, 0].map((index) => ({ index, records: batch(["x"]) })),
      }],
    }, { maxVersion: 12 });
    const codes = response.responses[0].partitionResponses.map(({ errorCode }) => errorCode);
    expect(codes).toEqual([Errors.INVALID_REQUEST, Errors.NONE, Errors.INVALID_REQUEST]);
  });

  test("nothing that was refused is in the log", async () => {
    expect(await t.fetchAll("refusing")).toEqual([]);
  });
});

/** A batch that says it is zstd; what is in it does not matter before version 7. */
function zstdLabelled(): Uint8Array {
  const bytes = batch(["a"]);
  bytes[BatchField.attributes + 1] |= 4;
  updateCrc(bytes, 0);
  return bytes;
}

describe("idempotence", () => {
  test("a retry is answered with the first offset, also after a restart", async () => {
    const own = await DataTest.start();
    try {
      await own.createTopic("once");
      const send = async (baseSequence: number) => {
        const options = { producerId: 1000, producerEpoch: 0, baseSequence };
        const response = await own.connection.request(produce, {
          acks: -1,
          timeoutMs: 10_000,
          topicData: [{
            name: "once",
            partitionData: [{ index: 0, records: batch(["a", "b"], { options }) }],
          }],
        }, { maxVersion: 12 });
        const { errorCode, baseOffset } = response.responses[0].partitionResponses[0];
        return [errorName(errorCode), baseOffset];
      };
      expect(await send(0)).toEqual(["NONE", 0n]);
      expect(await send(2)).toEqual(["NONE", 2n]);
      expect(await send(0)).toEqual(["NONE", 0n]);
      await own.restart();
      expect(await send(2)).toEqual(["NONE", 2n]);
      expect(await send(4)).toEqual(["NONE", 4n]);
      expect(await own.fetchAll("once")).toHaveLength(6);
    } finally {
      await own.stop();
    }
  });
});
