/**
 * What can be read of a log: batches by offset, in their file or in memory, and records by time. A
 * truncation or a retention run may pull a file away under a read that is under way; the answer is
 * then what the log says afterwards.
 */
import { Errors } from "../core/errors.ts";
import { DiskError } from "../core/io.ts";
import type { AbortedTransaction } from "./aborted-index.ts";
import type { LogContext } from "./log-context.ts";
import { LogReader } from "./log-reader.ts";
import type { LogState } from "./log-state.ts";
import type { PlaceHints } from "./place-hints.ts";
import type { LocateResult, ReadRange, ReadResult } from "./readable-log.ts";
import { RegionFinder } from "./region-finder.ts";
import {
  findMaxTimestamp,
  findTimestamp,
  type TimestampLookup,
  type TimestampOffset,
} from "./timestamp-lookup.ts";

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
      hasGaps: () => state.hasGaps,
      generation: () => state.generation,
    };
    this.reader = new LogReader(readable, context.files, context.buffers, hints);
    this.finder = new RegionFinder(readable, context.files, hints);
  }

  /** As `PartitionLog.locateCached`. */
  locateCached(range: ReadRange): LocateResult | null {
    const edge = this.checkRange(range);
    if (edge !== null) return edge;
    try {
      return this.finder.find(range, this.state.endOffset);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return null; // `locate` says what is wrong
    }
  }

  /** As `PartitionLog.locate`. */
  locate(range: ReadRange): Promise<LocateResult> {
    return this.whileChanging(range, () => this.reader.locate(range));
  }

  /** As `PartitionLog.read`. */
  read(range: ReadRange): Promise<ReadResult> {
    return this.whileChanging(range, () => this.reader.read(range));
  }

  /** Runs a read of a log that may be cut meanwhile. */
  private async whileChanging<Result>(
    range: ReadRange,
    read: () => Promise<Result>,
  ): Promise<Result | ReadResult> {
    const edge = this.checkRange(range);
    if (edge !== null) return edge;
    const { state } = this;
    const { generation } = state;
    const isStillThere = () => generation === state.generation && range.offset >= state.startOffset;
    try {
      const result = await read();
      if (isStillThere()) return result;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (isStillThere()) {
        const facts = { log: state.name, offset: range.offset, why: error.message };
        this.context.logger.error("cannot read a log", facts);
        return { ok: false, error: Errors.KAFKA_STORAGE_ERROR };
      }
    }
    return this.checkRange(range) ?? { ok: false, error: Errors.KAFKA_STORAGE_ERROR };
  }

  /** As `PartitionLog.offsetForTimestamp`. */
  offsetForTimestamp(timestampMs: number): Promise<TimestampOffset | null> {
    return findTimestamp(this.lookup(), timestampMs);
  }

  /** As `PartitionLog.maxTimestamp`. */
  maxTimestamp(): Promise<TimestampOffset | null> {
    return findMaxTimestamp(this.lookup());
  }

  /** As `PartitionLog.abortedTransactions`. */
  abortedTransactions(offset: number, endOffset: number): AbortedTransaction[] {
    const { segments } = this.state;
    const found: AbortedTransaction[] = [];
    for (let index = Math.max(0, segments.indexFor(offset)); index < segments.count; index++) {
      if (segments.at(index)!.abortedIndex.collect(offset, endOffset, found)) break;
    }
    return found;
  }

  /** The log has been cut: the same offset may begin elsewhere from now on. */
  forgetPlaces(): void {
    this.hints.clear();
    this.finder.reset();
  }

  /** The answer for an offset outside of what may be read; null if there is something to read. */
  private checkRange({ offset, endOffset }: ReadRange): ReadResult | null {
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
