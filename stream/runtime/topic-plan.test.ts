import { expect, test } from "bun:test";
import { TopologyBuilder } from "../dsl/builder.ts";
import { string } from "../serdes/basic-serdes.ts";
import { tumbling } from "../windows/time-windows.ts";
import { planTopics } from "./topic-plan.ts";

const SETTINGS = {
  applicationId: "app",
  windowChangelogExtraMs: 86_400_000,
  topicConfigs: { "segment.bytes": "1000" },
};

function counting() {
  const builder = new TopologyBuilder();
  builder.stream(["one", "two"], { value: string() })
    .groupBy("by-word", (value) => value)
    .count("counts");
  return builder;
}

test("a repartition topic has as many partitions as the topics before it have at most", () => {
  const counts = new Map([["one", 2], ["two", 5]]);
  const plan = planTopics(counting().topology, counts, SETTINGS);
  expect(plan.subtopologies.map(({ tasks }) => tasks)).toEqual([5, 5]);
  expect(plan.internalTopics).toEqual([{
    name: "app-by-word-repartition",
    partitions: 5,
    configs: {
      "cleanup.policy": "delete",
      "message.timestamp.type": "CreateTime",
      "retention.ms": "-1",
      "segment.bytes": "1000",
    },
  }, {
    name: "app-counts-changelog",
    partitions: 5,
    configs: {
      "cleanup.policy": "compact",
      "message.timestamp.type": "CreateTime",
      "segment.bytes": "1000",
    },
  }]);
  expect(plan.partitionCounts.get("app-by-word-repartition")).toBe(5);
});

test("a count that is said goes on through further repartitions", () => {
  const builder = new TopologyBuilder();
  builder.stream("in", { value: string() })
    .repartition("first", { partitions: 7 })
    .repartition("second")
    .to("out");
  const plan = planTopics(builder.topology, new Map([["in", 3]]), SETTINGS);
  expect(plan.internalTopics.map(({ partitions }) => partitions)).toEqual([7, 7]);
  expect(plan.subtopologies.map(({ tasks }) => tasks)).toEqual([3, 7, 7]);
});

test("changelogs of windows are kept as long as the windows and a day", () => {
  const builder = new TopologyBuilder();
  builder.stream("in", { value: string() }).groupByKey()
    .windowedBy(tumbling({ sizeMs: 60_000 })).count("per-minute");
  const plan = planTopics(builder.topology, new Map([["in", 1]]), SETTINGS);
  const spec = builder.topology.stores.get("per-minute");
  const retentionMs = spec?.kind === "window" ? spec.retentionMs : NaN;
  expect(plan.internalTopics[0]!.configs).toMatchObject({
    "cleanup.policy": "compact,delete",
    "retention.ms": String(retentionMs + 86_400_000),
  });
});

test("topics that are missing are all named", () => {
  expect(() => planTopics(counting().topology, new Map(), SETTINGS))
    .toThrow('topics "one", "two" do not exist');
});
