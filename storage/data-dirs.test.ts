import { expect, test } from "bun:test";
import { Errors } from "../core/errors.ts";
import { appendOne, DataDirsWorld } from "../tests/sim/data-dirs-world.ts";

test("new logs go to the directory with the fewest, and are found there again", () => {
  const world = new DataDirsWorld();
  const topics = ["a", "b", "c", "d"];
  for (const topic of topics) appendOne(world.log(topic), "x");
  const places = topics.map((topic) => world.pathOf(topic));
  expect(places).toEqual(["/one", "/two", "/one", "/two"]);
  world.restart();
  expect(topics.map((topic) => world.pathOf(topic))).toEqual(places);
  expect(topics.map((topic) => world.log(topic).logEndOffset)).toEqual([1, 1, 1, 1]);
});

test("all directories are of one cluster and one node, and none is there twice", () => {
  const world = new DataDirsWorld();
  const [one, two] = world.dirs.all;
  expect(two?.clusterId).toBe(one!.clusterId);
  expect(two?.directoryId).not.toBe(one!.directoryId);
  world.clock.run(world.dirs.close());
  // A fresh directory in front joins the cluster of the others.
  const joined = world.open(["/new", "/one"]);
  expect(joined.all.map(({ clusterId }) => clusterId)).toEqual([one!.clusterId, one!.clusterId]);
  world.clock.run(joined.close());
  expect(() => world.open(["/one", "/one"])).toThrow("another process has it open");
  const other = world.open(["/other"]);
  world.clock.run(other.close());
  expect(() => world.open(["/one", "/other"])).toThrow("belongs to node 1 of cluster");
  // A failed start has let go of what it had locked.
  expect(world.open(["/one", "/two"]).all).toHaveLength(2);
});

test("a directory that fails takes its own logs with it, the vital one everything", () => {
  const world = new DataDirsWorld();
  appendOne(world.log("vital"), "x");
  appendOne(world.log("t"), "x");
  world.clock.advance(1000);
  expect([world.pathOf("vital"), world.pathOf("t")]).toEqual(["/one", "/two"]);
  world.disk.faults.failingSyncPercent = 100;
  appendOne(world.log("t"), "y");
  world.clock.advance(1000);
  world.disk.faults.failingSyncPercent = 0;
  expect(appendOne(world.log("t"), "z")).toMatchObject({ error: Errors.KAFKA_STORAGE_ERROR });
  expect(appendOne(world.log("vital"), "y")).toMatchObject({ ok: true });
  // What is new goes to the healthy one, full as it may be.
  expect(["n1", "n2"].map((topic) => world.pathOf(topic) ?? world.log(topic).name)).toEqual([
    "/one",
    "/one",
  ]);
  expect(world.failures).toEqual([]);
  world.disk.faults.failingSyncPercent = 100;
  appendOne(world.log("vital"), "z");
  world.clock.advance(1000);
  expect(world.failures).toHaveLength(1);
});

test("the epoch of a stop in good order is known at the next start, if all directories agree", () => {
  const world = new DataDirsWorld();
  const reopen = (brokerEpoch?: number) => {
    world.clock.run(world.dirs.close(brokerEpoch));
    world.dirs = world.open();
    return world.dirs.previousBrokerEpoch;
  };
  expect(world.dirs.previousBrokerEpoch).toBe(-1);
  expect(reopen(42)).toBe(42);
  expect(reopen()).toBe(0);
  expect(reopen(42)).toBe(42);
  world.crash();
  expect(world.dirs.previousBrokerEpoch).toBe(-1);
  expect(reopen(43)).toBe(43);
  world.clock.run(world.dirs.close(44));
  const joined = world.open(["/one", "/new"]);
  // Which directories there were is not known here: the controller does.
  expect(joined.previousBrokerEpoch).toBe(44);
  world.clock.run(joined.close(45));
  expect(() => world.open(["/one", "/one"])).toThrow("another process has it open");
  // A start that fails does not count as one.
  world.dirs = world.open(["/one", "/new"]);
  expect(world.dirs.previousBrokerEpoch).toBe(45);
});
