/**
 * Which segments have to go, as pure functions (Kafka's `UnifiedLog.deleteOldSegments`). Only whole
 * segments go, oldest first; the active one goes only by age, and the log then rolls before.
 */
import type { LogConfig } from "./log-config.ts";

/** What retention looks at. */
export interface SegmentFacts {
  readonly baseOffset: number;
  readonly sizeBytes: number;
  /** −1 if no batch has a timestamp. */
  readonly maxTimestampMs: number;
  /** Wall time of the last change, for segments without timestamps. */
  readonly modifiedMs: number;
}

/** How many of the segments, from the oldest on, may be removed. */
export function expiredSegments(
  segments: readonly SegmentFacts[],
  config: Pick<LogConfig, "retentionMs" | "retentionBytes" | "cleanupPolicy">,
  log: {
    readonly logStartOffset: number;
    readonly logEndOffset: number;
    readonly durableEndOffset: number;
    readonly recoveryPoint: number;
    readonly nowMs: number;
  },
): number {
  let surplus = excessBytes(segments, config);
  let count = 0;
  for (const segment of segments) {
    const next = segments[count + 1];
    const end = next?.baseOffset ?? log.logEndOffset;
    // What is not complete and durable stays, whatever its timestamps say: nobody could have read
    // it yet, or the producer state behind it would be lost in a crash.
    if (next !== undefined && end > log.recoveryPoint) break;
    if (end > log.durableEndOffset) break;
    const isBeforeStart = next !== undefined && end <= log.logStartOffset;
    const isOld = config.cleanupPolicy.delete && isExpired(segment, config.retentionMs, log.nowMs);
    const isSurplus = next !== undefined && surplus >= segment.sizeBytes && segment.sizeBytes > 0;
    if (!isBeforeStart && !isOld && !isSurplus) break;
    if (next === undefined && segment.sizeBytes === 0) break;
    surplus -= segment.sizeBytes;
    count++;
  }
  return count;
}

function isExpired(segment: SegmentFacts, retentionMs: number, nowMs: number): boolean {
  if (retentionMs < 0) return false;
  const age = segment.maxTimestampMs >= 0 ? segment.maxTimestampMs : segment.modifiedMs;
  return nowMs - age > retentionMs;
}

function excessBytes(
  segments: readonly SegmentFacts[],
  config: Pick<LogConfig, "retentionBytes" | "cleanupPolicy">,
): number {
  if (!config.cleanupPolicy.delete || config.retentionBytes < 0) return 0;
  const total = segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
  return Math.max(0, total - config.retentionBytes);
}

/** Whether the active segment is full or too old for a further batch (Kafka's `shouldRoll`). */
export function shouldRoll(
  segment: {
    readonly sizeBytes: number;
    readonly firstTimestampMs: number | null;
    readonly createdMs: number;
    readonly jitterMs: number;
    readonly indexBytes: number;
  },
  batch: { readonly sizeBytes: number; readonly maxTimestampMs: number },
  config: LogConfig,
  nowMs: number,
): boolean {
  if (segment.sizeBytes === 0) return false;
  if (segment.sizeBytes + batch.sizeBytes > config.segmentBytes) return true;
  if (segment.indexBytes + INDEX_ENTRY_BYTES_MAX > config.segmentIndexBytes) return true;
  const first = segment.firstTimestampMs;
  const waitedMs = first !== null && first >= 0 && batch.maxTimestampMs >= 0
    ? batch.maxTimestampMs - first
    : nowMs - segment.createdMs;
  const { compact } = config.cleanupPolicy;
  // What has to be cleaned has to be out of the active segment by then.
  const segmentMs = compact
    ? Math.min(config.segmentMs, config.maxCompactionLagMs)
    : config.segmentMs;
  return waitedMs > segmentMs - segment.jitterMs;
}

/** A time index entry, the larger of the two kinds. */
const INDEX_ENTRY_BYTES_MAX = 12;
