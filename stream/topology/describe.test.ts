import { expect, test } from "bun:test";
import { TopologyBuilder } from "../dsl/builder.ts";
import { json, long, safeLong, string } from "../serdes/basic-serdes.ts";
import type { Serde } from "../serdes/serde.ts";
import { describeTopology } from "./describe.ts";
import { descriptionMermaid, descriptionText } from "./description-text.ts";
import { topologyChanges } from "./difference.ts";
import { readDescription } from "./saved-description.ts";

interface Wish {
  readonly partitions?: number;
  readonly store?: string;
  readonly value?: Serde<number>;
  readonly cached?: boolean;
  readonly logged?: boolean;
  readonly before?: (builder: TopologyBuilder) => void;
}

/** Words that are counted, in several ways. */
function words({ partitions, store = "counts", before, ...options }: Wish = {}) {
  const builder = new TopologyBuilder();
  before?.(builder);
  builder.stream<string, string>("lines", { value: string() })
    .flatMapValues((line) => line.split(" "), string())
    .groupBy("by-word", (word) => word, {
      key: string(),
      ...(partitions !== undefined && { partitions }),
    })
    .count(store, options)
    .toStream().to("words");
  return describeTopology(builder.topology);
}

test("a topology is shown as Kafka shows it, with stores and topics of its own behind", () => {
  expect(descriptionText(words())).toBe(`Topologies:
   Sub-topology: 0
    Source: source-1 (topics: [lines])
      --> flat-map-values-2
    Processor: flat-map-values-2 (stores: [])
      --> select-key-3
      <-- source-1
    Processor: select-key-3 (stores: [])
      --> with-key-4
      <-- flat-map-values-2
    Processor: with-key-4 (stores: [])
      --> repartition-sink-5
      <-- select-key-3
    Sink: repartition-sink-5 (topic: by-word-repartition)
      <-- with-key-4

   Sub-topology: 1
    Source: repartition-source-6 (topics: [by-word-repartition])
      --> aggregate-7
    Processor: aggregate-7 (stores: [counts])
      --> to-stream-8
      <-- repartition-source-6
    Processor: to-stream-8 (stores: [])
      --> sink-9
      <-- aggregate-7
    Sink: sink-9 (topic: words)
      <-- to-stream-8

Stores:
   counts (key-value, key: string, value: long, isTimestamped, cached, changelog: counts-changelog)

Repartition topics:
   by-word-repartition (key: string, value: string, partitions: as the input)
`);
});

test("Mermaid has a box for each subtopology, and topics between them", () => {
  const drawn = descriptionMermaid(words());
  expect(drawn).toStartWith("flowchart TB\n");
  expect(drawn).toContain('[/"by-word-repartition"/]:::internal');
  expect(drawn).toContain('  subgraph subtopology1 ["Subtopology 1"]');
  expect(drawn).toMatch(/store\d+\[\("counts"\)\]/);
  // All that edges name is there.
  const names = [...drawn.matchAll(/^ {2}(\w+) (?:-->|<-->) (\w+)$/gm)];
  expect(names.length).toBe(12);
  for (const id of names.flatMap(([, from, to]) => [from!, to!])) {
    expect(drawn).toMatch(new RegExp(`^ +${id}\\[`, "m"));
  }
});

test("a global table stands beside the subtopologies, and has no tasks", () => {
  const described = words({ before: (builder) => void builder.globalTable("rates", "in-rates") });
  expect(descriptionText(described)).toContain(
    `   Sub-topology: 2 for global store (will not generate tasks)
    Source: source-1 (topics: [in-rates])
`,
  );
  expect(descriptionMermaid(described)).toContain('["In every member"]');
  expect(topologyChanges(words(), described).map(({ effect, what, name }) => [effect, what, name]))
    .toEqual([["note", "store", "rates"]]);
});

test("what was saved is read again; what is no description is refused with the reason", () => {
  const described = words();
  expect(readDescription(JSON.stringify(described))).toEqual({ description: described });
  expect(readDescription("Topologies:")).toEqual({ problem: "it is not JSON" });
  const other = { ...described, format: "kstream-topology-9" };
  expect(readDescription(JSON.stringify(other))).toEqual({
    problem: expect.stringContaining("format"),
  });
});

test("a difference says what has to be reset, what is left over, and what begins anew", () => {
  const said = (wish: Wish) =>
    topologyChanges(words(), words(wish)).map(({ effect, what, name }) => [effect, what, name]);
  expect(said({})).toEqual([]);
  expect(said({ value: json<number>() })).toEqual([
    ["reset", "store", "counts"],
    ["note", "output topic", "words"],
  ]);
  // The same bytes, whatever reads them.
  expect(said({ value: safeLong() })).toEqual([]);
  expect(said({ partitions: 6 })).toEqual([["reset", "repartition topic", "by-word-repartition"]]);
  expect(said({ store: "totals" })).toEqual([
    ["orphan", "store", "counts"],
    ["begin", "store", "totals"],
  ]);
  expect(said({ cached: false })).toEqual([["note", "store", "counts"]]);
  expect(said({ logged: false })).toEqual([["orphan", "store", "counts"]]);
  const first = (builder: TopologyBuilder) => builder.stream("first", { value: long() }).to("out");
  expect(said({ before: first })).toEqual([
    ["begin", "input topic", "first"],
    ["note", "output topic", "out"],
    ["note", "topology", "subtopologies"],
  ]);
  const back = topologyChanges(words({ before: first }), words());
  expect(back.map(({ name }) => name)).toEqual(["first", "out", "subtopologies"]);
});

test("a source by pattern is shown as it was written", () => {
  const builder = new TopologyBuilder();
  builder.stream(/orders-(eu|us)$/i).to("out");
  expect(descriptionText(describeTopology(builder.topology))).toContain(
    "(topics: [/orders-(eu|us)$/i])",
  );
});
