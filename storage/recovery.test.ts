/** The table in `recovery.ts`, row by row. */
import { describe, expect, test } from "bun:test";
import { Errors } from "../core/errors.ts";
import { flip, SimWorld } from "../tests/sim/sim-world.ts";

const LOG = "00000000000000000000.log";
/** A batch of one record of 100 bytes. */
const BATCH_BYTES = 61 + 109;

/** Ten batches, one record each, synced. */
function worldOfTen(config = {}): SimWorld {
  const world = new SimWorld(config);
  for (let index = 0; index < 10; index++) {
    const producer = { producerId: 7, producerEpoch: 0, baseSequence: index };
    expect(world.append(1, 100, producer).ok).toBe(true);
  }
  world.settle();
  expect(world.log.durableEndOffset).toBe(10);
  return world;
}

function offsets(world: SimWorld): string {
  let text = "";
  for (let offset = world.log.logStartOffset; offset < world.log.logEndOffset; offset++) {
    const result = world.read(offset, 1);
    text += result.ok ? result.records.length > 0 ? "+" : "." : "x";
  }
  return text;
}

/** Sends the batch with this sequence again. */
const retry = (world: SimWorld, baseSequence: number) =>
  world.append(1, 100, { producerId: 7, producerEpoch: 0, baseSequence });

describe("after a clean shutdown", () => {
  test("nothing is read", () => {
    const world = worldOfTen();
    world.clock.run(world.dir.close());
    // Damage that a reading would report.
    world.damage(LOG, flip(5 * BATCH_BYTES + 80));
    world.dir = world.open();
    expect(world.complaints).toEqual([]);
    expect(world.log.logEndOffset).toBe(10);
    expect(retry(world, 7)).toMatchObject({ ok: true, duplicate: true, baseOffset: 7 });
  });

  test("a damaged snapshot is made up for by replaying", () => {
    const world = worldOfTen();
    world.clock.run(world.dir.close());
    world.damage("00000000000000000010.snapshot", flip(12));
    world.dir = world.open();
    expect(world.complaints).toEqual(["a producer snapshot is damaged"]);
    expect(retry(world, 7)).toMatchObject({ ok: true, duplicate: true, baseOffset: 7 });
  });

  test("a damaged batch answers for itself only", () => {
    const world = worldOfTen();
    world.clock.run(world.dir.close());
    world.damage(LOG, flip(5 * BATCH_BYTES + 80));
    world.dir = world.open();
    expect(offsets(world)).toBe("+++++x++++");
    expect(world.read(5)).toEqual({ ok: false, error: Errors.CORRUPT_MESSAGE });
  });

  test("a damaged header is skipped too", () => {
    const world = worldOfTen();
    world.clock.run(world.dir.close());
    world.damage(LOG, flip(5 * BATCH_BYTES + 9));
    world.dir = world.open();
    expect(offsets(world)).toBe("+++++x++++");
  });

  test("missing leader epochs are found in the batches", () => {
    const world = worldOfTen();
    world.clock.run(world.dir.close());
    world.disk.remove("/data/t-0/leader-epoch-checkpoint");
    world.dir = world.open();
    expect(world.log.latestEpoch()).toBe(0);
    expect(world.log.epochEndOffset(0)).toEqual({ leaderEpoch: 0, endOffset: 10 });
  });

  test("a missing index is made again", () => {
    const world = worldOfTen({ indexIntervalBytes: 200 });
    world.clock.run(world.dir.close());
    world.disk.remove("/data/t-0/00000000000000000000.timeindex");
    world.dir = world.open();
    expect(world.complaints).toEqual(["an index is made again"]);
    expect(world.clock.run(world.log.maxTimestamp())?.offset).toBe(0);
    expect(world.names()).toContain("00000000000000000000.timeindex");
  });

  test("an index that lies is not believed", () => {
    const world = worldOfTen({ indexIntervalBytes: 200 });
    world.clock.run(world.dir.close());
    world.damage("00000000000000000000.index", (bytes) => bytes.fill(0x11));
    world.damage("00000000000000000000.index", (bytes) => {
      bytes.set([0, 0, 0, 1]);
      return bytes;
    });
    world.dir = world.open();
    expect(offsets(world)).toBe("++++++++++");
  });

  test("data that is missing at the end keeps its offsets", () => {
    for (const compact of [false, true]) {
      const world = worldOfTen();
      world.clock.run(world.dir.close());
      world.damage(LOG, (bytes) => bytes.slice(0, 8 * BATCH_BYTES));
      world.disk.remove("/data/.kafka_cleanshutdown");
      world.config = { ...world.config, cleanupPolicy: { delete: true, compact } };
      world.dir = world.open();
      expect(world.log.logEndOffset).toBe(10);
      expect(offsets(world)).toBe("++++++++xx");
      if (compact) continue; // it takes records with keys only
      expect(world.append()).toMatchObject({ ok: true, baseOffset: 10 });
      expect(offsets(world)).toBe("++++++++xx+");
    }
  });
});

