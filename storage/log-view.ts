/**
 * What can be read of a log: batches by offset, in their file or in memory, and records by time. A
 * truncation or a retention run may pull a file away under a read that is under way; the answer is
 * then what the log says afterwards.
 */
import { Errors } from "../core/errors.ts";
import { type Chunk, DiskError } from "../core/io.ts";
import type { LogContext } from "./log-context.ts";
import { LogReader, type ReadResult } from "./log-reader.ts";
import type { LogState } from "./log-state.ts";
import type { PlaceHints } from "./place-hints.ts";
import { RegionFinder } from "./region-finder.ts";
import {
  findMaxTimestamp,
  findTimestamp,
  type TimestampLookup,
  type TimestampOffset,
} from "./timestamp-lookup.ts";

/** As `ReadResult`, where the records may still be in their file. */
export type LocateResult =
  | ReadResult
  | {
    readonly ok: true;
    readonly records: Chunk;
    readonly nextOffset: number;
    readonly release?: undefined;
  };

/** See the head of this file. */
export class LogView {
  /** Reads without a look at the log's bounds; for those that change the log. */
  readonly reader: LogReader;
  private readonly finder: RegionFinder;

  constructor(
    private readonly context: LogContext,
    private readonly state: LogState,
    private readonly hints: PlaceHints,
  ) {
    const readable = {
      segments: state.segments,
      trustedFrom: () => state.trustedEnd,
      hasGaps: () => state.config.cleanupPolicy.compact,
    };
    this.reader = new LogReader(readable, context.files, context.buffers, hints);
    this.finder = new RegionFinder(readable, context.files, hints);
  }

  /** As `PartitionLog.locate`. */
  locate(
    offset: number,
    maxBytes: number,
    endOffset: number,
    minOneBatch: boolean,
  ): LocateResult | null {
    const edge = this.checkRange(offset, endOffset);
    if (edge !== null) return edge;
    try {
      const range = { offset, maxBytes, endOffset, minOneBatch };
      const found = this.finder.find(range, this.state.endOffset);
      return found === null ? null : { ok: true, ...found };
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return null; // `read` says what is wrong
    }
  }

  /** As `PartitionLog.read`. */
  async read(
    offset: number,
    maxBytes: number,
    endOffset: number,
    minOneBatch: boolean,
  ): Promise<ReadResult> {
    const edge = this.checkRange(offset, endOffset);
    if (edge !== null) return edge;
    const { state } = this;
    const { generation } = state;
    const isStillThere = () => generation === state.generation && offset >= state.startOffset;
    try {
      const result = await this.reader.read({ offset, maxBytes, endOffset, minOneBatch });
      if (isStillThere()) return result;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (isStillThere()) {
        const facts = { log: state.name, offset, why: error.message };
        this.context.logger.error("cannot read a log", facts);
        return { ok: false, error: Errors.KAFKA_STORAGE_ERROR };
      }
    }
    return this.checkRange(offset, endOffset) ?? { ok: false, error: Errors.KAFKA_STORAGE_ERROR };
  }

  /** As `PartitionLog.offsetForTimestamp`. */
  offsetForTimestamp(timestampMs: number): Promise<TimestampOffset | null> {
    return findTimestamp(this.lookup(), timestampMs);
  }

  /** As `PartitionLog.maxTimestamp`. */
  maxTimestamp(): Promise<TimestampOffset | null> {
    return findMaxTimestamp(this.lookup());
  }

  /** The log has been cut: the same offset may begin elsewhere from now on. */
  forgetPlaces(): void {
    this.hints.clear();
    this.finder.reset();
  }

  /** The answer for an offset outside of what may be read; null if there is something to read. */
  private checkRange(offset: number, endOffset: number): ReadResult | null {
    if (offset < this.state.startOffset || offset > this.state.endOffset) {
      return { ok: false, error: Errors.OFFSET_OUT_OF_RANGE };
    }
    if (offset < Math.min(endOffset, this.state.endOffset)) return null;
    return { ok: true, records: EMPTY, nextOffset: offset };
  }

  private lookup(): TimestampLookup {
    const { segments, startOffset } = this.state;
    const { reader, context } = this;
    return { segments, reader, codecs: context.codecs, logStartOffset: startOffset };
  }
}

const EMPTY = new Uint8Array(0);
