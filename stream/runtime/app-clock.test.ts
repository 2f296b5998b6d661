/** A wall clock that is put back. */
import { expect, test } from "bun:test";
import { sleep } from "../../core/io.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import { string } from "../serdes/basic-serdes.ts";
import { tumbling } from "../windows/time-windows.ts";
import { within } from "../windows/join-windows.ts";
import { AppWorld } from "./app-world.test-helper.ts";

const HOUR_MS = 3_600_000;
const TOPICS = { in: 1, other: 1, out: 1 };

test("what goes by the wall clock goes on when that is put back, without a hurry", () => {
  const world = new AppWorld(1, TOPICS);
  world.run(async () => {
    const { clock } = world.world;
    const builder = new TopologyBuilder();
    const input = builder.stream("in", { value: string() });
    input.groupByKey().windowedBy(tumbling({ sizeMs: 1000, graceMs: 0 })).count("counts");
    input.leftJoin(
      "both",
      builder.stream("other", { value: string() }),
      within({ differenceMs: 10 }),
      (one) => one,
    ).to("out", { value: string() });
    let ticks = 0;
    input.processValues<string>(() => ({
      init: (context) => void context.schedule(1000, "wall-clock-time", () => void ticks++),
      process: () => {},
    }));
    const { app } = world.app(builder.topology);
    await app.start();
    let timeMs = clock.wallMs() - HOUR_MS;
    // Each is given on when the next one has closed its window.
    const write = async (value: string) => {
      timeMs += 5000;
      await world.write("in", [{ key: "k", value, timestampMs: timeMs }]);
      await sleep(clock, 2000);
    };
    await write("a");
    await write("b");
    await world.read("out", (all) => all.length === 1);
    clock.jumpWall(-HOUR_MS / 2);
    const before = ticks;
    await sleep(clock, 10_000);
    expect(ticks - before).toBeGreaterThan(5);
    expect(ticks - before).toBeLessThan(15);
    await write("c");
    await write("d");
    const found = await world.read("out", (all) => all.length === 3);
    expect(found.map(({ value }) => value)).toEqual(["a", "b", "c"]);
    await app.close();
  });
});
