import { expect, test } from "bun:test";
import { NO_CODECS } from "../compression/codec.ts";
import { type ErrorCode, Errors } from "../errors.ts";
import { BatchBuilder, type BatchOptions } from "./batch-builder.ts";
import * as header from "./batch-header.ts";
import { buildEndTxnMarker, readControlRecord } from "./control-records.ts";
import { type BatchRules, validateProduceBatch, validateRecords } from "./validate.ts";

const NOW = 1_700_000_000_000;
const HOUR = 3_600_000;
const RULES: BatchRules = {
  maxBatchBytes: 1000,
  timestampType: "CreateTime",
  timestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAfterMaxMs: HOUR,
  requireKeys: false,
};
const value = new TextEncoder().encode("value");

function batch(options: BatchOptions = {}, timestamps: number[] = [NOW, NOW]): Uint8Array {
  const builder = new BatchBuilder(options);
  for (const timestamp of timestamps) builder.append(timestamp, value, value);
  return builder.build();
}

/** A good batch after a change that keeps its CRC right. */
function changed(change: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = batch();
  change(bytes);
  header.updateCrc(bytes, 0);
  return bytes;
}

function judge(bytes: Uint8Array, rules: Partial<BatchRules> = {}): ErrorCode {
  const verdict = validateProduceBatch(bytes, { ...RULES, ...rules }, NOW, NO_CODECS);
  if (verdict.ok) expect(verdict.sizeBytes).toBe(header.batchSizeBytes(bytes, 0));
  return verdict.ok ? Errors.NONE : verdict.error;
}

