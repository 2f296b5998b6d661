import { expect, test } from "bun:test";
import { NO_CODECS } from "../compression/codec.ts";
import { BatchBuilder, recordSizeBytesMax } from "./batch-builder.ts";
import * as header from "./batch-header.ts";
import { CorruptRecordError } from "./corrupt-record-error.ts";
import { readRecords, type RecordHeader, type RecordView } from "./record-cursor.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function sample(): RecordView[] {
  const records: [number, string | null, string | null, RecordHeader[]][] = [
    [1_700_000_000_000, "k", "v", []],
    [1_600_000_000_000, null, "older than the first", [["a", bytes("1")], ["a", null], [
      "ü",
      bytes(""),
    ]]],
    [-1, "", null, []],
    [253_402_300_799_999, "far", "x".repeat(300), []],
  ];
  return records.map(([timestamp, key, value, headers], offset) => ({
    offset,
    timestamp,
    key: key === null ? null : bytes(key),
    value: value === null ? null : bytes(value),
    headers,
  }));
}

function build(records: RecordView[], options = {}): Uint8Array {
  const builder = new BatchBuilder({ sizeHintBytes: 61, ...options });
  for (const { timestamp, key, value, headers } of records) {
    const before = builder.sizeBytes;
    builder.append(timestamp, key, value, headers);
    const max = recordSizeBytesMax(key?.length ?? 0, value?.length ?? 0, headers);
    expect(builder.sizeBytes - before).toBeLessThanOrEqual(max);
  }
  const size = builder.sizeBytes;
  const batch = builder.build();
  expect(batch.length).toBe(size);
  return batch;
}

test("what goes in comes out", () => {
  expect(readRecords(build(sample()), 0, NO_CODECS)).toEqual(sample());
});

test("ranges of one array make the same batch as views", () => {
  const lines = bytes("key=value,novalue");
  const ranges = new BatchBuilder();
  ranges.appendRange(5, lines, 0, 3, 4, 9);
  ranges.appendRange(6, lines, -1, -1, 10, 17);
  const views = new BatchBuilder();
  views.append(5, bytes("key"), bytes("value"));
  views.append(6, null, bytes("novalue"));
  expect(ranges.build()).toEqual(views.build());
});

test("the header says what was asked for", () => {
  const batch = build(sample(), {
    baseOffset: 2 ** 40 + 7,
    partitionLeaderEpoch: 3,
    producerId: 2 ** 33 + 1,
    producerEpoch: 4,
    baseSequence: 2 ** 31 - 2,
    transactional: true,
  });
  expect(header.batchSizeAt(batch, 0)).toBe(batch.length);
  expect(header.magic(batch, 0)).toBe(2);
  expect(header.baseOffset(batch, 0)).toBe(2 ** 40 + 7);
  expect(header.lastOffset(batch, 0)).toBe(2 ** 40 + 10);
  expect(header.partitionLeaderEpoch(batch, 0)).toBe(3);
  expect(header.producerId(batch, 0)).toBe(2 ** 33 + 1);
  expect(header.producerEpoch(batch, 0)).toBe(4);
  expect(header.baseSequence(batch, 0)).toBe(2 ** 31 - 2);
  expect(header.lastSequence(batch, 0)).toBe(1);
  expect(header.recordsCount(batch, 0)).toBe(4);
  expect(header.baseTimestamp(batch, 0)).toBe(1_700_000_000_000);
  expect(header.maxTimestamp(batch, 0)).toBe(253_402_300_799_999);
  expect(header.maxTimestamp(build(sample().slice(0, 3)), 0)).toBe(1_700_000_000_000);
  expect(header.isTransactional(batch, 0)).toBe(true);
  expect(header.isControl(batch, 0)).toBe(false);
  expect(header.isLogAppendTime(batch, 0)).toBe(false);
  expect(header.hasDeleteHorizon(batch, 0)).toBe(false);
  expect(header.compressionId(batch, 0)).toBe(0);
  expect(header.crcMatches(batch, 0)).toBe(true);
});

test("offset and epoch are outside the checksum, producer and append time get a new one", () => {
  const batch = build(sample());
  const crc = header.storedCrc(batch, 0);
  header.setBaseOffset(batch, 0, 1000);
  header.setPartitionLeaderEpoch(batch, 0, 9);
  expect(header.computeCrc(batch, 0)).toBe(crc);
  expect(readRecords(batch, 0, NO_CODECS).map(({ offset }) => offset)).toEqual([
    1000,
    1001,
    1002,
    1003,
  ]);
  header.setProducerState(batch, 0, { producerId: 5, producerEpoch: 0, baseSequence: 8 });
  expect(header.crcMatches(batch, 0)).toBe(true);
  expect(header.lastSequence(batch, 0)).toBe(11);
  header.setLogAppendTime(batch, 0, 77);
  expect(header.crcMatches(batch, 0)).toBe(true);
  expect(readRecords(batch, 0, NO_CODECS).map(({ timestamp }) => timestamp)).toEqual([
    77,
    77,
    77,
    77,
  ]);
});

test("an int64 beyond the safe integers reads as the nearest one", () => {
  const batch = build(sample());
  batch.set([0x7f, 255, 255, 255, 255, 255, 255, 255], header.BatchField.baseOffset);
  expect(header.baseOffset(batch, 0)).toBe(Number.MAX_SAFE_INTEGER);
  expect(header.lastOffset(batch, 0)).toBe(Number.MAX_SAFE_INTEGER);
  batch.set([0x80, 0, 0, 0, 0, 0, 0, 0], header.BatchField.baseOffset);
  expect(header.baseOffset(batch, 0)).toBe(Number.MIN_SAFE_INTEGER);
});

test("batches follow one another, the last may be cut", () => {
  const one = build(sample());
  const two = build(sample().slice(0, 1));
  const both = new Uint8Array(one.length + two.length);
  both.set(one);
  both.set(two, one.length);
  for (let end = 0; end <= both.length; end++) {
    const seen: number[] = [];
    const behind = header.forEachBatch(both.subarray(0, end), (at) => seen.push(at));
    const whole = [one.length, both.length].filter((size) => size <= end);
    expect(seen).toEqual([0, one.length].slice(0, whole.length));
    expect(behind).toBe(whole.at(-1) ?? 0);
  }
});

test("what is no batch is refused", () => {
  expect(() => header.batchSizeAt(new Uint8Array(100), 0)).toThrow(CorruptRecordError);
  const short = build(sample());
  header.writeInt32(short, header.BatchField.batchLength, 48);
  expect(() => header.batchSizeAt(short, 0)).toThrow("61 bytes");
  const old = build(sample());
  old[header.BatchField.magic] = 1;
  expect(() => header.batchSizeAt(old, 0)).toThrow("format v1");
});

test("a wrong number of records is refused", () => {
  for (const count of [-1, 0, 3, 5, 0x7fff_ffff]) {
    const batch = build(sample());
    header.writeInt32(batch, header.BatchField.recordsCount, count);
    expect(() => readRecords(batch, 0, NO_CODECS)).toThrow(CorruptRecordError);
  }
});
