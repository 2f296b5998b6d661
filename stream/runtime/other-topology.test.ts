/** Members of one group whose topologies are not the same: tasks of one name would be others. */
import { expect, test } from "bun:test";
import { sleep } from "../../core/io.ts";
import { createLogger } from "../../core/logger.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import { string } from "../serdes/basic-serdes.ts";
import type { Topology } from "../topology/topology.ts";
import { AppWorld } from "./app-world.test-helper.ts";
import type { StreamsApp } from "./streams-app.ts";
import { topologyShape } from "./topology-shape.ts";

const TOPICS = { in: 4, other: 1, out: 1 };
const KEYS = Array.from({ length: 40 }, (_, i) => String(i));
const text = { value: string() };
const REFUSAL = "others in it run another topology";

function copying(from: string, map = (value: string) => value): Topology {
  const builder = new TopologyBuilder();
  builder.stream(from, text).mapValues(map, string()).to("out", text);
  return builder.topology;
}

async function refusal(app: StreamsApp): Promise<string> {
  return await app.failed.catch(String);
}

test("a member with another topology ends with a reason, and the others process all that there is", () => {
  const world = new AppWorld(1, TOPICS);
  world.run(async () => {
    const { clock } = world.world;
    const first = world.app(copying("in")).app;
    await first.start();
    while (first.status().running.length < TOPICS.in) await sleep(clock, 100);
    const other = world.app(copying("other")).app;
    await other.start();
    expect(await refusal(other)).toContain(REFUSAL);
    expect(other.status().running).toEqual([]);
    await world.write("in", KEYS.map((key) => ({ key, value: key })));
    const found = await world.read("out", (all) => all.length === KEYS.length);
    expect(found.map(({ key }) => key!).sort()).toEqual([...KEYS].sort());
    await other.close();
    // Steps between may be others: members are replaced one by one.
    const newer = world.app(copying("in", (value) => value.toUpperCase())).app;
    await newer.start();
    while (newer.status().running.length < TOPICS.in / 2) await sleep(clock, 100);
    await first.close();
    await newer.close();
  });
});

const named = (name: string) =>
  [
    { "group.instance.id": name, "session.timeout.ms": 30_000, "heartbeat.interval.ms": 1000 },
    { processId: name },
  ] as const;

test("a static member that comes back with another topology ends, though it leads; the other goes on", () => {
  const world = new AppWorld(2, TOPICS);
  world.run(async () => {
    const { clock } = world.world;
    const first = world.app(copying("in"), ...named("first"));
    await first.app.start();
    while (first.app.status().running.length < TOPICS.in) await sleep(clock, 100);
    const lines: string[] = [];
    const logger = createLogger({
      ...{ level: "info", format: "text", wallMs: () => clock.wallMs() },
      write: (line) => void lines.push(line),
    });
    const [config, self] = named("second");
    const second = world.app(copying("in"), config, { ...self, logger }).app;
    await second.start();
    while (second.status().running.length < TOPICS.in / 2) await sleep(clock, 100);
    first.io.network.isolate();
    const again = world.app(copying("other"), ...named("first")).app;
    await again.start();
    expect(await refusal(again)).toContain(REFUSAL);
    await again.close();
    // The other one takes over when the session of this one is over.
    await world.write("in", KEYS.map((key) => ({ key, value: key })));
    const found = await world.read("out", (all) => all.length === KEYS.length, 120_000);
    expect(found.map(({ key }) => key!).sort()).toEqual([...KEYS].sort());
    expect(lines.filter((line) => line.includes("given up"))).toEqual([]);
    await second.close();
    first.io.network.heal();
    await first.app.close();
  });
});

test("a static member that is alone goes on with another topology at once", () => {
  const world = new AppWorld(3, TOPICS);
  world.run(async () => {
    const { clock } = world.world;
    const first = world.app(copying("in"), ...named("first"));
    await first.app.start();
    while (first.app.status().running.length < TOPICS.in) await sleep(clock, 100);
    first.io.network.isolate();
    const again = world.app(copying("other"), ...named("first")).app;
    await again.start();
    const begunMs = clock.monotonicMs();
    await world.write("other", [{ key: "k", value: "v" }]);
    await world.read("out", (all) => all.length === 1);
    expect(clock.monotonicMs() - begunMs).toBeLessThan(20_000);
    await again.close();
    first.io.network.heal();
    await first.app.close();
  });
});

test("what tasks are depends on what is read and kept, in order, and on nothing else", () => {
  const built = (build: (builder: TopologyBuilder) => void) => {
    const builder = new TopologyBuilder();
    build(builder);
    return topologyShape(builder.topology);
  };
  const counting = built((builder) => builder.stream("in", text).groupByKey().count("counts"));
  expect(built((builder) => {
    builder.stream("in", text).filter(() => true).groupByKey().count("counts").toStream().to("out");
  })).toBe(counting);
  for (
    const other of [
      built((builder) => builder.stream("in", text).groupByKey().count("others")),
      built((builder) => builder.stream("other", text).groupByKey().count("counts")),
      built((builder) => builder.stream(/in/, text).groupByKey().count("counts")),
      built((builder) => {
        builder.stream("other", text).to("out", text);
        builder.stream("in", text).groupByKey().count("counts");
      }),
    ]
  ) expect(other).not.toBe(counting);
});
