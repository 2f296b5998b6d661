import { expect, test } from "bun:test";
import { NO_CODECS } from "../core/compression/codec.ts";
import { fetch } from "../core/protocol/01-fetch.ts";
import { listOffsets } from "../core/protocol/02-list-offsets.ts";
import { BatchBuilder } from "../core/records/batch-builder.ts";
import type { BatchOptions } from "../core/records/batch-builder.ts";
import { buildEndTxnMarker } from "../core/records/control-records.ts";
import {
  BATCH_HEADER_BYTES,
  BatchField,
  LOG_OVERHEAD_BYTES,
  setBaseOffset,
  updateCrc,
  writeInt32,
} from "../core/records/batch-header.ts";
import { CorruptRecordError } from "../core/records/corrupt-record-error.ts";
import { SimClock } from "../tests/sim/sim-clock.ts";
import { SimRandom } from "../tests/sim/sim-random.ts";
import { Consumer, FetchedChunk } from "./consumer.ts";
import type { ConsumerOptions } from "./consumer.ts";
import { OffsetOutOfRangeError, TimeoutError } from "./errors.ts";
import { FakeBroker } from "./fake-broker.test-helper.ts";

const encode = (text: string) => new TextEncoder().encode(text);

function batch(baseOffset: number, values: readonly string[], options: BatchOptions = {}) {
  const builder = new BatchBuilder({ baseOffset, ...options });
  for (const value of values) builder.append(0, null, encode(value));
  return builder.build();
}

function valuesOf(chunk: FetchedChunk | null): string[] {
  return chunk?.records().map(({ value }) => new TextDecoder().decode(value ?? undefined)) ?? [];
}

/** A broker with one partition of ten batches of ten records, from offset 100 on. */
function setUp(options: Partial<ConsumerOptions> = {}) {
  const clock = new SimClock(1_700_000_000_000);
  const broker = new FakeBroker(clock, { t: 1 });
  const offsets: number[] = [];
  const script = { error: () => 0 };
  broker.on(fetch, ({ topics }) => {
    const offset = Number(topics[0]?.partitions[0]?.fetchOffset);
    offsets.push(offset);
    const errorCode = script.error() || (offset < 100 || offset > 200 ? 1 : 0);
    const base = Math.floor(offset / 10) * 10;
    const values = Array.from({ length: 10 }, (_, i) => `value ${base + i}`);
    const records = errorCode !== 0 || offset >= 200 ? null : batch(base, values);
    return {
      responses: [{
        topic: "t",
        partitions: [{ partitionIndex: 0, errorCode, highWatermark: 200n, records }],
      }],
    };
  });
  broker.on(listOffsets, ({ topics }) => ({
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex, timestamp }) => ({
        partitionIndex,
        offset: timestamp === -2n ? 100n : 200n,
      })),
    })),
  }));
  const io = { clock, random: new SimRandom(1), network: broker };
  const consumer = new Consumer(io, { brokers: [broker.address], ...options });
  const assign = (offset: bigint) =>
    clock.run(consumer.assign([{ topic: "t", partition: 0, offset }]));
  const next = () => clock.run(consumer.nextChunk());
  return { clock, broker, offsets, script, consumer, assign, next };
}

test("an offset within a batch begins there, and the next fetch behind the batch", () => {
  const { assign, next, consumer, offsets } = setUp();
  assign(105n);
  const chunk = next();
  expect(valuesOf(chunk)).toEqual([5, 6, 7, 8, 9].map((i) => `value ${100 + i}`));
  expect(consumer.position("t", 0)).toBe(110n);
  expect(valuesOf(next())[0]).toBe("value 110");
  expect(offsets.slice(0, 2)).toEqual([105, 110]);
});

test("an offset that is gone is reset as asked, or is an error", () => {
  const earliest = setUp();
  earliest.assign(5n);
  expect(valuesOf(earliest.next())[0]).toBe("value 100");
  const latest = setUp({ autoOffsetReset: "latest" });
  latest.assign(5n);
  latest.clock.advance(1000);
  expect(latest.offsets.slice(0, 2)).toEqual([5, 200]);
  const none = setUp({ autoOffsetReset: "none" });
  none.assign(5n);
  expect(none.next).toThrow(OffsetOutOfRangeError);
  // It rests until it is sought elsewhere.
  none.clock.advance(10_000);
  expect(none.offsets).toEqual([5]);
  none.consumer.seek({ topic: "t", partition: 0, offset: 100n });
  expect(valuesOf(none.next())[0]).toBe("value 100");
});

