import { expect, test } from "bun:test";
import { BatchBuilder } from "../core/records/batch-builder.ts";
import { SimWorld } from "../tests/sim/sim-world.ts";
import type { LogConfig } from "./log-config.ts";
import { inStep, type SyncSteps } from "./sync-steps.ts";

const FEW = 63;
const MANY = 64;
const VALUE_BYTES = 100;
/** What a batch of one record takes with that value: header, lengths and offsets. */
const BATCH_BYTES = 170;

/** A world whose disk counts the hints, and takes `hintMs` for each. */
function counting(hintMs = 1, config: Partial<LogConfig> = {}) {
  const world = new SimWorld(config);
  const hinted = { times: 0 };
  world.disk.flushHint = (path) => {
    expect(path).toBe("/data");
    hinted.times++;
    return new Promise((resolve) => void world.clock.setTimer(hintMs, resolve));
  };
  const { clock, disk } = world;
  const context = { clock, disk, path: "/data", parallelLogs: 8 };
  const run = (works: SyncSteps<void>[]) => clock.run(inStep(context, works));
  return { world, hinted, run };
}

/** A record in each of `count` logs. */
function writeLogs(world: SimWorld, count: number): void {
  for (let partition = 0; partition < count; partition++) {
    const log = world.dir.getOrCreate(
      { topic: "t", topicId: "A".repeat(22), partition },
      world.config,
    );
    const batch = new BatchBuilder();
    batch.append(world.clock.wallMs(), null, new Uint8Array(VALUE_BYTES));
    expect(log.append(batch.build(), { leaderEpoch: 0, origin: "client" }).ok).toBe(true);
  }
  world.settle();
}

/** How many logs have all of their batch. */
const whole = (world: SimWorld) =>
  [...world.dir.logs()].filter((log) => log.logEndOffset === 1 && log.sizeBytes === BATCH_BYTES)
    .length;

test("many logs are closed and recovered with a few hints, few logs without", () => {
  for (const [count, hints] of [[FEW, 0], [MANY, 2]] as const) {
    const { world, hinted } = counting();
    writeLogs(world, count);
    world.kill();
    expect({ count, hints: hinted.times }).toEqual({ count, hints });
    hinted.times = 0;
    world.restart();
    expect({ count, hints: hinted.times }).toEqual({ count, hints });
    expect(whole(world)).toBe(count);
  }
});

test("after a start and after a stop a power cut takes nothing, for no hint makes up for a sync", () => {
  for (const story of ["kill", "restart"] as const) {
    const { world } = counting(1, { durability: "os" });
    writeLogs(world, MANY);
    world[story]();
    world.cutPower();
    expect({ story, logs: whole(world) }).toEqual({ story, logs: MANY });
    expect(world.complaints).toEqual([]);
  }
});

test("a hint that takes too long is given once, and not waited for", () => {
  const { world, hinted } = counting(3_600_000);
  writeLogs(world, MANY);
  const sinceMs = world.clock.monotonicMs();
  world.kill();
  expect(hinted.times).toBe(1);
  expect(world.clock.monotonicMs() - sinceMs).toBeLessThan(10_000);
});

test("logs go in groups, and a group that is too small has no hint", () => {
  for (const [count, hints] of [[250 + FEW, 1], [250 + MANY, 2]] as const) {
    const { hinted, run } = counting();
    run(Array.from({ length: count }, async function* () {
      yield;
      await Promise.resolve();
    }));
    expect({ count, hints: hinted.times }).toEqual({ count, hints });
  }
});

test("a group takes each step together, and lets go of what it holds when one fails", () => {
  const { run } = counting();
  const steps: string[] = [];
  const work = async function* (name: string, fails = false): SyncSteps<void> {
    try {
      steps.push(`${name} writes`);
      yield;
      await Promise.resolve();
      if (fails) throw new Error("no disk");
      steps.push(`${name} syncs`);
      yield;
      steps.push(`${name} ends`);
    } finally {
      steps.push(`${name} lets go`);
    }
  };
  run([work("a"), work("b")]);
  const expected = ["writes", "syncs"].flatMap((step) => [`a ${step}`, `b ${step}`]);
  expect(steps.splice(0)).toEqual([...expected, "a ends", "a lets go", "b ends", "b lets go"]);
  expect(() => run([work("a"), work("b", true)])).toThrow("no disk");
  expect(steps.slice(-2)).toEqual(["b lets go", "a lets go"]);
});
