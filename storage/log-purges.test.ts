/** Records that are purged and come back, on a virtual clock and a disk that loses what was not synced. */
import { expect, test } from "bun:test";
import { Errors } from "../core/errors.ts";
import { baseOffset, batchSizeAt, lastOffset, maxTimestamp } from "../core/records/batch-header.ts";
import { BatchBuilder } from "../core/records/batch-builder.ts";
import { RecordCursor } from "../core/records/record-cursor.ts";
import { SimRandom } from "../tests/sim/sim-random.ts";
import { SimWorld } from "../tests/sim/sim-world.ts";

const BATCH_BYTES = 170;
const T0 = 1_700_000_000_000;

/** Of small segments; the record at an offset has its time. */
function worldOf(count: number): SimWorld {
  const world = new SimWorld({ segmentBytes: 3 * BATCH_BYTES, indexIntervalBytes: 0 });
  fill(world, count);
  return world;
}

function fill(world: SimWorld, count: number, leaderEpoch = 0): void {
  for (let i = 0; i < count; i++) {
    const timestamp = T0 + world.log.logEndOffset;
    expect(world.append(1, 100, {}, timestamp, { leaderEpoch }).ok).toBe(true);
  }
  world.settle();
}

/** Reads all and finds each by its time; where the log begins and ends. */
function check(world: SimWorld): readonly [number, number] {
  const { log } = world;
  const seen: number[] = [];
  for (let offset = log.logStartOffset; offset < log.logEndOffset;) {
    const read = world.read(offset);
    if (!read.ok || read.records.length === 0) throw new Error(`nothing at ${offset}`);
    for (let at = 0; at < read.records.length; at += batchSizeAt(read.records, at)) {
      offset = lastOffset(read.records, at) + 1;
      if (offset <= log.logStartOffset) continue;
      expect(maxTimestamp(read.records, at)).toBe(T0 + baseOffset(read.records, at));
      seen.push(offset - 1);
    }
  }
  const first = log.logStartOffset;
  expect(seen).toEqual(Array.from({ length: log.logEndOffset - first }, (_, i) => first + i));
  for (const offset of seen) {
    const found = world.clock.run(log.offsetForTimestamp(T0 + offset));
    expect(found?.offset).toBe(offset);
  }
  return [first, log.logEndOffset];
}

function purge(world: SimWorld, id: string): void {
  const result = world.clock.run(world.log.purges.purge(id, world.clock.wallMs()));
  expect(result.ok).toBe(true);
}

const undo = (world: SimWorld, id: string) => world.clock.run(world.log.purges.undo(id));
const ids = (world: SimWorld) => world.log.purges.all.map(({ id }) => id);

test("what is purged is gone for readers, and comes back below what was written since", () => {
  const world = worldOf(10);
  expect(world.log.deleteRecordsBefore(4)).toBe(Errors.NONE);
  const { sizeBytes } = world.log;
  purge(world, "p");
  expect(check(world)).toEqual([10, 10]);
  expect(world.read(4)).toEqual({ ok: false, error: Errors.OFFSET_OUT_OF_RANGE });
  expect([world.log.sizeBytes, world.log.purges.sizeBytes]).toEqual([0, sizeBytes]);
  fill(world, 4, 3);
  expect(check(world)).toEqual([10, 14]);
  expect(undo(world, "p")).toBeNull();
  expect(check(world)).toEqual([4, 14]);
  expect([world.log.sizeBytes, ids(world)]).toEqual([sizeBytes + 4 * BATCH_BYTES, []]);
  expect(world.names().filter((name) => name.includes("purge"))).toEqual([]);
  expect([9, 10].map((offset) => world.log.epochForOffset(offset))).toEqual([0, 3]);
  world.cutPower();
  expect(check(world)).toEqual([4, 14]);
  expect([9, 10].map((offset) => world.log.epochForOffset(offset))).toEqual([0, 3]);
  fill(world, 1, 3);
  expect(check(world)).toEqual([4, 15]);
});

test("purges of an open transaction and of an empty log", () => {
  const world = new SimWorld();
  expect(world.clock.run(world.log.purges.purge("p", 0))).toEqual({ ok: true, purge: null });
  const transaction = { producerId: 7, producerEpoch: 0, transactional: true, baseSequence: 0 };
  expect(world.append(2, 100, transaction, T0, { verification: "off" }).ok).toBe(true);
  world.settle();
  purge(world, "p");
  expect(world.log.firstUnstableOffset(2)).toBe(2);
  expect(undo(world, "p")).toBeNull();
  expect(world.log.firstUnstableOffset(2)).toBe(0);
});

