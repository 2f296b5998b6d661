import { expect, test } from "bun:test";
import { groupTopics } from "./groups.ts";
import { parseMetrics } from "./metrics.ts";

test("a group's lag in a topic has its age and its partitions, where they are known", () => {
  const metrics = parseMetrics(
    `kstream_group_lag_records{group="b",topic="x"} 5
kstream_group_lag_records{group="a",topic="x"} 3
kstream_group_lag_records{group="a",topic="y"} 4
kstream_group_lag_seconds{group="a",topic="x"} 1.5
kstream_group_lag_seconds{group="a",topic="y"} 60
kstream_group_committed_partitions{group="a",topic="x"} 2
`,
    0,
  );
  expect(groupTopics(metrics)).toEqual([
    { group: "b", topic: "x", lag: 5, lagMs: null, partitions: null },
    { group: "a", topic: "x", lag: 3, lagMs: 1500, partitions: 2 },
    { group: "a", topic: "y", lag: 4, lagMs: 60_000, partitions: null },
  ]);
});
