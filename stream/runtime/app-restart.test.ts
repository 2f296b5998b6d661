/** Members that begin again with what they have on disk, on a whole broker on virtual time. */
import { expect, test } from "bun:test";
import { sleep } from "../../core/io.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import { string } from "../serdes/basic-serdes.ts";
import { AppWorld } from "./app-world.test-helper.ts";
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
