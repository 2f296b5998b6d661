import { expect, test } from "bun:test";
import { Consumer } from "../../client/consumer.ts";
import { Producer } from "../../client/producer.ts";
import { sleep } from "../../core/io.ts";
import { createLogger } from "../../core/logger.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import { json, string } from "../serdes/basic-serdes.ts";
import type { StreamsApp } from "./streams-app.ts";
import { AppWorld, type TextRecord } from "./app-world.test-helper.ts";

const SECRET = "do not tell";

/** Values in capitals; `fail` says of which to throw. */
function shouting(fail: (value: string) => boolean) {
  const builder = new TopologyBuilder();
  builder.stream("in", { value: string() })
    .mapValues((value) => {
      if (fail(value)) throw new Error("no such luck");
      return value.toUpperCase();
    }, string())
    .to("out");
  return builder.topology;
}

const RECORDS: readonly TextRecord[] = [
  { key: "1", value: "a" },
  { key: "2", value: SECRET },
  { key: "3", value: "b" },
];
const TOPICS = { in: 1, out: 1, dead: 1 };

function values(records: readonly TextRecord[]): (string | null)[] {
  return records.map(({ value }) => value);
}

function logging(world: AppWorld) {
  const lines: string[] = [];
  const logger = createLogger({
    level: "info",
    format: "text",
    wallMs: () => world.world.clock.wallMs(),
    write: (line) => void lines.push(line),
  });
  return { lines, logger };
}

for (const guarantee of ["exactly_once_v2", "at_least_once"]) {
  const config = { "processing.guarantee": guarantee, "commit.interval.ms": 100 };

  test(`a task that fails begins again until it goes well, ${guarantee}`, () => {
    const world = new AppWorld(1, TOPICS);
    world.run(async () => {
      let failures = 3;
      const { lines, logger } = logging(world);
      const { app } = world.app(shouting((value) => value === SECRET && failures-- > 0), config, {
        logger,
      });
      await app.start();
      await world.write("in", RECORDS);
      const found = await world.read("out", (all) => values(all).includes("B"));
      expect(values(found).slice(-2)).toEqual(["DO NOT TELL", "B"]);
      if (guarantee === "exactly_once_v2") {
        expect(values(found)).toEqual(["A", "DO NOT TELL", "B"]);
      }
      await app.close();
      const told = lines.filter((line) => line.includes("a task has failed"));
      expect(told).toHaveLength(3);
      for (const part of ["task=0_0", "node=map-values-", "topic=in", "partition=0", "offset=1"]) {
        expect(told[0]).toContain(part);
      }
      expect(lines.join("\n")).not.toContain(SECRET);
    });
  });

  test(`one that never goes well ends the application with a reason, ${guarantee}`, () => {
    const world = new AppWorld(2, TOPICS);
    world.run(async () => {
      const { app } = world.app(shouting((value) => value === SECRET), {
        ...config,
        "task.restarts.max": 2,
      });
      await app.start();
      await world.write("in", RECORDS);
      const why = await app.failed.catch((error: unknown) => String(error));
      expect(why).toMatch(/task 0_0 fails in step "map-values-\d" at in-0 offset 1: no such luck/);
      await app.close();
    });
  });

  test(`records that fail are left out, or become dead letters, ${guarantee}`, () => {
    const world = new AppWorld(3, TOPICS);
    world.run(async () => {
      const { app } = world.app(shouting((value) => value === SECRET), {
        ...config,
        "processing.exception.handler": "dlq",
        "errors.dead.letter.queue.topic.name": "dead",
      });
      await app.start();
      await world.write("in", RECORDS);
      const found = await world.read("out", (all) => all.length === 2);
      expect(values(found)).toEqual(["A", "B"]);
      expect(await letterIn(world, "dead")).toEqual({
        value: SECRET,
        "__streams.errors.exception": "Error",
        "__streams.errors.message": "no such luck",
        "__streams.errors.topic": "in",
        "__streams.errors.partition": "0",
        "__streams.errors.offset": "1",
      });
      expect(app.status()).toMatchObject({ dropped: 1, letters: 1, processed: 3 });
      await app.close();
    });
  });

  test(`what cannot be read goes as it is told, ${guarantee}`, () => {
    const builder = () => {
      const made = new TopologyBuilder();
      made.stream("in", { value: json<{ n: number }>() })
        .mapValues(({ n }) => String(n), string()).to("out");
      return made.topology;
    };
    const poison = [{ key: "1", value: "{" }, { key: "2", value: '{"n":2}' }];
    for (const handler of ["continue", "fail"]) {
      const world = new AppWorld(4, TOPICS);
      world.run(async () => {
        const { app } = world.app(builder(), {
          ...config,
          "deserialization.exception.handler": handler,
          "task.restarts.max": 1,
        });
        await app.start();
        await world.write("in", poison);
        if (handler === "continue") {
          expect(values(await world.read("out", (all) => all.length === 1))).toEqual(["2"]);
        } else {
          const why = await app.failed.catch((error: unknown) => String(error));
          expect(why).toContain('task 0_0 fails in step "in" at in-0 offset 0');
        }
        await app.close();
      });
    }
  });
}

