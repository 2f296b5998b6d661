/**
 * Finishes, before anything else is looked at, what a crash has interrupted while cleaned segments
 * were put into the place of others (`LogFiles.replace`).
 *
 * Where there is a `.log.swap`, it is complete and durable. It stands for all segments that begin
 * within its offsets: cleaning keeps the last batch of what it reads, if need be without records, so
 * that its end is known. Whether some of them, or all, or none are gone already makes no difference.
 * The indexes are made again.
 */
import type { LogContext } from "./log-context.ts";
import { BatchScan } from "./batch-scan.ts";
import {
  ABORTED_INDEX_SUFFIX,
  INDEX_SUFFIX,
  KEY_INDEX_SUFFIX,
  LOG_SUFFIX,
  offsetOfFileName,
  segmentFileName,
  SWAP_SUFFIX,
  TIME_INDEX_SUFFIX,
} from "./names.ts";

/** Indexes that are made from the batches alone. */
const MADE_AGAIN = [INDEX_SUFFIX, TIME_INDEX_SUFFIX, KEY_INDEX_SUFFIX];

/** The base offsets of the segments that took their place now. Throws a `DiskError`. */
export async function finishSwaps(context: LogContext, dir: string): Promise<number[]> {
  const { disk } = context.io;
  const names = disk.list(dir).map((entry) => entry.name);
  const basesOf = (suffix: string) =>
    names.map((name) => offsetOfFileName(name, suffix)).filter((base) => base !== null);
  const swaps = basesOf(LOG_SUFFIX + SWAP_SUFFIX);
  if (swaps.length === 0) return [];
  const pathOf = (base: number, suffix: string) => `${dir}/${segmentFileName(base, suffix)}`;
  const finished: number[] = [];
  for (const base of swaps) {
    const swap = pathOf(base, LOG_SUFFIX + SWAP_SUFFIX);
    const end = await lastOffsetIn(context, swap, base);
    // Nothing of it can be read: what it was made from is better.
    if (end === null && basesOf(LOG_SUFFIX).includes(base)) continue;
    for (const old of basesOf(LOG_SUFFIX)) {
      if (old < base || old > (end ?? base)) continue;
      for (const suffix of [LOG_SUFFIX, ...MADE_AGAIN]) {
        disk.remove(pathOf(old, suffix));
      }
      if (old !== base) disk.remove(pathOf(old, ABORTED_INDEX_SUFFIX));
    }
    finished.push(base);
  }
  await disk.syncDir(dir);
  for (const base of finished) {
    // If there is none, the new one has its usual name already, or nothing has ever been aborted.
    if (names.includes(segmentFileName(base, ABORTED_INDEX_SUFFIX + SWAP_SUFFIX))) {
      disk.rename(
        pathOf(base, ABORTED_INDEX_SUFFIX + SWAP_SUFFIX),
        pathOf(base, ABORTED_INDEX_SUFFIX),
      );
    }
    disk.rename(pathOf(base, LOG_SUFFIX + SWAP_SUFFIX), pathOf(base, LOG_SUFFIX));
    // Those that already had their usual names.
    for (const suffix of MADE_AGAIN) disk.remove(pathOf(base, suffix));
  }
  await disk.syncDir(dir);
  context.logger.info("finished putting cleaned segments into place", {
    dir,
    segments: finished.length,
  });
  return finished;
}

/** The last offset of the last good batch; null if there is none. */
async function lastOffsetIn(
  context: LogContext,
  path: string,
  base: number,
): Promise<number | null> {
  const file = context.io.disk.open(path, "read");
  try {
    const options = { dense: false, verifyCrc: () => true };
    const scan = new BatchScan(file, 0, base, file.sizeBytes(), options);
    let last: number | null = null;
    for (let step = await scan.next(); step !== null; step = await scan.next()) {
      if (step.kind === "batch") last = scan.offset - 1;
    }
    return last;
  } finally {
    file.close();
  }
}
