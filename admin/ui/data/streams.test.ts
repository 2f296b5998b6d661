import { expect, test } from "bun:test";
import { lagOfTopics, type Live, ratesOf, type Sample, withSample } from "./streams.ts";

function live(came: number, endpoints: readonly string[] = ["a:1"]): Live {
  return {
    application: "shop",
    topology: {
      format: "kstream-topology-1",
      ...{ subtopologies: [], stores: [] },
      repartitionTopics: [{
        name: "by-word-repartition",
        key: null,
        value: null,
        partitions: null,
      }],
    },
    taskCounts: {},
    nodes: { step: { in: came, out: came * 2, errored: 0, dropped: {} } },
    members: endpoints.map((endpoint) => ({
      ...{ endpoint, upMs: 1, running: [], opening: [], standby: [], nodes: {}, stores: [] },
      sources: [
        { task: "0_0", topic: "lines", partition: 0, position: 1, lag: 3 },
        { task: "1_0", topic: "shop-by-word-repartition", partition: 0, position: 1, lag: 4 },
      ],
      restoring: [],
    })),
    missing: [],
  };
}

const samples = (...given: readonly (readonly [number, Live])[]) =>
  given.reduce<readonly Sample[]>((all, [ms, each]) => withSample(all, { ms, live: each }), []);

test("rates are those of the last ten seconds", () => {
  expect(ratesOf(samples([0, live(5)]))).toBeNull();
  const many = samples([0, live(0)], [5000, live(1000)], [12_000, live(1700)]);
  expect(ratesOf(many)?.get("step")).toEqual({ in: 100, out: 200 });
});

test("where a member comes, goes or begins anew no rate is made of what differs by that", () => {
  expect(ratesOf(samples([0, live(900)], [1000, live(10)]))).toBeNull();
  expect(ratesOf(samples([0, live(10)], [1000, live(5000, ["a:1", "b:1"])]))).toBeNull();
});

test("lag is that of the topics as the cluster calls them", () => {
  expect(lagOfTopics(live(1, ["a:1", "b:1"]), ["lines"])).toBe(6);
  expect(lagOfTopics(live(1), ["by-word-repartition"])).toBe(4);
  expect(lagOfTopics(live(1), ["others"])).toBeNull();
  expect(lagOfTopics(live(1, ["a:1", "b:1"]), ["/lin.*/"])).toBe(6);
  expect(lagOfTopics(live(1), ["/by-.*|.*repartition/", "/line/"])).toBeNull();
});
