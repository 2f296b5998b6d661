import { expect, test } from "bun:test";
import { MetadataImage, topicRecords } from "../../cluster/metadata-image.ts";
import { encodeChange, encodeSnapshot } from "../../cluster/metadata-batches.ts";
import type { MetadataRecord } from "../../cluster/metadata-records.ts";
import { newPartition } from "../../cluster/controller/partition-change.ts";
import {
  LEASE_TTL_MS,
  type MetadataNode,
  MetadataWorld,
  nodeRecord,
} from "./metadata-node.test-helper.ts";

/** A topic with one partition. */
function topic(name: string, config = "1000"): MetadataRecord[] {
  return topicRecords({
    name,
    id: Buffer.from(name.padEnd(16).slice(-16)).toString("base64url"),
    partitions: [newPartition([1], () => true)],
    configs: new Map([["retention.ms", config]]),
  });
}

function contents({ image }: MetadataNode): string {
  return JSON.stringify([image.position, image.toRecords()]);
}

/** All nodes have what the controller has. */
function settle(world: MetadataWorld): void {
  const controller = world.controller();
  world.until(
    "all have the same",
    () => world.nodes.every((node) => node.image.position === controller.image.position),
  );
  for (const node of world.nodes) expect(contents(node)).toBe(contents(controller));
}

/** Three nodes, of which the first is the controller. */
function three(world: MetadataWorld): MetadataNode {
  for (const id of [1, 2, 3]) {
    world.start(id);
    world.clock.advance(1000);
  }
  const controller = world.controller();
  expect(controller.nodeId).toBe(1);
  expect(world.clock.run(controller.change(...[1, 2, 3].map(nodeRecord)))).toBeTrue();
  settle(world);
  return controller;
}

test("a change is in force on followers within a round trip, not at the end of a poll", () => {
  const world = new MetadataWorld();
  const controller = three(world);
  world.clock.run(controller.change(...topic("a")));
  const startMs = world.clock.monotonicMs();
  settle(world);
  expect(world.clock.monotonicMs() - startMs).toBeLessThan(50);
  expect(world.nodes.map(({ follower }) => follower.isCaughtUp).slice(1)).toEqual([true, true]);
});

test("who lets the controller wait for longer asks less often, and hears of a change as soon", () => {
  const world = new MetadataWorld();
  world.maxWaitMs = 10_000;
  const controller = three(world);
  const asked = () =>
    [...controller.broker.cluster?.metadataSource.followers ?? []].map(({ fetchedMs }) =>
      fetchedMs
    );
  const before = asked();
  expect(before).toHaveLength(2);
  world.clock.advance(9000);
  expect(asked()).toEqual(before);
  world.clock.run(controller.change(...topic("a")));
  const startMs = world.clock.monotonicMs();
  settle(world);
  expect(world.clock.monotonicMs() - startMs).toBeLessThan(50);
  const after = asked();
  world.clock.advance(15_000);
  for (const [index, ms] of asked().entries()) expect(ms).toBeGreaterThan(after[index] ?? ms);
});

test("followers go to the next controller, which has what they lack", () => {
  const world = new MetadataWorld();
  const first = three(world);
  const late = world.nodes[2]!;
  world.hosts.cut("10.0.0.1", "10.0.0.3");
  world.clock.run(first.change(...topic("a")));
  world.clock.advance(3000);
  expect(late.image.topics.size).toBe(0);
  world.kill(first);
  world.clock.advance(LEASE_TTL_MS);
  const next = world.controller();
  expect(next.nodeId).not.toBe(1);
  world.clock.run(next.change(...topic("b")));
  settle(world);
  expect([...late.image.topics.keys()].sort()).toEqual(["a", "b"]);
});

test("who is behind what is kept takes a snapshot, and goes on from there", () => {
  const world = new MetadataWorld(1, 10);
  const controller = three(world);
  for (let i = 0; i < 50; i++) world.clock.run(controller.change(...topic(`t${i}`)));
  const late = world.start(4);
  settle(world);
  expect(late.recent.start).toBeGreaterThan(0);
  world.clock.run(controller.change(...topic("last")));
  settle(world);
  expect(late.image.topics.size).toBe(51);
});

