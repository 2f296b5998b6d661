import { expect, test } from "bun:test";
import { bunCodecs } from "../compression/bun.ts";
import { COMPRESSION_NAMES, type CompressionName } from "../compression/codec.ts";
import { BatchBuilder } from "./batch-builder.ts";
import * as header from "./batch-header.ts";
import { readControlRecord } from "./control-records.ts";
import { CorruptRecordError } from "./corrupt-record-error.ts";
import { readRecords, type RecordHeader, type RecordView } from "./record-cursor.ts";
import { validateProduceBatch, validateRecords } from "./validate.ts";

const NOW = 1_700_000_000_000;
const MAX_BYTES = 1 << 20;
const RULES = {
  maxBatchBytes: MAX_BYTES,
  timestampType: "CreateTime",
  timestampBeforeMaxMs: 1e15,
  timestampAfterMaxMs: 1e15,
  requireKeys: true,
  maxDecompressedBytes: MAX_BYTES,
} as const;

/** Numbers that are always the same for a seed (mulberry32). */
class Chance {
  constructor(private state: number) {}
  below(bound: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }
  bytes(max: number): Uint8Array | null {
    if (this.below(8) === 0) return null;
    const wide = this.below(20) === 0 ? 100 : 1;
    const repeat = this.below(2) === 0;
    const fill = this.below(256);
    return Uint8Array.from(
      { length: this.below(max * wide) },
      () => repeat ? fill : this.below(256),
    );
  }
}

function randomRecords(chance: Chance): RecordView[] {
  const wide = 10 ** chance.below(14);
  return Array.from({ length: 1 + chance.below(chance.below(4) === 0 ? 300 : 12) }, (_, offset) => {
    const headers = Array.from(
      { length: chance.below(4) === 0 ? chance.below(4) : 0 },
      (): RecordHeader => ["ä".repeat(chance.below(70)), chance.bytes(20)],
    );
    const timestamp = NOW + chance.below(2 ** 32) % wide * (chance.below(2) === 0 ? 1 : -1);
    return { offset, timestamp, key: chance.bytes(40), value: chance.bytes(90), headers };
  });
}

function build(records: RecordView[], compression: CompressionName): Uint8Array {
  const builder = new BatchBuilder({ compression, codecs: bunCodecs, sizeHintBytes: 0 });
  for (const { timestamp, key, value, headers } of records) {
    builder.append(timestamp, key, value, headers);
  }
  return builder.build();
}

test("any records come back as they went in, in every codec", () => {
  for (let seed = 1; seed <= 150; seed++) {
    const records = randomRecords(new Chance(seed));
    for (const compression of COMPRESSION_NAMES) {
      const batch = build(records, compression);
      expect(header.crcMatches(batch, 0)).toBe(true);
      expect(validateRecords(batch, 0, bunCodecs)).toBeNull();
      expect(readRecords(batch, 0, bunCodecs)).toEqual(records);
    }
  }
});

/** Damages a copy in one of several ways; the last way repairs the CRC so that more gets through. */
function damaged(batch: Uint8Array, chance: Chance): Uint8Array {
  let bytes = batch.slice();
  for (let changes = 1 + chance.below(3); changes > 0; changes--) {
    const at = chance.below(bytes.length);
    switch (chance.below(4)) {
      case 0:
        bytes[at] = bytes[at]! ^ (1 << chance.below(8));
        break;
      case 1:
        bytes[at] = 0xff;
        break;
      case 2:
        bytes[at] = chance.below(256);
        break;
      default:
        bytes = bytes.slice(0, Math.max(at, header.BATCH_HEADER_BYTES));
        header.writeInt32(
          bytes,
          header.BatchField.batchLength,
          bytes.length - header.LOG_OVERHEAD_BYTES,
        );
    }
  }
  if (header.batchSizeBytes(bytes, 0) === bytes.length) header.updateCrc(bytes, 0);
  return bytes;
}

/** True if it went well; anything thrown but the one error fails the test. */
function survives(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (!(error instanceof CorruptRecordError)) throw error;
    return false;
  }
}

