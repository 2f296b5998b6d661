/** Applications with `group.protocol=streams` on a whole broker, on virtual time. */
import { expect, test } from "bun:test";
import { Admin } from "../../client/admin.ts";
import { sleep } from "../../core/io.ts";
import { createLogger } from "../../core/logger.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import { string } from "../serdes/basic-serdes.ts";
import { AppWorld, type TextRecord } from "./app-world.test-helper.ts";
import type { StreamsApp } from "./streams-app.ts";

const STREAMS = { "group.protocol": "streams", "commit.interval.ms": 100 };
const TOPICS = { lines: 4, totals: 2 };

/** Words of lines, counted. */
function wordCount(store = "counts") {
  const builder = new TopologyBuilder();
  builder.stream("lines", { value: string() })
    .flatMapValues((line) => line.split(" "), string())
    .groupBy("words", (word) => word)
    .count(store)
    .toStream()
    .mapValues((count) => String(count), string())
    .to("totals");
  return builder.topology;
}

function latest(records: readonly TextRecord[]): Record<string, string | null> {
  return Object.fromEntries(records.map(({ key, value }) => [key, value]));
}

/** Until it is so; what it waits for comes by heartbeats. */
async function until(world: AppWorld, isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 600 && !isSo(); i++) await sleep(world.world.clock, 100);
  expect(isSo()).toBe(true);
}

const tasksOf = (app: StreamsApp) => [...app.status().running].sort();

function adminOf({ world }: AppWorld): Admin {
  return new Admin(world.clientIo(), { brokers: world.brokers });
}

test("tasks are shared by the broker, and those that stay go on", () => {
  const world = new AppWorld(1, TOPICS);
  world.run(async () => {
    const lines: string[] = [];
    const logger = createLogger({
      ...{ level: "info", format: "text", write: (line: string) => lines.push(line) },
      wallMs: () => world.world.clock.wallMs(),
    });
    const { app: one } = world.app(wordCount(), STREAMS, { logger });
    await one.start();
    await until(world, () => tasksOf(one).length === 8);
    await world.write("lines", [{ key: "1", value: "one two" }]);
    lines.length = 0;
    const { app: other } = world.app(wordCount(), STREAMS);
    await other.start();
    await until(world, () => tasksOf(other).length === 4);
    expect([...tasksOf(one), ...tasksOf(other)].sort()).toEqual(
      ["0_0", "0_1", "0_2", "0_3", "1_0", "1_1", "1_2", "1_3"],
    );
    // What stayed was not opened again.
    expect(lines.filter((line) => line.includes("task restored"))).toEqual([]);
    await world.write("lines", [{ key: "2", value: "two two" }]);
    const want = { one: "1", two: "3" };
    await world.read("totals", (all) => Bun.deepEquals(latest(all), want));
    await one.close();
    await until(world, () => tasksOf(other).length === 8);
    await other.close();
  });
});

test("members of a crashed process are followed by the others, with standbys", () => {
  const world = new AppWorld(2, TOPICS, { "group.streams.num.standby.replicas": "1" });
  world.run(async () => {
    const apps = [world.app(wordCount(), STREAMS), world.app(wordCount(), STREAMS)] as const;
    for (const { app } of apps) await app.start();
    await world.write("lines", [{ key: "1", value: "a b a" }, { key: "2", value: "b c" }]);
    await world.read("totals", (all) => latest(all)["c"] === "1" && latest(all)["b"] === "2");
    const standby = () => apps.flatMap(({ app }) => app.status().standby);
    await until(world, () => standby().length === 4);
    apps[0].io.network.isolate();
    await world.write("lines", [{ key: "3", value: "a" }]);
    const want = { a: "3", b: "2", c: "1" };
    await world.read("totals", (all) => Bun.deepEquals(latest(all), want));
    expect(tasksOf(apps[1].app).length).toBe(8);
    await apps[1].app.close();
  });
});

test("who can be asked for what is heard from the broker", () => {
  const world = new AppWorld(3, TOPICS);
  world.run(async () => {
    const one = world.app(wordCount(), STREAMS, { endpoint: "10.0.0.1:8090" }).app;
    const other = world.app(wordCount(), STREAMS, { endpoint: "[::1]:8091" }).app;
    await one.start();
    await other.start();
    await until(world, () => tasksOf(one).length === 4 && tasksOf(other).length === 4);
    const hosts = (app: StreamsApp) =>
      Object.fromEntries(app.hosts.map(({ endpoint, active }) => [endpoint, [...active].sort()]));
    const want = { "10.0.0.1:8090": tasksOf(one), "[::1]:8091": tasksOf(other) };
    for (const app of [one, other]) await until(world, () => Bun.deepEquals(hosts(app), want));
    await one.close();
    await other.close();
  });
});

test("an application goes on from one protocol to the other while nobody is in the group", () => {
  const world = new AppWorld(4, TOPICS);
  world.run(async () => {
    for (const [round, protocol] of ["classic", "streams", "classic", "streams"].entries()) {
      const { app } = world.app(wordCount(), { ...STREAMS, "group.protocol": protocol });
      await app.start();
      await world.write("lines", [{ key: "k", value: "a b a" }]);
      const want = { a: String(2 * (round + 1)), b: String(round + 1) };
      await world.read("totals", (all) => Bun.deepEquals(latest(all), want));
      await app.close();
    }
  });
});

