import { expect, test } from "bun:test";
import { TopologyBuilder } from "../dsl/builder.ts";
import { within } from "../windows/join-windows.ts";
import { partitionCounts } from "./partition-counts.ts";

const COUNTS = new Map([["two", 2], ["four", 4], ["six", 6], ["other-six", 6]]);
const countOf = (topic: string) => COUNTS.get(topic) ?? null;
const windows = within({ differenceMs: 1 });

function builderOf() {
  const builder = new TopologyBuilder();
  const stream = (topic: string) => builder.stream<string, string>(topic);
  return {
    builder,
    stream,
    counts: () => Object.fromEntries(partitionCounts(builder.topology, countOf)),
  };
}

test("topics that are joined as they are have as many partitions, or that is said", () => {
  const { stream, counts } = builderOf();
  stream("six").join("a", stream("other-six"), windows, () => 1);
  expect(counts()).toEqual({});
  stream("four").join("b", stream("two"), windows, () => 1);
  expect(counts).toThrow('"four" has 4, "two" has 2');
});

test("a topic between has as many as that which it is joined with, or as its largest source", () => {
  const { stream, counts, builder } = builderOf();
  const moved = stream("four").selectKey((value) => value);
  moved.joinTable(builder.table("t", "six"), () => 1, { name: "a" });
  stream("two").merge(moved).repartition("b");
  moved.repartition("fixed", { partitions: 3 });
  expect(counts()).toEqual({ "a-repartition": 6, "b-repartition": 4, "fixed-repartition": 3 });
});

test("topics between have as many as the larger of them, unless one is set", () => {
  const { stream, counts } = builderOf();
  const moved = (topic: string) => stream(topic).selectKey((value) => value);
  const two = moved("two");
  two.join("a", moved("six"), windows, () => 1);
  expect(counts()).toEqual({ "a-left-repartition": 6, "a-right-repartition": 6 });
  two.repartition("set", { partitions: 3 }).join("b", moved("four"), windows, () => 1);
  expect(counts()).toMatchObject({ "b-right-repartition": 3 });
});

test("tables that are joined are checked, also where a third one is", () => {
  const { builder, counts } = builderOf();
  const table = (topic: string) => builder.table<string, string>(`t-${topic}`, topic);
  const six = table("six");
  six.join(table("other-six"), () => "").join(table("two"), () => "");
  expect(counts).toThrow('"six" has 6, "other-six" has 6, "two" has 2');
});

test("a topic that is not there is told", () => {
  const { stream, counts } = builderOf();
  stream("gone").repartition("a");
  expect(counts).toThrow('"gone" does not exist');
});