test("a snapshot of many parts comes as one, also from a controller that begins again", () => {
  const world = new MetadataWorld(1, 10);
  const first = world.start(1);
  world.controller();
  const long = "x".repeat(4000);
  const records = Array.from({ length: 600 }, (_, i) => topic(`topic-${i}`, long)).flat();
  world.clock.run(first.change(...records));
  for (let i = 0; i < 20; i++) world.clock.run(first.change(...topic(`t${i}`)));
  const snapshot = encodeSnapshot(first.image.position, first.image.toRecords(), 0);
  expect(snapshot.length).toBeGreaterThan(2 * 1024 * 1024);
  expect(world.start(4).image.topics.size).toBe(0);
  settle(world);
  for (const node of [...world.nodes]) world.kill(node);
  world.clock.advance(LEASE_TTL_MS);
  for (const id of [2, 3]) world.start(id);
  settle(world);
  expect(world.nodes.map(({ image }) => image.topics.size)).toEqual([620, 620]);
});

test("a follower stays with what it has while there is no controller", () => {
  const world = new MetadataWorld();
  const controller = three(world);
  world.clock.run(controller.change(...topic("a")));
  settle(world);
  const before = world.nodes.map(contents);
  for (const node of world.nodes) node.etcdClient.isCut = true;
  world.clock.advance(60_000);
  expect(world.nodes.map(contents)).toEqual(before);
  for (const node of world.nodes) node.etcdClient.isCut = false;
  expect(world.clock.run(world.controller().change(...topic("b")))).toBeTrue();
  settle(world);
});

test("what is damaged or out of place is not put in force, nor what comes behind it", () => {
  const world = new MetadataWorld();
  const controller = three(world);
  const [, follower] = world.nodes;
  const before = contents(follower!);
  const damages: ((batch: Uint8Array) => Uint8Array)[] = [
    (batch) => batch.with(batch.length - 5, batch[batch.length - 5]! ^ 1),
    (batch) => batch.subarray(0, batch.length - 1),
    (batch) => batch.with(7, batch[7]! + 1),
    () => encodeChange([{ type: "feature", version: 1, name: "x", level: 1 }], 0),
  ];
  world.damage = damages[0]!;
  world.clock.run(controller.change(...topic("a")));
  world.clock.run(controller.change(...topic("b")));
  for (const damage of damages) {
    world.damage = damage;
    world.clock.advance(5000);
    expect(contents(follower!)).toBe(before);
  }
  // Said once by each of two followers, in words.
  expect(world.bugs.map(({ message }) => /damaged|not that at/.test(message))).toEqual([
    true,
    true,
  ]);
  world.bugs.length = 0;
  world.damage = (batch) => batch;
  settle(world);
});

/** Changes, elections, cuts and restarts in any order give everybody what the log says. */
function history(seed: number): void {
  const world = new MetadataWorld(seed, 20);
  const { random, clock } = world;
  for (const id of [1, 2, 3, 4]) world.start(id);
  let made = 0;
  for (let step = 0; step < 60; step++) {
    const node = random.pick(world.nodes);
    const host = `10.0.0.${node.nodeId}`;
    switch (random.below(8)) {
      case 0:
        world.kill(node);
        world.start(node.nodeId);
        break;
      case 1:
        world.hosts.cut(host, `10.0.0.${random.between(1, 4)}`);
        break;
      case 2:
        world.hosts.heal();
        break;
      case 3:
        node.etcdClient.isCut = !node.etcdClient.isCut;
        break;
      default:
        for (const each of world.nodes) {
          if (each.broker.controller.isActive) void each.change(...topic(`t${made++}`));
        }
    }
    clock.advance(random.below(4000));
    expect(world.bugs).toEqual([]);
  }
  world.hosts.heal();
  for (const node of world.nodes) node.etcdClient.isCut = false;
  clock.advance(60_000);
  settle(world);
  const { log, image } = world.controller();
  let told = MetadataImage.EMPTY;
  for (;;) {
    const read = clock.run(log.read(told.position));
    if (read.kind === "gone") throw new Error("no snapshot was written");
    if (read.changes.length === 0) break;
    for (const { records, position } of read.changes) told = told.apply(records, position).image;
  }
  expect(image.position).toBe(told.position);
  expect(image.toRecords()).toEqual(told.toRecords());
  expect(told.topics.size).toBeGreaterThan(5);
}

for (let seed = 1; seed <= 8; seed++) {
  test(`whatever happens, all end with what the log says: seed ${seed}`, () => history(seed));
}
