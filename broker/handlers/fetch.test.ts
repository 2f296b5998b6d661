import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { errorName, Errors } from "../../core/errors.ts";
import { produce } from "../../core/protocol/00-produce.ts";
import { fetch } from "../../core/protocol/01-fetch.ts";
import { decodeResponse, decodeResponseHeader } from "../../core/protocol/codec.ts";
import { deleteTopics } from "../../core/protocol/20-delete-topics.ts";
import { deleteRecords } from "../../core/protocol/21-delete-records.ts";
import type { EncodableRequest, ResponseOf } from "../../core/protocol/schema.ts";
import { baseOffset, forEachBatch } from "../../core/records/batch-header.ts";
import { RawClient } from "../../tests/harness/raw-client.ts";
import { batch, DataTest, decodeValues } from "./data-path.test-helper.ts";

let t: DataTest;
beforeAll(async () => {
  t = await DataTest.start();
});
afterAll(() => t.stop());

interface Wanted {
  topic: string;
  topicId?: string;
  partition?: number;
  fetchOffset?: bigint;
  partitionMaxBytes?: number;
  currentLeaderEpoch?: number;
  lastFetchedEpoch?: number;
}

type Overrides = EncodableRequest<typeof fetch> & { version?: number };

/** A fetch of these partitions that does not wait, unless `overrides` say so. */
async function fetchOf(
  wanted: readonly Wanted[],
  overrides: Overrides = {},
  connection = t.connection,
): Promise<ResponseOf<typeof fetch>> {
  const { version = 12, ...rest } = overrides;
  return await connection.request(fetch, {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 50_000_000,
    topics: wanted.map(({ topic, topicId, partition = 0, fetchOffset = 0n, ...others }) => ({
      topic,
      ...(topicId === undefined ? {} : { topicId }),
      partitions: [{ partition, fetchOffset, partitionMaxBytes: 1_000_000, ...others }],
    })),
    ...rest,
  }, { maxVersion: version });
}

async function produceTo(topic: string, records: Uint8Array, partition = 0): Promise<void> {
  const response = await t.connection.request(produce, {
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ name: topic, partitionData: [{ index: partition, records }] }],
  }, { maxVersion: 12 });
  expect(response.responses[0].partitionResponses[0].errorCode).toBe(Errors.NONE);
}

function only(response: ResponseOf<typeof fetch>) {
  expect(response.responses).toHaveLength(1);
  expect(response.responses[0].partitions).toHaveLength(1);
  return response.responses[0].partitions[0];
}

/** Base offsets of the batches in a partition's response. */
function bases(records: Uint8Array | null): number[] {
  const found: number[] = [];
  if (records !== null) {
    forEachBatch(records, (at) => void found.push(baseOffset(records, at)));
  }
  return found;
}

