import { expect, test } from "bun:test";
import { parseMetrics, perSecond, perSecondBy, total } from "./metrics.ts";

const text = (orders: number, audit: number) =>
  `# HELP in_total Bytes
# TYPE in_total counter
in_total{topic="orders"} ${orders}
in_total{topic="a\\"b\\\\c\\nd"} ${audit} 1700000000
size_bytes 1.5e3
time_bucket{le="+Inf"} 3
`;

test("series have their labels and values", () => {
  const metrics = parseMetrics(text(10, 20), 0);
  expect(metrics.byName.get("in_total")).toEqual([
    { labels: { topic: "orders" }, value: 10 },
    { labels: { topic: 'a"b\\c\nd' }, value: 20 },
  ]);
  expect(total(metrics, "in_total")).toBe(30);
  expect(total(metrics, "size_bytes")).toBe(1500);
  expect(total(metrics, "other")).toBe(null);
});

test("rates are between two samples, and begin anew with the process", () => {
  const [first, second] = [parseMetrics(text(10, 20), 1000), parseMetrics(text(30, 20), 3000)];
  expect(perSecond(null, first, "in_total")).toBe(null);
  expect(perSecond(first, second, "in_total")).toBe(10);
  expect(perSecondBy(first, second, "in_total", "topic").get("orders")).toBe(10);
  const restarted = parseMetrics(text(4, 0), 5000);
  expect(perSecond(second, restarted, "in_total")).toBe(2);
});
