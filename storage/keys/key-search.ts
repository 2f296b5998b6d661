/**
 * Looks for the records of a key in one log, as a `read_committed` consumer would see them. Segments
 * are indexed when they are first looked at (`key-index.ts`); what is not indexed is read: the last
 * few megabytes of the segment that is appended to, and what is damaged or the disk has no room for.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { DiskError } from "../../core/io.ts";
import {
  baseOffset,
  forEachBatch,
  isControl,
  isLogAppendTime,
  isTransactional,
  producerId,
} from "../../core/records/batch-header.ts";
import { CorruptRecordError } from "../../core/records/corrupt-record-error.ts";
import { RecordCursor, type RecordView } from "../../core/records/record-cursor.ts";
import type { AbortedTransaction } from "../aborted-index.ts";
import type { LogContext } from "../log-context.ts";
import type { LogState } from "../log-state.ts";
import type { LogView } from "../log-view.ts";
import type { Segment } from "../segment.ts";
import { buildKeyIndex } from "./key-builder.ts";

/** A record that has the key; the bytes are copies. */
export interface KeyedRecord extends RecordView {
  /** Whether the time is that of the append. */
  readonly isAppendTime: boolean;
}

/** What is looked for, and where. */
export interface KeyQuery {
  readonly key: Uint8Array;
  /** The end of what the reader may see. */
  readonly endOffset: number;
  /** Until when segments may be indexed, on the monotonic clock. */
  readonly deadlineMs: number;
}

/** A part of the records of a key, in their order. */
export interface KeyHistoryQuery extends KeyQuery {
  readonly fromOffset: number;
  /** After so many, or so many bytes, there are no more. */
  readonly recordsMax: number;
  readonly bytesMax: number;
}

/** The log cannot be read where the record may be. */
export class KeySearchError extends Error {
  override readonly name = "KeySearchError";
  constructor(readonly error: ErrorCode, message: string) {
    super(message);
  }
}

/** The deadline has come before everything was indexed; the next search goes on from there. */
export class KeyIndexUnfinished extends Error {
  override readonly name = "KeyIndexUnfinished";
  constructor(readonly indexedBytes: number, readonly totalBytes: number) {
    super(`${indexedBytes} of ${totalBytes} bytes are indexed`);
  }
}

/** Segments were cleaned, deleted or cut meanwhile. */
class LogChanged extends Error {
  override readonly name = "LogChanged";
}

/** How often a search begins again. */
const ATTEMPTS = 5;
const READ_BYTES = 256 * 1024;

/** See the head of this file. */
export class KeySearch {
  constructor(
    private readonly context: LogContext,
    private readonly state: LogState,
    private readonly view: LogView,
  ) {}

  /**
   * The last record of the key, if one is left. Throws a `KeyIndexUnfinished`, a `KeySearchError`
   * or an `OffloadError`.
   */
  latest(query: KeyQuery): Promise<KeyedRecord | null> {
    return this.retried((attempt) => attempt.latest(), query);
  }

  /** The records of the key from an offset on, and where to go on, or null. Throws as `latest`. */
  history(
    query: KeyHistoryQuery,
  ): Promise<{ records: KeyedRecord[]; nextOffset: number | null }> {
    return this.retried((attempt) => attempt.history(query), query);
  }

  private async retried<Result>(
    search: (attempt: Attempt) => Promise<Result>,
    query: KeyQuery,
  ): Promise<Result> {
    const { context, state, view } = this;
    for (let count = 0; count < ATTEMPTS; count++) {
      try {
        return await search(new Attempt(context, state, view, query));
      } catch (error) {
        if (error instanceof LogChanged) continue;
        if (error instanceof CorruptRecordError) {
          throw new KeySearchError(Errors.CORRUPT_MESSAGE, error.message);
        }
        if (!(error instanceof DiskError)) throw error;
        throw new KeySearchError(Errors.KAFKA_STORAGE_ERROR, error.message);
      }
    }
    throw new KeySearchError(Errors.KAFKA_STORAGE_ERROR, "the log changes again and again");
  }
}

/** One walk over the log as it is. */
class Attempt {
  private readonly generation: number;
  private readonly segments: readonly Segment[];

  constructor(
    private readonly context: LogContext,
    private readonly state: LogState,
    private readonly view: LogView,
    private readonly query: KeyQuery,
  ) {
    this.generation = state.generation;
    const isEmpty = state.startOffset >= query.endOffset;
    this.segments = isEmpty
      ? []
      : state.segments.all.filter((one) => one.baseOffset < query.endOffset);
  }

