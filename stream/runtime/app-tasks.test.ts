/** Tasks that do not begin, go on or end as they should: nothing of them is in the way of what comes after. */
import { expect, test } from "bun:test";
import { sleep } from "../../core/io.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import type { ProcessorSupplier } from "../processor.ts";
import { string } from "../serdes/basic-serdes.ts";
import { AppWorld } from "./app-world.test-helper.ts";
import type { StreamsApp } from "./streams-app.ts";

const TOPICS = { in: 1, out: 1 };

/** Counts by key, behind a step of one's own. */
function counting(step: ProcessorSupplier<string | null, string, string | null, string>) {
  const builder = new TopologyBuilder();
  builder.stream("in", { value: string() })
    .processValues(step, { value: string() })
    .groupByKey().count("counts").toStream()
    .mapValues((count) => String(count), string()).to("out");
  return builder.topology;
}

/** Until that is so. Throws where the application ends before. */
async function until(world: AppWorld, app: StreamsApp, isSo: () => boolean): Promise<void> {
  const { clock } = world.world;
  const ended = app.failed.then(() => {}, (error: unknown) => ({ error }));
  for (let left = 6000; !isSo(); left--) {
    if (left === 0) throw new Error("it does not come to that");
    const end = await Promise.race([ended, sleep(clock, 50)]);
    if (end !== undefined) throw new Error("the application ends", { cause: end.error });
  }
}

test("a processor that throws as it is closed keeps no store open", () => {
  const world = new AppWorld(1, TOPICS);
  world.run(async () => {
    let failures = 1;
    const topology = counting(() => ({
      process: () => {
        if (failures-- > 0) throw new Error("fails once");
      },
      close: () => {
        throw new Error("cannot be closed");
      },
    }));
    const { directory } = world.stateDirectory();
    const { app } = world.app(topology, {}, { state: directory });
    await app.start();
    await world.write("in", [{ key: "a", value: "1" }]);
    await until(world, app, () => failures < 0 && app.status().running.length === 1);
    await app.close();
  });
});

test("where a processor does not begin, those that have begun are closed", () => {
  const world = new AppWorld(2, TOPICS);
  world.run(async () => {
    let [failures, open] = [3, 0];
    const builder = new TopologyBuilder();
    builder.stream("in", { value: string() }).processValues<string>(() => ({
      init: () => void open++,
      process: () => {},
      close: () => void open--,
    })).processValues<string>(() => ({
      init: () => {
        if (failures-- > 0) throw new Error("cannot begin");
      },
      process: () => {},
    }));
    const { app } = world.app(builder.topology);
    await app.start();
    await until(world, app, () => app.status().running.length === 1);
    expect([failures, open]).toEqual([-1, 1]);
    await app.close();
    expect(open).toBe(0);
  });
});

test("brokers that are gone at any moment as a task begins leave one task, not two", () => {
  for (let moment = 30; moment < 50; moment++) {
    const world = new AppWorld(moment, TOPICS);
    world.run(async () => {
      const { clock } = world.world;
      const open = new Set<object>();
      let openMax = 0;
      const topology = counting(() => {
        const self = {};
        let forward: (value: string) => void = () => {};
        return {
          init: (context) => {
            openMax = Math.max(openMax, open.add(self).size);
            forward = (value) => context.forward({ key: "k", value, timestampMs: 1 });
          },
          process: ({ value }) => forward(value),
          close: () => void open.delete(self),
        };
      });
      const { app, io } = world.app(topology, { "session.timeout.ms": 600_000 });
      await app.start();
      await sleep(clock, moment);
      io.network.isolate();
      await sleep(clock, 90_000);
      io.network.heal();
      await world.write("in", [{ key: "k", value: "v" }]);
      await world.read("out", (all) => all.length === 1);
      expect([open.size, openMax]).toEqual([1, 1]);
      await app.close();
    });
  }
}, 60_000);
