import { expect, test } from "bun:test";
import { Admin } from "../../client/admin.ts";
import { sleep } from "../../core/io.ts";
import { silentLogger } from "../../core/logger.ts";
import { AppWorld } from "./app-world.test-helper.ts";
import { Restorer } from "./restorer.ts";

test("a task that is closed while nobody answers ends its restore, and nothing else", async () => {
  const unhandled: unknown[] = [];
  const hear = (reason: unknown) => void unhandled.push(reason);
  process.on("unhandledRejection", hear);
  const world = new AppWorld(1, { changelog: 1 });
  const brokers = world.world.brokers;
  const story = async () => {
    await world.write("changelog", [{ key: "k", value: "v" }]);
    const admin = new Admin(world.world.clientIo(), { brokers });
    const io = world.world.clientIo();
    io.network.isolate();
    const restorer = new Restorer(io, admin, { brokers, apiTimeoutMs: 5000 }, silentLogger);
    const closed = new AbortController();
    const store = {
      ...{ topic: "changelog", partition: 0, offset: null, topicId: null },
      setTopicId: () => {},
      put: () => {},
      wipe: () => {},
      load: () => Promise.resolve(false),
    };
    const restoring = restorer.restore([store], closed.signal).catch(String);
    world.world.clock.setTimer(1000, () => closed.abort(new Error("the task is closed")));
    const why = await restoring;
    await restorer.close();
    admin.close();
    return why;
  };
  let isOver = false;
  const running = story().finally(() => isOver = true);
  while (!isOver) {
    world.world.clock.advance(500);
    // Rejections that nobody handles are told by the event loop.
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await running).toBeString();
  world.world.stop();
  process.off("unhandledRejection", hear);
  expect(unhandled).toEqual([]);
});

test("a store that cannot take a record fails alone", () => {
  const world = new AppWorld(2, { one: 1, other: 1 });
  const { brokers } = world.world;
  const found = world.run(async () => {
    await world.write("one", [{ key: "k", value: "v" }]);
    await world.write("other", [{ key: "k", value: "v" }]);
    const admin = new Admin(world.world.clientIo(), { brokers });
    const restorer = new Restorer(world.world.clientIo(), admin, { brokers }, silentLogger);
    const { signal } = new AbortController();
    const store = (topic: string, put: () => void) => ({
      ...{ topic, partition: 0, offset: null, topicId: null, put },
      setTopicId: () => {},
      wipe: () => {},
      load: () => Promise.resolve(false),
    });
    const failing = store("one", () => {
      throw new Error("damaged");
    });
    let count = 0;
    const following = restorer.follow([store("other", () => count++)], signal).catch(String);
    const why = await restorer.restore([failing], signal).catch(String);
    while (count === 0) await sleep(world.world.clock, 100);
    await world.write("other", [{ key: "k", value: "w" }]);
    const isOver = await Promise.race([following, sleep(world.world.clock, 5000)]);
    await restorer.close();
    admin.close();
    return { why, count, isOver };
  });
  expect(found).toEqual({ why: "Error: damaged", count: 2, isOver: undefined });
});
