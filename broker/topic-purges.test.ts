/** Purges of whole topics, on a virtual clock and disk: all partitions or none, and their end. */
import { expect, test } from "bun:test";
import { silentLogger } from "../core/logger.ts";
import { BatchBuilder } from "../core/records/batch-builder.ts";
import { BrokerWorld } from "../tests/sim/broker-world.ts";
import { SimRandom } from "../tests/sim/sim-random.ts";
import type { BrokerConfigName } from "./config/broker-configs.ts";

const HOUR_MS = 3_600_000;
const RECORD_BYTES = 1000;

function worldOf(configs: Partial<Record<BrokerConfigName, string>> = {}): BrokerWorld {
  const world = new BrokerWorld(new SimRandom(1), silentLogger, configs);
  world.start();
  const topic = { numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] };
  world.createTopics([{ ...topic, name: "t" }, { ...topic, name: "u" }]);
  return world;
}

function partition(world: BrokerWorld, topic: string, index: number) {
  const found = world.services.partitions.find(topic, index);
  if (typeof found === "number") throw new Error(`no partition ${topic}-${index}: ${found}`);
  return found;
}

function append(world: BrokerWorld, topic: string, index: number): void {
  const builder = new BatchBuilder({ baseOffset: 0 });
  builder.append(world.clock.wallMs(), null, new Uint8Array(RECORD_BYTES));
  expect(partition(world, topic, index).append(builder.build(), "client").ok).toBe(true);
  world.advance(100);
}

function purge(world: BrokerWorld, topic: string) {
  const { trash, metadata } = world.services;
  const outcome = world.ask(trash.purge(metadata.image.topics.get(topic)!, null));
  if (!outcome.ok) throw new Error(outcome.message);
  world.advance(10);
  return outcome.value;
}

const bounds = (world: BrokerWorld, topic: string) =>
  [0, 1].map((index) => {
    const { logStartOffset, logEndOffset } = partition(world, topic, index);
    return [logStartOffset, logEndOffset];
  });

test("a topic is purged with all partitions that hold anything, and comes back with them", () => {
  const world = worldOf();
  append(world, "t", 1);
  expect(purge(world, "t")).toEqual([{ partition: 1, startOffset: 0, endOffset: 1 }]);
  append(world, "t", 0);
  append(world, "t", 1);
  expect(purge(world, "t").map((each) => each.endOffset)).toEqual([1, 2]);
  expect(bounds(world, "t")).toEqual([[1, 1], [2, 2]]);
  const [last, first] = world.services.trash.purged();
  expect([last?.partitions.length, first?.partitions.length]).toEqual([2, 1]);
  world.restart();
  const { trash } = world.services;
  // Where one partition cannot, none does.
  append(world, "t", 1);
  expect(partition(world, "t", 1).deleteRecordsBefore(3)).toBe(0);
  expect(world.ask(trash.restorePurged(last!.id))).toMatchObject({
    ok: false,
    message: expect.stringMatching(/^The records of partition 1 cannot come back: .* offset 2 on/),
  });
  expect(bounds(world, "t")).toEqual([[1, 1], [3, 3]]);
  expect(world.ask(trash.restorePurged("nothing"))).toMatchObject({ ok: false });
});

test("what was purged goes when its time is over, or it is too much, the oldest first", () => {
  const world = worldOf({ "kstream.trash.ms": String(2 * HOUR_MS), "kstream.trash.bytes": "2500" });
  append(world, "t", 0);
  purge(world, "t");
  world.advance(HOUR_MS);
  const kept = () =>
    world.services.trash.purged().map(({ name, partitions }) =>
      `${name}:${partitions.map(({ endOffset }) => endOffset).join()}`
    );
  append(world, "u", 0);
  purge(world, "u");
  world.advance(60_000);
  expect(kept()).toEqual(["u:1", "t:1"]);
  append(world, "t", 0);
  purge(world, "t");
  world.advance(60_000);
  expect(kept()).toEqual(["t:2", "u:1"]);
  world.advance(2 * HOUR_MS);
  expect(kept()).toEqual([]);
  const files = [...world.disk.files()].map(([path]) => path);
  expect(files.filter((path) => path.includes("purge"))).toEqual([]);
});

test("a purge is given up by its id", () => {
  const world = worldOf();
  append(world, "t", 0);
  purge(world, "t");
  const { trash } = world.services;
  expect(world.ask(trash.empty(["nothing"]))).toBe(0);
  expect(world.ask(trash.empty([trash.purged()[0]!.id]))).toBe(1);
  expect([trash.purged(), bounds(world, "t")[0]]).toEqual([[], [1, 1]]);
});
