import { expect, test } from "bun:test";
import { Admin } from "../../client/admin.ts";
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