function join(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

test("good batches pass", () => {
  expect(judge(batch())).toBe(Errors.NONE);
  expect(judge(batch({ producerId: 7, producerEpoch: 0, baseSequence: 0 }))).toBe(Errors.NONE);
  expect(judge(batch({ producerEpoch: 0, baseSequence: 0 }))).toBe(Errors.NONE);
  expect(judge(batch({}, [-1]))).toBe(Errors.NONE);
  expect(judge(batch({}, [NOW + HOUR, 0]))).toBe(Errors.NONE);
  expect(validateRecords(batch(), 0, NO_CODECS)).toBeNull();
});

test("exactly one whole batch of format v2", () => {
  expect(judge(new Uint8Array(0))).toBe(Errors.INVALID_RECORD);
  expect(judge(batch().subarray(0, -1))).toBe(Errors.INVALID_RECORD);
  expect(judge(join(batch(), batch()))).toBe(Errors.INVALID_RECORD);
  expect(judge(join(batch(), batch().subarray(0, 40)))).toBe(Errors.NONE);
  expect(judge(new Uint8Array(61))).toBe(Errors.CORRUPT_MESSAGE);
  expect(judge(changed((bytes) => bytes[header.BatchField.magic] = 1))).toBe(Errors.INVALID_RECORD);
  expect(judge(changed((bytes) => bytes[header.BatchField.magic] = 3))).toBe(
    Errors.CORRUPT_MESSAGE,
  );
});

test("size and checksum", () => {
  expect(judge(batch(), { maxBatchBytes: batch().length })).toBe(Errors.NONE);
  expect(judge(batch(), { maxBatchBytes: batch().length - 1 })).toBe(Errors.MESSAGE_TOO_LARGE);
  for (let at = header.BatchField.crc; at < batch().length; at++) {
    const flipped = batch();
    flipped[at] = flipped[at]! ^ 0x10;
    expect(judge(flipped)).toBe(Errors.CORRUPT_MESSAGE);
  }
});

test("what the header may not say", () => {
  const field = header.BatchField;
  const set = (at: number, number: number) =>
    judge(changed((bytes) => header.writeInt32(bytes, at, number)));
  expect(set(field.recordsCount, 0)).toBe(Errors.INVALID_RECORD);
  expect(set(field.recordsCount, -1)).toBe(Errors.INVALID_RECORD);
  expect(set(field.recordsCount, 3)).toBe(Errors.INVALID_RECORD);
  expect(set(field.lastOffsetDelta, -1)).toBe(Errors.INVALID_RECORD);
  expect(set(field.lastOffsetDelta, 5)).toBe(Errors.INVALID_RECORD);
  expect(judge(batch({ baseOffset: 1 }))).toBe(Errors.INVALID_RECORD);
  expect(judge(batch({ control: true }))).toBe(Errors.INVALID_RECORD);
  expect(judge(batch({ producerId: 7, producerEpoch: 0 }))).toBe(Errors.INVALID_RECORD);
  expect(judge(batch({ producerId: -2 }))).toBe(Errors.INVALID_RECORD);
  expect(judge(batch({ logAppendTimeMs: NOW }))).toBe(Errors.INVALID_TIMESTAMP);
  const codec = changed((bytes) => bytes[field.attributes + 1] = 5);
  expect(judge(codec)).toBe(Errors.UNSUPPORTED_COMPRESSION_TYPE);
});

test("timestamps are bounded both ways, and the bad records are named", () => {
  const late = batch({}, [NOW, NOW + HOUR + 1]);
  const verdict = validateProduceBatch(late, RULES, NOW, NO_CODECS);
  expect(verdict).toMatchObject({
    ok: false,
    error: Errors.INVALID_TIMESTAMP,
    recordErrors: [{ index: 1 }],
  });
  expect(judge(late, { timestampType: "LogAppendTime" })).toBe(Errors.NONE);
  expect(judge(late, { timestampAfterMaxMs: 2 ** 63 })).toBe(Errors.NONE);
  const early = batch({}, [NOW, NOW - HOUR - 1, -1]);
  expect(judge(early)).toBe(Errors.NONE);
  expect(judge(early, { timestampBeforeMaxMs: HOUR })).toBe(Errors.INVALID_TIMESTAMP);
  const lying = changed((bytes) =>
    header.writeInt64(bytes, header.BatchField.maxTimestamp, 2 ** 50)
  );
  expect(judge(lying)).toBe(Errors.INVALID_TIMESTAMP);
});

test("compacted topics need keys", () => {
  const builder = new BatchBuilder();
  builder.append(NOW, value, value);
  for (let i = 0; i < 200; i++) builder.append(NOW, null, value);
  const verdict = validateProduceBatch(
    builder.build(),
    { ...RULES, maxBatchBytes: 1e6, requireKeys: true },
    NOW,
    NO_CODECS,
  );
  expect(verdict).toMatchObject({ ok: false, error: Errors.INVALID_RECORD });
  if (verdict.ok) return;
  expect(verdict.recordErrors.length).toBe(100);
  expect(verdict.recordErrors[0]?.index).toBe(1);
});

test("records that do not parse, or whose offsets are not dense, are found where asked for", () => {
  const sparse = new BatchBuilder();
  sparse.append(NOW, value, value);
  sparse.appendAt(2, NOW, value, value, []);
  expect(validateRecords(sparse.build(), 0, NO_CODECS)).toMatchObject({
    error: Errors.INVALID_RECORD,
    recordErrors: [{ index: 1 }],
  });
  const cut = changed((bytes) => bytes[header.BatchField.records] = 0x7e);
  expect(validateRecords(cut, 0, NO_CODECS)?.error).toBe(Errors.INVALID_RECORD);
  expect(judge(cut)).toBe(Errors.NONE);
  expect(judge(cut, { requireKeys: true })).toBe(Errors.INVALID_RECORD);
});

test("transaction markers", () => {
  for (const type of ["commit", "abort"] as const) {
    const marker = buildEndTxnMarker({
      type,
      producerId: 4000,
      producerEpoch: 3,
      coordinatorEpoch: 12,
      timestampMs: NOW,
    });
    expect(header.isControl(marker, 0)).toBe(true);
    expect(header.isTransactional(marker, 0)).toBe(true);
    expect(header.crcMatches(marker, 0)).toBe(true);
    expect(header.producerId(marker, 0)).toBe(4000);
    expect(header.baseSequence(marker, 0)).toBe(-1);
    expect(readControlRecord(marker, 0)).toEqual({ type, coordinatorEpoch: 12 });
    expect(judge(marker)).toBe(Errors.INVALID_RECORD);
  }
  const other = new BatchBuilder({ control: true });
  other.append(NOW, new Uint8Array([0, 0, 0, 2]), value);
  expect(readControlRecord(other.build(), 0)).toEqual({ type: "other", id: 2 });
  const short = new BatchBuilder({ control: true });
  short.append(NOW, new Uint8Array([0, 0, 0]), value);
  expect(() => readControlRecord(short.build(), 0)).toThrow("cut short");
});
