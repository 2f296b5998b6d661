import { expect, test } from "bun:test";
import { Admin } from "../../client/admin.ts";
import { sleep } from "../../core/io.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import { string } from "../serdes/basic-serdes.ts";
import { AppWorld, type TextRecord } from "./app-world.test-helper.ts";

/** Words of lines, counted. */
function wordCount() {
  const builder = new TopologyBuilder();
  builder.stream("lines", { value: string() })
    .flatMapValues((line) => line.split(" "), string())
    .groupBy("words", (word) => word)
    .count("counts")
    .toStream()
    .mapValues((count) => String(count), string())
    .to("totals");
  return builder.topology;
}

function latest(records: readonly TextRecord[]): Record<string, string | null> {
  return Object.fromEntries(records.map(({ key, value }) => [key, value]));
}

const GUARANTEES = ["exactly_once_v2", "at_least_once"] as const;
const TOPICS = { lines: 3, totals: 2 };

for (const guarantee of GUARANTEES) {
  const config = { "processing.guarantee": guarantee, "commit.interval.ms": 100 };

  test(`words are counted over topics of its own, ${guarantee}`, () => {
    const world = new AppWorld(1, TOPICS);
    world.run(async () => {
      const { app } = world.app(wordCount(), config);
      await app.start();
      await world.write("lines", [
        { key: "1", value: "one two" },
        { key: "2", value: "two three" },
        { key: "3", value: "two three three" },
      ]);
      const want = { one: "1", two: "3", three: "3" };
      const totals = await world.read("totals", (all) => Bun.deepEquals(latest(all), want));
      expect(latest(totals)).toEqual(want);
      await app.close();
    });
  });

  test(`an application goes on with its counts where it ended, ${guarantee}`, () => {
    const world = new AppWorld(2, TOPICS);
    world.run(async () => {
      for (let round = 1; round <= 3; round++) {
        const { app } = world.app(wordCount(), config);
        await app.start();
        await world.write("lines", [{ key: "k", value: "a b a" }]);
        const want = { a: String(2 * round), b: String(round) };
        await world.read("totals", (all) => Bun.deepEquals(latest(all), want));
        await app.close();
      }
    });
  });
}

test("repartition topics keep only what is not processed yet", () => {
  const world = new AppWorld(3, TOPICS);
  world.run(async () => {
    const { app } = world.app(wordCount(), { "repartition.purge.interval.ms": 1000 });
    await app.start();
    for (let i = 0; i < 5; i++) {
      await world.write("lines", [{ key: "k", value: "a b c" }]);
      await sleep(world.world.clock, 1000);
    }
    const admin = new Admin(world.world.clientIo(), { brokers: world.world.brokers });
    const topic = "app-words-repartition";
    const at = (when: "earliest" | "latest") =>
      admin.listOffsets([0, 1, 2].map((partition) => ({ topic, partition, at: when })));
    const [starts, ends] = [await at("earliest"), await at("latest")];
    const written = ends.filter(({ offset }) => offset > 0n);
    expect(written.length).toBeGreaterThan(0);
    for (const { partition } of written) expect(starts[partition]!.offset).toBeGreaterThan(0n);
    admin.close();
    await app.close();
  });
});

test("a global table is filled before tasks begin, and kept up", () => {
  const world = new AppWorld(4, { ...TOPICS, names: 2 });
  world.run(async () => {
    const builder = new TopologyBuilder();
    const names = builder.globalTable("names", "names", { value: string() });
    builder.stream("lines", { value: string() })
      .joinGlobal(names, (line) => line, (line, name) => `${line} is ${name}`)
      .to("totals", { value: string() });
    await world.write("names", [{ key: "a", value: "Anna" }, { key: "b", value: "Bert" }]);
    await world.write("lines", [{ key: "1", value: "a" }, { key: "2", value: "b" }]);
    const { app } = world.app(builder.topology);
    await app.start();
    const first = await world.read("totals", (all) => all.length === 2);
    expect(first.map(({ value }) => value).sort()).toEqual(["a is Anna", "b is Bert"]);
    await world.write("names", [{ key: "c", value: "Cora" }]);
    await sleep(world.world.clock, 1000);
    await world.write("lines", [{ key: "3", value: "c" }]);
    const found = await world.read("totals", (all) => all.length === 3);
    expect(found.map(({ value }) => value)).toContain("c is Cora");
    await app.close();
  });
});

test("partitions that are added to a topic are read as well", () => {
  const world = new AppWorld(5, TOPICS);
  world.run(async () => {
    const builder = new TopologyBuilder();
    builder.stream("lines", { value: string() }).to("totals", { value: string() });
    const apps = [world.app(builder.topology).app, world.app(builder.topology).app];
    for (const app of apps) await app.start();
    const admin = new Admin(world.world.clientIo(), { brokers: world.world.brokers });
    await admin.createPartitions([{ name: "lines", count: 8 }]);
    const keys = Array.from({ length: 100 }, (_, i) => String(i));
    await world.write("lines", keys.map((key) => ({ key, value: key })));
    const found = await world.read("totals", (all) => all.length === keys.length, 400_000);
    expect(found.map(({ value }) => value!).sort()).toEqual(keys.sort());
    for (const app of apps) await app.close();
    admin.close();
  });
});

test("topics that come to match a pattern are read, by tasks that go on with their counts", () => {
  const world = new AppWorld(6, { totals: 2, other: 1 });
  world.run(async () => {
    const admin = new Admin(world.world.clientIo(), { brokers: world.world.brokers });
    const create = (name: string, partitions: number) =>
      admin.createTopics([{ name, partitions, replicationFactor: 1 }]);
    const counts = () => {
      const builder = new TopologyBuilder();
      builder.stream(/in-./, { value: string() }).groupByKey().count("counts").toStream()
        .mapValues((count) => String(count), string()).to("totals");
      return builder.topology;
    };
    const config = { "metadata.max.age.ms": 5000 };
    const apps = [world.app(counts(), config).app, world.app(counts(), config).app];
    // Nothing matches yet.
    for (const app of apps) await app.start();
    const keys = Array.from({ length: 20 }, (_, i) => `key ${i}`);
    const expectCounts = async (count: number) => {
      const want = Object.fromEntries(keys.map((key) => [key, String(count)]));
      const found = await world.read(
        "totals",
        (all) => Bun.deepEquals(latest(all), want),
      );
      expect(latest(found)).toEqual(want);
    };
    const write = (topic: string) => world.write(topic, keys.map((key) => ({ key, value: "x" })));
    await create("in-1", 4);
    await write("in-1");
    await expectCounts(1);
    // Tasks that run have one more topic, by which keys are spread as by the first.
    await create("in-2", 4);
    await create("not-in-3", 4);
    await write("in-2");
    await write("not-in-3");
    await expectCounts(2);
    await write("in-1");
    await write("in-2");
    await expectCounts(4);
    expect(apps.map((app) => app.status().running.length)).toEqual([2, 2]);
    await admin.deleteTopics(["in-2"]);
    await write("in-1");
    await expectCounts(5);
    for (const app of apps) await app.close();
    admin.close();
  });
});

test("a source by pattern needs members that share tasks out", () => {
  const world = new AppWorld(7, { "in-1": 1 });
  world.run(async () => {
    const builder = new TopologyBuilder();
    builder.stream(/in-./).foreach(() => {});
    const { app } = world.app(builder.topology, { "group.protocol": "streams" });
    await expect(app.start()).rejects.toThrow("needs group.protocol=classic");
    await app.close();
  });
});
