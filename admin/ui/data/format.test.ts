import { expect, test } from "bun:test";
import { bytes, count, plural, rate, span, time } from "./format.ts";

test("numbers and sizes are short, and say when they are not known", () => {
  expect([count(1234567), count(null), plural(1, "topic"), plural(1000, "topic")])
    .toEqual(["1,234,567", "–", "1 topic", "1,000 topics"]);
  expect([bytes(0), bytes(1023), bytes(1536), bytes(50 * 1024 ** 2), bytes(undefined)])
    .toEqual(["0 B", "1023 B", "1.50 KiB", "50 MiB", "–"]);
  expect([rate(0), rate(12.34), rate(999), rate(12_345)])
    .toEqual(["0/s", "12.3/s", "999/s", "12.3 k/s"]);
});

test("spans have their two largest units", () => {
  expect([850, 1000, 61_000, 3_600_000, 3_660_000, 90_061_000, -2000].map(span))
    .toEqual(["850 ms", "1 s", "1 min 1 s", "1 h", "1 h 1 min", "1 d 1 h", "-2 s"]);
  expect(span(null)).toBe("–");
});

test("times are those of here, to the millisecond; what is none is said", () => {
  const at = new Date(2026, 0, 2, 3, 4, 5, 6).getTime();
  expect(time(at)).toBe("2026-01-02 03:04:05.006");
  expect([time(-1), time(null), time(9e18)]).toEqual(["–", "–", "9000000000000000000"]);
});