test("damaged batches give the one error, whoever reads them", () => {
  let refused = 0;
  for (let seed = 1; seed <= 400; seed++) {
    const chance = new Chance(seed);
    const records = randomRecords(chance);
    for (const compression of COMPRESSION_NAMES) {
      const bytes = damaged(build(records, compression), chance);
      validateProduceBatch(bytes, RULES, NOW, bunCodecs);
      const read = survives(() => {
        if (header.batchSizeAt(bytes, 0) > 0) readRecords(bytes, 0, bunCodecs, MAX_BYTES);
      });
      survives(() => {
        if (header.batchSizeAt(bytes, 0) > 0) readControlRecord(bytes, 0);
      });
      survives(() => header.forEachBatch(bytes, () => {}));
      if (!read) refused++;
    }
  }
  expect(refused).toBeGreaterThan(500);
});

test("random bytes give the one error", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const chance = new Chance(seed);
    const bytes = Uint8Array.from({ length: chance.below(300) }, () => chance.below(256));
    if (bytes.length > header.BatchField.magic) bytes[header.BatchField.magic] = 2;
    expect(validateProduceBatch(bytes, RULES, NOW, bunCodecs).ok).toBe(false);
    survives(() => header.forEachBatch(bytes, (at) => void readRecords(bytes, at, bunCodecs)));
  }
});

/** A batch of one record made of the given body, its claimed size included. */
function batchOf(body: readonly number[], edit?: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = build([{ offset: 0, timestamp: 0, key: null, value: null, headers: [] }], "none");
  const whole = new Uint8Array(header.BATCH_HEADER_BYTES + body.length);
  whole.set(bytes.subarray(0, header.BATCH_HEADER_BYTES));
  whole.set(body, header.BATCH_HEADER_BYTES);
  header.writeInt32(
    whole,
    header.BatchField.batchLength,
    whole.length - header.LOG_OVERHEAD_BYTES,
  );
  edit?.(whole);
  return whole;
}

test("each malformed field is named", () => {
  const read = (...body: number[]) => () => readRecords(batchOf(body), 0, bunCodecs);
  const null2 = [1, 1]; // null key, null value
  expect(read(12, 0, 0, 0, ...null2, 0)).not.toThrow();
  expect(read(14, 0, 0, 0, ...null2, 0)).toThrow("claims 7 bytes");
  expect(read(10, 0, 0, 0, ...null2, 0)).toThrow("5 bytes holds 6");
  expect(read(14, 0, 0, 0, ...null2, 0, 0)).toThrow("7 bytes holds 6");
  expect(read(12, 0, 0, 0, ...null2, 0, 9)).toThrow("left behind");
  expect(read(1)).toThrow("claims -1 bytes");
  expect(read(12, 0, 0, 0, 8, 1, 0)).toThrow("field of a record claims 4");
  expect(read(12, 0, 0, 0, ...null2, 2)).toThrow("claims 1 headers");
  expect(read(12, 0, 0, 0, ...null2, 1)).toThrow("claims -1 headers");
  expect(read(16, 0, 0, 0, ...null2, 2, 1, 1)).toThrow("no name");
  expect(read(255, 255, 255, 255, 255, 1)).toThrow("5 bytes");
  expect(read(30, 0, ...Array<number>(14).fill(255))).toThrow("10 bytes");
});

test("timestamps of 64 bits read as the nearest safe integer", () => {
  const timestamp = (...delta: number[]) => {
    const body = [0, ...delta, 0, 1, 1, 0];
    return readRecords(batchOf([body.length * 2, ...body]), 0, bunCodecs)[0]?.timestamp;
  };
  const ones = Array<number>(9).fill(255);
  expect(timestamp(...ones, 1)).toBe(Number.MIN_SAFE_INTEGER);
  expect(timestamp(254, ...ones.slice(1), 1)).toBe(Number.MAX_SAFE_INTEGER);
  expect(timestamp(0xff, 0xff, 0xff, 0xff, 0x1f)).toBe(-(2 ** 32));
  expect(timestamp(0x80, 0x80, 0x80, 0x80, 0x20)).toBe(2 ** 32);
});
