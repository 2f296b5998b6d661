/** Topics that change, or go, while an application reads them. */
import { expect, test } from "bun:test";
import { Admin } from "../../client/admin.ts";
import { sleep } from "../../core/io.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import { string } from "../serdes/basic-serdes.ts";
import { AppWorld } from "./app-world.test-helper.ts";

const TOPICS = { in: 2, out: 2 };
const FIRST = ["1", "2", "3", "4", "5", "6"].map((key) => ({ key, value: "a" }));

function capitals() {
  const builder = new TopologyBuilder();
  builder.stream("in", { value: string() }).mapValues((value) => value.toUpperCase(), string())
    .to("out");
  return builder.topology;
}

function counts() {
  const builder = new TopologyBuilder();
  builder.stream("in", { value: string() }).groupByKey().count("counts").toStream()
    .mapValues((count) => String(count), string())
    .to("out");
  return builder.topology;
}

/** An application that has read the first records; `play` goes on. */
function reading(
  topology: ReturnType<typeof capitals>,
  play: (world: AppWorld, admin: Admin, failed: Promise<string>) => Promise<void>,
  config: Readonly<Record<string, string>> = {},
): void {
  const world = new AppWorld(1, TOPICS);
  world.run(async () => {
    const { app } = world.app(topology, config);
    const failed = app.failed.catch(String);
    await app.start();
    await world.write("in", FIRST);
    await world.read("out", (all) => all.length === FIRST.length);
    const admin = new Admin(world.world.clientIo(), { brokers: world.world.brokers });
    await play(world, admin, failed);
    admin.close();
    await app.close();
  });
}

test("a topic that is deleted and made again is read from its beginning", () => {
  reading(counts(), async (world, admin) => {
    await admin.deleteTopics(["in"]);
    await admin.createTopics([{ name: "in", partitions: 2 }]);
    // More than were read of the one before, so that its offsets are there, too.
    const second = [...FIRST, ...FIRST, ...FIRST];
    await world.write("in", second);
    const all = FIRST.length + second.length;
    const found = await world.read("out", ({ length }) => length === all);
    for (const { key } of FIRST) {
      const values = found.filter((each) => each.key === key).map(({ value }) => value);
      expect(values).toEqual(["1", "2", "3", "4"]);
    }
  }, { "statestore.cache.max.bytes": "0" });
});

test("records that are deleted before they are read are passed over", () => {
  const world = new AppWorld(2, TOPICS);
  world.run(async () => {
    let isOpen = false;
    const builder = new TopologyBuilder();
    builder.stream("in", { value: string() }).mapValues((value) => {
      if (!isOpen) throw new Error("not yet");
      return value;
    }, string()).to("out");
    const { app } = world.app(builder.topology, { "task.restarts.max": 1000 });
    await app.start();
    await world.write("in", FIRST);
    await sleep(world.world.clock, 5000);
    const admin = new Admin(world.world.clientIo(), { brokers: world.world.brokers });
    const all = [0, 1].map((partition) => ({ topic: "in", partition, before: -1n }));
    for (const { error } of await admin.deleteRecords(all)) expect(error).toBeNull();
    isOpen = true;
    await sleep(world.world.clock, 60_000);
    await world.write("in", [{ key: "7", value: "b" }, { key: "2", value: "c" }]);
    const found = await world.read("out", (records) => {
      return records.filter(({ value }) => value !== "a").length === 2;
    });
    expect(found.map(({ value }) => value).sort().slice(-2)).toEqual(["b", "c"]);
    admin.close();
    await app.close();
  });
});

test("where no offset is to be begun at by itself, that is a reason to end", () => {
  const config = { "auto.offset.reset": "none" };
  const world = new AppWorld(3, TOPICS);
  world.run(async () => {
    const builder = new TopologyBuilder();
    builder.stream("in", { value: string() }).to("out");
    const first = world.app(builder.topology).app;
    await first.start();
    await world.write("in", FIRST);
    await world.read("out", (all) => all.length === FIRST.length);
    await first.close();
    const { app } = world.app(builder.topology, config);
    const failed = app.failed.catch(String);
    await app.start();
    while (app.status().running.length < 2) await sleep(world.world.clock, 100);
    const admin = new Admin(world.world.clientIo(), { brokers: world.world.brokers });
    await admin.deleteTopics(["in"]);
    await admin.createTopics([{ name: "in", partitions: 2 }]);
    expect(await failed).toMatch(/no offset to begin at in in-\d: what was to be read next/);
    admin.close();
    await app.close();
  });
});

test("an application ends with a reason when a topic that it reads is gone", () => {
  reading(capitals(), async (_world, admin, failed) => {
    await admin.deleteTopics(["in"]);
    expect(await failed).toContain('topic "in" does not exist');
  });
});

test("partitions that are added are read soon, by a member that is alone as well", () => {
  reading(capitals(), async (world, admin) => {
    await admin.createPartitions([{ name: "in", count: 5 }]);
    await sleep(world.world.clock, 30_000);
    const more = Array.from({ length: 30 }, (_, i) => ({ key: String(i), value: "b" }));
    await world.write("in", more);
    await world.read("out", (all) => all.length === FIRST.length + more.length);
  });
});

test("partitions that are added to a topic whose keys have state are refused", () => {
  reading(counts(), async (_world, admin, failed) => {
    await admin.createPartitions([{ name: "in", count: 5 }]);
    expect(await failed).toContain(
      'topic "app-counts-changelog" has 2 partitions, but the application needs 5',
    );
  });
});

// Where the broker makes the topics of the application it makes them again, and the tasks begin anew.
for (
  const [protocol, topic] of [
    ["classic", "app-counts-changelog"],
    ["classic", "out"],
    ["streams", "out"],
  ] as const
) {
  test(`an application ends with a reason when ${topic} that it writes is gone, ${protocol}`, () => {
    reading(counts(), async (world, admin, failed) => {
      await admin.deleteTopics([topic]);
      await world.write("in", FIRST);
      expect(await failed).toContain(`topic "${topic}" is gone while the application writes to it`);
      // What waits for it does not keep it from its end, either.
    }, { "group.protocol": protocol });
  });
}

test("a changelog that was made again beside a store that is in use ends the application", () => {
  reading(counts(), async (_world, admin, failed) => {
    await admin.deleteTopics(["app-counts-changelog"]);
    await admin.createTopics([{ name: "app-counts-changelog", partitions: 2 }]);
    expect(await failed).toContain("it was deleted and made again");
  });
});
