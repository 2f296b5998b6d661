/** Members that are cut off from their brokers for longer than their session. */
import { expect, test } from "bun:test";
import { Admin } from "../../client/admin.ts";
import { sleep } from "../../core/io.ts";
import { createLogger } from "../../core/logger.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import { string } from "../serdes/basic-serdes.ts";
import { AppWorld } from "./app-world.test-helper.ts";

const TOPICS = { in: 1 };
const SESSION_MS = 10_000;

/** Writes its name into its store again and again, whatever comes. */
function ticking(name: string) {
  const builder = new TopologyBuilder();
  const ticks = builder.addStateStore("ticks", {
    ...{ kind: "key-value", key: string(), value: string() },
  });
  builder.stream("in", { value: string() }).processValues<string>(() => ({
    init(context) {
      const store = context.store(ticks);
      context.schedule(100, "wall-clock-time", () => store.put("last", name));
    },
    process: () => {},
  }), { stores: [ticks] });
  return builder.topology;
}

for (const protocol of ["classic", "streams"]) {
  for (const guarantee of ["at_least_once", "exactly_once_v2"]) {
    test(`who is cut off lets go when its session is over, ${protocol}, ${guarantee}`, () => {
      const world = new AppWorld(1, TOPICS);
      world.run(async () => {
        const { clock } = world.world;
        const member = (name: string) =>
          world.app(ticking(name), {
            ...{ "group.protocol": protocol, "processing.guarantee": guarantee },
            ...{ "session.timeout.ms": SESSION_MS, "heartbeat.interval.ms": 1000 },
            "commit.interval.ms": 500,
          });
        const { app: first, io } = member("first");
        const trouble: string[] = [];
        first.failed.catch((error: unknown) => void trouble.push(String(error)));
        await first.start();
        while (first.status().running.length === 0) await sleep(clock, 100);
        const { app: second } = member("second");
        await second.start();
        await sleep(clock, 5000);
        expect(second.status().running).toEqual([]);
        io.network.isolate();
        await sleep(clock, SESSION_MS);
        // Before others have them.
        expect(first.status().running).toEqual([]);
        while (second.status().running.length === 0) await sleep(clock, 100);
        await sleep(clock, 5000);
        io.network.heal();
        await sleep(clock, 60_000);
        expect([first.status().running, second.status().running]).toEqual([[], ["0_0"]]);
        // What waited to be written meanwhile comes to nobody.
        const changes = await world.read("app-ticks-changelog", (all) => all.length >= 400);
        const whose = changes.map(({ value }) => value);
        expect(whose.slice(whose.indexOf("second"))).not.toContain("first");
        expect(trouble).toEqual([]);
        await Promise.all([first.close(), second.close()]);
      });
    });
  }
}

for (const protocol of ["classic", "streams"]) {
  test(`an outage of brokers is told when it begins and when it ends, ${protocol}`, () => {
    const world = new AppWorld(2, TOPICS, { "group.streams.session.timeout.ms": "45000" });
    world.run(async () => {
      const { clock } = world.world;
      const told: string[] = [];
      const logger = createLogger({
        ...{ level: "info", format: "text", write: (line: string) => void told.push(line) },
        wallMs: () => clock.wallMs(),
      });
      const { app, io } = world.app(ticking("one"), { "group.protocol": protocol }, { logger });
      await app.start();
      while (app.status().running.length === 0) await sleep(clock, 100);
      io.network.breakAll();
      await sleep(clock, 10_000);
      told.length = 0;
      io.network.isolate();
      await sleep(clock, 120_000);
      const is = (text: string) => told.filter((line) => line.includes(text)).length;
      expect(is("the group is not to be reached")).toBe(1);
      expect(is("the group is reached again")).toBe(0);
      // What else is told of is not told of all the time.
      expect(told.length).toBeLessThan(8);
      io.network.heal();
      while (app.status().running.length === 0) await sleep(clock, 100);
      expect(is("the group is reached again")).toBe(1);
      await app.close();
    });
  });
}

