/** Members that begin again with what they have on disk, on a whole broker on virtual time. */
import { expect, test } from "bun:test";
import { Admin } from "../../client/admin.ts";
import { sleep } from "../../core/io.ts";
import { createLogger } from "../../core/logger.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import { string } from "../serdes/basic-serdes.ts";
import { AppWorld } from "./app-world.test-helper.ts";
import { memoryState } from "./memory-state.ts";
import type { StateProvider } from "./task-stores.ts";
import type { StreamsApp } from "./streams-app.ts";

function topology() {
  const builder = new TopologyBuilder();
  builder.stream("lines", { key: string(), value: string() }).groupByKey().count("counts")
    .toStream()
    .mapValues((count) => String(count), string())
    .to("totals");
  return builder.topology;
}

const KEYS = Array.from({ length: 50 }, (_, i) => `k${i}`);

test("after a restart tasks stay where their state is, whoever comes first", () => {
  const world = new AppWorld(3, { lines: 4, totals: 1 });
  const { clock } = world.world;
  const disks = { a: world.stateDirectory(), b: world.stateDirectory() };
  const start = async (processId: "a" | "b") => {
    const state = disks[processId].beside();
    const { app } = world.app(topology(), {
      ...{ "statestore.cache.max.bytes": 0, "probing.rebalance.interval.ms": 60_000 },
    }, { processId, state });
    await app.start();
    return app;
  };
  const tasks = (app: StreamsApp) => [...app.status().running].sort();
  const untilRuns = async (app: StreamsApp, count: number) => {
    for (let i = 0; tasks(app).length !== count; i++) {
      if (i > 10_000) throw new Error(`it runs ${tasks(app).join(",")}`);
      await sleep(clock, 100);
    }
  };
  world.run(async () => {
    await world.write("lines", KEYS.map((key) => ({ key, value: "" })));
    const first = await start("b");
    await untilRuns(first, 4);
    await world.read("totals", (all) => all.length === KEYS.length);
    const second = await start("a");
    await untilRuns(second, 2);
    await untilRuns(first, 2);
    const before = { a: tasks(second), b: tasks(first) };
    await Promise.all([first.close(), second.close()]);
    expect([...disks.a.directory.tasks()].sort()).toEqual(before.a);
    // The other one comes first this time, and has all of them for a while.
    const a = await start("a");
    await untilRuns(a, 4);
    const b = await start("b");
    await untilRuns(b, 2);
    await untilRuns(a, 2);
    expect({ a: tasks(a), b: tasks(b) }).toEqual(before);
    await world.write("lines", KEYS.map((key) => ({ key, value: "" })));
    const found = await world.read("totals", (all) => all.length === 2 * KEYS.length);
    expect(found.filter(({ value }) => value === "2")).toHaveLength(KEYS.length);
    await Promise.all([a.close(), b.close()]);
  });
});

test("state of a changelog that was deleted and made again is not taken for the other's", () => {
  const world = new AppWorld(5, { lines: 1, totals: 1 });
  const kept = world.stateDirectory();
  const told: string[] = [];
  const logger = createLogger({
    level: "warn",
    format: "text",
    wallMs: () => world.world.clock.wallMs(),
    write: (line) => void told.push(line),
  });
  const config = { "statestore.cache.max.bytes": 0 };
  let total = 0;
  const count = async (
    keys: readonly string[],
    processId: string,
    state: StateProvider = memoryState,
  ) => {
    const { app } = world.app(topology(), config, { processId, state, logger });
    await app.start();
    await world.write("lines", keys.map((key) => ({ key, value: "" })));
    total += keys.length;
    const found = await world.read("totals", (all) => all.length === total);
    await app.close();
    return found.slice(-keys.length);
  };
  world.run(async () => {
    await count(["a", "a"], "kept", kept.beside());
    const admin = new Admin(world.world.clientIo(), { brokers: world.world.brokers });
    await admin.deleteTopics(["app-counts-changelog"]);
    admin.close();
    // The offset of what is kept is there in the new one as well.
    await count(["a", ...KEYS], "other");
    expect(told).toEqual([]);
    expect(await count(["a"], "kept", kept.beside())).toMatchObject([{ key: "a", value: "2" }]);
    expect(told).toHaveLength(1);
    expect(told[0]).toContain("its changelog was deleted and made again");
    expect(await count(["a"], "kept", kept.beside())).toMatchObject([{ key: "a", value: "3" }]);
    expect(told).toHaveLength(1);
  });
});

test("a store is never said to have more than its changelog, which the brokers have made again", () => {
  const world = new AppWorld(6, { lines: 1, totals: 1 });
  const { directory } = world.stateDirectory();
  world.run(async () => {
    const { clock, brokers } = world.world;
    const config = { "group.protocol": "streams", "statestore.cache.max.bytes": 0 };
    const { app } = world.app(topology(), config, { state: directory });
    await app.start();
    await world.write("lines", KEYS.map((key) => ({ key, value: "" })));
    await world.read("totals", (all) => all.length === KEYS.length);
    const admin = new Admin(world.world.clientIo(), { brokers });
    await admin.deleteTopics(["app-counts-changelog"]);
    while (app.status().running.length > 0) await sleep(clock, 100);
    while (app.status().running.length === 0) await sleep(clock, 100);
    // One that is not counted: there is something to commit, and nothing in the changelog.
    await world.write("lines", [{ key: null, value: "" }]);
    while (app.status().processed <= KEYS.length) await sleep(clock, 100);
    await app.close();
    const [end] = await admin.listOffsets([
      { topic: "app-counts-changelog", partition: 0, at: "latest" },
    ]);
    admin.close();
    const position = directory.restingPositions(() => ["counts"]).get("0_0") ?? 0n;
    expect(position).toBeLessThanOrEqual(end!.offset);
  });
});
