import { afterAll, describe, expect, test } from "bun:test";
import { durationMs, parseTime } from "./time.ts";

const NOW = Date.parse("2026-03-04T12:00:00Z"); // a Wednesday
const utc = { nowMs: NOW, utc: true };
const zoneBefore = process.env["TZ"];
afterAll(() => {
  process.env["TZ"] = zoneBefore ?? "UTC";
});

const iso = (text: string, context = utc) => {
  const parsed = parseTime(text, context);
  return parsed === null ? null : new Date(parsed).toISOString().replace(".000Z", "Z");
};

const GOOD: readonly [text: string, time: string][] = [
  ["now", "2026-03-04T12:00:00Z"],
  ["1700000000000", "2023-11-14T22:13:20Z"],
  ["1700000000", "2023-11-14T22:13:20Z"],
  ["0", "1970-01-01T00:00:00Z"],
  ["-6h", "2026-03-04T06:00:00Z"],
  ["-1w", "2026-02-25T12:00:00Z"],
  ["-2d12h", "2026-03-02T00:00:00Z"],
  ["1h30m", "2026-03-04T13:30:00Z"],
  ["6 hours ago", "2026-03-04T06:00:00Z"],
  ["6h ago", "2026-03-04T06:00:00Z"],
  ["An  hour ago", "2026-03-04T11:00:00Z"],
  ["1 hour and 30 minutes ago", "2026-03-04T10:30:00Z"],
  ["2 weeks ago", "2026-02-18T12:00:00Z"],
  ["2026-01-31", "2026-01-31T00:00:00Z"],
  ["2026-01-31 09:30", "2026-01-31T09:30:00Z"],
  ["2026-01-31T09:30:15.250Z", "2026-01-31T09:30:15.250Z"],
  ["2026-01-31T09:30+02:00", "2026-01-31T07:30:00Z"],
  ["2026-01-31T09:30:00-0530", "2026-01-31T15:00:00Z"],
  ["today", "2026-03-04T00:00:00Z"],
  ["yesterday 14:00", "2026-03-03T14:00:00Z"],
  ["yesterday 14:00 +02:00", "2026-03-03T12:00:00Z"],
  ["yesterday at noon", "2026-03-03T12:00:00Z"],
  ["tomorrow 9am", "2026-03-05T09:00:00Z"],
  ["12am", "2026-03-04T00:00:00Z"],
  ["9:05:07 pm", "2026-03-04T21:05:07Z"],
  ["14:00 UTC", "2026-03-04T14:00:00Z"],
  ["monday", "2026-03-02T00:00:00Z"],
  ["monday 09:30", "2026-03-02T09:30:00Z"],
  ["Wed", "2026-03-04T00:00:00Z"],
  ["wednesday 11:00", "2026-03-04T11:00:00Z"],
  ["wednesday 13:00", "2026-02-25T13:00:00Z"],
  ["last wednesday", "2026-02-25T00:00:00Z"],
  ["last monday 10:00", "2026-03-02T10:00:00Z"],
  ["thursday", "2026-02-26T00:00:00Z"],
];

describe("parseTime", () => {
  for (const [text, time] of GOOD) test(text, () => expect(iso(text)).toBe(time));

  const bad = ["", "x", "12", "1/2/2026", "2026-02-30", "2026-13-01", "25:00", "13pm", "0am", "-1y"]
    .concat([
      "yesterday 25:00",
      "yesterday or so",
      "2026-01-31T",
      "hours ago",
      "6 ago",
      "--1h",
      "-",
    ])
    .concat(["tomorow", "10:60", "2026-01-31T09", "14:00+99:00", "monda", "next week", "z", "utc"]);
  for (const text of bad) test(`refuses "${text}"`, () => expect(iso(text)).toBeNull());
});

test("without a zone it is the machine's, where days may have 23 hours", () => {
  process.env["TZ"] = "Europe/Berlin";
  const local = { nowMs: Date.parse("2026-03-29T10:00:00Z"), utc: false };
  expect(iso("today", local)).toBe("2026-03-28T23:00:00Z");
  expect(iso("today 03:00", local)).toBe("2026-03-29T01:00:00Z");
  expect(iso("2026-03-29 12:00", local)).toBe("2026-03-29T10:00:00Z");
  expect(iso("yesterday 12:00", local)).toBe("2026-03-28T11:00:00Z");
  expect(iso("today 12:00", { ...local, utc: true })).toBe("2026-03-29T12:00:00Z");
  expect(iso("00:30 UTC", { ...local, nowMs: Date.parse("2026-03-28T23:30:00Z") }))
    .toBe("2026-03-28T00:30:00Z");
});

test("durations", () => {
  expect(durationMs("2d12h")).toBe(216_000_000);
  expect(durationMs("500ms")).toBe(500);
  for (const text of ["", "5", "-1h", "1y", "h"]) expect(durationMs(text)).toBeNull();
});
