import { expect, test } from "bun:test";
import { TopologyBuilder } from "../dsl/builder.ts";
import { json, safeLong, string } from "../serdes/basic-serdes.ts";
import { sessions } from "../windows/session-windows.ts";
import { tumbling } from "../windows/time-windows.ts";
import { TestDriver } from "./test-driver.ts";

/** Sums by key, over a step that fails with negative ones. */
function sums() {
  const builder = new TopologyBuilder();
  builder.stream<string, number>("in", { value: json<number>() })
    .peek((value) => {
      if (value < 0) throw new Error("it is negative");
    })
    .groupByKey()
    .aggregate("sums", () => 0, (sum, value) => sum + value, { value: safeLong() })
    .toStream().to("out");
  return builder;
}

test("inputs have times that advance, and outputs are read one by one or all", () => {
  const driver = new TestDriver(sums(), { wallMs: 5000 });
  const input = driver.input("in", string(), json<number>(), { startMs: 100, advanceMs: 10 });
  const output = driver.output("out", string(), safeLong());
  input.writeAll([["a", 1], ["b", 2], ["a", 3, 7]]);
  input.advance(1000);
  input.write("b", 4);
  expect(output.size).toBe(4);
  expect(output.readOne()).toEqual({ key: "a", value: 1, timestampMs: 100, headers: [] });
  expect(output.readAll().map(({ timestampMs }) => timestampMs)).toEqual([110, 100, 1120]);
  expect(() => output.readOne()).toThrow('nothing (more) is in topic "out"');
  driver.input("in", string(), json<number>()).writeAll([["a", 1], ["b", 1]]);
  expect(output.readMap()).toEqual(new Map([["a", 5], ["b", 7]]));
  // Without a time a record has that of the wall clock.
  expect(driver.keyValues<string, number>("sums").get("a")).toBe(5);
  expect(driver.store("sums")).toHaveProperty("get");
  expect([...driver.keyValues("sums").range(null, null)]).toEqual([["a", 5], ["b", 7]]);
  driver.close();
});

test("as in production, changes are gathered until the interval of commits is over", () => {
  const config = { "commit.interval.ms": 1000 };
  const driver = new TestDriver(sums(), { config, commits: "production" });
  const input = driver.input("in", string(), json<number>());
  const output = driver.output("out", string(), safeLong());
  input.writeAll([["a", 1], ["a", 1], ["b", 1]]);
  driver.advance(999);
  expect(output.readPairs()).toEqual([]);
  expect(driver.keyValues("sums").get("a")).toBe(2);
  driver.advance(1);
  expect(output.readPairs().sort()).toEqual([["a", 2], ["b", 1]]);
  input.write("a", 1);
  driver.commit();
  expect(output.readValues()).toEqual([3]);
  driver.close();
});

test("windows and sessions of a store are read with their values", () => {
  const builder = new TopologyBuilder();
  const values = builder.stream<string, number>("in", { value: json<number>() }).groupByKey();
  values.windowedBy(tumbling({ sizeMs: 10 })).count("by-window", { retentionMs: 1000 });
  values.windowedBy(sessions({ gapMs: 5 })).count("by-session", { retentionMs: 1000 });
  const driver = new TestDriver(builder);
  driver.input("in", string(), json<number>()).writeAll([["a", 1, 1], ["a", 1, 4], ["a", 1, 12]]);
  expect(driver.windows<string, number>("by-window")).toEqual([
    [{ key: "a", window: { startMs: 0, endMs: 10 } }, 2],
    [{ key: "a", window: { startMs: 10, endMs: 20 } }, 1],
  ]);
  expect(driver.windows<string, number>("by-session")).toEqual([
    [{ key: "a", window: { startMs: 1, endMs: 4 } }, 2],
    [{ key: "a", window: { startMs: 12, endMs: 12 } }, 1],
  ]);
  expect(() => driver.keyValues("by-window")).toThrow("is a window store");
  driver.close();
});

test("what cannot be read or processed is as the config has it: thrown, left out, a dead letter", () => {
  const bad = (config: Record<string, string>) => {
    const driver = new TestDriver(sums(), { config });
    const input = driver.input("in", string(), string());
    return { driver, input };
  };
  expect(() => bad({}).input.write("a", "{")).toThrow();
  expect(() => bad({}).input.write("a", "-1")).toThrow("it is negative");
  const { driver, input } = bad({
    "deserialization.exception.handler": "continue",
    "processing.exception.handler": "dlq",
    "errors.dead.letter.queue.topic.name": "letters",
  });
  input.writeAll([["a", "{"], ["a", "-1"], ["a", "2"]]);
  expect(driver.dropped).toEqual([
    { node: "in", reason: "its value cannot be read" },
    { node: expect.stringContaining("peek"), reason: "the step failed with it" },
  ]);
  const letter = driver.output("letters", string(), string()).readOne();
  expect([letter.key, letter.value]).toEqual(["a", "-1"]);
  expect(driver.output("out", string(), safeLong()).readValues()).toEqual([2]);
  expect(() => bad({ "procesing.guarantee": "x" })).toThrow("processing.guarantee");
  driver.close();
});
