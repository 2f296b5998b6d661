import { expect, test } from "bun:test";
import type { TopicMetadata } from "../../client/cluster.ts";
import { checkPartitions, diskFinding } from "./cluster.ts";

test("partitions without leader, and with replicas that are not in sync", () => {
  const partition = (partition: number, leader: number, isr: number[], offline: number[]) => ({
    ...{ partition, leader, isr, errorCode: 0, leaderEpoch: 0 },
    ...{ replicas: [1, 2, 3], offlineReplicas: offline },
  });
  const topic: TopicMetadata = {
    ...{ name: "orders", topicId: null, isInternal: false },
    partitions: [
      partition(0, 1, [1, 2, 3], []),
      partition(1, -1, [3], [1, 2, 3]),
      partition(2, 1, [1], [2]),
    ],
  };
  expect(checkPartitions([topic])).toEqual([
    {
      ...{ check: "partitions", level: "problem", subject: "orders:1" },
      what: "orders:1 has no leader",
      fix: "start one of the brokers 1, 2, 3",
    },
    {
      ...{ check: "partitions", level: "problem", subject: "orders:2" },
      what: "orders:2 is under-replicated: 2 of 3 replicas are not in sync, some of them offline",
      fix: "see whether the brokers 2, 3 run and keep up",
    },
  ]);
});

test("a directory that is almost full, one that has failed, and one that tells nothing", () => {
  const dir = (usable: number | null, failed = false) =>
    diskFinding(1, {
      ...{ path: "/data", failed, totalBytes: usable === null ? null : 1e12 },
      ...{ sizeBytes: 0, partitions: 0, usableBytes: usable },
    });
  expect(dir(null)).toBeNull();
  expect(dir(2e11)).toBeNull();
  expect(dir(1.9e11)).toMatchObject({ level: "warning", subject: "broker 1 /data" });
  expect(dir(4e10)).toMatchObject({
    level: "problem",
    what: "/data of broker 1 has 40.0 GB left of 1.0 TB (4 %)",
  });
  expect(dir(0, true)).toMatchObject({ level: "problem", what: "/data of broker 1 has failed" });
});
