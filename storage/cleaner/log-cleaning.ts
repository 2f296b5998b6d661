/**
 * Cleans one log. Here is what touches the disk; what looks at records is `clean-task.ts`, in a
 * worker. Files are read and written in chunks, and everything but the exchange of names is done
 * beside appends and reads.
 */
import { allocateShared } from "../../core/buffer-pool.ts";
import { DiskError, type OffloadSession } from "../../core/io.ts";
import type { LogContext } from "../log-context.ts";
import type { LogFiles } from "../log-files.ts";
import type { LogState } from "../log-state.ts";
import type { LogView } from "../log-view.ts";
import type { Segment } from "../segment.ts";
import { handOver, roomFor, type SharedMemory, takeOver } from "../shared-memory.ts";
import { type Cleanable, findCleanable, groupSegments } from "./clean-plan.ts";
import { type CleanAnswer, type CleanCall, type CleanPlan, cleanTask } from "./clean-task.ts";
import { SECRET_BYTES } from "./key-hash.ts";
import type { Throttle } from "./throttle.ts";

/** What one cleaning may use. */
export interface CleaningBounds {
  /** Memory for the key map. */
  readonly keyMapBytes: number;
  readonly keyMapLoad: number;
  /** What is read at a time, unless a batch is larger. */
  readonly chunkBytes: number;
  readonly throttle: Throttle;
  readonly signal: AbortSignal;
}

/** What one cleaning has done. */
export interface CleaningStats {
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Records without a key, which are dropped. */
  readonly keylessRecords: number;
}

/** The log has been cut or removed, or the cleaner is stopping: nothing is wrong. */
export class CleaningAborted extends Error {
  override readonly name = "CleaningAborted";
}

/** The log holds what cannot be cleaned; trying again would not help. */
export class UncleanableError extends Error {
  override readonly name = "UncleanableError";
}

/** What the cleaned file has in the page cache at most before it is synced. */
const UNSYNCED_BYTES_MAX = 16 * 1024 * 1024;
/** Segments that are renamed in one turn of the event loop. */
const GROUP_SEGMENTS_MAX = 50;
const NOTHING = new Uint8Array(0);

type Session = OffloadSession<CleanCall, CleanAnswer>;

/** See the head of this file. */
export class LogCleaning {
  constructor(
    private readonly context: LogContext,
    private readonly state: LogState,
    private readonly files: LogFiles,
    private readonly view: LogView,
    private readonly stableOffset: () => number,
  ) {}

  /** What there is to clean; null if the log is not compacted. Throws a `DiskError`. */
  find(): Cleanable | null {
    const { state } = this;
    if (state.phase !== "open" || state.isMoving || !state.config.cleanupPolicy.compact) {
      return null;
    }
    const segments = state.segments.all;
    for (const segment of segments) {
      segment.loadMaxTimestamp();
      segment.loadFirstTimestamp();
    }
    const { startOffset, endOffset, cleanedTo, config } = state;
    const log = { startOffset, endOffset, cleanedTo, stableOffset: this.stableOffset() };
    return findCleanable(segments, log, config, this.context.io.clock.wallMs());
  }

  /**
   * Cleans what `find` has found, or as much of it as the key map has room for. Throws
   * `CleaningAborted`, `UncleanableError`, an `OffloadError` or a `DiskError`: the log is then as it
   * was, or some of its segments are cleaned.
   */
  async clean(cleanable: Cleanable, bounds: CleaningBounds): Promise<CleaningStats> {
    const session = this.context.io.offload.open(cleanTask(this.context.codecs));
    try {
      const { context, state, files, view } = this;
      const cleaning = new Cleaning(context, state, files, view, session, bounds);
      return await cleaning.run(cleanable);
    } finally {
      session.end();
    }
  }
}

/** One cleaning under way. */
class Cleaning {
  private readonly generation: number;
  private readonly startOffset: number;
  private bytesBefore = 0;
  private bytesAfter = 0;
  private keyless = 0;
  private readonly shared: SharedMemory;

  constructor(
    private readonly context: LogContext,
    private readonly state: LogState,
    private readonly files: LogFiles,
    private readonly view: LogView,
    private readonly session: Session,
    private readonly bounds: CleaningBounds,
  ) {
    this.generation = state.generation;
    this.startOffset = state.startOffset;
    const { chunkBytes } = bounds;
    this.shared = { input: allocateShared(chunkBytes), output: allocateShared(chunkBytes) };
  }