test("purges are undone from the last one on, over restarts", () => {
  const world = worldOf(5);
  purge(world, "p1");
  fill(world, 5);
  purge(world, "p2");
  fill(world, 2);
  expect(undo(world, "p1")).toBe("a later purge has to be undone first");
  world.restart();
  expect([ids(world), check(world)]).toEqual([["p1", "p2"], [10, 12]]);
  expect(undo(world, "p2")).toBeNull();
  world.kill();
  expect([ids(world), check(world)]).toEqual([["p1"], [5, 12]]);
  expect(undo(world, "p1")).toBeNull();
  expect(undo(world, "p1")).toBe("it has been given up");
  world.cutPower("prefix");
  expect([ids(world), check(world)]).toEqual([[], [0, 12]]);
});

test("records do not come back above a hole, nor while the log moves", () => {
  const world = worldOf(5);
  purge(world, "p");
  fill(world, 5);
  world.log.isMoving = true;
  expect(undo(world, "p")).toContain("being moved");
  const refused = world.clock.run(world.log.purges.purge("q", 0));
  expect(refused).toMatchObject({ ok: false, why: expect.stringContaining("being moved") });
  world.log.isMoving = false;
  world.log.deleteRecordsBefore(6);
  expect(undo(world, "p")).toBe(
    "records that were written since, from offset 5 on, have been deleted",
  );
});

test("a purge that is given up leaves nothing, and takes those before it along", () => {
  const world = worldOf(5);
  for (const id of ["p1", "p2", "p3"]) {
    purge(world, id);
    fill(world, 3);
  }
  world.clock.run(world.log.purges.drop("p2"));
  world.settle();
  expect(ids(world)).toEqual(["p3"]);
  const left = () => world.names().filter((name) => name.includes(".purge"));
  expect(new Set(left().map((name) => Number(name.slice(0, 20))))).toEqual(new Set([8, 11]));
  world.kill();
  expect([ids(world), undo(world, "p3"), check(world)]).toEqual([["p3"], null, [8, 14]]);
  expect(left()).toEqual([]);
});

test("a purge of which a file was lost is given up at the start", () => {
  const world = worldOf(10);
  purge(world, "p");
  fill(world, 1);
  world.kill(() => world.disk.remove("/data/t-0/00000000000000000003.log.purged"));
  expect([ids(world), check(world)]).toEqual([[], [10, 11]]);
  expect(world.names().filter((name) => name.includes("purge"))).toEqual([]);
});

test("indexes that were lost meanwhile are made again", () => {
  const world = worldOf(10);
  purge(world, "p");
  for (const suffix of ["index", "timeindex"]) {
    world.disk.remove(`/data/t-0/00000000000000000003.${suffix}.purged`);
  }
  expect([undo(world, "p"), check(world)]).toEqual([null, [0, 10]]);
});

test("a full disk refuses, and changes nothing", () => {
  const world = worldOf(5);
  purge(world, "p");
  fill(world, 5);
  world.disk.faults.maxBytes = 1;
  expect(() => undo(world, "p")).toThrow("ENOSPC");
  expect(() => world.clock.run(world.log.purges.purge("q", 0))).toThrow("ENOSPC");
  world.settle();
  expect([world.log.failed, ids(world), check(world)]).toEqual([false, ["p"], [5, 10]]);
  world.disk.faults.maxBytes = Infinity;
  world.kill();
  expect([ids(world), undo(world, "p"), check(world)]).toEqual([["p"], null, [0, 10]]);
});

test("what comes back is cleaned with what was written since", () => {
  const world = compactedWorld();
  const write = () => {
    for (let left = 20; left > 0; left--) appendKeyed(world, left % 4);
    world.settle();
    world.clock.run(world.dir.cleanOne());
  };
  write();
  const before = world.log.cleanedTo!;
  purge(world, "p");
  write();
  expect(world.log.cleanedTo).toBeGreaterThan(20);
  expect(undo(world, "p")).toBeNull();
  expect(world.log.cleanedTo).toBe(before);
  const { sizeBytes } = world.log;
  expect(world.clock.run(world.dir.cleanOne())).toBe(true);
  expect(world.log.sizeBytes).toBeLessThan(sizeBytes);
});

test("retention counts what has come back", () => {
  const world = worldOf(9);
  purge(world, "p");
  fill(world, 3);
  world.config = { ...world.config, retentionBytes: 6 * BATCH_BYTES };
  world.log.updateConfig(world.config);
  world.log.maintain();
  expect(world.log.logStartOffset).toBe(9);
  expect(undo(world, "p")).toBeNull();
  world.log.maintain();
  expect(check(world)).toEqual([6, 12]);
});

