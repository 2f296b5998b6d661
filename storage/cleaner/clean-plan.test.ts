import { expect, test } from "bun:test";
import { type Cleanable, dirtyRatio, findCleanable, groupSegments, isDue } from "./clean-plan.ts";

const NOW_MS = 1_000_000;
const CONFIG = {
  minCompactionLagMs: 0,
  maxCompactionLagMs: Number.MAX_SAFE_INTEGER,
  minCleanableDirtyRatio: 0.5,
};
const NEVER_CLEANED = { startOffset: 0, endOffset: 50, cleanedTo: null, stableOffset: 50 };

/** Segments of 100 bytes at offsets 0, 10, 20, …, each written in the second of its number. */
const segments = Array.from({ length: 5 }, (_, index) => ({
  baseOffset: index * 10,
  sizeBytes: 100,
  maxTimestampMs: index * 1000 + 999,
  firstTimestampMs: index * 1000,
}));

const range = ({ firstDirtyOffset, firstUncleanableOffset }: Cleanable) => [
  firstDirtyOffset,
  firstUncleanableOffset,
];

test("everything but the active segment can be cleaned", () => {
  const found = findCleanable(segments, NEVER_CLEANED, CONFIG, NOW_MS);
  expect(range(found)).toEqual([0, 40]);
  expect(dirtyRatio(found)).toBe(1);
  expect(findCleanable([], { ...NEVER_CLEANED, endOffset: 0 }, CONFIG, NOW_MS).dirtyBytes).toBe(0);
});

test("what is clean counts as such, and nothing beyond the stable offset is touched", () => {
  const log = { ...NEVER_CLEANED, cleanedTo: 10, stableOffset: 35 };
  const found = findCleanable(segments, log, CONFIG, NOW_MS);
  expect(range(found)).toEqual([10, 30]);
  expect([found.cleanBytes, found.dirtyBytes]).toEqual([100, 200]);
});

test("a point up to which the log was cleaned is believed only within the log", () => {
  for (const cleanedTo of [5, 51]) {
    const log = { ...NEVER_CLEANED, startOffset: 10, cleanedTo };
    expect(findCleanable(segments, log, CONFIG, NOW_MS).firstDirtyOffset).toBe(10);
  }
});

test("a segment with a record that is too young holds back all behind it", () => {
  const config = { ...CONFIG, minCompactionLagMs: 2000 };
  expect(range(findCleanable(segments, NEVER_CLEANED, config, 3500))).toEqual([0, 10]);
  expect(range(findCleanable(segments, NEVER_CLEANED, config, 4999))).toEqual([0, 30]);
});

test("a log is due when enough is dirty, or when its oldest dirty record is too old", () => {
  const log = { ...NEVER_CLEANED, cleanedTo: 30 };
  const little = findCleanable(segments, log, CONFIG, NOW_MS);
  expect(dirtyRatio(little)).toBe(0.25);
  expect(isDue(little, CONFIG)).toBe(false);
  expect(isDue(little, { ...CONFIG, minCleanableDirtyRatio: 0.2 })).toBe(true);
  const config = { ...CONFIG, maxCompactionLagMs: 500 };
  expect(isDue(findCleanable(segments, log, config, 3500), config)).toBe(false);
  expect(isDue(findCleanable(segments, log, config, 3501), config)).toBe(true);
  const clean = findCleanable(segments, { ...log, cleanedTo: 40 }, config, NOW_MS);
  expect(isDue(clean, config)).toBe(false);
});

test("segments go together as far as sizes, indexes, offsets and their number allow", () => {
  const members = [60, 30, 30, 5, 90, 200, 1].map((sizeBytes, index) => ({
    baseOffset: index * 10,
    sizeBytes,
    indexBytes: 8,
  }));
  const sizes = (bounds: { sizeBytes: number; indexBytes: number; segments: number }, end = 70) =>
    groupSegments(members, end, bounds).map((group) => group.map((one) => one.sizeBytes));
  const loose = { sizeBytes: 100, indexBytes: 1000, segments: 50 };
  expect(sizes(loose)).toEqual([[60, 30], [30, 5], [90], [200], [1]]);
  expect(sizes({ ...loose, sizeBytes: 1000, segments: 3 })).toEqual([
    [60, 30, 30],
    [5, 90, 200],
    [1],
  ]);
  expect(sizes({ ...loose, sizeBytes: 1000, indexBytes: 16 }).length).toBe(4);
  const far = 60 + 2 ** 31;
  expect(sizes({ ...loose, sizeBytes: 1000 }, far)).toEqual([[60, 30, 30, 5, 90, 200], [1]]);
});