  async latest(): Promise<KeyedRecord | null> {
    const { startOffset } = this.state;
    for (let index = this.segments.length - 1; index >= 0; index--) {
      const segment = this.segments[index]!;
      const end = this.endOf(index);
      const { keyIndex } = segment;
      let last: KeyedRecord | null = null;
      const note = (record: KeyedRecord) => {
        last = record;
        return true;
      };
      await this.load(segment);
      const tail = this.longTail(segment, end);
      if (tail !== null) await this.scan(segment, Math.max(tail, startOffset), end, note);
      if (last !== null) return last;
      await this.prepare(index);
      await this.scan(segment, Math.max(keyIndex.nextOffset, startOffset), end, note);
      if (last !== null) return last;
      for (const run of keyIndex.runs.toReversed()) {
        const batches = await this.candidates(segment, run);
        for (const offset of batches.reverse()) {
          await this.lookAt(segment, offset, startOffset, note);
          if (last !== null) return last;
        }
      }
    }
    return null;
  }

  async history(query: KeyHistoryQuery) {
    const from = Math.max(query.fromOffset, this.state.startOffset);
    const records: KeyedRecord[] = [];
    let room = query.bytesMax;
    const note = (record: KeyedRecord) => {
      records.push(record);
      room -= (record.value?.length ?? 0) + record.offset.toString().length;
      return room > 0 && records.length < query.recordsMax;
    };
    for (const [index, segment] of this.segments.entries()) {
      const end = this.endOf(index);
      if (end <= from) continue;
      await this.load(segment);
      await this.prepare(index);
      const { keyIndex } = segment;
      let goesOn = true;
      for (const run of keyIndex.runs) {
        if (run.nextOffset <= from) continue;
        const batches = await this.candidates(segment, run);
        const first = Math.max(0, batches.findLastIndex((offset) => offset <= from));
        for (let at = first; goesOn && at < batches.length; at++) {
          goesOn = await this.lookAt(segment, batches[at]!, from, note);
        }
      }
      if (goesOn) goesOn = await this.scan(segment, Math.max(keyIndex.nextOffset, from), end, note);
      if (!goesOn) return { records, nextOffset: records.at(-1)!.offset + 1 };
    }
    return { records, nextOffset: null };
  }

  private async load(segment: Segment): Promise<void> {
    this.check(segment);
    const pinned = this.context.files.pin(segment.logPath);
    try {
      await segment.keyIndex.load(pinned.file, segment.sizeBytes);
    } finally {
      pinned.release();
    }
    this.check(segment);
  }

  /**
   * Where the last part of a segment begins, about as much as may stay without an index, if much
   * more is to be indexed: most keys that are looked for are recent, and found sooner there.
   */
  private longTail({ sizeBytes, keyIndex }: Segment, endOffset: number): number | null {
    const { tailBytes } = this.context.keyIndexing.limits;
    const missing = sizeBytes - keyIndex.toPosition;
    if (keyIndex.isRefused || missing < 2 * tailBytes) return null;
    return endOffset - Math.ceil((endOffset - keyIndex.nextOffset) * tailBytes / missing);
  }

  /** Indexes what can be indexed of a segment. */
  private async prepare(index: number): Promise<void> {
    const { context, state, query } = this;
    const segment = this.segments[index]!;
    const { keyIndex } = segment;
    const { keyIndexing } = context;
    const isDue = () => {
      this.check(segment);
      const isSealed = segment !== state.segments.active;
      const missing = segment.sizeBytes - keyIndex.toPosition;
      return !keyIndex.isRefused && missing >= (isSealed ? 1 : keyIndexing.limits.tailBytes);
    };
    if (!isDue()) return;
    let isDone = true;
    await keyIndexing.exclusive(async () => {
      // Whoever was first may have done it.
      if (!isDue()) return;
      isDone = await buildKeyIndex(context, {
        segment,
        endOffset: this.nextBase(index) ?? state.endOffset,
        deadlineMs: query.deadlineMs,
        check: () => this.check(segment),
      });
    });
    this.check(segment);
    if (!isDone) throw this.unfinished();
  }

