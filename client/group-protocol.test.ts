import { expect, test } from "bun:test";
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  rangeAssignor,
  roundRobinAssignor,
} from "./group-protocol.ts";

const member = (memberId: string, topics: string[], groupInstanceId: string | null = null) => ({
  memberId,
  groupInstanceId,
  topics,
});

test("subscriptions and assignments survive the wire", () => {
  expect(decodeSubscription(encodeSubscription(["b", "a"])).topics).toEqual(["a", "b"]);
  const assigned = [{ topic: "a", partitions: [0, 2] }, { topic: "b", partitions: [1] }];
  expect(decodeAssignment(encodeAssignment(assigned))).toMatchObject(assigned);
  expect(decodeAssignment(new Uint8Array(0))).toEqual([]);
});

test("a subscription of a newer version is read as the last known", () => {
  const newer = encodeSubscription(["a"]);
  newer[1] = 9;
  expect(decodeSubscription(newer).topics).toEqual(["a"]);
});

test("range gives runs, the first members one more (the example of Kafka's RangeAssignor)", () => {
  const members = [member("C1", ["t0", "t1"]), member("C0", ["t0", "t1"])];
  const assigned = rangeAssignor(members, new Map([["t0", 3], ["t1", 3]]));
  expect(assigned.get("C0")).toEqual([
    { topic: "t0", partitions: [0, 1] },
    { topic: "t1", partitions: [0, 1] },
  ]);
  expect(assigned.get("C1")).toEqual([
    { topic: "t0", partitions: [2] },
    { topic: "t1", partitions: [2] },
  ]);
});

test("round robin deals out (the examples of Kafka's RoundRobinAssignor)", () => {
  const same = [member("C0", ["t0", "t1"]), member("C1", ["t0", "t1"])];
  const counts = new Map([["t0", 3], ["t1", 3]]);
  const assigned = roundRobinAssignor(same, counts);
  expect(assigned.get("C0")).toEqual([
    { topic: "t0", partitions: [0, 2] },
    { topic: "t1", partitions: [1] },
  ]);
  expect(assigned.get("C1")).toEqual([
    { topic: "t0", partitions: [1] },
    { topic: "t1", partitions: [0, 2] },
  ]);
  const differing = [
    member("C0", ["t0"]),
    member("C1", ["t0", "t1"]),
    member("C2", ["t0", "t1", "t2"]),
  ];
  const second = roundRobinAssignor(differing, new Map([["t0", 1], ["t1", 2], ["t2", 3]]));
  expect(second.get("C0")).toEqual([{ topic: "t0", partitions: [0] }]);
  expect(second.get("C1")).toEqual([{ topic: "t1", partitions: [0] }]);
  expect(second.get("C2")).toEqual([
    { topic: "t1", partitions: [1] },
    { topic: "t2", partitions: [0, 1, 2] },
  ]);
});

test("static members come first, and topics without partitions give nothing", () => {
  const members = [member("a", ["t", "gone"]), member("z", ["t"], "instance")];
  const assigned = rangeAssignor(members, new Map([["t", 1]]));
  expect(assigned.get("z")).toEqual([{ topic: "t", partitions: [0] }]);
  expect(assigned.get("a")).toEqual([]);
});
