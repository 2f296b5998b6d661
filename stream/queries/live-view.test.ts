import { expect, test } from "bun:test";
import { sleep } from "../../core/io.ts";
import type { LiveApplication, NodeFigures } from "../../core/streams/live-application.ts";
import { liveApplicationSchema } from "../../core/streams/schemas.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import { AppWorld } from "../runtime/app-world.test-helper.ts";
import { json, string } from "../serdes/basic-serdes.ts";
import { A, B, both, KEYS, lines, Members } from "./members.test-helper.ts";

/** Each record comes from its source and is counted, by whom ever. */
function source(live: LiveApplication, topic: string): NodeFigures {
  const nodes = live.topology.subtopologies.flatMap((each) => each.nodes);
  const node = nodes.find((each) => each.kind === "source" && each.topics.includes(topic))!;
  return live.nodes[node.name] ?? { in: 0, out: 0, errored: 0, dropped: {} };
}

/** Of steps that are right behind it. */
function behind(live: LiveApplication, store: string): NodeFigures {
  const nodes = live.topology.subtopologies.flatMap((each) => each.nodes);
  const node = nodes.find((each) => each.kind === "processor" && each.stores.includes(store))!;
  return live.nodes[node.name]!;
}

/** What waits in a cache is there after the next commit. */
function entriesOf({ members }: LiveApplication, name: string): number {
  return members.flatMap(({ stores }) => stores).filter(({ store }) => store === name)
    .reduce((sum, { entries }) => sum + entries, 0);
}

test("all members together tell what went through each node, from whichever is asked", () => {
  const members = new Members(11);
  members.world.run(async () => {
    const count = 3 * KEYS.length;
    await members.world.write("names", [{ key: "a", value: "Anna" }, { key: null, value: "B" }]);
    const apps = await both(members);
    await members.world.write("lines", lines(3));
    for (const endpoint of [A, B]) {
      const { body } = await members.until(
        endpoint,
        "/topology",
        ({ body }) => source(body, "lines").in === count,
      );
      const live = liveApplicationSchema.parse(body);
      expect(source(live, "lines")).toEqual({ in: count, out: count, errored: 0, dropped: {} });
      expect(behind(live, "counts")).toMatchObject({ in: count, errored: 0 });
      // Every member has a global table whole.
      expect(source(live, "names").in).toBe(4);
      expect(behind(live, "names").dropped).toEqual({ "its key is null": 2 });
      expect(live.members.map((each) => each.endpoint)).toEqual([A, B]);
      expect(live.members.flatMap((each) => each.running).sort()).toEqual([
        ...["0_0", "0_1", "0_2", "0_3", "1_0", "1_1"],
      ]);
      expect(live.taskCounts).toEqual({ "0": 4, "1": 2 });
      expect(live.missing).toEqual([]);
      expect(live.application).toBe("app");
    }
    const { body } = await members.until(A, "/topology", ({ body }) => {
      const sources = (body as LiveApplication).members.flatMap((each) => each.sources);
      return sources.length === 6 && sources.every(({ lag }) => lag === 0) &&
        entriesOf(body, "counts") === KEYS.length;
    });
    expect(entriesOf(body, "per-second")).toBe(count);
    for (const app of apps) await app.close();
  });
});

test("a member that does not answer is named, and the others still tell", () => {
  const members = new Members(12);
  members.world.run(async () => {
    const apps = await both(members);
    members.cut.add(B);
    const { status, body } = await members.get(A, "/topology");
    expect(status).toBe(200);
    expect(body.members).toHaveLength(1);
    expect(body.missing).toMatchObject([{ endpoint: B, error: expect.stringContaining(B) }]);
    for (const app of apps) await app.close();
  });
});

test("what a node leaves out, cannot read or fails with is counted there, each record once", () => {
  const world = new AppWorld(13, { lines: 1, out: 1 });
  world.run(async () => {
    const builder = new TopologyBuilder();
    const lines = builder.stream("lines", { key: string(), value: json<{ n: number }>() });
    const even = lines.filter(({ n }) => n % 2 === 0);
    even.mapValues(({ n }) => 12 / (n === 4 ? nothing() : n), json<number>()).to("out");
    lines.groupByKey().count("counts");
    const { app } = world.app(builder.topology, {
      "deserialization.exception.handler": "continue",
      "processing.exception.handler": "continue",
    });
    await app.start();
    const values = ['{"n":1}', "x", '{"n":2}', '{"n":4}', '{"n":6}', "y"];
    await world.write("lines", [
      ...values.map((value) => ({ key: "k", value })),
      { key: null, value: '{"n":3}' },
    ]);
    const [read, filtered, divided, written, counted] = [...builder.topology.nodes.keys()];
    for (let i = 0; (app.figures().nodes[read!]?.in ?? 0) < 7; i++) {
      if (i > 1000) throw new Error(JSON.stringify(app.figures()));
      await sleep(world.world.clock, 100);
    }
    const { nodes } = app.figures();
    expect(nodes[read!]).toEqual({ in: 7, out: 5, errored: 2, dropped: {} });
    expect(nodes[filtered!]).toEqual({ in: 5, out: 3, errored: 0, dropped: {} });
    expect(nodes[divided!]).toEqual({ in: 3, out: 2, errored: 1, dropped: {} });
    expect(nodes[written!]).toEqual({ in: 2, out: 2, errored: 0, dropped: {} });
    expect(nodes[counted!]).toMatchObject({ in: 5, dropped: { "its key or value is null": 1 } });
    await app.close();
  });
});

function nothing(): never {
  throw new Error("no luck");
}
