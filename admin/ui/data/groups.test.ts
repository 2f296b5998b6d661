import { expect, test } from "bun:test";
import { groupSummaries } from "./groups.ts";
import { parseMetrics } from "./metrics.ts";

test("a group's lag is that of all its topics, and as old as the oldest", () => {
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
  expect(groupSummaries(metrics)).toMatchObject([
    { group: "a", lag: 7, lagMs: 60_000, topics: [{ topic: "x", partitions: 2 }, { topic: "y" }] },
    { group: "b", lag: 5, lagMs: null, topics: [{ topic: "x", partitions: null }] },
  ]);
});
