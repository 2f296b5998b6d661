import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { bunCodecs } from "../compression/bun.ts";
import { Compression, COMPRESSION_NAMES } from "../compression/codec.ts";
import { BatchBuilder } from "./batch-builder.ts";
import * as header from "./batch-header.ts";
import { buildEndTxnMarker, readControlRecord } from "./control-records.ts";
import { readRecords, type RecordHeader } from "./record-cursor.ts";
import { validateRecords } from "./validate.ts";

const fixtures = `${import.meta.dir}/../../tests/fixtures/records/`;
const fixture = (name: string) => new Uint8Array(readFileSync(fixtures + name));
const utf8 = (text: string) => new TextEncoder().encode(text);
const BASE = 1_700_000_000_000;

/** What `MakeRecords.java` puts in. */
function expected(longBytes: number) {
  let long = "";
  for (let i = 0; long.length < longBytes; i++) long += `line ${i % 100}\n`;
  const headers: RecordHeader[] = [
    ["h1", utf8("x")],
    ["h1", null],
    ["", utf8("")],
    ["ü", utf8("ö")],
  ];
  const records: [number, string | null, string | null, RecordHeader[]][] = [
    [BASE, "key-0", "value-0", []],
    [BASE + 1, null, "v", []],
    [BASE + 2, "k", null, []],
    [BASE + 3, "", "", []],
    [BASE + 4, "with", "headers", headers],
    [1_600_000_000_000, "long", long.slice(0, longBytes), []],
    [253_402_300_799_999, "late", "year 9999", []],
  ];
  return records.map(([timestamp, key, value, headers], i) => ({
    offset: 1000 + i,
    timestamp,
    key: key === null ? null : utf8(key),
    value: value === null ? null : utf8(value),
    headers,
  }));
}

const OPTIONS = {
  baseOffset: 1000,
  partitionLeaderEpoch: 9,
  producerId: 4000,
  producerEpoch: 3,
  baseSequence: 77,
  transactional: true,
  codecs: bunCodecs,
};

for (const name of COMPRESSION_NAMES) {
  const records = expected(name === "none" ? 1000 : 100_000);

  test(`a batch that Java wrote with ${name}`, () => {
    const batch = fixture(`java-${name}.bin`);
    expect(header.batchSizeAt(batch, 0)).toBe(batch.length);
    expect(header.crcMatches(batch, 0)).toBe(true);
    expect(header.compressionId(batch, 0)).toBe(Compression[name]);
    expect(header.baseOffset(batch, 0)).toBe(1000);
    expect(header.lastOffset(batch, 0)).toBe(1006);
    expect(header.partitionLeaderEpoch(batch, 0)).toBe(9);
    expect(header.producerId(batch, 0)).toBe(4000);
    expect(header.producerEpoch(batch, 0)).toBe(3);
    expect(header.lastSequence(batch, 0)).toBe(83);
    expect(header.isTransactional(batch, 0)).toBe(true);
    expect(header.maxTimestamp(batch, 0)).toBe(253_402_300_799_999);
    expect(readRecords(batch, 0, bunCodecs)).toEqual(records);
    expect(validateRecords(batch, 0, bunCodecs)).toBeNull();
  });

  test(`the same batch of ours with ${name}`, () => {
    const builder = new BatchBuilder({ ...OPTIONS, compression: name });
    for (const { timestamp, key, value, headers } of records) {
      builder.append(timestamp, key, value, headers);
    }
    const batch = builder.build();
    // Compressors differ in their choices; without one, so must nothing else.
    if (name === "none") expect(batch).toEqual(fixture("java-none.bin"));
    expect(header.crcMatches(batch, 0)).toBe(true);
    expect(readRecords(batch, 0, bunCodecs)).toEqual(records);
  });
}

test("LogAppendTime, as Java writes it", () => {
  const builder = new BatchBuilder({ ...OPTIONS, logAppendTimeMs: 1_800_000_000_000 });
  builder.append(BASE, utf8("k"), utf8("v"));
  const java = fixture("java-log-append-time.bin");
  expect(readRecords(java, 0, bunCodecs)[0]?.timestamp).toBe(1_800_000_000_000);
  expect(readRecords(builder.build(), 0, bunCodecs)).toEqual(readRecords(java, 0, bunCodecs));
});

test("transaction markers, as Java writes them", () => {
  for (const type of ["commit", "abort"] as const) {
    const java = fixture(`java-${type}.bin`);
    const coordinatorEpoch = 12;
    expect(readControlRecord(java, 0)).toEqual({ type, coordinatorEpoch });
    const ours = buildEndTxnMarker({
      type,
      producerId: 4000,
      producerEpoch: 3,
      coordinatorEpoch,
      timestampMs: BASE,
      partitionLeaderEpoch: 5,
    });
    expect(ours).toEqual(java);
  }
});
