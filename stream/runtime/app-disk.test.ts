/** State on a disk that is full. */
import { expect, test } from "bun:test";
import type { Disk } from "../../core/io.ts";
import { sleep } from "../../core/io.ts";
import { createLogger } from "../../core/logger.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import { string } from "../serdes/basic-serdes.ts";
import { tumbling } from "../windows/time-windows.ts";
import { AppWorld } from "./app-world.test-helper.ts";

const TOPICS = { in: 2, out: 2 };
const ROUNDS = 10;
const KEYS = 100;

function counts() {
  const builder = new TopologyBuilder();
  builder.stream("in", { value: string() }).groupByKey().count("counts").toStream()
    .mapValues((count) => String(count), string())
    .to("out");
  return builder.topology;
}

function round(number: number, value = "v") {
  return Array.from({ length: KEYS }, (_, i) => ({ key: `${number}-${i}`, value }));
}

test("a full disk ends a member with a reason; others go on at once, and so does it with room", () => {
  const world = new AppWorld(1, TOPICS);
  world.run(async () => {
    const { clock } = world.world;
    const room = { bytes: 20_000 };
    const { directory } = world.stateDirectory(room);
    const options = { processId: "small", state: directory };
    const first = world.app(counts(), {}, options).app;
    const failed = first.failed.catch(String);
    await first.start();
    let isOver = false;
    void failed.then(() => isOver = true);
    for (let i = 0; i < ROUNDS && !isOver; i++) {
      await world.write("in", round(i));
      await sleep(clock, 1000);
    }
    expect(await failed).toMatch(/state cannot be kept in kstream-state: ENOSPC.*make room there/);
    await first.close();
    const beganMs = clock.monotonicMs();
    const second = world.app(counts()).app;
    await second.start();
    while (second.status().running.length < TOPICS.in) await sleep(clock, 100);
    // The one before has left: nobody waits for the end of its session.
    expect(clock.monotonicMs() - beganMs).toBeLessThan(10_000);
    await second.close();
    room.bytes = 1e9;
    const third = world.app(counts(), {}, options).app;
    await third.start();
    await world.write("in", round(0));
    const all = await world.read("out", (found) => {
      return found.filter(({ value }) => value === "2").length === KEYS;
    });
    // Nothing is counted twice, nothing was lost.
    const firsts = all.filter(({ value }) => value === "1").map(({ key }) => key);
    expect(new Set(firsts).size).toBe(firsts.length);
    expect(firsts.length % KEYS).toBe(0);
    expect(all.length).toBe(firsts.length + KEYS);
    await third.close();
  });
});

test("state of another topology ends an application at once, with what to do", () => {
  const world = new AppWorld(3, TOPICS);
  world.run(async () => {
    const { clock } = world.world;
    const options = { processId: "same", state: world.stateDirectory().directory };
    const first = world.app(counts(), {}, options).app;
    await first.start();
    await world.write("in", round(0));
    await world.read("out", (all) => all.length === KEYS);
    await first.close();
    const builder = new TopologyBuilder();
    builder.stream("in", { value: string() }).groupByKey()
      .windowedBy(tumbling({ sizeMs: 1000, graceMs: 0 })).count("counts");
    const second = world.app(builder.topology, {}, options).app;
    const failed = second.failed.catch(String);
    const beganMs = clock.monotonicMs();
    await second.start();
    expect(await failed).toMatch(
      /store "counts" .* of another topology: .* give the store another/,
    );
    expect(clock.monotonicMs() - beganMs).toBeLessThan(5000);
    await second.close();
  });
});

test("a copy that finds no room waits for some, and is told of now and then", () => {
  const world = new AppWorld(2, TOPICS);
  world.run(async () => {
    const { clock } = world.world;
    const room = { bytes: 1000 };
    const { directory } = world.stateDirectory(room);
    room.bytes = 0;
    const config = { "num.standby.replicas": 1 };
    const owner = world.app(counts(), config).app;
    await owner.start();
    for (let i = 0; i < ROUNDS; i++) await world.write("in", round(i));
    await world.read("out", (found) => found.length === ROUNDS * KEYS);
    const told: string[] = [];
    const logger = createLogger({
      level: "warn",
      format: "text",
      wallMs: () => clock.wallMs(),
      write: (line) => void told.push(line),
    });
    const copy = world.app(counts(), config, { processId: "small", state: directory, logger }).app;
    await copy.start();
    await sleep(clock, 60_000);
    expect(told.length).toBeGreaterThan(2);
    expect(told.length).toBeLessThan(20);
    expect(told[0]).toContain("a copy of a store cannot be kept now");
    room.bytes = 1e9;
    const lags = () => copy.status().standby.map((task) => copy.storeOf(task, "counts")?.lag);
    while (lags().length === 0 || lags().some((lag) => lag !== 0)) await sleep(clock, 1000);
    // It cannot keep what it has now, and is let go of all the same.
    room.bytes = 0;
    await copy.close();
    await owner.close();
  });
});

