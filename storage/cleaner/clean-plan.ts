/**
 * What of a compacted log can be cleaned, whether it has to be, and how its segments are put
 * together, as pure functions (Kafka's `LogCleanerManager` and `Cleaner.groupSegmentsBySize`).
 *
 *     start        first dirty       first uncleanable        end
 *       │ clean ………… │ dirty, cleanable …… │ uncleanable ……… │
 *
 * Cleanable is what lies in complete, durable segments, below the first open transaction, and is
 * older than `min.compaction.lag.ms`.
 */
import type { LogConfig } from "../log-config.ts";

/** What planning looks at. */
export interface SegmentView {
  readonly baseOffset: number;
  readonly sizeBytes: number;
  /** −1 if no batch has a timestamp. */
  readonly maxTimestampMs: number;
  /** Largest timestamp of the first batch; null or below 0 if there is none. */
  readonly firstTimestampMs: number | null;
}

/** Bounds of a log. */
export interface LogBounds {
  readonly startOffset: number;
  readonly endOffset: number;
  /** Up to where it has been cleaned; null if it never was. */
  readonly cleanedTo: number | null;
  /** Nothing from here on may be touched: it is not durable, or not decided. */
  readonly stableOffset: number;
}

/** What there is to clean. */
export interface Cleanable {
  readonly firstDirtyOffset: number;
  readonly firstUncleanableOffset: number;
  /** Dirty bytes that can be cleaned, and bytes that are clean. */
  readonly dirtyBytes: number;
  readonly cleanBytes: number;
  /** Whether `max.compaction.lag.ms` wants it cleaned whatever its share of dirt. */
  readonly isOverdue: boolean;
}

type CleaningConfig = Pick<
  LogConfig,
  "minCompactionLagMs" | "maxCompactionLagMs" | "minCleanableDirtyRatio"
>;

/** What can be cleaned of a log whose last segment is the active one. */
export function findCleanable(
  segments: readonly SegmentView[],
  log: LogBounds,
  config: CleaningConfig,
  nowMs: number,
): Cleanable {
  const known = log.cleanedTo ?? log.startOffset;
  const isKnown = known >= log.startOffset && known <= log.endOffset;
  const firstDirtyOffset = isKnown ? known : log.startOffset;
  const complete = segments.slice(0, -1);
  const isTooYoung = (segment: SegmentView) =>
    config.minCompactionLagMs > 0 && segment.maxTimestampMs > nowMs - config.minCompactionLagMs;
  let cleanBytes = 0;
  let dirtyBytes = 0;
  let oldestMs = Infinity;
  let firstUncleanableOffset = firstDirtyOffset;
  for (const [index, segment] of complete.entries()) {
    const end = segments[index + 1]!.baseOffset;
    if (end <= firstDirtyOffset) {
      cleanBytes += segment.sizeBytes;
      continue;
    }
    if (end > log.stableOffset || isTooYoung(segment)) break;
    dirtyBytes += segment.sizeBytes;
    const firstMs = segment.firstTimestampMs ?? -1;
    if (firstMs >= 0 && firstMs < oldestMs) oldestMs = firstMs;
    firstUncleanableOffset = end;
  }
  return {
    firstDirtyOffset,
    firstUncleanableOffset,
    dirtyBytes,
    cleanBytes,
    isOverdue: dirtyBytes > 0 && oldestMs < nowMs - config.maxCompactionLagMs,
  };
}

/** The share of the dirty bytes, 0 if there are none. */
export function dirtyRatio(cleanable: Cleanable): number {
  const { dirtyBytes, cleanBytes } = cleanable;
  return dirtyBytes === 0 ? 0 : dirtyBytes / (dirtyBytes + cleanBytes);
}

/** Whether it is time to clean. */
export function isDue(cleanable: Cleanable, config: CleaningConfig): boolean {
  return cleanable.isOverdue || dirtyRatio(cleanable) > config.minCleanableDirtyRatio;
}

/** Sizes that the segment which takes the place of a group must not exceed. */
export interface GroupBounds {
  readonly sizeBytes: number;
  readonly indexBytes: number;
  readonly segments: number;
}

/** A segment that is to be put together with others. */
export interface GroupMember {
  readonly baseOffset: number;
  readonly sizeBytes: number;
  /** The larger one of its indexes. */
  readonly indexBytes: number;
}

const INT32_MAX = 0x7fff_ffff;

/** Runs of segments that go into one each; `endOffset` is where the last one ends. */
export function groupSegments<S extends GroupMember>(
  segments: readonly S[],
  endOffset: number,
  bounds: GroupBounds,
): S[][] {
  const groups: S[][] = [];
  let group: S[] = [];
  let size = 0;
  let index = 0;
  for (const [at, segment] of segments.entries()) {
    const end = segments[at + 1]?.baseOffset ?? endOffset;
    const fits = group.length > 0 && group.length < bounds.segments &&
      size + segment.sizeBytes <= bounds.sizeBytes &&
      index + segment.indexBytes <= bounds.indexBytes &&
      end - 1 - group[0]!.baseOffset <= INT32_MAX;
    if (!fits) {
      group = [];
      groups.push(group);
      size = 0;
      index = 0;
    }
    group.push(segment);
    size += segment.sizeBytes;
    index += segment.indexBytes;
  }
  return groups;
}
