import { expect, test } from "bun:test";
import { NO_ETCD_FAULTS, SimEtcd, SimEtcdClient } from "../../tests/sim/sim-etcd.ts";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { inlineOffload } from "../../core/io/inline-offload.ts";
import { MemoryDisk } from "../../core/io/memory-disk.ts";
import { silentLogger } from "../../core/logger.ts";
import { DataDir } from "../../storage/data-dir.ts";
import { DEFAULT_LOG_CONFIG } from "../../storage/log-config.ts";
import { openLocalMetadataLog } from "../local-metadata-log.ts";
import { aloneBroker, MetadataImage } from "../metadata-image.ts";
import type { MetadataLog } from "../metadata-log.ts";

import { migrateToEtcd } from "./migrate.ts";
import { openEtcdMetadataLog } from "./open-etcd.ts";

const CLUSTER = { cluster: "moved", clusterId: "AAAAAAAAAAAAAAAAAAAAEQ" };
const SECONDS = 1000;

class World {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly random = new SimRandom(1);
  readonly etcd = new SimEtcd(this.clock);
  readonly faults = { ...NO_ETCD_FAULTS };
  readonly store = new SimEtcdClient(this.clock, this.random, this.etcd, this.faults);
  readonly logger = silentLogger;

  run<T>(promise: Promise<T>): T {
    return this.clock.run(promise, 600 * SECONDS);
  }

  /** A local log with a snapshot and changes after it. */
  async local(): Promise<MetadataLog> {
    const { clock, random } = this;
    const disk = new MemoryDisk({ wallMs: () => clock.wallMs(), maxBytes: 1 << 26 });
    const io = { clock, random, disk, offload: inlineOffload() };
    const dir = await DataDir.open(io, silentLogger, {
      path: "/data",
      nodeId: 1,
      logConfig: () => DEFAULT_LOG_CONFIG,
      codecs: {},
    });
    const log = openLocalMetadataLog(clock, disk, dir);
    const first = [aloneBroker(1, "a"), aloneBroker(2, "b")];
    await log.append(0, first);
    await log.writeSnapshot({ position: 2, records: first });
    // More than a chunk, so that there is something to be interrupted.
    await log.append(2, [aloneBroker(2, "c"), aloneBroker(3, "x".repeat(3 << 20))]);
    await log.append(4, [aloneBroker(4, "d")]);
    return log;
  }
}

async function imageOf(log: MetadataLog): Promise<MetadataImage> {
  const snapshot = await log.readSnapshot();
  let image = MetadataImage.EMPTY.apply(snapshot?.records ?? [], snapshot?.position ?? 0).image;
  for (;;) {
    const read = await log.read(image.position);
    if (read.kind === "gone") throw new Error("gone");
    if (read.changes.length === 0) return image;
    for (const { records, position } of read.changes) image = image.apply(records, position).image;
  }
}

test("moves a local log, whose positions go on in etcd", () => {
  const world = new World();
  const from = world.run(world.local());
  expect(world.run(migrateToEtcd(from, world, CLUSTER)).position).toBe(5);
  const expected = { ...CLUSTER, newClusterId: "BBBBBBBBBBBBBBBBBBBBBQ" };
  const { log, clusterId } = world.run(openEtcdMetadataLog(world, expected));
  expect(clusterId).toBe(CLUSTER.clusterId);
  expect(log.endPosition).toBe(5);
  const [before, after] = [world.run(imageOf(from)), world.run(imageOf(log))];
  expect(after.toRecords()).toEqual(before.toRecords());
  expect(world.run(log.append(5, [aloneBroker(5, "e")]))).toEqual({ ok: true, position: 6 });
});

test("moves nothing where there are keys", () => {
  const world = new World();
  const from = world.run(world.local());
  world.run(migrateToEtcd(from, world, CLUSTER));
  const before = world.etcd.revision;
  expect(() => world.run(migrateToEtcd(from, world, CLUSTER))).toThrow("there are keys under");
  expect(world.etcd.revision).toBe(before);
});

test("is begun anew wherever it was interrupted, and done once although answers are lost", () => {
  for (let interruptMs = 1; interruptMs < 40; interruptMs += 3) {
    const world = new World();
    const from = world.run(world.local());
    const first = migrateToEtcd(from, world, CLUSTER).then(() => true, () => false);
    world.clock.advance(interruptMs);
    world.etcd.isDown = true;
    const isDone = world.run(first);
    world.etcd.isDown = false;
    world.faults.loseAnswer = 30;
    const second = world.run(
      migrateToEtcd(from, world, CLUSTER).then(
        () => "moved",
        (error: Error) => error.message,
      ),
    );
    if (isDone || second !== "moved") expect(second).toContain("there are keys under");
    world.faults.loseAnswer = 0;
    const expected = { ...CLUSTER, newClusterId: "BBBBBBBBBBBBBBBBBBBBBQ" };
    const { log } = world.run(openEtcdMetadataLog(world, expected));
    expect(world.run(imageOf(log)).toRecords()).toEqual(world.run(imageOf(from)).toRecords());
  }
});