  async run(cleanable: Cleanable): Promise<CleaningStats> {
    const { state, context } = this;
    const { firstDirtyOffset, firstUncleanableOffset } = cleanable;
    const plan = this.plan(firstDirtyOffset, firstUncleanableOffset);
    await this.session.call({ kind: "begin", bytes: NOTHING, plan, shared: this.shared });
    const below = state.segments.all.filter((one) => one.baseOffset < firstUncleanableOffset);
    const toOffset = await this.map(below, firstDirtyOffset, firstUncleanableOffset);
    // Also after a crash between the first swap and the end it has to be known that there are gaps.
    if (state.cleanedTo === null) {
      state.cleanedTo = firstDirtyOffset;
      await context.checkpointNow();
    }
    const members = below.filter((segment) => segment.baseOffset < toOffset).map((segment) => ({
      segment,
      baseOffset: segment.baseOffset,
      sizeBytes: segment.sizeBytes,
      indexBytes: Math.max(segment.offsetIndex.sizeBytes, segment.timeIndex.sizeBytes),
    }));
    const groups = groupSegments(members, firstUncleanableOffset, {
      sizeBytes: state.config.segmentBytes,
      indexBytes: state.config.segmentIndexBytes,
      segments: GROUP_SEGMENTS_MAX,
    });
    for (const [index, group] of groups.entries()) {
      const end = groups[index + 1]?.[0]?.baseOffset ?? firstUncleanableOffset;
      await this.cleanGroup(group.map(({ segment }) => segment), end);
    }
    this.checkGoing();
    state.cleanedTo = toOffset;
    context.checkpointLater();
    const { bytesBefore, bytesAfter, keyless: keylessRecords } = this;
    return { fromOffset: firstDirtyOffset, toOffset, bytesBefore, bytesAfter, keylessRecords };
  }

  private plan(firstDirtyOffset: number, endOffset: number): CleanPlan {
    const { state, context, bounds } = this;
    const producers = new Float64Array(state.producers.size * 3);
    let at = 0;
    for (const { producerId, producerEpoch, batches } of state.producers.entries()) {
      producers[at++] = producerId;
      producers[at++] = producerEpoch;
      producers[at++] = batches.at(-1)?.lastOffset ?? -1;
    }
    return {
      firstDirtyOffset,
      nowMs: context.io.clock.wallMs(),
      deleteRetentionMs: state.config.deleteRetentionMs,
      keyMapBytes: bounds.keyMapBytes,
      keyMapLoad: bounds.keyMapLoad,
      secret: context.io.random.bytes(SECRET_BYTES),
      dirtyAborted: this.view.abortedTransactions(firstDirtyOffset, endOffset),
      aborted: this.view.abortedTransactions(0, endOffset),
      producers,
    };
  }

  /** Notes the keys of the dirty part; returns up to where there was room for them. */
  private async map(
    segments: readonly Segment[],
    firstDirtyOffset: number,
    endOffset: number,
  ): Promise<number> {
    for (const [index, segment] of segments.entries()) {
      const end = segments[index + 1]?.baseOffset ?? endOffset;
      if (end <= firstDirtyOffset) continue;
      const call = (chunk: Uint8Array) =>
        this.session.call({
          kind: "map",
          ...handOver(this.shared.input, chunk),
          from: segment.baseOffset,
          to: end,
        });
      const last = await this.feed(segment, call, (answer) => !answer.isFull);
      if (last?.isFull === true) return last.latestOffset + 1;
    }
    return endOffset;
  }

  /** Writes what is kept of a run of segments into a new one, and puts that into their place. */
  private async cleanGroup(run: readonly Segment[], endOffset: number): Promise<void> {
    // There is nothing to tell from where to where the new one would reach.
    if (run.every((segment) => segment.sizeBytes === 0)) return;
    const base = run[0]!.baseOffset;
    this.files.removeCleaned(base);
    const cleaned = this.files.addCleaned(base);
    let isInPlace = false;
    try {
      // If one has the file, the new one has, too: at a swap it is then clear which one counts.
      if (run.some((one) => one.abortedIndex.paths.length > 0)) cleaned.abortedIndex.ensureFile();
      const last = run.findLast((segment) => segment.sizeBytes > 0)!;
      let unsynced = 0;
      for (const [index, segment] of run.entries()) {
        const from = segment.baseOffset;
        const to = run[index + 1]?.baseOffset ?? endOffset;
        const call = (chunk: Uint8Array, isEnd: boolean) =>
          this.session.call({
            kind: "filter",
            ...handOver(this.shared.input, chunk),
            from,
            to,
            isLast: isEnd && segment === last,
          });
        await this.feed(segment, call, async (answer) => {
          this.write(cleaned, this.kept(answer));
          for (const aborted of answer.aborted) cleaned.abortedIndex.append(aborted);
          this.keyless += answer.keyless;
          unsynced += this.kept(answer).length;
          if (unsynced < UNSYNCED_BYTES_MAX) return true;
          unsynced = 0;
          await this.sync(cleaned);
          return true;
        });
        this.bytesBefore += segment.sizeBytes;
      }
      cleaned.flushIndexes();
      isInPlace = await this.swap(run, cleaned);
      this.bytesAfter += cleaned.sizeBytes;
    } finally {
      if (!isInPlace) this.discard(cleaned);
    }
    if (!isInPlace) throw new CleaningAborted("the log has changed meanwhile");
  }

