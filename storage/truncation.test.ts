/** Logs of followers: cut where they differ from their leader's, begun anew where they share nothing. */
import { describe, expect, test } from "bun:test";
import { Errors } from "../core/errors.ts";
import { DiskError } from "../core/io.ts";
import { flip, SimWorld } from "../tests/sim/sim-world.ts";

const LOG = "00000000000000000000.log";
/** A batch of one record of 100 bytes. */
const BATCH_BYTES = 61 + 109;

function worldOfTen(config = {}, limits = {}): SimWorld {
  const world = new SimWorld(config, limits);
  for (let index = 0; index < 10; index++) expect(world.append().ok).toBe(true);
  world.settle();
  return world;
}

const bounds = ({ log }: SimWorld) => [log.logStartOffset, log.logEndOffset];

function expectReadable(world: SimWorld): void {
  const { logStartOffset, logEndOffset } = world.log;
  for (let offset = logStartOffset; offset < logEndOffset;) {
    const read = world.read(offset, 1);
    expect(read.ok && read.nextOffset > offset).toBe(true);
    if (read.ok) offset = read.nextOffset;
  }
}

describe("a cut", () => {
  test("within the batch in which the log starts leaves nothing of it", () => {
    const world = new SimWorld();
    world.append(5);
    world.append(5);
    world.settle();
    world.log.deleteRecordsBefore(3);
    world.clock.run(world.log.truncateTo(4));
    expect(bounds(world)).toEqual([0, 0]);
    expect(world.append(2)).toMatchObject({ ok: true, baseOffset: 0 });
    world.settle();
    world.cutPower();
    expect(bounds(world)).toEqual([0, 2]);
  });

  test("takes damage like a batch, and the next append takes its place", () => {
    const world = worldOfTen({ segmentMs: 1000 });
    world.clock.run(world.dir.close());
    world.damage(LOG, flip(80));
    world.damage(LOG, flip(BATCH_BYTES + 80));
    world.dir = world.open();
    world.kill();
    world.clock.run(world.log.truncateTo(1));
    expect(bounds(world)).toEqual([0, 0]);
    world.clock.advance(10_000);
    expect(world.append(3)).toMatchObject({ ok: true, baseOffset: 0 });
    world.settle();
    expectReadable(world);
    world.cutPower();
    expect(bounds(world)).toEqual([0, 3]);
    expectReadable(world);
  });

  test("leaves damage alone that lies before it", () => {
    const world = worldOfTen();
    world.clock.run(world.dir.close());
    world.damage(LOG, flip(2 * BATCH_BYTES + 80));
    world.dir = world.open();
    world.clock.run(world.log.truncateTo(5));
    expect(bounds(world)).toEqual([0, 5]);
    expect(world.read(2).ok).toBe(false);
    expect(world.read(3).ok).toBe(true);
  });

  test("right behind a segment whose end is missing leaves an end that says so", () => {
    const world = worldOfTen({ segmentBytes: 3 * BATCH_BYTES });
    world.kill(() => {
      world.damage("00000000000000000003.log", (bytes) => bytes.slice(0, 2 * BATCH_BYTES));
    });
    world.clock.run(world.log.truncateTo(6));
    expect(bounds(world)).toEqual([0, 6]);
    expect(world.read(4).ok).toBe(true);
    expect(world.read(5)).toEqual({ ok: false, error: Errors.CORRUPT_MESSAGE });
    expect(world.read(6)).toMatchObject({ ok: true, nextOffset: 6 });
  });

  test("knows all producers where the segments before it have gone, damaged at their end", () => {
    const world = new SimWorld({ segmentBytes: 3 * BATCH_BYTES });
    const append = (baseSequence: number) =>
      world.append(1, 100, { producerId: 7, producerEpoch: 0, baseSequence });
    for (const sequence of [0, 1, 2, 3]) expect(append(sequence).ok).toBe(true);
    for (let index = 4; index < 10; index++) expect(world.append().ok).toBe(true);
    world.settle();
    world.kill(() => {
      world.disk.remove("/data/recovery-point-offset-checkpoint");
      world.damage("00000000000000000003.log", flip(2 * BATCH_BYTES + 80));
    });
    expect(world.log.deleteRecordsBefore(6)).toBe(Errors.NONE);
    expect(world.names()).not.toContain("00000000000000000003.log");
    world.clock.run(world.log.truncateTo(6));
    expect(append(3)).toMatchObject({ ok: true, duplicate: true, baseOffset: 3 });
    expect(append(4)).toMatchObject({ ok: true, duplicate: false, baseOffset: 6 });
  });

  test("changes nothing where the disk is too full to begin it", () => {
    const world = worldOfTen({}, { checkpointMs: 1 });
    world.restart();
    world.disk.faults.maxBytes = world.disk.usedBytes();
    expect(() => world.clock.run(world.log.truncateTo(5))).toThrow(DiskError);
    expect(bounds(world)).toEqual([0, 10]);
    expect(world.dir.failure).toBeNull();
    world.disk.faults.maxBytes = Infinity;
    world.clock.run(world.log.truncateTo(5));
    expect(bounds(world)).toEqual([0, 5]);
    expect(world.append()).toMatchObject({ ok: true, baseOffset: 5 });
  });

  test("is the failure of the directory where the disk gives up half-way", () => {
    const world = worldOfTen();
    world.disk.faults.failingSyncPercent = 100;
    expect(() => world.clock.run(world.log.truncateTo(5))).toThrow(DiskError);
    expect(world.dir.failure).not.toBeNull();
    expect(world.append()).toMatchObject({ ok: false });
  });
});

