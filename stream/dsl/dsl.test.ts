import { expect, test } from "bun:test";
import { json, safeLong, string } from "../serdes/basic-serdes.ts";
import { planTopics } from "../runtime/topic-plan.ts";
import { TestDriver } from "../testing/test-driver.ts";
import { TopologyBuilder } from "./builder.ts";

test("words are counted, through a topic of their own", () => {
  const builder = new TopologyBuilder();
  builder.stream<string, string>("lines", { value: string() })
    .flatMapValues((line) => line.toLowerCase().split(/\W+/), string())
    .groupBy("by-word", (word) => word, { key: string() })
    .count("counts")
    .toStream().to("words");
  const driver = new TestDriver(builder.topology, { applicationId: "app" });
  const lines = driver.input("lines", string(), string());
  lines.write(null, "Hello hello", 5);
  lines.write("x", "hello World", 3);
  const words = driver.read("words", string(), safeLong());
  expect(words.map(({ key, value, timestampMs }) => [key, value, timestampMs])).toEqual([
    ["hello", 1, 5],
    ["hello", 2, 5],
    ["hello", 3, 5],
    ["world", 1, 3],
  ]);
  expect(driver.readRaw("app-by-word-repartition").length).toBe(4);
  const changes = driver.read("app-counts-changelog", string(), safeLong());
  expect(changes.map(({ key, value }) => `${key} ${value}`)).toEqual([
    ...["hello 1", "hello 2", "hello 3", "world 1"],
  ]);
  driver.close();
});

test("streams are filtered, split and merged; types go along", () => {
  const builder = new TopologyBuilder();
  interface Order {
    readonly id: number;
    readonly total: number | null;
  }
  const orders = builder.stream<string, Order>("orders");
  const { large, small } = orders
    .filter((order): order is Order & { total: number } => order.total !== null)
    .split({ large: ({ total }) => total > 100 }, "small");
  const doubled = small.mapValues(({ id, total }) => ({ id, total: total * 2 }));
  large.mapValues(({ id, total }) => ({ id, total })).merge(doubled).to("out");
  const driver = new TestDriver(builder.topology);
  const input = driver.input("orders", string(), json<Order>());
  for (const [id, total] of [[1, 500], [2, 7], [3, null]] as const) {
    input.write(`k${id}`, { id, total }, id);
  }
  expect(driver.read("out", string(), json()).map(({ key, value }) => [key, value])).toEqual([
    ["k1", { id: 1, total: 500 }],
    ["k2", { id: 2, total: 14 }],
  ]);
  expect(() => orders.selectKey(({ id }) => String(id)).groupByKey()).toThrow(
    "groupByKey({ name: … })",
  );
});

test("a source by pattern has the topics whose whole names match, each read by one source", () => {
  const builder = new TopologyBuilder();
  builder.stream<string, string>(/orders-.*/i, { value: string() }).to("all");
  builder.stream<string, string>("more", { value: string() }).to("orders-out");
  expect(() => builder.stream("orders-eu")).toThrow('"orders-eu" is read twice');
  expect(() => builder.stream(/mor./)).toThrow('"more" is read twice');
  const driver = new TestDriver(builder.topology);
  expect(
    ["orders-eu", "Orders-", "old-orders-eu", "test-orders-x", "more"].map((each) =>
      driver.reads(each)
    ),
  ).toEqual([true, true, false, false, true]);
  driver.input("orders-eu", string(), string()).write("a", "1");
  driver.input("ORDERS-us", string(), string()).write("b", "2");
  // What it writes itself matches as well.
  driver.input("more", string(), string()).write("c", "3");
  expect(driver.output("all", string(), string()).readValues()).toEqual(["1", "2", "3"]);
  // Two patterns may match the same: that is seen when there is such a topic.
  builder.stream(/.*-eu/);
  expect(() =>
    planTopics(builder.topology, new Map([["more", 1], ["orders-eu", 1]]), {
      ...{ applicationId: "app", windowChangelogExtraMs: 0, topicConfigs: {} },
    })
  ).toThrow('topic "orders-eu" is read by "source-1" and by');
});

