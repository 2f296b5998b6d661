/** From timestamps to offsets, for ListOffsets: records are parsed only in the batch that matters. */
import type { Codecs } from "../core/compression/codec.ts";
import { lastOffset, maxTimestamp, partitionLeaderEpoch } from "../core/records/batch-header.ts";
import { CorruptRecordError } from "../core/records/corrupt-record-error.ts";
import { RecordCursor } from "../core/records/record-cursor.ts";
import type { ScanStep } from "./batch-scan.ts";
import type { LogReader } from "./log-reader.ts";
import type { Segment } from "./segment.ts";
import type { SegmentList } from "./segment-list.ts";

/** A record found by its timestamp. `leaderEpoch` is that of its batch. */
export interface TimestampOffset {
  readonly timestampMs: number;
  readonly offset: number;
  readonly leaderEpoch: number;
}

/** What a lookup needs of its log. */
export interface TimestampLookup {
  readonly segments: SegmentList;
  readonly reader: LogReader;
  readonly codecs: Codecs;
  readonly logStartOffset: number;
}

/** The first record at or after a time, or null. Throws a `DiskError`. */
export async function findTimestamp(
  log: TimestampLookup,
  timestampMs: number,
): Promise<TimestampOffset | null> {
  for (const segment of [...log.segments.all]) {
    segment.loadMaxTimestamp();
    if (segment.maxTimestampMs < timestampMs) continue;
    // Entries strictly below the target: all records up to theirs are earlier.
    const entry = segment.timeIndex.floor(timestampMs - 1);
    const from = entry === null ? segment.baseOffset : segment.baseOffset + entry.value + 1;
    const start = Math.max(from, log.logStartOffset);
    const found = await findInSegment(log, segment, start, timestampMs);
    if (found !== null) return found;
  }
  return null;
}

/** The first record that has the largest timestamp, or null. Throws a `DiskError`. */
export async function findMaxTimestamp(log: TimestampLookup): Promise<TimestampOffset | null> {
  let best: Segment | null = null;
  for (const segment of log.segments.all) {
    segment.loadMaxTimestamp();
    if (segment.maxTimestampMs > (best?.maxTimestampMs ?? -1)) best = segment;
  }
  if (best === null) return null;
  return await findTimestamp(log, best.maxTimestampMs);
}

async function findInSegment(
  log: TimestampLookup,
  segment: Segment,
  startOffset: number,
  timestampMs: number,
): Promise<TimestampOffset | null> {
  const { scan, release } = await log.reader.scanFrom(segment, startOffset);
  try {
    for (let step = await scan.next(); step !== null; step = await scan.next()) {
      if (step.kind === "damage") continue;
      if (lastOffset(step.bytes, step.at) < startOffset) continue;
      if (maxTimestamp(step.bytes, step.at) < timestampMs) continue;
      const found = findInBatch(log, step, startOffset, timestampMs);
      if (found !== null) return found;
    }
    return null;
  } finally {
    release();
  }
}

function findInBatch(
  log: TimestampLookup,
  batch: ScanStep & { kind: "batch" },
  startOffset: number,
  timestampMs: number,
): TimestampOffset | null {
  try {
    const cursor = new RecordCursor(batch.bytes, batch.at, log.codecs);
    while (cursor.next()) {
      if (cursor.timestamp < timestampMs || cursor.offset < startOffset) continue;
      return {
        timestampMs: cursor.timestamp,
        offset: cursor.offset,
        leaderEpoch: partitionLeaderEpoch(batch.bytes, batch.at),
      };
    }
  } catch (error) {
    // Records are not parsed when they are produced: one that cannot be read has no time.
    if (!(error instanceof CorruptRecordError)) throw error;
  }
  return null;
}