/** Other bytes in the middle of each run of a store. Gives how many there were. */
function damage(disk: Disk, dir: string): number {
  const runs = disk.list(dir).filter(({ name }) => name.endsWith(".run"));
  for (const { name } of runs) {
    const file = disk.open(`${dir}/${name}`, "readwrite");
    file.writeSync(Uint8Array.of(255, 255), Math.floor(file.sizeBytes() / 2));
    file.close();
  }
  return runs.length;
}

for (const guarantee of ["exactly_once_v2", "at_least_once"]) {
  test(`a store that is found damaged as it is written is restored, ${guarantee}`, () => {
    const world = new AppWorld(4, { in: 1, out: 1 });
    world.run(async () => {
      const { clock } = world.world;
      const builder = new TopologyBuilder();
      builder.stream("in", { value: string() }).groupByKey()
        .reduce("texts", (before, value) => before.slice(0, 1) + value)
        .toStream().to("out");
      const { directory, disk } = world.stateDirectory({ bytes: 1e9 }, 2000);
      const told: string[] = [];
      const logger = createLogger({
        ...{ level: "warn", format: "text", wallMs: () => clock.wallMs() },
        write: (line) => void told.push(line),
      });
      const options = { state: directory, logger };
      const config = { "processing.guarantee": guarantee, "commit.interval.ms": 100 };
      const { app } = world.app(builder.topology, config, options);
      const failed = app.failed.catch(String);
      await app.start();
      // Each is a run. Keys that are new are not looked for in others: a merge meets the damage.
      const value = "v".repeat(3000);
      for (let i = 0; i < 10; i++) {
        await world.write("in", [{ key: `${i}`, value }]);
        await world.read("out", (found) => found.length === i + 1);
        await sleep(clock, 500);
        if (i === 3) expect(damage(disk, "/state/app/0_0/texts/data")).toBe(4);
      }
      await world.write("in", [{ key: "0", value: "w" }]);
      const all = await Promise.race([failed, world.read("out", (found) => found.length === 11)]);
      expect(all).toBeArray();
      expect((all as { value: string }[]).at(-1)!.value).toBe("vw");
      expect(told.join()).toContain("a task has failed and begins again");
      await app.close();
    });
  });
}

test("a copy that is found damaged begins anew, and disturbs no other store", () => {
  const world = new AppWorld(5, { in: 1 });
  world.run(async () => {
    const { clock } = world.world;
    const builder = new TopologyBuilder();
    // Versions look for the one before.
    builder.table("rows", "in", { value: string(), historyRetentionMs: 60_000 });
    const { topology } = builder;
    const { directory, disk } = world.stateDirectory({ bytes: 1e9 }, 500);
    const config = { "num.standby.replicas": 1 };
    const options = { processId: "copy", state: directory };
    const first = world.app(topology, config, options).app;
    await first.start();
    await world.write("in", round(0, "v".repeat(300)));
    while (first.status().processed < KEYS) await sleep(clock, 100);
    await sleep(clock, 5000);
    await first.close();
    const owner = world.app(topology, config).app;
    await owner.start();
    while (owner.status().running.length === 0) await sleep(clock, 100);
    expect(damage(disk, "/state/app/0_0/rows/data")).toBe(1);
    const told: string[] = [];
    const logger = createLogger({
      ...{ level: "warn", format: "text", wallMs: () => clock.wallMs() },
      write: (line) => void told.push(line),
    });
    const copy = world.app(topology, config, { ...options, logger }).app;
    await copy.start();
    await world.write("in", round(0, "v".repeat(300)));
    await sleep(clock, 60_000);
    expect(told.filter((line) => line.includes("a copy of a store cannot")).length).toBe(1);
    expect([copy.status().standby, copy.storeOf("0_0", "rows")?.lag]).toEqual([["0_0"], 0]);
    await copy.close();
    await owner.close();
  });
});
