/** What topic configs do, seen by a client and in the files. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Errors } from "../../core/errors.ts";
import { produce } from "../../core/protocol/00-produce.ts";
import { batch, DataTest } from "./data-path.test-helper.ts";

let t: DataTest;
beforeAll(async () => {
  t = await DataTest.start();
});
afterAll(() => t.stop());

/** Three batches of 600 kB; how many segments they lie in. */
async function segmentsWith(topic: string, configs: Record<string, string>): Promise<number> {
  await t.createTopic(topic, { configs });
  for (const letter of ["a", "b", "c"]) {
    expect(await send(topic, batch([letter.repeat(600_000)]))).toBe(Errors.NONE);
  }
  return t.fileNames(topic).filter((name) => name.endsWith(".log")).length;
}

async function send(topic: string, records: Uint8Array, acks = -1): Promise<number> {
  const { responses } = await t.connection.request(produce, {
    acks,
    timeoutMs: 10_000,
    topicData: [{ name: topic, partitionData: [{ index: 0, records }] }],
  }, { maxVersion: 12 });
  return responses[0]?.partitionResponses[0]?.errorCode ?? -1;
}

const SEGMENTS: readonly [Record<string, string>, number][] = [
  [{}, 1],
  [{ "segment.bytes": "1048576" }, 3],
  // Entries of the time index have 12 bytes: full with the first, that of the second batch.
  [{ "segment.index.bytes": "12", "index.interval.bytes": "0" }, 2],
  [{ "segment.index.bytes": "12", "index.interval.bytes": "1000000" }, 1],
  [{ "preallocate": "true", "segment.bytes": "1048576" }, 3],
  [{ "flush.messages": "1", "kstream.durability": "os" }, 1],
  [{ "flush.ms": "0", "kstream.durability": "os" }, 1],
];

for (const [index, [configs, segments]] of SEGMENTS.entries()) {
  test(`${JSON.stringify(configs)}: three batches lie in ${segments} segments`, async () => {
    expect(await segmentsWith(`segments-${index}`, configs)).toBe(segments);
  });
}

test("segment.ms rolls by the time of the records", async () => {
  await t.createTopic("old", { configs: { "segment.ms": "1", "retention.ms": "-1" } });
  for (const ageMs of [5000, 1000]) {
    const records = batch(["a"], { timestampMs: Date.now() - ageMs });
    expect(await send("old", records)).toBe(Errors.NONE);
  }
  expect(t.fileNames("old").filter((name) => name.endsWith(".log"))).toHaveLength(2);
});

test("min.insync.replicas counts for no more than the replicas that there are", async () => {
  // Kafka's `Partition.effectiveMinIsr`.
  await t.createTopic("isr", { configs: { "min.insync.replicas": "3" } });
  for (const acks of [-1, 1]) expect(await send("isr", batch(["a"]), acks)).toBe(Errors.NONE);
});
