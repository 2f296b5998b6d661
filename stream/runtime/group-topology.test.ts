import { expect, test } from "bun:test";
import { TopologyBuilder } from "../dsl/builder.ts";
import { string } from "../serdes/basic-serdes.ts";
import { tumbling } from "../windows/time-windows.ts";
import { groupTopology } from "./group-topology.ts";
import { parseStreamsConfig } from "./streams-config.ts";

const config = parseStreamsConfig({
  "application.id": "app",
  "replication.factor": 3,
  "topic.min.insync.replicas": 2,
});

const topic = (name: string, partitions: number, configs: Record<string, string>) => ({
  ...{ name, partitions, replicationFactor: 3 },
  topicConfigs: Object.entries({
    ...configs,
    "message.timestamp.type": "CreateTime",
    "min.insync.replicas": "2",
  }).map(([key, value]) => ({ key, value })).sort((a, b) => a.key < b.key ? -1 : 1),
});

test("brokers are told what each subtopology reads, and which topics are to be made", () => {
  const builder = new TopologyBuilder();
  const text = { key: string(), value: string() };
  const names = builder.table("names", "names", text);
  const moved = builder.stream("b", text).merge(builder.stream("a", text))
    .repartition("spread", { partitions: 5 })
    .groupBy("words", (word) => word, text);
  moved.windowedBy(tumbling({ sizeMs: 1000 })).count("seconds");
  builder.stream("lines", text).selectKey((line) => line, string())
    .joinTable(names, (line, name) => line + name, { name: "naming", result: string() })
    .to("named");
  const repartition = {
    ...{ "cleanup.policy": "delete", "retention.ms": "-1", "segment.bytes": "52428800" },
  };
  const { epoch, subtopologies } = groupTopology(builder.topology, config);
  expect(epoch).toBe(0);
  const none = {
    ...{ sourceTopics: [], sourceTopicRegex: [], stateChangelogTopics: [] },
    ...{ repartitionSinkTopics: [], repartitionSourceTopics: [], copartitionGroups: [] },
  };
  const bySources = (first: string) =>
    subtopologies.find(({ sourceTopics, repartitionSourceTopics }) =>
      sourceTopics[0] === first || repartitionSourceTopics[0]?.name === first
    )!;
  expect(bySources("a")).toMatchObject({
    ...none,
    sourceTopics: ["a", "b"],
    repartitionSinkTopics: ["app-spread-repartition"],
  });
  expect(bySources("app-spread-repartition")).toMatchObject({
    ...none,
    repartitionSourceTopics: [topic("app-spread-repartition", 5, repartition)],
    repartitionSinkTopics: ["app-words-repartition"],
  });
  expect(bySources("app-words-repartition")).toMatchObject({
    ...none,
    repartitionSourceTopics: [topic("app-words-repartition", 0, repartition)],
    stateChangelogTopics: [topic("app-seconds-changelog", 0, {
      ...{ "cleanup.policy": "compact,delete", "retention.ms": String(86_400_000 + 1000) },
    })],
  });
  expect(bySources("names")).toMatchObject({
    ...none,
    sourceTopics: ["names"],
    repartitionSourceTopics: [topic("app-naming-repartition", 0, repartition)],
    stateChangelogTopics: [topic("app-names-changelog", 0, { "cleanup.policy": "compact" })],
    copartitionGroups: [
      { sourceTopics: [0], sourceTopicRegex: [], repartitionSourceTopics: [0] },
    ],
  });
  expect(subtopologies.map(({ subtopologyId }) => subtopologyId)).toEqual(
    subtopologies.map((_, id) => String(id)),
  );
});