  private unfinished(): KeyIndexUnfinished {
    const sum = (sizeOf: (segment: Segment) => number) =>
      this.segments.reduce((total, segment) => total + sizeOf(segment), 0);
    return new KeyIndexUnfinished(
      sum(({ keyIndex }) => keyIndex.toPosition),
      sum(({ sizeBytes }) => sizeBytes),
    );
  }

  private async candidates(
    segment: Segment,
    run: Segment["keyIndex"]["runs"][number],
  ): Promise<number[]> {
    const found = await segment.keyIndex.find(run, this.query.key);
    this.check(segment);
    return found;
  }

  /** Tells `note` of the key's records in the batch at `offset`; false if it wants no more. */
  private async lookAt(
    segment: Segment,
    offset: number,
    fromOffset: number,
    note: (record: KeyedRecord) => boolean,
  ): Promise<boolean> {
    const bytes = await this.read(segment, Math.max(offset, this.state.startOffset), 1);
    return this.match(bytes.records, fromOffset, note);
  }

  /** As `lookAt`, for all batches between two offsets. */
  private async scan(
    segment: Segment,
    fromOffset: number,
    toOffset: number,
    note: (record: KeyedRecord) => boolean,
  ): Promise<boolean> {
    for (let offset = fromOffset; offset < toOffset;) {
      const { records, nextOffset } = await this.read(segment, offset, READ_BYTES, toOffset);
      if (records.length === 0) break;
      if (!this.match(records, fromOffset, note)) return false;
      offset = nextOffset;
    }
    return true;
  }

  private async read(
    segment: Segment,
    offset: number,
    maxBytes: number,
    endOffset: number = this.query.endOffset,
  ) {
    const read = await this.view.read({ offset, maxBytes, endOffset, minOneBatch: true });
    this.check(segment);
    if (read.ok) return read;
    throw new KeySearchError(read.error, `the log cannot be read at offset ${offset}`);
  }

  /** Tells `note` of the key's records in these batches; false if it wants no more. */
  private match(
    bytes: Uint8Array,
    fromOffset: number,
    note: (record: KeyedRecord) => boolean,
  ): boolean {
    const { context, query } = this;
    let goesOn = true;
    let aborted: readonly AbortedTransaction[] | null = null;
    const isAborted = (at: number) => {
      if (!isTransactional(bytes, at)) return false;
      const base = baseOffset(bytes, at);
      const id = producerId(bytes, at);
      aborted ??= this.view.abortedTransactions(base, query.endOffset);
      return aborted.some(({ producerId, firstOffset, lastOffset }) =>
        producerId === id && firstOffset <= base && base < lastOffset
      );
    };
    forEachBatch(bytes, (at) => {
      if (!goesOn || isControl(bytes, at) || isAborted(at)) return;
      const cursor = new RecordCursor(bytes, at, context.codecs);
      while (goesOn && cursor.next()) {
        if (cursor.offset < fromOffset || !isKey(cursor, query.key)) continue;
        goesOn = note(recordOf(cursor, isLogAppendTime(bytes, at)));
      }
    });
    return goesOn;
  }

  /** Throws `LogChanged` if what was found does not count any more. */
  private check(segment: Segment): void {
    const { state } = this;
    const isSame = state.phase === "open" && state.generation === this.generation;
    if (!isSame || segment.isGone) throw new LogChanged();
    if (this.context.failure() !== null) {
      throw new KeySearchError(Errors.KAFKA_STORAGE_ERROR, "the data directory has failed");
    }
  }

  /** Where the part of a segment that may be seen ends. */
  private endOf(index: number): number {
    return Math.min(this.nextBase(index) ?? Infinity, this.query.endOffset);
  }

  private nextBase(index: number): number | null {
    return this.segments[index + 1]?.baseOffset ?? null;
  }
}

function isKey({ source, keyStart, keyEnd }: RecordCursor, key: Uint8Array): boolean {
  if (keyStart < 0 || keyEnd - keyStart !== key.length) return false;
  for (let at = 0; at < key.length; at++) if (source[keyStart + at] !== key[at]) return false;
  return true;
}

function recordOf(cursor: RecordCursor, isAppendTime: boolean): KeyedRecord {
  const copy = (bytes: Uint8Array | null) => bytes === null ? null : bytes.slice();
  return {
    offset: cursor.offset,
    timestamp: cursor.timestamp,
    key: copy(cursor.key()),
    value: copy(cursor.value()),
    headers: cursor.headers().map(([name, value]) => [name, copy(value)] as const),
    isAppendTime,
  };
}