test("where it is set, all members end with the one that fails", () => {
  const world = new AppWorld(8, { ...TOPICS, in: 4 });
  world.run(async () => {
    const config = { "uncaught.exception.handler": "shutdown-application" };
    const apps = [0, 1].map(() => world.app(shouting((value) => value === SECRET), config).app);
    for (const app of apps) await app.start();
    while (apps.some((app) => app.status().running.length !== 2)) {
      await sleep(world.world.clock, 100);
    }
    await world.write("in", [{ key: "2", value: SECRET }]);
    const reasons = await Promise.all(apps.map((app) => app.failed.catch(String)));
    expect(reasons.sort()).toEqual([
      expect.stringContaining("fails in step"),
      expect.stringContaining("one of its members has asked for it"),
    ]);
    for (const app of apps) await app.close();
  });
});

test("what is missing is said at the start", () => {
  const world = new AppWorld(5, { in: 1 });
  world.run(async () => {
    const noSource = new TopologyBuilder();
    noSource.stream("nowhere").to("in");
    const first = world.app(noSource.topology).app;
    expect(await refusal(first)).toContain('topic "nowhere" does not exist');
    await first.close();
    const second = world.app(shouting(() => false)).app;
    expect(await refusal(second)).toContain('cannot write to topic "out"');
    await second.close();
  });
});

test("topics of its own with other counts are refused in words", () => {
  const world = new AppWorld(6, { in: 3, "app-counts-changelog": 2 });
  world.run(async () => {
    const builder = new TopologyBuilder();
    builder.stream("in").groupByKey().count("counts");
    const { app } = world.app(builder.topology);
    expect(await refusal(app)).toContain(
      'topic "app-counts-changelog" has 2 partitions, but the application needs 3',
    );
    await app.close();
  });
});

test("of two of the same name the one before is fenced, and comes back", () => {
  const world = new AppWorld(7, TOPICS);
  world.run(async () => {
    const config = { "session.timeout.ms": 6000, "heartbeat.interval.ms": 1000 };
    const same = { processId: "same" };
    const first = world.app(shouting(() => false), config, same);
    await first.app.start();
    await world.write("in", [{ key: "1", value: "a" }]);
    await world.read("out", (all) => all.length === 1);
    first.io.network.isolate();
    const second = world.app(shouting(() => false), config, same);
    await second.app.start();
    await world.write("in", [{ key: "2", value: "b" }]);
    await world.read("out", (all) => all.length === 2);
    first.io.network.heal();
    await world.write("in", [{ key: "3", value: "c" }]);
    const found = await world.read("out", (all) => all.length === 3);
    expect(values(found)).toEqual(["A", "B", "C"]);
    await second.app.close();
    await world.write("in", [{ key: "4", value: "d" }]);
    expect(values(await world.read("out", (all) => all.length === 4))).toEqual([..."ABCD"]);
    await first.app.close();
  });
});

test("offsets that somebody's transaction keeps open are waited for, and are no failure", () => {
  const world = new AppWorld(9, TOPICS);
  world.run(async () => {
    const producer = new Producer(world.world.clientIo(), {
      ...{ brokers: world.world.brokers, transactionalId: "other", transactionTimeoutMs: 45_000 },
    });
    await producer.transactions.init();
    producer.transactions.begin();
    await producer.transactions.sendOffsets([{ topic: "in", partition: 0, offset: 0n }], {
      groupId: "app",
    });
    const { app } = world.app(shouting(() => false), { "task.restarts.max": 0 });
    await app.start();
    await world.write("in", RECORDS);
    const found = await world.read("out", (all) => all.length === RECORDS.length, 100_000);
    expect(values(found)[0]).toBe("A");
    await app.close();
    producer.abort(new Error("the test is over"));
  });
});

test("a member that waits, for records or for its cluster, does it without a hurry", () => {
  const world = new AppWorld(10, TOPICS);
  world.run(async () => {
    const { app, io } = world.app(shouting(() => false), { "session.timeout.ms": 6000 });
    await app.start();
    await world.write("in", RECORDS);
    await world.read("out", (all) => all.length === RECORDS.length);
    const { clock } = world.world;
    const setTimer = clock.setTimer.bind(clock);
    let timers = 0;
    clock.setTimer = (delayMs, callback) => {
      timers++;
      return setTimer(delayMs, callback);
    };
    const perSecond = async () => {
      timers = 0;
      await sleep(clock, 60_000);
      return timers / 60;
    };
    expect(await perSecond()).toBeLessThan(60);
    io.network.isolate();
    expect(await perSecond()).toBeLessThan(60);
    io.network.heal();
    await world.write("in", RECORDS);
    await world.read("out", (all) => all.length === 2 * RECORDS.length);
    await app.close();
  });
});