describe("after a crash", () => {
  test("a torn end is cut off", () => {
    const world = worldOfTen();
    world.kill(() => world.damage(LOG, (bytes) => bytes.slice(0, -30)));
    expect(world.complaints).toEqual(["a torn end is cut off"]);
    expect(offsets(world)).toBe("+++++++++");
    expect(retry(world, 9)).toMatchObject({ ok: true, duplicate: false, baseOffset: 9 });
    expect(retry(world, 8)).toMatchObject({ ok: true, duplicate: true, baseOffset: 8 });
  });

  test("damage with a good batch behind it stays, and is reported", () => {
    const world = worldOfTen();
    world.kill(() => world.damage(LOG, flip(4 * BATCH_BYTES + 100)));
    expect(world.complaints).toEqual(["damaged batches are fenced"]);
    expect(offsets(world)).toBe("++++x+++++");
  });

  test("a replica is cut at damage, and goes on there", () => {
    for (const segmentBytes of [3, 100].map((batches) => batches * BATCH_BYTES)) {
      const world = worldOfTen({ segmentBytes });
      world.cutsDamage = true;
      world.kill(() => {
        world.disk.remove("/data/recovery-point-offset-checkpoint");
        const inSegment = segmentBytes < 10 * BATCH_BYTES ? 1 : 4;
        const name = inSegment === 1 ? "00000000000000000003.log" : LOG;
        world.damage(name, flip(inSegment * BATCH_BYTES + 100));
      });
      expect(world.complaints).toEqual(["a torn end is cut off"]);
      expect(offsets(world)).toBe("++++");
      expect(retry(world, 3)).toMatchObject({ ok: true, duplicate: true, baseOffset: 3 });
      expect(retry(world, 4)).toMatchObject({ ok: true, duplicate: false, baseOffset: 4 });
      world.restart();
      expect(offsets(world)).toBe("+++++");
    }
  });

  test("a wrong base offset, which no CRC covers, does not move the end", () => {
    const world = worldOfTen();
    world.kill(() => world.damage(LOG, flip(9 * BATCH_BYTES + 4)));
    expect(world.log.logEndOffset).toBe(9);
  });

  test("segments behind a torn end go", () => {
    const world = worldOfTen({ segmentBytes: 3 * BATCH_BYTES });
    world.kill(() => {
      world.disk.remove("/data/recovery-point-offset-checkpoint");
      world.damage("00000000000000000006.log", (bytes) => bytes.slice(0, BATCH_BYTES + 20));
      world.damage("00000000000000000009.log", (bytes) => bytes.fill(0));
    });
    expect(offsets(world)).toBe("+++++++");
    expect(world.names()).not.toContain("00000000000000000009.log");
  });

  test("a segment's missing end is damage if later segments are good", () => {
    const world = worldOfTen({ segmentBytes: 3 * BATCH_BYTES });
    world.kill(() => {
      world.damage("00000000000000000003.log", (bytes) => bytes.slice(0, 2 * BATCH_BYTES));
    });
    expect(offsets(world)).toBe("+++++x++++");
  });

  test("stray files go", () => {
    const world = worldOfTen();
    world.kill(() => {
      for (const name of ["x.tmp", `${LOG}.deleted`, "00000000000000000077.index"]) {
        world.disk.open(`/data/t-0/${name}`, "create");
      }
    });
    expect(world.names()).toEqual([
      "00000000000000000000.index",
      LOG,
      "00000000000000000000.timeindex",
      "00000000000000000010.snapshot",
      "leader-epoch-checkpoint",
      "partition.metadata",
    ]);
  });

  test("without a recovery point everything is read", () => {
    const world = worldOfTen({ segmentBytes: 3 * BATCH_BYTES });
    world.kill(() => {
      world.disk.remove("/data/recovery-point-offset-checkpoint");
      world.damage(LOG, flip(100));
    });
    expect(world.complaints).toEqual(["damaged batches are fenced"]);
    expect(offsets(world)).toBe("x+++++++++");
  });

  test("a start beyond the end leaves an empty log", () => {
    const world = worldOfTen();
    world.log.deleteRecordsBefore(10);
    world.settle();
    world.kill(() => world.damage(LOG, (bytes) => bytes.slice(0, 4 * BATCH_BYTES)));
    expect(world.log.logStartOffset).toBe(world.log.logEndOffset);
    expect(world.append().ok).toBe(true);
  });
});

test("power loss takes what was not synced, and no more", () => {
  const world = worldOfTen();
  world.append(3);
  world.cutPower();
  expect(offsets(world)).toBe("++++++++++");
  expect(retry(world, 5)).toMatchObject({ ok: true, duplicate: true, baseOffset: 5 });
});