for (
  const [protocol, ends] of [
    ...[["classic", "break"], ["classic", "fall silent"]],
    ...[["streams", "break"], ["streams", "fall silent"]],
  ]
) {
  test(`an outage in which connections ${ends} is told of soon, ${protocol}`, () => {
    const world = new AppWorld(5, TOPICS, { "group.streams.session.timeout.ms": "45000" });
    world.run(async () => {
      const { clock } = world.world;
      const told: string[] = [];
      const logger = createLogger({
        ...{ level: "warn", format: "text", write: (line: string) => void told.push(line) },
        wallMs: () => clock.wallMs(),
      });
      const config = { "group.protocol": protocol! };
      const { app, io } = world.app(ticking("one"), config, { logger, apiTimeoutMs: 60_000 });
      await app.start();
      while (app.status().running.length === 0) await sleep(clock, 100);
      io.network.isolate();
      if (ends === "break") io.network.breakAll();
      await sleep(clock, ends === "break" ? 25_000 : 15_000);
      expect(told.filter((line) => line.includes("the group is not to be reached"))).toHaveLength(
        1,
      );
      io.network.heal();
      await app.close();
    });
  });
}

test("that no broker answers at the start is told soon, and tried on", () => {
  const world = new AppWorld(4, TOPICS);
  world.run(async () => {
    const { clock } = world.world;
    const told: string[] = [];
    const logger = createLogger({
      ...{ level: "warn", format: "text", write: (line: string) => void told.push(line) },
      wallMs: () => clock.wallMs(),
    });
    const { app, io } = world.app(ticking("one"), {}, { logger });
    io.network.isolate();
    const started = app.start();
    await sleep(clock, 2000);
    expect(told).toEqual([expect.stringContaining("no broker answers yet")]);
    io.network.heal();
    await started;
    expect(told).toHaveLength(1);
    await app.close();
    const { app: second } = world.app(ticking("one"), {}, { logger });
    await second.start();
    await sleep(clock, 2000);
    expect(told).toHaveLength(1);
    await second.close();
  });
});

for (const guarantee of ["at_least_once", "exactly_once_v2"]) {
  test(`who is told to end while nothing can be written ends soon, ${guarantee}`, () => {
    const world = new AppWorld(3, TOPICS);
    world.run(async () => {
      const { clock, brokers } = world.world;
      const config = { "processing.guarantee": guarantee, "commit.interval.ms": 500 };
      const { app } = world.app(ticking("one"), config);
      await app.start();
      while (app.status().running.length === 0) await sleep(clock, 100);
      await world.read("app-ticks-changelog", (all) => all.length > 5);
      const admin = new Admin(world.world.clientIo(), { brokers });
      await admin.deleteTopics(["app-ticks-changelog"]);
      admin.close();
      await sleep(clock, 1000);
      const beganMs = clock.monotonicMs();
      await app.close();
      // A producer waits for two minutes.
      expect(clock.monotonicMs() - beganMs).toBeLessThan(30_000);
    });
  });
}

test("who is told to end while it waits for a producer ends at once, and does not come back", () => {
  const world = new AppWorld(5, TOPICS);
  world.run(async () => {
    const { clock } = world.world;
    const config = { "session.timeout.ms": SESSION_MS, "heartbeat.interval.ms": 1000 };
    const { app, io } = world.app(ticking("one"), config);
    await app.start();
    while (app.status().running.length === 0) await sleep(clock, 100);
    io.network.isolate();
    // The session is over then, and another producer is asked for.
    await sleep(clock, SESSION_MS + 1000);
    const beganMs = clock.monotonicMs();
    await app.close();
    expect(clock.monotonicMs() - beganMs).toBeLessThan(5000);
    for (const afterMs of [1, 10, 20, 30, 40]) {
      const starting = world.app(ticking("one"), config);
      const started = starting.app.start().catch(() => {});
      await sleep(clock, afterMs);
      starting.io.network.isolate();
      await sleep(clock, 100);
      const closedMs = clock.monotonicMs();
      await starting.app.close();
      expect(clock.monotonicMs() - closedMs).toBeLessThan(5000);
      starting.io.network.heal();
      await started;
      expect(starting.app.status()).toMatchObject({ running: [], opening: [] });
    }
  });
});
