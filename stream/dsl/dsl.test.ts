import { expect, test } from "bun:test";
import { json, safeLong, string } from "../serdes/basic-serdes.ts";
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
  expect(() => orders.selectKey(({ id }) => id).groupByKey()).toThrow("groupByKey({ name: … })");
});
