import { describe, expect, test } from "bun:test";
import { bunCodecs } from "../../core/compression/bun.ts";
import type { CompressionName } from "../../core/compression/codec.ts";
import { BatchBuilder, type BatchOptions } from "../../core/records/batch-builder.ts";
import {
  baseOffset,
  baseTimestamp,
  compressionId,
  crcMatches,
  hasDeleteHorizon,
  isControl,
  lastOffset,
  maxTimestamp,
  recordsCount,
} from "../../core/records/batch-header.ts";
import { readRecords } from "../../core/records/record-cursor.ts";
import { BatchFilter, type BatchVerdict, deleteHorizonMs, OutputBuffer } from "./batch-filter.ts";

const NOW_MS = 1_700_000_000_000;
const HORIZON_MS = NOW_MS + 86_400_000;
const NOTHING_SPECIAL = { dropsRecords: false, keepsHeader: false, isOutlivedMarker: false };
const text = new TextEncoder();

/** Keys a, b, c, … ; those in `tombstones` have no value. Timestamps ascend by a second. */
function batchOf(keys: string, tombstones = "", options: BatchOptions = {}): Uint8Array {
  const builder = new BatchBuilder({ baseOffset: 100, codecs: bunCodecs, ...options });
  [...keys].forEach((key, index) => {
    const value = tombstones.includes(key) ? null : text.encode(`value of ${key}`);
    const headers = [["h", text.encode(key)]] as const;
    builder.append(NOW_MS + index * 1000, text.encode(key), value, headers);
  });
  return builder.build();
}

function filter(
  batch: Uint8Array,
  kept: string,
  verdict: Partial<BatchVerdict> = {},
): Uint8Array {
  const output = new OutputBuffer(new Uint8Array(10));
  const keeps = (cursor: { key(): Uint8Array | null }) =>
    kept.includes(new TextDecoder().decode(cursor.key() ?? undefined));
  const filter = new BatchFilter(bunCodecs, HORIZON_MS);
  filter.filter(batch, 0, { ...NOTHING_SPECIAL, ...verdict }, keeps, output);
  return output.take();
}

const records = (batch: Uint8Array) => readRecords(batch, 0, bunCodecs);

for (const compression of ["none", "gzip", "snappy", "lz4", "zstd"] as CompressionName[]) {
  describe(`batches with ${compression}`, () => {
    test("keep the chosen records as they were, in their own codec", () => {
      const before = batchOf("abcde", "", { compression });
      const after = filter(before, "bde");
      expect(records(after)).toEqual(
        records(before).filter(({ offset }) => [101, 103, 104].includes(offset)),
      );
      expect(crcMatches(after, 0)).toBe(true);
      expect(compressionId(after, 0)).toBe(compressionId(before, 0));
      expect([baseOffset(after, 0), lastOffset(after, 0)]).toEqual([100, 104]);
      expect(maxTimestamp(after, 0)).toBe(NOW_MS + 4000);
      expect(maxTimestamp(filter(before, "ab"), 0)).toBe(NOW_MS + 1000);
    });

    test("get a delete horizon with their first tombstone, and keep it", () => {
      const before = batchOf("abc", "b", { compression });
      const after = filter(before, "abc");
      expect(deleteHorizonMs(after, 0)).toBe(HORIZON_MS);
      expect(records(after)).toEqual(records(before));
      expect(crcMatches(after, 0)).toBe(true);
      const again = filter(after, "bc");
      expect(deleteHorizonMs(again, 0)).toBe(HORIZON_MS);
      expect(records(again)).toEqual(records(before).slice(1));
    });
  });
}

test("a batch of which everything is kept is the same, byte for byte", () => {
  const before = batchOf("abc");
  expect(filter(before, "abc")).toEqual(before);
});

test("a batch of which nothing is kept goes, or stays as its header", () => {
  const producer = { producerId: 5, producerEpoch: 1, baseSequence: 17 };
  const before = batchOf("abc", "", producer);
  expect(filter(before, "").length).toBe(0);
  for (const verdict of [{ keepsHeader: true }, { keepsHeader: true, dropsRecords: true }]) {
    const after = filter(before, verdict.dropsRecords === true ? "abc" : "", verdict);
    expect(after.length).toBe(61);
    expect(recordsCount(after, 0)).toBe(0);
    expect([baseOffset(after, 0), lastOffset(after, 0)]).toEqual([100, 102]);
    expect(after.subarray(43, 57)).toEqual(before.subarray(43, 57));
    expect(maxTimestamp(after, 0)).toBe(maxTimestamp(before, 0));
    expect(baseTimestamp(after, 0)).toBe(-1);
    expect(crcMatches(after, 0)).toBe(true);
  }
});

test("an outlived marker gets a delete horizon before it goes", () => {
  const marker = batchOf("a", "", { control: true, transactional: true });
  const after = filter(marker, "a", { isOutlivedMarker: true });
  expect(hasDeleteHorizon(after, 0)).toBe(true);
  expect(isControl(after, 0)).toBe(true);
  expect(records(after)).toEqual(records(marker));
});

test("records with the time of their append keep it", () => {
  const before = batchOf("ab", "a", { logAppendTimeMs: NOW_MS + 77 });
  const after = filter(before, "a");
  expect(records(after).map(({ timestamp }) => timestamp)).toEqual([NOW_MS + 77]);
  expect(maxTimestamp(after, 0)).toBe(NOW_MS + 77);
});
