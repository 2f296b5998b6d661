/**
 * Cutting the end off an open log, as a follower does that diverged from its leader: where the cut
 * falls, and what is left of the producers.
 */
import { baseOffset, lastOffset } from "../core/records/batch-header.ts";
import type { LogContext } from "./log-context.ts";
import type { LogFiles } from "./log-files.ts";
import type { LogReader } from "./log-reader.ts";
import type { ProducerStates } from "./producer-state.ts";
import type { Segment } from "./segment.ts";
import type { SegmentList } from "./segment-list.ts";

/** Where a log is cut: `offset` is the base offset of the first batch that goes. */
export interface CutPlace {
  readonly segment: Segment;
  readonly position: number;
  readonly offset: number;
}

/**
 * The start of the batch that holds `offset`, or of the damage that does; `isDense`: offsets have no gaps
 * but those that something was lost from. Throws a `DiskError`.
 */
export async function findCut(
  segments: SegmentList,
  reader: LogReader,
  offset: number,
  isDense: boolean,
): Promise<CutPlace> {
  const segment = segments.at(Math.max(0, segments.indexFor(offset)))!;
  const { scan, release } = await reader.scanFrom(segment, offset);
  try {
    for (let step = await scan.next(); step !== null; step = await scan.next()) {
      if (step.kind === "damage") {
        if (step.next !== null && step.next.baseOffset <= offset) continue;
        return { segment, position: step.position, offset: Math.min(step.offset, offset) };
      }
      if (lastOffset(step.bytes, step.at) < offset) continue;
      const base = baseOffset(step.bytes, step.at);
      return { segment, position: step.position, offset: Math.min(base, offset) };
    }
    const end = isDense ? Math.min(scan.offset, offset) : offset;
    return { segment, position: segment.sizeBytes, offset: end };
  } finally {
    release();
  }
}

/** Makes the producer state anew from the newest snapshot and the batches behind it. */
export async function rebuildProducers(
  context: LogContext,
  files: LogFiles,
  segments: SegmentList,
  reader: LogReader,
  producers: ProducerStates,
): Promise<void> {
  const nowMs = context.io.clock.wallMs();
  const snapshot = files.loadSnapshot();
  producers.restore(snapshot?.entries ?? [], nowMs);
  const from = snapshot?.offset ?? 0;
  for (const segment of segments.all.slice(Math.max(0, segments.indexFor(from)))) {
    const { scan, release } = await reader.scanFrom(segment, from);
    try {
      for (let step = await scan.next(); step !== null; step = await scan.next()) {
        if (step.kind === "damage" || baseOffset(step.bytes, step.at) < from) continue;
        producers.update(step.bytes, step.at, nowMs);
      }
    } finally {
      release();
    }
  }
}
