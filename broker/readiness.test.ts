/** Readiness on a virtual clock and a faulty disk. */
import { expect, test } from "bun:test";
import { silentLogger } from "../core/logger.ts";
import { BatchBuilder } from "../core/records/batch-builder.ts";
import { BrokerWorld } from "../tests/sim/broker-world.ts";
import { SimRandom } from "../tests/sim/sim-random.ts";
import { unreadyReasons } from "./readiness.ts";

function worldOf(): BrokerWorld {
  const world = new BrokerWorld(new SimRandom(1), silentLogger);
  world.start();
  expect(world.ask(world.services.groups.find("billing")).ok).toBe(true);
  world.advance(60_000);
  return world;
}

function reason(world: BrokerWorld, stopping = new AbortController().signal): string | null {
  const [first = null] = unreadyReasons({ ...world.services, stopping });
  return first;
}

test("it is ready when all is loaded, and not when it stops", () => {
  const world = worldOf();
  expect(reason(world)).toBeNull();
  expect(reason(world, AbortSignal.abort())).toBe("the broker is stopping");
  expect(world.disk.list("/data").map(({ name }) => name)).not.toContain(".probe");
  const partition = world.services.partitions.find("__consumer_offsets", 7);
  if (typeof partition === "number") throw new Error(`no partition: ${partition}`);
  const builder = new BatchBuilder({ baseOffset: 0 });
  // Of a kind that is not known here: it is read and left alone.
  builder.append(world.clock.wallMs(), new Uint8Array([0x7f, 0xff]), null);
  expect(partition.append(builder.build(), "coordinator").ok).toBe(true);
  world.disk.faults.maxLatencyMs = 50;
  world.restart();
  expect(reason(world)).toMatch(/^the coordinator of groups is loading 1 of its partitions$/);
  world.advance(60_000);
  expect(reason(world)).toBeNull();
});

test("a directory that has failed, or cannot be written, is named", () => {
  const world = worldOf();
  world.disk.faults.failingWritePercent = 100;
  expect(reason(world)).toMatch(/^the data directory \/data cannot be written: /);
  world.disk.faults.failingWritePercent = 0;
  expect(reason(world)).toBeNull();
  world.disk.remove("/data/meta.properties");
  expect(reason(world)).toBe("the data directory /data cannot be written: its files are gone");
});
