/**
 * Micro-benchmark of record batches: building, reading, judging, checksums and codecs, in one
 * process on one core. `bun bench/records.ts [scale]`; a hash of the work guards against dead code.
 */
import { bunCodecs } from "../core/compression/bun.ts";
import { Compression, type CompressionName } from "../core/compression/codec.ts";
import { crc32c, crc32cPortable } from "../core/crc32c.ts";
import { BatchBuilder } from "../core/records/batch-builder.ts";
import { forEachBatch } from "../core/records/batch-header.ts";
import { RecordCursor } from "../core/records/record-cursor.ts";
import { validateProduceBatch, validateRecords } from "../core/records/validate.ts";

const NOW = 1_700_000_000_000;
const BATCH_BYTES = 128 * 1024;
const RULES = {
  maxBatchBytes: 1 << 20,
  timestampType: "CreateTime",
  timestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAfterMaxMs: 3_600_000,
  requireKeys: false,
} as const;

/** Lines of `size` bytes without their newline, one after the other. */
function lines(count: number, size: number): Uint8Array {
  let text = "";
  for (let i = 0; i < count; i++) {
    text += `2026-01-01T00:00:00Z level=info id=${i} GET /items/${i * 7919 % 10007} `
      .padEnd(size, "some text to fill the line ").slice(0, size);
  }
  return new TextEncoder().encode(text);
}

let checksum = 0;

/** Calls `work` until `seconds` have passed, after a warm-up; prints how many units it did a second. */
function measure(name: string, units: number, unit: string, scale: number, work: () => number) {
  const end = performance.now() + 300 * scale;
  while (performance.now() < end) checksum ^= work();
  const start = performance.now();
  let rounds = 0;
  while (performance.now() - start < 700 * scale) {
    checksum ^= work();
    rounds++;
  }
  const rate = rounds * units / (performance.now() - start) / 1000;
  console.log(`${name.padEnd(44)} ${rate.toFixed(2).padStart(10)} M ${unit}/s`);
}

function buildAll(source: Uint8Array, size: number, compression: CompressionName): Uint8Array[] {
  const batches: Uint8Array[] = [];
  const options = { compression, codecs: bunCodecs, sizeHintBytes: BATCH_BYTES + 1024 };
  let builder = new BatchBuilder(options);
  for (let at = 0; at + size <= source.length; at += size) {
    if (builder.sizeBytes + size + 20 > BATCH_BYTES) {
      batches.push(builder.build());
      builder = new BatchBuilder(options);
    }
    builder.appendRange(NOW, source, -1, -1, at, at + size);
  }
  if (builder.recordCount > 0) batches.push(builder.build());
  return batches;
}

function readAll(batches: readonly Uint8Array[], views: boolean): number {
  let sum = 0;
  for (const batch of batches) {
    forEachBatch(batch, (position) => {
      const cursor = new RecordCursor(batch, position, bunCodecs);
      while (cursor.next()) {
        sum += views ? cursor.record().value!.length : cursor.valueEnd - cursor.valueStart;
      }
    });
  }
  return sum;
}

function judgeHeaders(batches: readonly Uint8Array[]): number {
  let sum = 0;
  for (const batch of batches) {
    const verdict = validateProduceBatch(batch, RULES, NOW, bunCodecs);
    sum += verdict.ok ? verdict.sizeBytes : verdict.error;
  }
  return sum;
}

function judgeRecords(batches: readonly Uint8Array[]): number {
  let sum = 0;
  for (const batch of batches) sum += validateRecords(batch, 0, bunCodecs)?.error ?? 0;
  return sum;
}

function main(scale: number): void {
  for (const size of [10, 60, 100, 1000]) {
    const count = Math.floor(4e6 / size);
    const source = lines(count, size);
    const batches = buildAll(source, size, "none");
    const label = `${size} B records`;
    measure(`build ${label}`, count, "records", scale, () => buildAll(source, size, "none").length);
    measure(`read ${label}`, count, "records", scale, () => readAll(batches, false));
    measure(`read ${label} as objects`, count, "records", scale, () => readAll(batches, true));
    const bytes = batches.reduce((sum, { length }) => sum + length, 0);
    measure(`validate ${label}, header`, bytes, "bytes", scale, () => judgeHeaders(batches));
    measure(`validate ${label}, all`, count, "records", scale, () => judgeRecords(batches));
  }
  const block = lines(10_000, 100);
  for (const size of [61, 200, 1024, 16_384, 1_000_000]) {
    const calls = Math.ceil(1e6 / size);
    const run = (crc: typeof crc32c) => () => {
      let sum = 0;
      for (let i = 0; i < calls; i++) sum ^= crc(block, i, i + size - 1);
      return sum;
    };
    measure(`crc32c of ${size} B`, calls * size, "bytes", scale, run(crc32c));
    measure(`crc32c of ${size} B, portable`, calls * size, "bytes", scale, run(crc32cPortable));
  }
  for (const name of Object.keys(Compression) as CompressionName[]) {
    if (name === "none") continue;
    const batches = buildAll(block, 100, name);
    const packed = batches.reduce((sum, { length }) => sum + length, 0);
    const ratio = (block.length / packed).toFixed(1);
    measure(
      `build, ${name} (${ratio}:1)`,
      block.length,
      "bytes",
      scale,
      () => buildAll(block, 100, name).length,
    );
    measure(`read, ${name}`, block.length, "bytes", scale, () => readAll(batches, false));
  }
  console.log(`hash ${checksum >>> 0}`);
}

if (import.meta.main) main(Number(Bun.argv[2] ?? 1));