/** Why it does not start. */
async function refusal(app: StreamsApp): Promise<string> {
  return await app.start().then(() => "it starts", String);
}

/** Value and headers of the first record of a topic. */
async function letterIn(world: AppWorld, topic: string): Promise<Record<string, string>> {
  const consumer = new Consumer(world.world.clientIo(), { brokers: world.world.brokers });
  await consumer.assign([{ topic, partition: 0, offset: 0n }]);
  const [record] = (await consumer.nextChunk())!.records();
  await consumer.close();
  const text = (bytes: Uint8Array | null) => new TextDecoder().decode(bytes ?? new Uint8Array());
  const headers = record!.headers
    .filter(([name]) => !name.endsWith("stacktrace"))
    .map(([name, value]) => [name, text(value)]);
  return { value: text(record!.value), ...Object.fromEntries(headers) };
}

for (const guarantee of ["exactly_once_v2", "at_least_once"]) {
  test(`what brokers refuse is an error of the step that writes it, ${guarantee}`, () => {
    const world = new AppWorld(11, TOPICS, { "message.max.bytes": "100000" });
    world.run(async () => {
      const builder = new TopologyBuilder();
      builder.stream("in", { value: string() }).mapValues((value) => value + value, string())
        .to("out");
      const isOnce = guarantee === "exactly_once_v2";
      const { app } = world.app(builder.topology, {
        "processing.guarantee": guarantee,
        "commit.interval.ms": 100,
        ...(isOnce ? { "task.restarts.max": 1 } : { "production.exception.handler": "continue" }),
      });
      const failed = app.failed.catch(String);
      await app.start();
      await world.write("in", [{ key: "1", value: "x".repeat(60_000) }]);
      const errors = () =>
        Object.entries(app.figures().nodes).flatMap(([name, { errored }]) =>
          errored === 0 ? [] : [[name, errored]]
        );
      if (isOnce) expect(await failed).toContain("MESSAGE_TOO_LARGE");
      else while (errors().length === 0) await sleep(world.world.clock, 100);
      // Each time it was processed.
      expect(errors()).toEqual([[expect.stringMatching(/^sink-\d$/), isOnce ? 2 : 1]]);
      await app.close();
    });
  });
}

test("a punctuator that fails does as it is set, and is told with its step", () => {
  for (const handler of ["continue", "fail"]) {
    const world = new AppWorld(12, TOPICS);
    world.run(async () => {
      const { lines, logger } = logging(world);
      const builder = new TopologyBuilder();
      builder.stream("in", { value: string() }).processValues<string>(() => ({
        init: (context) => {
          context.schedule(1000, "wall-clock-time", () => {
            throw new Error("no time");
          });
        },
        process: () => {},
      }));
      const { app } = world.app(builder.topology, {
        "processing.exception.handler": handler,
        "task.restarts.max": 1,
      }, { logger });
      const failed = app.failed.catch(String);
      await app.start();
      const why = await Promise.race([failed, sleep(world.world.clock, 10_000)]);
      if (handler === "fail") {
        expect(why).toMatch(/task 0_0 fails in step "process-\w+-\d": no time/);
      } else {
        expect([why, app.status().running]).toEqual([undefined, ["0_0"]]);
        const errors = Object.values(app.figures().nodes).map(({ errored }) => errored);
        expect(Math.max(...errors)).toBeGreaterThan(5);
        const told = lines.filter((line) => line.includes("a step failed"));
        expect(told[0]).toMatch(/task=0_0 node=process-\S+ error="no time"/);
      }
      await app.close();
    });
  }
});

test("a record's time is whole milliseconds, whatever an extractor gives; without one it is left out", () => {
  const world = new AppWorld(13, TOPICS);
  world.run(async () => {
    const builder = new TopologyBuilder();
    builder.stream("in", {
      value: string(),
      timestamp: ({ value }) => {
        if (value === SECRET) throw new Error("no clock");
        return Number(value);
      },
    }).to("out");
    const { app } = world.app(builder.topology, { "task.restarts.max": 0 });
    const failed = app.failed.catch(String);
    await app.start();
    const times = ["1000.75", "soon", "Infinity", "2000"];
    await world.write("in", times.map((value) => ({ key: "k", value })));
    const found = await world.read("out", (all) => all.length === 2);
    expect(found.map(({ timestampMs }) => timestampMs)).toEqual([1000, 2000]);
    expect(app.status().dropped).toBe(2);
    await world.write("in", [{ key: "k", value: SECRET }]);
    expect(await failed).toContain('task 0_0 fails in step "in" at in-0 offset 4: no clock');
    await app.close();
  });
});
