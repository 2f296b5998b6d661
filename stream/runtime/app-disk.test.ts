/** State on a disk that is full. */
import { expect, test } from "bun:test";
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

function round(number: number) {
  return Array.from({ length: KEYS }, (_, i) => ({ key: `${number}-${i}`, value: "v" }));
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
