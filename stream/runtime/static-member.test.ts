/** A member with a name of its own comes back to what it had, without a rebalance. */
import { expect, test } from "bun:test";
import { sleep } from "../../core/io.ts";
import { createLogger } from "../../core/logger.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import { string } from "../serdes/basic-serdes.ts";
import { AppWorld } from "./app-world.test-helper.ts";

const TOPICS = { in: 4, out: 4 };
const KEYS = Array.from({ length: 40 }, (_, i) => String(i));

test("tasks that a static member was to give up go on though it is killed before it says so", () => {
  const world = new AppWorld(1, TOPICS);
  world.run(async () => {
    const builder = new TopologyBuilder();
    builder.stream("in", { value: string() }).to("out", { value: string() });
    const { clock } = world.world;
    const named = (name: string, heard: (line: string) => void = () => {}) =>
      world.app(builder.topology, {
        "group.instance.id": name,
        "session.timeout.ms": 30_000,
        "heartbeat.interval.ms": 1000,
      }, {
        processId: name,
        logger: createLogger({
          ...{ level: "info", format: "text", wallMs: () => clock.wallMs(), write: heard },
        }),
      });
    const first = named("first", (line) => {
      // Nobody hears that it has given tasks up.
      if (line.includes("tasks given up")) first.io.network.isolate();
    });
    await first.app.start();
    await world.write("in", [{ key: "0", value: "before" }]);
    await world.read("out", (all) => all.length === 1);
    const second = named("second");
    await second.app.start();
    while (first.app.status().running.length === TOPICS.in) await sleep(clock, 100);
    const again = named("first");
    await again.app.start();
    await world.write("in", KEYS.map((key) => ({ key, value: key })));
    const found = await world.read("out", (all) => all.length === 1 + KEYS.length, 100_000);
    expect(found.slice(1).map(({ key }) => key!).sort()).toEqual([...KEYS].sort());
    await again.app.close();
    await second.app.close();
    first.io.network.heal();
    await first.app.close();
  });
});