test("passing trouble is waited out; what lasts too long or is for good is told", () => {
  const passing = setUp();
  let left = 3;
  passing.script.error = () => left-- > 0 ? 6 : 0;
  passing.assign(100n);
  expect(valuesOf(passing.next()).length).toBe(10);
  const lasting = setUp({ apiTimeoutMs: 5000 });
  lasting.script.error = () => 6;
  lasting.assign(100n);
  expect(lasting.next).toThrow(TimeoutError);
  const forbidden = setUp();
  forbidden.script.error = () => 29;
  forbidden.assign(100n);
  expect(forbidden.next).toThrow("TOPIC_AUTHORIZATION_FAILED");
});

test("a broker that comes back is read on where it stopped", () => {
  const { clock, assign, next, broker } = setUp();
  assign(100n);
  next();
  broker.hangUpAll();
  broker.refusing = true;
  clock.advance(3000);
  broker.refusing = false;
  const rest: string[] = [];
  while (rest.length < 90) rest.push(...valuesOf(next()));
  expect(rest).toEqual(Array.from({ length: 90 }, (_, i) => `value ${110 + i}`));
});

test("fetching ahead is bounded, paused partitions rest, and a seek drops what was fetched", () => {
  const { clock, assign, next, consumer, offsets } = setUp();
  assign(100n);
  clock.advance(5000);
  expect(offsets).toEqual([100, 110]);
  consumer.pause("t", 0);
  let resumed: FetchedChunk | null = null;
  void consumer.nextChunk().then((chunk) => (resumed = chunk));
  clock.advance(5000);
  expect(resumed).toBeNull();
  consumer.resume("t", 0);
  clock.advance(1);
  expect(valuesOf(resumed)[0]).toBe("value 100");
  consumer.pause("t", 0);
  clock.advance(5000);
  const asked = offsets.length;
  consumer.seek({ topic: "t", partition: 0, offset: 150n });
  clock.advance(5000);
  expect(offsets.length).toBe(asked);
  consumer.resume("t", 0);
  expect(valuesOf(next())[0]).toBe("value 150");
});

test("read_committed leaves out aborted transactions and markers", () => {
  const txn = { producerId: 9, producerEpoch: 0, transactional: true };
  const marker = (type: "commit" | "abort", offset: number) => {
    const bytes = buildEndTxnMarker({
      type,
      producerId: 9,
      producerEpoch: 0,
      coordinatorEpoch: 0,
      timestampMs: 0,
    });
    setBaseOffset(bytes, 0, offset);
    return bytes;
  };
  // As compaction leaves the last batch of a producer.
  const withoutRecord = (bytes: Uint8Array) => {
    const header = bytes.slice(0, BATCH_HEADER_BYTES);
    writeInt32(header, BatchField.batchLength, BATCH_HEADER_BYTES - LOG_OVERHEAD_BYTES);
    writeInt32(header, BatchField.recordsCount, 0);
    updateCrc(header, 0);
    return header;
  };
  const bytes = Buffer.concat([
    batch(0, ["plain"]),
    batch(1, ["aborted"], { ...txn, baseSequence: 0 }),
    batch(2, ["other"], { ...txn, producerId: 10, baseSequence: 0 }),
    marker("abort", 3),
    batch(4, ["committed"], { ...txn, baseSequence: 1 }),
    marker("commit", 5),
    withoutRecord(marker("abort", 6)),
    batch(7, ["later"], { ...txn, baseSequence: 2 }),
  ]);
  const chunk = (aborted: { producerId: number; firstOffset: number }[] | null) =>
    new FetchedChunk("t", 0, 0, 8, 8, bytes, aborted, NO_CODECS);
  const aborted = [{ producerId: 9, firstOffset: 1 }];
  expect(valuesOf(chunk(aborted))).toEqual(["plain", "other", "committed", "later"]);
  expect(valuesOf(chunk(null))).toEqual(["plain", "aborted", "other", "committed", "later"]);
});

test("a batch with a wrong checksum is refused", () => {
  const bytes = batch(0, ["value"]);
  bytes[bytes.length - 2]! ^= 1;
  const chunk = new FetchedChunk("t", 0, 0, 1, 1, bytes, null, NO_CODECS);
  expect(() => chunk.records()).toThrow(CorruptRecordError);
});