describe("begun anew", () => {
  test("a log is empty at the offset, durably once it is flushed", () => {
    const world = worldOfTen();
    const former = world.log;
    const log = world.dir.restart(former, 100);
    expect(world.log).toBe(log);
    expect(bounds(world)).toEqual([100, 100]);
    expect(former.append(new Uint8Array(100), { leaderEpoch: 0, origin: "client" }).ok).toBe(false);
    world.clock.run(log.flush());
    world.cutPower();
    expect(bounds(world)).toEqual([100, 100]);
    expect(world.append(2)).toMatchObject({ ok: true, baseOffset: 100 });
    world.settle();
    world.cutPower();
    expect(bounds(world)).toEqual([100, 102]);
    expectReadable(world);
  });

  test("a crash before that leaves what there was, or nothing", () => {
    for (const mode of ["everything", "nothing", "prefix", "sectors"] as const) {
      const world = worldOfTen();
      world.dir.restart(world.log, 100);
      world.cutPower(mode);
      expect(["0,10", "100,100", "0,0"]).toContain(bounds(world).join());
      expectReadable(world);
    }
  });
});

describe("the high watermark", () => {
  test("is written down, and never beyond what the log still has", () => {
    const world = worldOfTen({ durability: "os" });
    world.log.highWatermark = 8;
    world.clock.run(world.dir.saveHighWatermarks());
    world.kill();
    expect(world.log.highWatermark).toBe(8);
    expect(world.disk.list("/data").map(({ name }) => name))
      .toContain("replication-offset-checkpoint");
    world.log.highWatermark = 10;
    world.append();
    world.clock.run(world.dir.saveHighWatermarks());
    world.cutPower();
    expect(world.log.highWatermark).toBeLessThanOrEqual(world.log.logEndOffset);
  });

  test("is forgotten with a cut and with a log that begins anew", () => {
    const world = worldOfTen();
    world.log.highWatermark = 8;
    world.clock.run(world.dir.saveHighWatermarks());
    world.dir.restart(world.log, 20);
    world.settle();
    world.kill();
    expect(world.log.logStartOffset).toBe(20);
    expect(world.log.highWatermark).toBeNull();
  });

  test("no file is written where nothing is replicated", () => {
    const world = worldOfTen();
    world.clock.run(world.dir.saveHighWatermarks());
    world.restart();
    expect(world.disk.list("/data").map(({ name }) => name))
      .not.toContain("replication-offset-checkpoint");
  });

  test("nothing above it is given up", () => {
    const world = worldOfTen({ segmentBytes: 2 * BATCH_BYTES, retentionBytes: 0 });
    world.log.highWatermark = 4;
    world.clock.run(world.dir.maintain());
    expect(world.log.logStartOffset).toBe(4);
    world.log.highWatermark = 10;
    world.clock.run(world.dir.maintain());
    expect(world.log.logStartOffset).toBeGreaterThan(4);
  });
});