test("wherever a crash comes, all is there or all is purged", () => {
  for (let seed = 1; seed <= Number(process.env["SEEDS"] ?? 25); seed++) {
    try {
      crashes(new SimRandom(seed));
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
}, 120_000);

function crashes(random: SimRandom): void {
  const world = worldOf(3 + random.below(8));
  world.disk.faults.maxLatencyMs = 5;
  let starts = [0];
  let end = world.log.logEndOffset;
  for (let round = 0; round < 12; round++) {
    const before = starts;
    const isPurge = starts.length === 1 || random.chance(50);
    const works = isPurge ? purgeOnce : undoOnce;
    const after = isPurge
      ? (starts.at(-1) === end ? starts : [...starts, end])
      : starts.slice(0, -1);
    const isDone = random.chance(30);
    const crashed = interrupted(world, random, () => works(world, `p${starts.length}`), isDone);
    const now = [...world.log.purges.all.map((each) => each.startOffset), world.log.logStartOffset];
    if (!crashed) expect(now).toEqual(after);
    else expect([before, after]).toContainEqual(now);
    starts = now;
    expect(check(world)).toEqual([starts.at(-1)!, end]);
    fill(world, random.below(6));
    end = world.log.logEndOffset;
  }
  while (starts.length > 1) {
    expect(undo(world, `p${starts.length - 1}`)).toBeNull();
    starts.pop();
  }
  expect(check(world)).toEqual([0, end]);
}

const purgeOnce = (world: SimWorld, id: string) => world.log.purges.purge(id, 0);
const undoOnce = (world: SimWorld) => world.log.purges.undo(world.log.purges.all.at(-1)!.id);

/** Does it and may crash on the way; whether it did before it was done. */
function interrupted(
  world: SimWorld,
  random: SimRandom,
  work: () => Promise<unknown>,
  isDone: boolean,
): boolean {
  let isSettled = false;
  const done = work().finally(() => void (isSettled = true));
  if (isDone) world.clock.run(done);
  else {
    done.catch(() => {});
    world.clock.advance(random.below(30));
  }
  if (isDone && random.chance(50)) return false;
  const how = random.pick(["kill", "nothing", "everything", "prefix", "sectors"] as const);
  if (how === "kill") world.kill();
  else world.cutPower(how);
  return !isSettled;
}

test("appends, the cleaner and purges go on side by side", () => {
  for (let seed = 1; seed <= 15; seed++) {
    try {
      sideBySide(new SimRandom(seed));
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
}, 60_000);

function compactedWorld(): SimWorld {
  return new SimWorld({
    segmentBytes: 600,
    indexIntervalBytes: 0,
    cleanupPolicy: { compact: true, delete: true },
    retentionMs: -1,
    minCleanableDirtyRatio: 0,
  });
}

/** The offset of a record with this key. */
function appendKeyed(world: SimWorld, key: number): number {
  const builder = new BatchBuilder({});
  builder.append(world.clock.wallMs(), new Uint8Array([key]), new Uint8Array(50).fill(key));
  const appended = world.log.append(builder.build(), { leaderEpoch: 0, origin: "client" });
  if (!appended.ok) throw new Error(appended.message);
  return appended.baseOffset;
}

/** Of each key the last value is there whenever nothing is purged. */
function sideBySide(random: SimRandom): void {
  const world = compactedWorld();
  world.disk.faults.maxLatencyMs = 5;
  const latest = new Map<number, number>();
  const append = () => {
    const key = random.below(4);
    latest.set(key, appendKeyed(world, key));
  };
  for (let round = 0; round < 20; round++) {
    for (let left = 1 + random.below(20); left > 0; left--) append();
    const purges = world.log.purges.all;
    const work = purges.length > 0 && random.chance(60)
      ? undoOnce(world)
      : purgeOnce(world, `p${purges.length}`);
    let isDone = false;
    work.finally(() => void (isDone = true)).catch(() => {});
    const cleaned = world.dir.cleanOne();
    cleaned.catch(() => {});
    let isKilled = false;
    while (!isDone && !isKilled) {
      isKilled = random.chance(10);
      if (random.chance(30)) append();
      if (random.chance(10)) world.log.maintain();
      world.clock.advance(1);
    }
    if (!isKilled && random.chance(80)) world.clock.run(cleaned);
    else world.kill();
  }
  while (world.log.purges.all.length > 0) {
    expect(world.clock.run(undoOnce(world))).toBeNull();
    world.clock.run(world.dir.cleanOne());
  }
  const found = new Map<number, number>();
  for (let offset = 0; offset < world.log.logEndOffset;) {
    const read = world.read(offset);
    if (!read.ok || read.records.length === 0) throw new Error(`nothing at ${offset}`);
    for (let at = 0; at < read.records.length; at += batchSizeAt(read.records, at)) {
      const cursor = new RecordCursor(read.records, at, {});
      while (cursor.next()) found.set(cursor.key()![0]!, cursor.offset);
      offset = lastOffset(read.records, at) + 1;
    }
  }
  expect(found).toEqual(latest);
}