describe("fetch", () => {
  for (let version = 4; version <= 18; version++) {
    test(`version ${version} gives the records and the watermarks`, async () => {
      const topic = `fetch-v${version}`;
      const topicId = await t.createTopic(topic);
      await produceTo(topic, batch(["a", "b"]));
      const partition = only(await fetchOf([{ topic, topicId }], { version }));
      expect(partition).toMatchObject({
        errorCode: Errors.NONE,
        highWatermark: 2n,
        lastStableOffset: 2n,
        logStartOffset: version >= 5 ? 0n : -1n,
        abortedTransactions: null,
        preferredReadReplica: -1,
      });
      expect(decodeValues(partition.records)).toEqual(["a", "b"]);
    });
  }

  test("an offset inside a batch returns that batch", async () => {
    await t.createTopic("inside");
    await produceTo("inside", batch(["a", "b", "c"]));
    await produceTo("inside", batch(["d"]));
    expect(bases(only(await fetchOf([{ topic: "inside", fetchOffset: 1n }])).records)).toEqual([
      0,
      3,
    ]);
    expect(bases(only(await fetchOf([{ topic: "inside", fetchOffset: 2n }])).records)).toEqual([
      0,
      3,
    ]);
    expect(bases(only(await fetchOf([{ topic: "inside", fetchOffset: 3n }])).records)).toEqual([3]);
  });

  test("the first batch comes whole, however small the bounds; the others keep to them", async () => {
    await t.createTopic("bounds", { partitions: 2 });
    for (const partition of [0, 1]) {
      for (let i = 0; i < 3; i++) {
        await produceTo("bounds", batch(["x".repeat(1000)]), partition);
      }
    }
    const wanted = [0, 1].map((partition) => ({ topic: "bounds", partition }));
    const batchesPerPartition = async (overrides: Overrides, partitionMaxBytes = 1_000_000) => {
      const list = wanted.map((one) => ({ ...one, partitionMaxBytes }));
      const { responses } = await fetchOf(list, overrides);
      return responses.flatMap(({ partitions }) => partitions.map((p) => bases(p.records).length));
    };
    expect(await batchesPerPartition({ maxBytes: 1 })).toEqual([1, 0]);
    expect(await batchesPerPartition({ maxBytes: 0 })).toEqual([1, 0]);
    expect(await batchesPerPartition({ maxBytes: 5000 })).toEqual([3, 1]);
    expect(await batchesPerPartition({}, 2500)).toEqual([2, 2]);
    expect(await batchesPerPartition({}, 10)).toEqual([1, 0]);
  });

  test("batches come byte for byte as the producer built them, but for offset and epoch", async () => {
    await t.createTopic("bytes");
    await produceTo("bytes", batch(["first"]));
    const sent = batch(["second"]);
    const original = sent.slice();
    await produceTo("bytes", sent);
    const got = only(await fetchOf([{ topic: "bytes", fetchOffset: 1n }])).records;
    expect(got?.subarray(16)).toEqual(original.subarray(16));
  });

  test("read_committed sees the same, with a list of aborted transactions", async () => {
    await t.createTopic("committed");
    await produceTo("committed", batch(["a"]));
    const partition = only(await fetchOf([{ topic: "committed" }], { isolationLevel: 1 }));
    expect(partition.abortedTransactions).toEqual([]);
    expect(decodeValues(partition.records)).toEqual(["a"]);
  });
});

describe("what fetch refuses", () => {
  let topicId: string;
  beforeAll(async () => {
    topicId = await t.createTopic("refuse");
    await produceTo("refuse", batch(["a", "b"]));
  });

  const cases: [string, Partial<Wanted>, Overrides, string][] = [
    ["an unknown topic", { topic: "none" }, {}, "UNKNOWN_TOPIC_OR_PARTITION"],
    ["a partition beyond the last", { partition: 1 }, {}, "UNKNOWN_TOPIC_OR_PARTITION"],
    ["an unknown topic id", { topicId: "x".repeat(21) + "A" }, { version: 13 }, "UNKNOWN_TOPIC_ID"],
    ["an offset past the end", { fetchOffset: 3n }, {}, "OFFSET_OUT_OF_RANGE"],
    ["a negative offset", { fetchOffset: -1n }, {}, "OFFSET_OUT_OF_RANGE"],
    ["an offset beyond 2^53", { fetchOffset: 0x7fff_ffff_ffff_ffffn }, {}, "OFFSET_OUT_OF_RANGE"],
    ["a leader epoch to come", { currentLeaderEpoch: 99 }, {}, "UNKNOWN_LEADER_EPOCH"],
    ["a request of a replica", {}, { replicaId: 5, version: 12 }, "NOT_LEADER_OR_FOLLOWER"],
    ["a request of a replica, v15", {}, {
      replicaState: { replicaId: 5, replicaEpoch: 1n },
      version: 15,
    }, "NOT_LEADER_OR_FOLLOWER"],
  ];
  for (const [what, wanted, overrides, error] of cases) {
    test(`${what}: ${error}, at once`, async () => {
      const all = { topic: "refuse", topicId, ...wanted };
      const partition = only(await fetchOf([all], { maxWaitMs: 600_000, ...overrides }));
      expect(errorName(partition.errorCode)).toBe(error);
      expect(partition).toMatchObject({ highWatermark: -1n, lastStableOffset: -1n });
      expect(partition.records?.length).toBe(0);
    });
  }

  test("the end of the log is no error", async () => {
    const partition = only(await fetchOf([{ topic: "refuse", fetchOffset: 2n }]));
    expect(partition).toMatchObject({ errorCode: Errors.NONE, highWatermark: 2n });
  });

  test("offsets before the start of the log: OFFSET_OUT_OF_RANGE", async () => {
    await t.createTopic("trimmed");
    await produceTo("trimmed", batch(["a", "b", "c"]));
    await t.connection.request(deleteRecords, {
      timeoutMs: 1000,
      topics: [{ name: "trimmed", partitions: [{ partitionIndex: 0, offset: 2n }] }],
    });
    const before = only(await fetchOf([{ topic: "trimmed", fetchOffset: 1n }]));
    expect(errorName(before.errorCode)).toBe("OFFSET_OUT_OF_RANGE");
    const after = only(await fetchOf([{ topic: "trimmed", fetchOffset: 2n }]));
    expect(after).toMatchObject({ errorCode: Errors.NONE, logStartOffset: 2n });
  });

  test("a position behind the end of its epoch is told where the logs part", async () => {
    await t.createTopic("diverging");
    await produceTo("diverging", batch(["a"]));
    const same = only(
      await fetchOf([{ topic: "diverging", fetchOffset: 1n, lastFetchedEpoch: 0 }]),
    );
    expect(same.divergingEpoch).toMatchObject({ epoch: -1, endOffset: -1n });
    const parted = only(
      await fetchOf([{ topic: "diverging", fetchOffset: 5n, lastFetchedEpoch: 0 }], {
        maxWaitMs: 600_000,
      }),
    );
    expect(parted).toMatchObject({
      errorCode: Errors.NONE,
      divergingEpoch: { epoch: 0, endOffset: 1n },
    });
  });
});

