/**
 * Damage in a log, and what mends it: the same batches as another replica has them. Where both have the
 * same bytes, they fit exactly; where they do not fit, nothing is changed.
 */
import { batchSizeBytes, lastOffset } from "../core/records/batch-header.ts";
import { judgeBatch } from "./batch-scan.ts";
import type { LogContext } from "./log-context.ts";
import type { LogReader } from "./log-reader.ts";
import type { LogState } from "./log-state.ts";
import type { Segment } from "./segment.ts";

/** A stretch of a segment in which no batch can be read. */
export interface Damage {
  readonly segment: Segment;
  readonly position: number;
  readonly sizeBytes: number;
  /** The first offset that is lost, and the first behind it that is not. */
  readonly offset: number;
  readonly nextOffset: number;
  /** Of the log, when it was found (`LogState.generation`). */
  readonly generation: number;
}

/** The damage that holds `offset`; null if that can be read. Throws a `DiskError`. */
export async function findDamage(
  state: LogState,
  reader: LogReader,
  offset: number,
): Promise<Damage | null> {
  const { segments, generation } = state;
  const index = segments.indexFor(offset);
  const segment = segments.at(index);
  if (segment === null) return null;
  const nextBase = segments.at(index + 1)?.baseOffset ?? state.endOffset;
  const { scan, release } = await reader.scanFrom(segment, offset);
  try {
    for (let step = await scan.next(); step !== null; step = await scan.next()) {
      if (step.kind === "batch") {
        if (lastOffset(step.bytes, step.at) >= offset) return null;
        continue;
      }
      const nextOffset = step.next?.baseOffset ?? nextBase;
      if (nextOffset <= offset) continue;
      const end = step.next?.position ?? segment.sizeBytes;
      const { position, offset: from } = step;
      const sizeBytes = end - position;
      return { segment, position, sizeBytes, offset: from, nextOffset, generation };
    }
    return null;
  } finally {
    release();
  }
}

/**
 * Writes what of `records` belongs there in the place of the damage, durably. False if it does not fit, or
 * if the log was cut or the segment cleaned since. Throws a `DiskError`; what is there is then no worse.
 */
export async function mend(
  context: LogContext,
  state: LogState,
  damage: Damage,
  records: Uint8Array,
): Promise<boolean> {
  const bytes = fitting(damage, records, !state.hasGaps);
  const isStale = damage.generation !== state.generation || damage.segment.isGone;
  if (bytes === null || isStale || state.phase !== "open") return false;
  const { file, release } = context.files.pin(damage.segment.logPath);
  try {
    file.writeSync(bytes, damage.position);
    await file.sync();
  } finally {
    release();
  }
  return true;
}

/** The good batches at the start of `records` that take exactly the room of the damage, or null. */
function fitting(damage: Damage, records: Uint8Array, isDense: boolean): Uint8Array | null {
  const { sizeBytes, nextOffset } = damage;
  let expected = damage.offset;
  for (let at = 0; at < sizeBytes;) {
    const left = Math.min(sizeBytes, records.length);
    const verdict = judgeBatch(records, at, left, left - at, {
      offset: expected,
      dense: isDense,
      verifyCrc: true,
    });
    if (verdict !== "good") return null;
    expected = lastOffset(records, at) + 1;
    at += batchSizeBytes(records, at);
  }
  const isWhole = isDense ? expected === nextOffset : expected <= nextOffset;
  return isWhole ? records.subarray(0, sizeBytes) : null;
}
