/** Makes the indexes of a segment anew from its batches. */
import { BatchScan } from "./batch-scan.ts";
import type { OpenFiles } from "./open-files.ts";
import { factsOf, type Segment } from "./segment.ts";

/** A scan over the whole segment in which every CRC is checked. */
export function fullScan(files: OpenFiles, segment: Segment, dense: boolean) {
  const pinned = files.pin(segment.logPath);
  const scan = new BatchScan(pinned.file, 0, segment.baseOffset, segment.sizeBytes, {
    dense,
    verifyCrc: () => true,
  });
  return { scan, release: pinned.release };
}

/** See the head of this file. Throws a `DiskError`. */
export async function rebuildIndexes(
  files: OpenFiles,
  segment: Segment,
  options: { readonly dense: boolean; readonly indexIntervalBytes: number },
): Promise<void> {
  segment.clearIndexes();
  const { scan, release } = fullScan(files, segment, options.dense);
  try {
    for (let step = await scan.next(); step !== null; step = await scan.next()) {
      if (step.kind === "damage") continue;
      const facts = factsOf(step.bytes, step.at);
      segment.note(facts, step.position, options.indexIntervalBytes);
    }
  } finally {
    release();
  }
}
