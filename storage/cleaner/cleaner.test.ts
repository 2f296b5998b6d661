/** The cleaner over whole logs, on a virtual clock: one story each. */
import { expect, test } from "bun:test";
import { BatchBuilder, type BatchOptions } from "../../core/records/batch-builder.ts";
import {
  baseOffset,
  forEachBatch,
  hasDeleteHorizon,
  lastOffset,
  recordsCount,
} from "../../core/records/batch-header.ts";
import { buildEndTxnMarker } from "../../core/records/control-records.ts";
import { readRecords } from "../../core/records/record-cursor.ts";
import { SimWorld } from "../../tests/sim/sim-world.ts";
import type { LogConfig } from "../log-config.ts";
import type { CleanerConfig } from "./log-cleaner.ts";

const HOUR_MS = 3_600_000;
const text = new TextEncoder();

function compacted(
  config: Partial<LogConfig> = {},
  cleaner: Partial<CleanerConfig> = {},
): SimWorld {
  return new SimWorld(
    {
      cleanupPolicy: { delete: false, compact: true },
      segmentBytes: 1000,
      indexIntervalBytes: 200,
      minCleanableDirtyRatio: 0,
      deleteRetentionMs: HOUR_MS,
      ...config,
    },
    {},
    cleaner,
  );
}

/** Appends one batch: `k=v` is a record, `k` a tombstone. */
function put(world: SimWorld, records: readonly string[], options: BatchOptions = {}): void {
  const builder = new BatchBuilder(options);
  for (const record of records) {
    const [key, value] = record.split("=");
    const bytes = value === undefined ? null : text.encode(value);
    builder.append(world.clock.wallMs(), text.encode(key), bytes);
  }
  const append = { leaderEpoch: 0, origin: "client", verification: "off" } as const;
  expect(world.log.append(builder.build(), append).ok).toBe(true);
}

/** Fills the active segment with other keys, so that all before is complete. */
function roll(world: SimWorld): void {
  for (let index = 0; index < 11; index++) put(world, [`fill${index}=${"x".repeat(50)}`]);
  world.settle();
}

/** Cleans until nothing is due. */
function clean(world: SimWorld): void {
  while (world.clock.run(world.dir.cleanOne()));
}

interface Stored {
  readonly offset: number;
  readonly record: string;
}

/** All records, as a consumer that starts at the beginning sees them, but for the fill. */
function contents(world: SimWorld): Stored[] {
  const found: Stored[] = [];
  const { log } = world;
  for (let offset = log.logStartOffset; offset < log.logEndOffset;) {
    const result = world.read(offset, 300);
    if (!result.ok) throw new Error(`cannot read at ${offset}`);
    forEachBatch(result.records, (at) => {
      for (const { offset, key, value } of readRecords(result.records, at, {})) {
        const name = new TextDecoder().decode(key ?? undefined);
        const record = value === null ? name : `${name}=${new TextDecoder().decode(value)}`;
        if (!name.startsWith("fill")) found.push({ offset, record });
      }
    });
    offset = result.nextOffset;
  }
  return found;
}

const records = (world: SimWorld) =>
  contents(world).map(({ offset, record }) => `${offset}:${record}`);

test("the last value of each key stays, at its offset", () => {
  const world = compacted();
  put(world, ["a=1", "b=1", "c=1"]);
  put(world, ["a=2"]);
  put(world, ["b=2", "a=3"]);
  roll(world);
  const before = world.log.sizeBytes;
  clean(world);
  expect(records(world)).toEqual(["2:c=1", "4:b=2", "5:a=3"]);
  expect(world.log.sizeBytes).toBeLessThan(before);
  expect(world.complaints).toEqual([]);
});

test("what is in the active segment replaces nothing yet, and is not touched", () => {
  const world = compacted();
  put(world, ["a=1"]);
  roll(world);
  put(world, ["a=2"]);
  put(world, ["a=3"]);
  world.settle();
  clean(world);
  expect(records(world).slice(0, 1)).toEqual(["0:a=1"]);
  expect(contents(world).map(({ record }) => record)).toEqual(["a=1", "a=2", "a=3"]);
});

