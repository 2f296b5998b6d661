import { describe, expect, test } from "bun:test";
import { OffsetSyntaxError, parseOffsetPoint, parseOffsetRange } from "./offset-range.ts";
import type { OffsetRange } from "./offset-range.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");
const time = (timestampMs: number) => ({ kind: "time" as const, timestampMs });
const start = (plus = 0n) => ({ kind: "start" as const, plus });
const end = (minus = 0n) => ({ kind: "end" as const, minus });
const at = (offset: bigint) => ({ kind: "offset" as const, offset });

const GOOD: readonly [string, OffsetRange][] = [
  ["start", { from: start(), until: null }],
  ["end", { from: end(), until: null }],
  ["42", { from: at(42n), until: null }],
  ["+10", { from: start(10n), until: null }],
  ["-10", { from: end(10n), until: null }],
  [":end", { from: start(), until: end() }],
  ["42:50", { from: at(42n), until: at(50n) }],
  ["-5:", { from: end(5n), until: null }],
  ["start:+3", { from: start(), until: start(3n) }],
  ["@1700000000000", { from: time(1700000000000), until: null }],
  ["@1700000000", { from: time(1700000000000), until: null }],
  ["@0", { from: time(0), until: null }],
  ["@0:end", { from: time(0), until: end() }],
  ["@-1h", { from: time(NOW - 3_600_000), until: null }],
  ["@-1h:end", { from: time(NOW - 3_600_000), until: end() }],
  ["@-2d12h:-1d", { from: time(NOW - 60 * 3_600_000), until: time(NOW - 86_400_000) }],
  ["@2026-02-14", { from: time(Date.parse("2026-02-14T00:00Z")), until: null }],
  ["@2026-02-14T10:30:00+02:00", { from: time(Date.parse("2026-02-14T08:30Z")), until: null }],
  [
    "@2026-02-14T10:30:00Z:2026-02-14T11:00:00Z",
    {
      from: time(Date.parse("2026-02-14T10:30Z")),
      until: time(Date.parse("2026-02-14T11:00Z")),
    },
  ],
  [
    "@2026-02-14:1h",
    {
      from: time(Date.parse("2026-02-14T00:00Z")),
      until: time(Date.parse("2026-02-14T01:00Z")),
    },
  ],
];

describe("parseOffsetRange", () => {
  for (const [text, range] of GOOD) {
    test(text, () => expect(parseOffsetRange(text, NOW, true)).toEqual(range));
  }

  for (
    const text of ["", "x", "1.5", "@", "@yesterdy", "1:2:3", "+", "--1", "@12", "1-2-3", "@x:1h"]
  ) {
    test(`refuses "${text}"`, () => {
      expect(() => parseOffsetRange(text, NOW)).toThrow(OffsetSyntaxError);
    });
  }
});

test("a point is no range", () => {
  expect(parseOffsetPoint("-6h", NOW)).toEqual(time(NOW - 6 * 3_600_000));
  expect(parseOffsetPoint("@1700000000", NOW)).toEqual(time(1700000000000));
  expect(parseOffsetPoint("-6", NOW)).toEqual(end(6n));
  for (const text of ["42:50", "-1h:end", ":end", ""]) {
    expect(() => parseOffsetPoint(text, NOW)).toThrow(OffsetSyntaxError);
  }
});
