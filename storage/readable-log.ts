/** What those who read a log see of it, what they are asked for and what they answer. */
import type { ErrorCode } from "../core/errors.ts";
import { type Chunk, DiskError, type FileRegion } from "../core/io.ts";
import type { OpenFiles } from "./open-files.ts";
import type { Segment } from "./segment.ts";
import type { SegmentList } from "./segment-list.ts";

/** What a reader sees of its log. */
export interface ReadableLog {
  readonly segments: SegmentList;
  /** Offsets from here on were written by this process. */
  readonly trustedFrom: () => number;
  readonly hasGaps: () => boolean;
  /** Changes whenever the same offset may begin elsewhere. */
  readonly generation: () => number;
}

/** What to read. */
export interface ReadRange {
  readonly offset: number;
  readonly maxBytes: number;
  /** Batches that reach this offset are left out. */
  readonly endOffset: number;
  /** Whether the first batch comes even if it has more than `maxBytes`. */
  readonly minOneBatch: boolean;
}

/** A place in a segment's file. */
export interface Place {
  readonly position: number;
  /** The offset at which the batch there begins. */
  readonly offset: number;
}

/** Whole batches, in memory or still in their file; empty at the end of what may be read. */
export interface Located<Bytes extends Chunk = Chunk> {
  readonly ok: true;
  /** From the batch that holds the offset on. */
  readonly records: Bytes;
  readonly nextOffset: number;
}

/** Batches in memory, or why there are none. */
export type ReadResult = Located<Uint8Array> | { readonly ok: false; readonly error: ErrorCode };

/** As `ReadResult`, where the records may still be in their file. */
export type LocateResult = Located | { readonly ok: false; readonly error: ErrorCode };

/** Up to here bytes are read rather than sent as a region, which costs a system call of its own. */
export const REGION_BYTES_MIN = 16 * 1024;

/** A run of bytes of a segment. It cannot be opened any more once the log has been cut. */
export function regionOf(
  log: ReadableLog,
  files: OpenFiles,
  segment: Segment,
  position: number,
  length: number,
): FileRegion {
  const generation = log.generation();
  const open = () => {
    // A segment that was replaced or deleted meanwhile keeps its bytes, under another name, for some
    // time.
    if (log.generation() === generation) return files.pin(segment.logPath);
    throw new DiskError(
      "ESTALE",
      segment.logPath,
      "the log was cut after the bytes had been found",
    );
  };
  return { position, length, open };
}