describe("waiting for records", () => {
  test("a fetch at the end is answered as soon as something is produced", async () => {
    await t.createTopic("wakes");
    const connection = await t.connect();
    const waiting = fetchOf([{ topic: "wakes" }], { maxWaitMs: 600_000 }, connection);
    await t.roundTrip();
    await produceTo("wakes", batch(["news"]));
    expect(decodeValues(only(await waiting).records)).toEqual(["news"]);
    connection.close();
  });

  test("it waits until there are as many bytes as it asked for", async () => {
    await t.createTopic("fills", { partitions: 2 });
    const connection = await t.connect();
    const wanted = [0, 1].map((partition) => ({ topic: "fills", partition }));
    const overrides = { maxWaitMs: 600_000, minBytes: 2500 };
    let answered = false;
    const waiting = fetchOf(wanted, overrides, connection).finally(() => answered = true);
    await produceTo("fills", batch(["x".repeat(1000)]), 0);
    await produceTo("fills", batch(["x".repeat(1000)]), 1);
    await t.roundTrip();
    expect(answered).toBe(false);
    await produceTo("fills", batch(["x".repeat(1000)]), 0);
    const { responses } = await waiting;
    const counts = responses.flatMap(({ partitions }) =>
      partitions.map((p) => bases(p.records).length)
    );
    expect(counts).toEqual([2, 1]);
    connection.close();
  });

  test("at its deadline it is answered with nothing", async () => {
    await t.createTopic("quiet");
    const partition = only(await fetchOf([{ topic: "quiet" }], { maxWaitMs: 5 }));
    expect(partition).toMatchObject({ errorCode: Errors.NONE, highWatermark: 0n });
    expect(partition.records?.length).toBe(0);
  });

  test("the deletion of its topic ends it", async () => {
    const topicId = await t.createTopic("deleted");
    const byName = await t.connect();
    const byId = await t.connect();
    const wanted = [{ topic: "deleted", topicId }];
    const names = fetchOf(wanted, { maxWaitMs: 600_000 }, byName);
    const ids = fetchOf(wanted, { maxWaitMs: 600_000, version: 13 }, byId);
    await t.roundTrip();
    await t.connection.request(deleteTopics, { topicNames: ["deleted"], timeoutMs: 5000 }, {
      maxVersion: 5,
    });
    expect(errorName(only(await names).errorCode)).toBe("UNKNOWN_TOPIC_OR_PARTITION");
    expect(errorName(only(await ids).errorCode)).toBe("UNKNOWN_TOPIC_ID");
    byName.close();
    byId.close();
  });

  test("the stop of the broker ends it", async () => {
    const own = await DataTest.start();
    await own.createTopic("stopping");
    const connection = await own.connect();
    const waiting = fetchOf([{ topic: "stopping" }], { maxWaitMs: 600_000 }, connection);
    await own.roundTrip();
    const stopped = own.stop();
    expect(only(await waiting).errorCode).toBe(Errors.NONE);
    await stopped;
  });
});