test("topics of patterns are as many as their partitions need, and joined ones have as many", () => {
  const builder = new TopologyBuilder();
  builder.stream<string, string>(/clicks-.*/, { value: string() })
    .groupBy("by-value", (value) => value).count("counts");
  builder.stream<string, string>(/orders-.*/, { value: string() })
    .joinTable(builder.table<string, string>("table", "prices"), (one) => one).to("joined");
  const settings = { applicationId: "app", windowChangelogExtraMs: 0, topicConfigs: {} };
  const plan = (counts: Readonly<Record<string, number>>) =>
    planTopics(builder.topology, new Map(Object.entries(counts)), settings);
  const none = plan({ prices: 3, other: 1 });
  expect([none.matching, none.subtopologies.map(({ tasks }) => tasks)]).toEqual([[], [0, 0, 3]]);
  expect(none.internalTopics.map(({ name }) => name)).toEqual(["app-table-changelog"]);
  const some = plan({ prices: 3, "orders-a": 3, "orders-b": 3, "clicks-a": 1, "clicks-b": 2 });
  expect(some.matching).toEqual(["clicks-a", "clicks-b", "orders-a", "orders-b"]);
  expect(some.internalTopics.map(({ name, partitions }) => [name, partitions])).toEqual([
    ["app-by-value-repartition", 2],
    ["app-counts-changelog", 2],
    ["app-table-changelog", 3],
  ]);
  expect(() => plan({ prices: 3, "orders-a": 3, "orders-b": 2 })).toThrow("as many partitions");
});

test("a stream of a table's changes may have null, which says that a key is gone", () => {
  const builder = new TopologyBuilder();
  const table = builder.table<string, number>("numbers", "in", { value: json<number>() });
  // @ts-expect-error: there may be no number
  table.toStream().mapValues((value): number => value);
  table.toStream().mapValues((value) => value === null ? "gone" : value.toFixed(1)).to("out");
  const driver = new TestDriver(builder.topology);
  driver.input("in", string(), json<number>()).writeAll([["a", 1], ["a", null]]);
  expect(driver.output("out", string(), json()).readValues()).toEqual(["1.0", "gone"]);
});

test("a key of another type has its serde", () => {
  interface Order {
    readonly id: number;
  }
  const wrong = new TopologyBuilder().stream<string, Order>("orders");
  // @ts-expect-error: keys were text
  wrong.selectKey(({ id }) => id);
  // @ts-expect-error: keys were text
  wrong.map((order) => [order.id, order]);
  // @ts-expect-error: keys were text
  wrong.groupBy("by-id", ({ id }) => id);
  const numbers = wrong.groupBy("by-key", ({ id }) => id, { key: safeLong() }).count("counts");
  // @ts-expect-error: keys are numbers
  numbers.groupBy("wrong", (count) => [String(count), count]);
  const builder = new TopologyBuilder();
  builder.stream<string, Order>("orders")
    .groupBy("by-id", ({ id }) => id, { key: safeLong() }).count("counts")
    .groupBy("by-count", (count) => [String(count), count], { key: string() })
    .count("of-counts").toStream().to("out");
  const driver = new TestDriver(builder.topology);
  const input = driver.input("orders", string(), json<unknown>());
  input.writeAll([["a", { id: 1 }], ["b", { id: 2 }], ["c", { id: 1 }]]);
  expect(driver.output("out", string(), safeLong()).readPairs()).toEqual([
    ["1", 1],
    ["1", 2],
    ["1", 1],
    ["2", 1],
  ]);
});

test("what would be passed over, or end in the wrong place, is refused where it is said", () => {
  const builder = new TopologyBuilder();
  const words = builder.stream<string, string>("words");
  expect(() => words.groupByKey({ partitions: 3 })).toThrow("there is no topic between");
  for (const partitions of [0, -1, 1.5, NaN]) {
    expect(() => words.repartition(`by-${partitions}`, { partitions })).toThrow("from 1 on");
  }
  // Steps of two applications may have the same names.
  const other = new TopologyBuilder().stream<string, string>("words");
  expect(() => words.merge(other)).toThrow("the streams are of two applications");
});
