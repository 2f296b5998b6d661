/** What a member does with its time: neither in a hurry nor late, and bounded. */
import { expect, test } from "bun:test";
import { Admin } from "../../client/admin.ts";
import { Consumer } from "../../client/consumer.ts";
import { Producer } from "../../client/producer.ts";
import { sleep } from "../../core/io.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import { string } from "../serdes/basic-serdes.ts";
import { AppWorld } from "./app-world.test-helper.ts";
import type { StreamsApp } from "./streams-app.ts";

const TOPICS = { in: 1, out: 1 };

function copying() {
  const builder = new TopologyBuilder();
  builder.stream("in", { value: string() }).to("out");
  return builder.topology;
}

async function running(world: AppWorld, app: StreamsApp, tasks = 1): Promise<void> {
  while (app.status().running.length < tasks) await sleep(world.world.clock, 100);
}

test("what comes during a commit does not wait for the next time it is looked", () => {
  const world = new AppWorld(5, TOPICS);
  world.run(async () => {
    const { clock } = world.world;
    const { app } = world.app(copying());
    await app.start();
    await running(world, app);
    const producer = new Producer(world.world.clientIo(), { brokers: world.world.brokers });
    const consumer = new Consumer(world.world.clientIo(), {
      ...{ brokers: world.world.brokers, isolationLevel: "read_committed" },
    });
    await consumer.assign([{ topic: "out", partition: 0, offset: 0n }]);
    const COUNT = 150;
    const tookMs: number[] = [];
    const reading = (async () => {
      while (tookMs.length < COUNT) {
        for (const { timestampMs } of (await consumer.nextChunk())!.records()) {
          tookMs.push(clock.wallMs() - timestampMs);
        }
      }
    })();
    // The last one of three comes now and then while that before it is committed, and nothing after it.
    for (let i = 0; i < COUNT; i++) {
      await sleep(clock, [1000, 50, 40 + i / 3 % 25][i % 3]!);
      await producer.send({ topic: "in", value: new Uint8Array(1), timestampMs: clock.wallMs() });
    }
    await reading;
    expect(Math.max(...tookMs)).toBeLessThan(300);
    await Promise.all([producer.close(), consumer.close(), app.close()]);
  });
});

test("a member whose commit has to wait for a rebalance does not ask for it all the time", () => {
  const world = new AppWorld(6, { in: 2, out: 1 });
  world.run(async () => {
    const { clock } = world.world;
    const config = { "session.timeout.ms": 40_000, "processing.guarantee": "at_least_once" };
    const member = () => world.app(copying(), { ...config, "commit.interval.ms": 100 });
    const [first, second, third] = [member(), member(), member()];
    await first.app.start();
    await second.app.start();
    while ([first, second].some(({ app }) => app.status().running.length !== 1)) {
      await sleep(clock, 100);
    }
    // The group waits for this one.
    second.io.network.isolate();
    await third.app.start();
    await sleep(clock, 10_000);
    await world.write("in", ["a", "b", "c", "d"].map((key) => ({ key, value: "v" })));
    const setTimer = clock.setTimer.bind(clock);
    let timers = 0;
    clock.setTimer = (delayMs, callback) => {
      timers++;
      return setTimer(delayMs, callback);
    };
    await sleep(clock, 10_000);
    expect(first.app.status().processed).toBeGreaterThan(0);
    expect(timers / 10).toBeLessThan(200);
    second.io.network.heal();
    await Promise.all([first, second, third].map(({ app }) => app.close()));
  });
});

test("what is fetched while nothing can be processed is bounded", () => {
  const world = new AppWorld(7, TOPICS, { "message.max.bytes": "2000000" });
  world.run(async () => {
    const { clock, brokers, broker } = world.world;
    const { app } = world.app(copying());
    const failed = app.failed.catch(String);
    await app.start();
    await running(world, app);
    const admin = new Admin(world.world.clientIo(), { brokers });
    await admin.deleteTopics(["out"]);
    // Waits for the topic to be there again.
    await world.write("in", [{ key: null, value: "v" }]);
    await sleep(clock, 3000);
    expect(app.status().processed).toBe(1);
    const value = "v".repeat(500_000);
    const many = Array.from({ length: 40 }, () => ({ key: null, value }));
    await world.write("in", many);
    await sleep(clock, 5000);
    const found = broker.broker.partitions.find("in", 0);
    if (typeof found === "number") throw new Error("there is no such partition");
    expect(found.traffic.fetchedBytes).toBeLessThan(6_000_000);
    expect(await failed).toContain('topic "out" is gone');
    admin.close();
    await app.close();
  });
});