  /** True if the new segment is in its place; from there on a failure is the directory's. */
  private async swap(run: readonly Segment[], cleaned: Segment): Promise<boolean> {
    try {
      const delayMs = this.state.config.fileDeleteDelayMs;
      return await this.files.replace(run, cleaned, delayMs, () => this.view.forgetPlaces());
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (this.state.phase !== "removed") this.context.fail(error);
      throw new CleaningAborted("the log's files are gone");
    }
  }

  private discard(cleaned: Segment): void {
    try {
      this.files.removeCleaned(cleaned.baseOffset);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }

  private async sync(cleaned: Segment): Promise<void> {
    const pinned = this.context.files.pin(cleaned.logPath);
    try {
      await pinned.file.sync();
    } catch (error) {
      if (error instanceof DiskError) this.context.fail(error);
      throw error;
    } finally {
      pinned.release();
    }
  }

  private write(cleaned: Segment, bytes: Uint8Array): void {
    if (!cleaned.canHold(bytes.length, cleaned.baseOffset)) {
      throw new UncleanableError("a cleaned segment would have over 2 GiB");
    }
    cleaned.appendAll(bytes, this.state.config.indexIntervalBytes);
  }

  /** The batches that the task has kept, until its next call. */
  private kept(answer: CleanAnswer): Uint8Array {
    return takeOver(this.shared.output, answer);
  }

  /**
   * Gives a segment's batches to the task, chunk by chunk, as long as `take` says true. Returns its
   * last answer, null if the segment is empty.
   */
  private async feed(
    segment: Segment,
    call: (bytes: Uint8Array, isEnd: boolean) => Promise<CleanAnswer>,
    take: (answer: CleanAnswer) => boolean | Promise<boolean>,
  ): Promise<CleanAnswer | null> {
    const { bounds } = this;
    const end = segment.sizeBytes;
    const pinned = this.context.files.pin(segment.logPath);
    try {
      let wanted = bounds.chunkBytes;
      let last: CleanAnswer | null = null;
      for (let position = 0; position < end;) {
        const size = Math.min(wanted, end - position);
        // Only a chunk with a very large batch is too large for the shared memory.
        const bytes = roomFor(this.shared.input, size);
        const count = await pinned.file.read(bytes, position);
        this.checkGoing();
        if (count < size) throw this.uncleanable(segment, position, "the file is cut short");
        const answer = await call(bytes, position + size === end);
        last = answer;
        this.checkGoing();
        const next = position + answer.usedBytes;
        if (answer.damage !== null) throw this.uncleanable(segment, next, answer.damage);
        if (!await take(answer)) return answer;
        this.checkGoing();
        if (answer.usedBytes === 0) {
          if (position + size === end) {
            throw this.uncleanable(segment, position, "a batch is cut short");
          }
          wanted = Math.max(wanted * 2, answer.neededBytes);
        } else {
          wanted = bounds.chunkBytes;
        }
        position = next;
        await bounds.throttle.spend(size + this.kept(answer).length, bounds.signal);
        this.checkGoing();
      }
      return last;
    } finally {
      pinned.release();
    }
  }

  private uncleanable(segment: Segment, position: number, why: string): UncleanableError {
    return new UncleanableError(`${segment.logPath} at byte ${position}: ${why}`);
  }

  /** Throws `CleaningAborted` if there is no point in going on. */
  private checkGoing(): void {
    const { state, context, bounds } = this;
    const isSame = state.phase === "open" && state.generation === this.generation;
    // What was purged has come back: it is to be cleaned with the rest.
    const isWhole = state.startOffset >= this.startOffset;
    if (isSame && isWhole && context.failure() === null && !bounds.signal.aborted) return;
    throw new CleaningAborted("the log has changed, or the cleaner stops");
  }
}
