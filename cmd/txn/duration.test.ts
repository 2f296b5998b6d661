import { expect, test } from "bun:test";
import { formatDuration, parseDuration } from "./duration.ts";

test("durations show their two largest units", () => {
  expect([0, 450, 12_000, 185_000, 7_800_000, 277_200_000, 3_600_000, -5].map(formatDuration))
    .toEqual(["0 ms", "450 ms", "12 s", "3 m 5 s", "2 h 10 m", "3 d 5 h", "1 h", "0 ms"]);
});

test("durations are read with units only", () => {
  expect(parseDuration("1h30m")).toBe(5_400_000);
  for (const text of ["", "10", "-1h", "1 h", "x"]) expect(() => parseDuration(text)).toThrow();
});
