/** Logs that change their directory, on a virtual clock and a faulty disk. */
import { expect, test } from "bun:test";
import { Errors } from "../core/errors.ts";
import { baseOffset, batchSizeAt } from "../core/records/batch-header.ts";
import { RecordCursor } from "../core/records/record-cursor.ts";
import { appendOne, DataDirsWorld } from "../tests/sim/data-dirs-world.ts";
import { Throttle } from "./cleaner/throttle.ts";
import { moveLog } from "./log-move.ts";
import type { PartitionLog } from "./partition-log.ts";

/** Values by offset, up to the first that is damaged. */
function valuesOf(world: DataDirsWorld, log: PartitionLog): Map<number, string> {
  const found = new Map<number, string>();
  for (let offset = log.logStartOffset; offset < log.logEndOffset;) {
    const read = world.clock.run(log.read(offset, 1_000_000, Infinity, true));
    // A batch that a power cut has damaged is fenced where others follow.
    if (!read.ok && read.error === Errors.CORRUPT_MESSAGE) return found;
    if (!read.ok || read.records.length === 0) throw new Error(`nothing at ${offset}`);
    for (let at = 0; at < read.records.length; at += batchSizeAt(read.records, at)) {
      const cursor = new RecordCursor(read.records, at, {});
      while (cursor.next()) {
        found.set(cursor.offset, new TextDecoder().decode(cursor.value() ?? undefined));
      }
      offset = baseOffset(read.records, at) + 1;
    }
  }
  return found;
}

/** A log of a hundred batches in `/one`, on its way to `/two`. */
class MovingWorld extends DataDirsWorld {
  log1: PartitionLog = this.log("t");
  mirror: PartitionLog | null = null;
  moved: PartitionLog | null = null;
  readonly written: string[] = [];
  readonly stop = new AbortController();
  outcome: "moving" | "moved" | "failed" = "moving";

  fill(count: number): void {
    for (let index = 0; index < count; index++) this.append();
  }

  append(): void {
    const value = `value ${this.written.length} ${"x".repeat(100)}`;
    if (appendOne(this.log1, value).ok) this.written.push(value);
  }

  /** Up to where it may have been acknowledged by now. */
  acknowledged = 0;

  noteAcknowledged(): void {
    const ends = [this.log1, this.mirror].map((log) => log?.durableEndOffset ?? Infinity);
    this.acknowledged = Math.max(this.acknowledged, Math.min(...ends));
  }

  begin(): void {
    const [from, to] = this.dirs.all;
    const move = moveLog({
      source: this.log1,
      from: from!,
      to: to!,
      throttle: new Throttle(this.clock, () => 1_000_000),
      signal: this.stop.signal,
      isGone: () => false,
      onMirror: (future) => void (this.mirror = future),
      onMoved: (moved) => {
        this.mirror = null;
        this.log1 = moved;
      },
    });
    move.then(() => void (this.outcome = "moved"), () => void (this.outcome = "failed"));
  }

  /** How many directories have a folder of the log that counts. */
  homes(): string[] {
    return this.dirs.all.filter((dir) => dir.log("t", 0) !== undefined).map(({ path }) => path);
  }
}

test("a log changes its directory while it is written, and stays what it was", () => {
  const world = new MovingWorld();
  world.fill(100);
  world.clock.advance(1000);
  expect(world.log1.deleteRecordsBefore(7)).toBe(0);
  world.begin();
  for (let turn = 0; turn < 200; turn++) {
    world.append();
    world.clock.advance(1);
  }
  expect(world.outcome).toBe("moved");
  world.append();
  world.clock.advance(1000);
  expect(world.pathOf("t")).toBe("/two");
  for (const restarts of [false, true]) {
    if (restarts) world.restart();
    expect(world.homes()).toEqual(["/two"]);
    const log = world.log("t");
    expect(log.logStartOffset).toBe(7);
    expect([...valuesOf(world, log)]).toEqual(
      world.written.map((value, offset): [number, string] => [offset, value]).slice(7),
    );
  }
});

test("an idle and an empty log can be moved, and keep their offsets", () => {
  const world = new MovingWorld();
  world.begin();
  world.clock.advance(1000);
  expect(world.outcome).toBe("moved");
  world.fill(5);
  world.clock.advance(1000);
  expect(world.log1.deleteRecordsBefore(5)).toBe(0);
  world.restart();
  expect([world.pathOf("t"), world.log("t").logEndOffset]).toEqual(["/two", 5]);
  expect(world.log("t").logStartOffset).toBe(5);
});

test("a move that is called off, or whose new disk is full, leaves everything as it was", () => {
  for (const cause of ["call", "disk"]) {
    const world = new MovingWorld();
    world.fill(500);
    world.clock.advance(1000);
    world.begin();
    world.clock.advance(20);
    if (cause === "call") world.stop.abort(new Error("called off"));
    else world.disk.faults.maxBytes = world.disk.usedBytes();
    world.clock.advance(2000);
    expect(world.outcome).toBe("failed");
    world.disk.faults.maxBytes = Infinity;
    world.fill(3);
    world.restart();
    expect(world.homes()).toEqual(["/one"]);
    expect(valuesOf(world, world.log("t")).size).toBe(503);
  }
});

test("a crash at any time loses nothing that was acknowledged, and leaves one log", () => {
  const places = { moved: 0, stayed: 0, interrupted: 0 };
  for (let seed = 1; seed <= 80; seed++) {
    const world = new MovingWorld(seed);
    world.disk.faults.maxLatencyMs = 3;
    world.fill(20);
    world.clock.advance(100);
    world.begin();
    const turns = world.random.below(80);
    for (let turn = 0; turn < turns; turn++) {
      if (world.random.chance(60)) world.append();
      world.clock.advance(world.random.below(3));
      world.noteAcknowledged();
    }
    const { acknowledged } = world;
    world.crash();
    if (world.dirs.all[1]!.interruptedMoves.length > 0) places.interrupted++;
    expect(world.homes()).toHaveLength(1);
    if (world.pathOf("t") === "/two") places.moved++;
    else places.stayed++;
    for (const restarts of [false, true]) {
      if (restarts) world.restart();
      const found = valuesOf(world, world.log("t"));
      expect(found.size).toBeGreaterThanOrEqual(acknowledged);
      expect([...found.values()]).toEqual(world.written.slice(0, found.size));
    }
  }
  // All cases have been met.
  for (const count of Object.values(places)) expect(count).toBeGreaterThan(3);
});