describe("fetch sessions on the wire", () => {
  test("later responses carry only what is new", async () => {
    const topicId = await t.createTopic("session", { partitions: 3 });
    const wanted = [0, 1, 2].map((partition) => ({ topic: "session", topicId, partition }));
    const version = 13;
    const first = await fetchOf(wanted, { version, sessionId: 0, sessionEpoch: 0 });
    const { sessionId } = first;
    expect(sessionId).toBeGreaterThan(0);
    expect(first.responses.flatMap(({ partitions }) => partitions)).toHaveLength(3);

    const idle = await fetchOf([], { version, sessionId, sessionEpoch: 1, maxWaitMs: 1 });
    expect(idle).toMatchObject({ errorCode: Errors.NONE, sessionId, responses: [] });

    await produceTo("session", batch(["x"]), 1);
    const news = await fetchOf([], { version, sessionId, sessionEpoch: 2 });
    expect(only(news)).toMatchObject({ partitionIndex: 1, highWatermark: 1n });
    expect(decodeValues(only(news).records)).toEqual(["x"]);

    const moved = { topic: "session", topicId, partition: 1, fetchOffset: 1n };
    const after = await fetchOf([moved], { version, sessionId, sessionEpoch: 3 });
    expect(after.responses).toEqual([]);

    const skipped = await fetchOf([], { version, sessionId, sessionEpoch: 5 });
    expect(errorName(skipped.errorCode)).toBe("INVALID_FETCH_SESSION_EPOCH");
    const otherNames = await fetchOf([], { version: 12, sessionId, sessionEpoch: 4 });
    expect(errorName(otherNames.errorCode)).toBe("FETCH_SESSION_TOPIC_ID_ERROR");
    const unknown = await fetchOf([], { version, sessionId: sessionId + 1, sessionEpoch: 1 });
    expect(errorName(unknown.errorCode)).toBe("FETCH_SESSION_ID_NOT_FOUND");
  });

  test("a busy partition does not starve the others", async () => {
    const topicId = await t.createTopic("fair", { partitions: 2 });
    for (const partition of [0, 1]) await produceTo("fair", batch(["x".repeat(1000)]), partition);
    const wanted = [0, 1].map((partition) => ({ topic: "fair", topicId, partition }));
    const first = await fetchOf(wanted, { version: 13, sessionEpoch: 0, maxBytes: 1 });
    const { sessionId } = first;
    const served: number[] = [];
    for (let sessionEpoch = 1; sessionEpoch <= 4; sessionEpoch++) {
      const next = await fetchOf([], { version: 13, sessionId, sessionEpoch, maxBytes: 1 });
      for (const { partitions } of next.responses) {
        for (const { partitionIndex, records } of partitions) {
          if ((records?.length ?? 0) > 0) served.push(partitionIndex);
        }
      }
    }
    expect(served).toEqual([0, 1, 0, 1]);
  });
});

describe("memory that is used again", () => {
  test("what waits for a slow reader is not written over by what others read", async () => {
    await t.createTopic("reused");
    const wanted: string[] = [];
    // More than the tails in memory and the system's socket buffers hold.
    for (let i = 0; i < 60; i++) {
      const value = `${i}:`.padEnd(1_000_000, String.fromCharCode(97 + i % 26));
      wanted.push(value);
      await produceTo("reused", batch([value]));
    }
    const request = (i: number) => ({
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 1,
      topics: [{
        topic: "reused",
        partitions: [{ partition: 0, fetchOffset: BigInt(i), partitionMaxBytes: 1 }],
      }],
    });
    const slow = await RawClient.connect(t.port);
    slow.socket.pause();
    for (let i = 0; i < 30; i++) slow.send(fetch, 12, request(i));
    for (let i = 0; i < wanted.length; i++) {
      const response = await t.connection.request(fetch, request(i), { maxVersion: 12 });
      expect(decodeValues(only(response).records)[0] === wanted[i]).toBe(true);
    }
    slow.socket.resume();
    for (let i = 0; i < 30; i++) {
      const frame = await slow.readFrame();
      if (frame === null) throw new Error("the broker closed the connection");
      const { bodyOffset } = decodeResponseHeader(fetch, 12, frame);
      const response = decodeResponse(fetch, 12, frame, bodyOffset);
      expect(decodeValues(only(response).records)[0] === wanted[i]).toBe(true);
    }
    slow.socket.destroy();
  });
});