test("a log survives its cleaning through restarts, kills and power cuts", () => {
  const world = compacted();
  for (let round = 0; round < 30; round++) put(world, [`a=${round}`, `b=${round}`]);
  roll(world);
  clean(world);
  const wanted = records(world);
  expect(wanted).toEqual(["58:a=29", "59:b=29"]);
  world.restart();
  expect(records(world)).toEqual(wanted);
  world.kill();
  expect(records(world)).toEqual(wanted);
  world.cutPower();
  expect(records(world)).toEqual(wanted);
  expect(world.names().filter((name) => /cleaned|swap/.test(name))).toEqual([]);
});

test("a topic that is not compacted any more is read with its gaps, also after a crash", () => {
  const world = compacted();
  for (let round = 0; round < 20; round++) put(world, [`a=${round}`, `b=${round}`]);
  roll(world);
  clean(world);
  const wanted = records(world);
  world.config = { ...world.config, cleanupPolicy: { delete: true, compact: false } };
  world.kill();
  expect(records(world)).toEqual(wanted);
  expect(world.complaints).toEqual([]);
});

test("a tombstone can be seen for delete.retention.ms after it was cleaned first", () => {
  const world = compacted();
  put(world, ["a=1", "b=1"]);
  put(world, ["a", "c=1"]);
  roll(world);
  clean(world);
  expect(records(world)).toEqual(["1:b=1", "2:a", "3:c=1"]);
  world.clock.advance(HOUR_MS / 2);
  roll(world);
  clean(world);
  expect(records(world)).toEqual(["1:b=1", "2:a", "3:c=1"]);
  world.clock.advance(HOUR_MS);
  roll(world);
  clean(world);
  expect(records(world)).toEqual(["1:b=1", "3:c=1"]);
});

test("timestamps are the same behind a delete horizon", () => {
  const world = compacted();
  const start = world.clock.wallMs();
  put(world, ["a", "b=1"]);
  roll(world);
  clean(world);
  const result = world.read(0);
  if (!result.ok) throw new Error("cannot read");
  expect(hasDeleteHorizon(result.records, 0)).toBe(true);
  expect(readRecords(result.records, 0, {}).map(({ timestamp }) => timestamp)).toEqual([
    start,
    start,
  ]);
});

test("a producer's last batch stays without records, and its sequence goes on", () => {
  const world = compacted();
  put(world, ["a=1"], { producerId: 7, producerEpoch: 0, baseSequence: 0 });
  put(world, ["a=2"], { producerId: 7, producerEpoch: 0, baseSequence: 1 });
  put(world, ["a=3"]);
  roll(world);
  clean(world);
  expect(records(world)).toEqual(["2:a=3"]);
  const result = world.read(0);
  if (!result.ok) throw new Error("cannot read");
  expect(recordsCount(result.records, 0)).toBe(0);
  expect([baseOffset(result.records, 0), lastOffset(result.records, 0)]).toEqual([1, 1]);
  world.kill();
  const again = new BatchBuilder({ producerId: 7, producerEpoch: 0, baseSequence: 1 });
  again.append(0, text.encode("a"), text.encode("2"));
  expect(world.log.append(again.build(), { leaderEpoch: 0, origin: "client" })).toMatchObject({
    ok: true,
    duplicate: true,
    baseOffset: 1,
  });
});

test("what is younger than min.compaction.lag.ms stays", () => {
  const world = compacted({ minCompactionLagMs: HOUR_MS });
  put(world, ["a=1"]);
  put(world, ["a=2"]);
  roll(world);
  clean(world);
  expect(records(world)).toEqual(["0:a=1", "1:a=2"]);
  world.clock.advance(2 * HOUR_MS);
  roll(world);
  clean(world);
  expect(records(world)).toEqual(["1:a=2"]);
});

test("a log is cleaned when enough of it is dirty, or after max.compaction.lag.ms", () => {
  const world = compacted({ minCleanableDirtyRatio: 0.9, maxCompactionLagMs: HOUR_MS });
  put(world, ["a=1"]);
  roll(world);
  clean(world);
  put(world, ["a=2"]);
  roll(world);
  expect(world.clock.run(world.dir.cleanOne())).toBe(false);
  world.clock.advance(HOUR_MS + 1);
  expect(world.clock.run(world.dir.cleanOne())).toBe(true);
  expect(contents(world).map(({ record }) => record)).toEqual(["a=2"]);
});