test("topics that are missing are waited for, a while", () => {
  const world = new AppWorld(5, { totals: 2 });
  world.run(async () => {
    const { app } = world.app(wordCount(), STREAMS);
    await app.start();
    await sleep(world.world.clock, 30_000);
    const admin = adminOf(world);
    await admin.createTopics([{ name: "lines", partitions: 2, replicationFactor: 1 }]);
    await world.write("lines", [{ key: "k", value: "a" }]);
    await world.read("totals", (all) => latest(all)["a"] === "1");
    await app.close();
    await admin.deleteTopics(["lines"]);
    const impatient = world.app(wordCount(), { ...STREAMS, "max.poll.interval.ms": 20_000 }).app;
    await impatient.start();
    expect(await impatient.failed.catch(String)).toContain(
      "topics that the application reads are missing",
    );
    await impatient.close();
    admin.close();
  });
});

test("what a group does not take ends its member with a line", () => {
  const world = new AppWorld(6, { ...TOPICS, narrow: 3 });
  world.run(async () => {
    const ends = async (app: StreamsApp, why: string) => {
      await app.start();
      expect(await app.failed.catch(String)).toContain(why);
      await app.close();
    };
    const { app: classic } = world.app(wordCount(), { ...STREAMS, "group.protocol": "classic" });
    await classic.start();
    await until(world, () => tasksOf(classic).length === 8);
    await ends(world.app(wordCount(), STREAMS).app, "it is a group of another kind");
    await classic.close();
    const { app: first } = world.app(wordCount(), STREAMS);
    await first.start();
    await until(world, () => tasksOf(first).length === 8);
    await ends(world.app(wordCount("others"), STREAMS).app, "does not take its topology");
    await first.close();
    const builder = new TopologyBuilder();
    const table = builder.table("narrow", "narrow", { value: string() });
    builder.stream("lines", { value: string() }).joinTable(table, (line) => line).to("totals");
    const config = { ...STREAMS, "application.id": "joins" };
    await ends(world.app(builder.topology, config).app, "the topics do not fit the application");
  });
});

test("brokers that do not offer the protocol are told apart", () => {
  const world = new AppWorld(7, TOPICS, {
    "group.coordinator.rebalance.protocols": "classic,consumer",
  });
  world.run(async () => {
    const { app } = world.app(wordCount(), STREAMS);
    await app.start();
    expect(await app.failed.catch(String)).toContain(
      "the brokers do not offer group.protocol=streams",
    );
    await app.close();
  });
});

test("one member has all of them end", () => {
  const world = new AppWorld(8, TOPICS);
  world.run(async () => {
    const builder = new TopologyBuilder();
    builder.stream("lines", { value: string() }).foreach((line) => {
      if (line === "bad") throw new Error("no luck");
    });
    const config = { ...STREAMS, "uncaught.exception.handler": "shutdown-application" };
    const apps = [1, 2].map(() => world.app(builder.topology, config).app);
    for (const app of apps) await app.start();
    await until(world, () => apps.every((app) => tasksOf(app).length === 2));
    await world.write("lines", [{ key: "k", value: "bad" }]);
    const reasons = await Promise.all(apps.map((app) => app.failed.catch(String)));
    expect(reasons.filter((each) => String(each).includes("no luck")).length).toBe(1);
    expect(reasons.filter((each) => String(each).includes("has asked for it")).length).toBe(1);
    for (const app of apps) await app.close();
  });
});

test("partitions that are added are read by the tasks that there are, and by new ones", () => {
  const world = new AppWorld(9, { ...TOPICS, few: 2 });
  world.run(async () => {
    const builder = new TopologyBuilder();
    builder.stream("lines", { value: string() }).merge(builder.stream("few", { value: string() }))
      .to("totals", { value: string() });
    const apps = [1, 2].map(() => world.app(builder.topology, STREAMS).app);
    for (const app of apps) await app.start();
    await until(world, () => apps.every((app) => tasksOf(app).length === 2));
    const admin = adminOf(world);
    const keys = Array.from({ length: 100 }, (_, i) => String(i));
    const grow = async (name: string, count: number) => {
      await admin.createPartitions([{ name, count }]);
      await world.write(name, keys.map((key) => ({ key, value: `${name} ${key}` })));
    };
    await grow("few", 4);
    await world.read("totals", (all) => all.length === keys.length);
    await grow("lines", 8);
    const found = await world.read("totals", (all) => all.length === 2 * keys.length);
    expect(new Set(found.map(({ value }) => value)).size).toBe(2 * keys.length);
    expect(apps.map((app) => tasksOf(app).length)).toEqual([4, 4]);
    for (const app of apps) await app.close();
    admin.close();
  });
});

test("a member that is cut off lets go before the broker gives its tasks to others", () => {
  const world = new AppWorld(8, TOPICS, { "group.streams.session.timeout.ms": "4000" });
  world.run(async () => {
    const { app, io } = world.app(wordCount(), STREAMS);
    await app.start();
    await until(world, () => tasksOf(app).length === 8);
    io.network.isolate();
    // Its own setting says 45 seconds.
    await sleep(world.world.clock, 4000);
    expect(tasksOf(app)).toEqual([]);
    io.network.heal();
    await until(world, () => tasksOf(app).length === 8);
    await app.close();
  });
});
