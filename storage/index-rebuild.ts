/** Makes the indexes of a segment anew from its batches. */
import { baseOffset, lastOffset, maxTimestamp } from "../core/records/batch-header.ts";
import { BatchScan } from "./batch-scan.ts";
import type { LogConfig } from "./log-config.ts";
import type { OpenFiles } from "./open-files.ts";
import type { BatchFacts, Segment } from "./segment.ts";

/** What the indexes need of the batch at `at`. */
export function factsOf(bytes: Uint8Array, at: number, sizeBytes: number): BatchFacts {
  return {
    sizeBytes,
    baseOffset: baseOffset(bytes, at),
    lastOffset: lastOffset(bytes, at),
    maxTimestampMs: maxTimestamp(bytes, at),
  };
}

/** A scan over the whole segment in which every CRC is checked. */
export function fullScan(files: OpenFiles, segment: Segment, config: LogConfig) {
  const pinned = files.pin(segment.logPath);
  const scan = new BatchScan(pinned.file, 0, segment.baseOffset, segment.sizeBytes, {
    dense: !config.cleanupPolicy.compact,
    verifyCrc: () => true,
  });
  return { scan, release: pinned.release };
}

/** See the head of this file. Throws a `DiskError`. */
export async function rebuildIndexes(
  files: OpenFiles,
  segment: Segment,
  config: LogConfig,
): Promise<void> {
  segment.clearIndexes();
  const { scan, release } = fullScan(files, segment, config);
  try {
    for (let step = await scan.next(); step !== null; step = await scan.next()) {
      if (step.kind === "damage") continue;
      const facts = factsOf(step.bytes, step.at, step.sizeBytes);
      segment.note(facts, step.position, config.indexIntervalBytes);
    }
  } finally {
    release();
  }
}