test("a damaged log is left as it is, and that is said once", () => {
  const world = compacted();
  put(world, ["a=1"]);
  put(world, ["a=2"]);
  roll(world);
  world.damage("00000000000000000000.log", (bytes) => {
    bytes[65]! ^= 1;
    return bytes;
  });
  clean(world);
  clean(world);
  expect(world.complaints).toEqual(["a log cannot be cleaned, and is left as it is"]);
  expect(world.log.cleanedTo).toBe(null);
});

test("small segments are put together", () => {
  const world = compacted({ segmentBytes: 600 });
  for (let round = 0; round < 60; round++) put(world, [`key${round}=${"v".repeat(30)}`]);
  roll(world);
  for (let round = 0; round < 50; round++) put(world, [`key${round}=w`]);
  roll(world);
  const before = world.log.segmentCount;
  clean(world);
  roll(world);
  clean(world);
  expect(world.log.segmentCount).toBeLessThan(before);
  expect(contents(world).length).toBe(60);
});

test("a key map that is too small takes several cleanings", () => {
  const world = compacted({}, { dedupeBufferBytes: 50 * 24 });
  for (let round = 0; round < 2; round++) {
    for (let key = 0; key < 80; key++) put(world, [`key${key}=${round}`]);
  }
  roll(world);
  let cleanings = 0;
  while (world.clock.run(world.dir.cleanOne())) cleanings++;
  expect(cleanings).toBeGreaterThan(2);
  expect(contents(world).map(({ record }) => record)).toEqual(
    Array.from({ length: 80 }, (_, key) => `key${key}=1`),
  );
});

test("batches that are larger than what is read at a time are cleaned as well", () => {
  const world = compacted({ segmentBytes: 1500 }, { ioBufferBytes: 1024 });
  const wide = "v".repeat(600);
  put(world, [`a=${wide}`, `b=${wide}`]);
  put(world, [`a=2${wide}`, `c=${wide}`]);
  roll(world);
  roll(world);
  clean(world);
  expect(records(world)).toEqual([`1:b=${wide}`, `2:a=2${wide}`, `3:c=${wide}`]);
});

/** Several segments that one cleaning puts together, with transactions among their records. */
function manySegments(): SimWorld {
  const world = compacted({ segmentBytes: 700, fileDeleteDelayMs: 10 });
  for (let round = 0; round < 20; round++) {
    put(world, [round % 6 === 3 ? `key${round}=1` : `a=${"v".repeat(60)}`]);
  }
  const options = { producerId: 2, producerEpoch: 0, transactional: true };
  put(world, ["a=aborted"], { ...options, baseSequence: 0 });
  const marker = { type: "abort", producerId: 2, producerEpoch: 0, coordinatorEpoch: 0 } as const;
  const abort = buildEndTxnMarker({ ...marker, timestampMs: world.clock.wallMs() });
  expect(world.log.append(abort, { leaderEpoch: 0, origin: "coordinator" }).ok).toBe(true);
  roll(world);
  clean(world);
  put(world, ["a=last", "key3"]);
  roll(world);
  world.disk.faults.maxLatencyMs = 1;
  return world;
}

test("a crash at any step of a cleaning leaves the old segments or the new one", () => {
  const outcomes = new Set<string>();
  for (const crash of ["kill", "everything", "prefix"] as const) {
    let hasEnded = false;
    for (let step = 0; !hasEnded; step++) {
      const world = manySegments();
      const before = world.log.segmentCount;
      const wanted = contents(world).filter(({ record }) => !/^(a|key3)(=|$)/.test(record));
      world.dir.cleanOne().then(() => hasEnded = true, () => {});
      for (let left = step; left > 0; left--) world.clock.step(Infinity);
      if (crash === "kill") world.kill();
      else world.cutPower(crash);
      const where = `${crash} at step ${step}`;
      const kept = contents(world).filter(({ record }) => !/^(a|key3)(=|$)/.test(record));
      expect({ where, kept }).toEqual({ where, kept: wanted });
      expect(world.names().filter((name) => /cleaned|swap|deleted/.test(name))).toEqual([]);
      outcomes.add(world.log.segmentCount === before ? "old" : "new");
      clean(world);
      expect(records(world).filter((record) => /:(a|key3)(=|$)/.test(record)).length).toBe(2);
      expect(world.log.segmentCount).toBeLessThan(before);
      expect(world.complaints.filter((what) => what !== "an index is made again")).toEqual([]);
    }
  }
  expect([...outcomes].sort()).toEqual(["new", "old"]);
}, 60_000);
