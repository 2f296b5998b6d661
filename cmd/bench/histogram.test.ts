import { expect, test } from "bun:test";
import { Histogram } from "./histogram.ts";

test("quantiles are within two thousandths of the exact ones, over seven decades", () => {
  const histogram = new Histogram();
  const values: number[] = [];
  for (let i = 0; i < 20_000; i++) values.push(0.001 * 1.0009 ** i);
  for (const value of values) histogram.add(value);
  for (const share of [0.01, 0.5, 0.9, 0.99, 0.999, 1]) {
    const exact = values[Math.ceil(share * values.length) - 1]!;
    const found = histogram.quantile(share);
    expect(Math.abs(found - exact)).toBeLessThan(Math.max(0.0011, exact * 0.002));
  }
  expect(histogram.summary().count).toBe(20_000);
  expect(new Histogram().quantile(0.5)).toBe(0);
});
