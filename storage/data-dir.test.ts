import { describe, expect, test } from "bun:test";
import { Errors } from "../core/errors.ts";
import { OperatorError } from "../core/operator-error.ts";
import { SimWorld } from "../tests/sim/sim-world.ts";

/** The message of the refusal. */
function refusalOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof OperatorError) return error.message;
    throw error;
  }
  return "";
}

function writeMeta(world: SimWorld, text: string): void {
  world.disk.remove("/data/meta.properties");
  const file = world.disk.open("/data/meta.properties", "create");
  file.writeSync(new TextEncoder().encode(text), 0);
}

describe("a data directory is refused with a sentence", () => {
  test("while another process has it open", () => {
    const world = new SimWorld();
    expect(refusalOf(() => world.open())).toContain("another process has it open");
  });

  test("of a newer format, of another node, or with damaged properties", () => {
    const world = new SimWorld();
    world.clock.run(world.dir.close());
    expect(refusalOf(() => world.open(2))).toContain("belongs to node 1");
    const text = "cluster.id=a\ndirectory.id=b\nnode.id=1\nversion=";
    writeMeta(world, `${text}2\n`);
    expect(refusalOf(() => world.open())).toContain("format 2");
    writeMeta(world, "version=1\n");
    expect(refusalOf(() => world.open())).toContain("damaged");
    writeMeta(world, `${text}1\n`);
    expect(world.open().clusterId).toBe("a");
  });
});

test("identity and topic ids survive a restart", () => {
  const world = new SimWorld();
  const { clusterId, directoryId } = world.dir;
  world.append();
  world.restart();
  expect(world.dir.clusterId).toBe(clusterId);
  expect(world.dir.directoryId).toBe(directoryId);
  expect([...world.dir.logs()].map((log) => `${log.name} ${log.topicId}`))
    .toEqual([`t-0 ${"A".repeat(22)}`]);
});

test("a full disk refuses appends, serves reads, and takes appends when there is room", () => {
  const world = new SimWorld();
  for (let index = 0; index < 5; index++) world.append();
  world.settle();
  world.disk.faults.maxBytes = world.disk.usedBytes() + 50;
  for (let index = 0; index < 3; index++) {
    expect(world.append()).toMatchObject({ ok: false, error: Errors.KAFKA_STORAGE_ERROR });
  }
  expect(world.read(4)).toMatchObject({ ok: true, nextOffset: 5 });
  expect(world.dir.freeBytes() ?? Infinity).toBeLessThan(100);
  world.disk.faults.maxBytes = Infinity;
  expect(world.append()).toMatchObject({ ok: true, baseOffset: 5 });
  world.settle();
  world.cutPower();
  expect(world.log.logEndOffset).toBe(6);
});

test("after a failed sync nothing is acknowledged or appended any more", () => {
  const world = new SimWorld();
  world.append();
  world.settle();
  world.disk.faults.failingSyncPercent = 100;
  let calls = 0;
  world.log.onDurable(() => calls++);
  expect(world.append().ok).toBe(true);
  world.settle();
  world.disk.faults.failingSyncPercent = 0;
  expect(world.log.durableEndOffset).toBe(1);
  expect(calls).toBeGreaterThan(0);
  expect(world.dir.failure).not.toBeNull();
  expect(world.append()).toMatchObject({ ok: false, error: Errors.KAFKA_STORAGE_ERROR });
  expect(world.log.deleteRecordsBefore(1)).toBe(Errors.KAFKA_STORAGE_ERROR);
  world.settle();
  expect(world.log.durableEndOffset).toBe(1);
});

test("under os an append is acknowledged at once, under fsync when it is synced", () => {
  const world = new SimWorld({ durability: "os" });
  world.append(3);
  expect(world.log.durableEndOffset).toBe(3);
  world.config = { ...world.config, durability: "fsync" };
  world.append(2);
  expect(world.log.durableEndOffset).toBe(3);
  world.settle();
  expect(world.log.durableEndOffset).toBe(5);
});

test("flush.messages and flush.ms sync under os", () => {
  for (const config of [{ flushMessages: 2 }, { flushMs: 500 }]) {
    const world = new SimWorld({ durability: "os", ...config });
    world.append();
    world.append();
    world.clock.advance(3000);
    world.cutPower();
    expect(world.log.logEndOffset).toBe(2);
  }
});

test("segment.jitter.ms takes a random part off the age at which segments roll", () => {
  const world = new SimWorld({ segmentMs: 10_000, segmentJitterMs: 9_000 });
  const ages = new Set<number>();
  let madeMs = world.clock.wallMs();
  for (let count = 1; ages.size < 5; world.clock.advance(100)) {
    world.append();
    const { segmentCount } = world.log;
    const ageMs = world.clock.wallMs() - madeMs;
    expect(ageMs).toBeLessThanOrEqual(10_100);
    if (segmentCount === count) continue;
    expect(ageMs).toBeGreaterThanOrEqual(1000);
    ages.add(ageMs);
    count = segmentCount;
    madeMs = world.clock.wallMs();
  }
});

test("retention by size and by time removes whole segments, files go later", () => {
  const world = new SimWorld({ segmentBytes: 1000, retentionBytes: 2500, fileDeleteDelayMs: 5000 });
  for (let index = 0; index < 30; index++) world.append();
  world.settle();
  world.clock.run(world.dir.maintain());
  expect(world.log.sizeBytes).toBeGreaterThanOrEqual(2500);
  expect(world.log.sizeBytes).toBeLessThan(3600);
  const start = world.log.logStartOffset;
  expect(start).toBeGreaterThan(0);
  expect(world.read(start - 1)).toEqual({ ok: false, error: Errors.OFFSET_OUT_OF_RANGE });
  expect(world.names().some((name) => name.endsWith(".deleted"))).toBe(true);
  world.clock.advance(6000);
  expect(world.names().some((name) => name.endsWith(".deleted"))).toBe(false);
  world.config = { ...world.config, retentionBytes: -1, retentionMs: 1000 };
  world.log.updateConfig(world.config);
  world.clock.advance(2000);
  world.clock.run(world.dir.maintain());
  world.settle();
  world.clock.run(world.dir.maintain());
  expect(world.log.logStartOffset).toBe(30);
  expect(world.log.sizeBytes).toBe(0);
  expect(world.append()).toMatchObject({ ok: true, baseOffset: 30 });
});

test("a topic of the same name starts afresh, also after a crash", () => {
  const world = new SimWorld();
  for (let index = 0; index < 9; index++) world.append();
  world.restart();
  world.clock.run(world.dir.delete(world.log));
  expect(world.append()).toMatchObject({ ok: true, baseOffset: 0 });
  world.settle();
  world.cutPower();
  expect(world.log.logEndOffset).toBe(1);
  expect(world.log.logStartOffset).toBe(0);
});

test("a segment rolls by age", () => {
  const world = new SimWorld({ segmentMs: 10_000 });
  world.append();
  world.clock.advance(9_000);
  world.append();
  expect(world.log.segmentCount).toBe(1);
  world.clock.advance(2_000);
  world.append();
  expect(world.log.segmentCount).toBe(2);
});

test("a batch beyond the limits is refused with its code", () => {
  const world = new SimWorld({ maxMessageBytes: 500, segmentBytes: 400 });
  expect(world.append(1, 600)).toMatchObject({ ok: false, error: Errors.MESSAGE_TOO_LARGE });
  expect(world.append(1, 390)).toMatchObject({ ok: false, error: Errors.RECORD_LIST_TOO_LARGE });
});
