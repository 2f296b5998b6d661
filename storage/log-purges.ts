/**
 * Takes all records out of a log such that they can come back (`purges.ts`): for readers the log
 * then begins at its end, as after DeleteRecords. A few renames, however large the log is.
 *
 * They come back below what was written since, if nothing of that was deleted: a log has no holes.
 */
import { DiskError } from "../core/io.ts";
import { rebuildIndexes } from "./index-rebuild.ts";
import { LeaderEpochs } from "./leader-epochs.ts";
import type { LogContext } from "./log-context.ts";
import type { LogDurability } from "./log-durability.ts";
import { drawJitter, type LogFiles } from "./log-files.ts";
import type { LogState } from "./log-state.ts";
import { DELETED_SUFFIX, PURGED_SUFFIX } from "./names.ts";
import {
  type Purge,
  purgedPaths,
  type PurgeNote,
  removePurgeNote,
  writePurgeNote,
} from "./purges.ts";
import { Segment } from "./segment.ts";

/** What the log does for it. */
export interface PurgingLog {
  /** Starts a new segment at the end. Throws a `DiskError`. */
  roll(): void;
  /** Moves the start up to `offset`. */
  moveStart(offset: number): void;
  /** Places may have changed. */
  forgetPlaces(): void;
}

/** The purge, null if there was nothing to purge; or why nothing was. */
export type PurgeResult =
  | { readonly ok: true; readonly purge: Purge | null }
  | { readonly ok: false; readonly why: string };

/** Commits that are waited for until all is complete, and notes that are written anew. */
const ATTEMPTS_MAX = 10;

/** See the head of this file. */
export class LogPurges {
  private list: Purge[];

  constructor(
    private readonly context: LogContext,
    private readonly state: LogState,
    private readonly files: LogFiles,
    private readonly durability: LogDurability,
    private readonly log: PurgingLog,
    found: readonly Purge[],
  ) {
    this.list = [...found];
  }

  /** What can come back, the oldest first. */
  get all(): readonly Purge[] {
    return this.list;
  }

  /** Bytes of all record batches that can come back. */
  get sizeBytes(): number {
    return this.list.reduce((sum, purge) => sum + purge.sizeBytes, 0);
  }

  /** Purges all that is in the log now. One call at a time. Throws a `DiskError`. */
  async purge(id: string, purgedMs: number): Promise<PurgeResult> {
    const { context, files, state } = this;
    const obstacle = this.obstacle();
    if (obstacle !== null) return { ok: false, why: obstacle };
    const endOffset = state.endOffset;
    if (state.startOffset === endOffset) return { ok: true, purge: null };
    if (state.segments.active!.baseOffset < endOffset) this.log.roll();
    if (!await this.isComplete(endOffset)) {
      return { ok: false, why: this.obstacle() ?? "the disk does not take what was written" };
    }
    const { disk } = context.io;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const note = this.noteOf(id, purgedMs, endOffset);
      if (note === null) return { ok: true, purge: null };
      await writePurgeNote(disk, files.dir, note);
      // Retention or the cleaner may have changed the log meanwhile.
      if (this.obstacle() === null && this.isTrue(note)) {
        return { ok: true, purge: await this.detach(note) };
      }
      if (state.isClosed) break;
      await removePurgeNote(disk, files.dir, note);
    }
    return { ok: false, why: this.obstacle() ?? "it is being cleaned: try again" };
  }

  /** Why a purge cannot be undone now, or null. */
  problem(id: string): string | null {
    const purge = this.list.find((one) => one.id === id);
    if (purge === undefined) return "it has been given up";
    const obstacle = this.obstacle();
    if (obstacle !== null) return obstacle;
    const { startOffset, segments } = this.state;
    const { endOffset } = purge;
    if (startOffset === endOffset && segments.at(0)?.baseOffset === endOffset) return null;
    return this.list.some((other) => other.endOffset > endOffset)
      ? "a later purge has to be undone first"
      : `records that were written since, from offset ${endOffset} on, have been deleted`;
  }

  /** Puts the records back. Why not, or null; throws a `DiskError`. One call at a time. */
  async undo(id: string): Promise<string | null> {
    const problem = this.problem(id);
    if (problem !== null) return problem;
    const purge = this.list.find((one) => one.id === id)!;
    const { context, files, state } = this;
    const { disk } = context.io;
    const segments = purge.bases.map((base) => this.open(base));
    const remade: Segment[] = [];
    for (const segment of segments) if (await this.remakeIndexes(segment)) remade.push(segment);
    // A full disk refuses this here, where nothing has changed.
    await files.writeEpochs(this.epochsWith(purge));
    const later = this.problem(id);
    if (later !== null) return later;
    const changed = files.forgetStart();
    try {
      files.attach(segments, PURGED_SUFFIX);
      this.begin(purge);
      const paths = remade.flatMap((segment) => segment.paths);
      await files.syncAttached([...changed, ...paths], state.epochs);
      await context.checkpointNow();
      await removePurgeNote(disk, files.dir, purge);
    } catch (error) {
      if (error instanceof DiskError && !state.isClosed) context.fail(error);
      throw error;
    }
    return null;
  }

  /** Gives a purge up, and those before it, which could not come back alone. Throws a `DiskError`. */
  async drop(id: string): Promise<void> {
    const last = this.list.findIndex((purge) => purge.id === id);
    if (last < 0 || this.state.isClosed) return;
    const { disk } = this.context.io;
    const { dir } = this.files;
    for (const purge of this.list.slice(0, last + 1)) {
      const gone = purgedPaths(disk, dir, purge).map((path) => {
        this.context.files.close(path);
        disk.rename(path, path + DELETED_SUFFIX);
        return path + DELETED_SUFFIX;
      });
      this.list = this.list.filter((other) => other !== purge);
      this.context.removeLater(gone, 0);
      await disk.syncDir(dir);
      await removePurgeNote(disk, dir, purge);
    }
  }

  /** Why nothing can be purged or undone, or null. */
  private obstacle(): string | null {
    const { state, context } = this;
    if (state.phase !== "open") return "the log is closed, or being cut";
    if (state.isMoving) return "the log is being moved to another data directory";
    return context.failure()?.message ?? null;
  }

  /** Waits until all below `offset` is complete and durable; false if it does not come to that. */
  private async isComplete(offset: number): Promise<boolean> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (this.obstacle() !== null) return false;
      if (this.files.recoveryPoint >= offset) return true;
      await this.durability.commitOnce();
    }
    return false;
  }

  /** Null if all is gone already. */
  private noteOf(id: string, purgedMs: number, endOffset: number): PurgeNote | null {
    const { startOffset, cleanedTo, epochs, segments } = this.state;
    if (startOffset >= endOffset) return null;
    return {
      id,
      purgedMs,
      startOffset,
      endOffset,
      cleanedTo,
      epochs: epochs.entries.filter((entry) => entry.startOffset < endOffset),
      bases: segments.all.map(({ baseOffset }) => baseOffset).filter((base) => base < endOffset),
    };
  }

  private isTrue(note: PurgeNote): boolean {
    const { startOffset, cleanedTo, endOffset, segments } = this.state;
    const { bases } = note;
    return startOffset === note.startOffset && cleanedTo === note.cleanedTo &&
      endOffset >= note.endOffset && segments.at(bases.length)?.baseOffset === note.endOffset &&
      bases.every((base, index) => {
        const segment = segments.at(index);
        return segment?.baseOffset === base && segment.hasUsualName;
      });
  }

  private async detach(note: PurgeNote): Promise<Purge> {
    const { context, files, log, state } = this;
    try {
      log.moveStart(note.endOffset);
      const gone = files.detach(note.bases.length, PURGED_SUFFIX);
      const sizeBytes = gone.reduce((sum, segment) => sum + segment.sizeBytes, 0);
      const purge = { ...note, sizeBytes };
      this.list.push(purge);
      await context.io.disk.syncDir(files.dir);
      return purge;
    } catch (error) {
      if (error instanceof DiskError && !state.isClosed) context.fail(error);
      throw error;
    }
  }

  private open(base: number): Segment {
    const { context, files, state } = this;
    return Segment.open(context.files, context.io.disk, files.dir, base, {
      createdMs: context.io.clock.wallMs(),
      jitterMs: drawJitter(context, state.config),
      tail: PURGED_SUFFIX,
    });
  }

  /** True if the segment lacked an index and has one now. */
  private async remakeIndexes(segment: Segment): Promise<boolean> {
    const { offsetIndex, timeIndex } = segment;
    if (offsetIndex.isWhole && timeIndex.isWhole && timeIndex.count > 0) return false;
    const { hasGaps, config } = this.state;
    const indexing = { dense: !hasGaps, indexIntervalBytes: config.indexIntervalBytes };
    await rebuildIndexes(this.context.files, segment, indexing);
    segment.flushIndexes();
    return true;
  }

  private epochsWith(purge: Purge): LeaderEpochs {
    const epochs = new LeaderEpochs(purge.epochs);
    for (const { epoch, startOffset } of this.state.epochs.entries) {
      epochs.assign(epoch, startOffset);
    }
    return epochs;
  }

  /** The log begins again where it began. */
  private begin(purge: Purge): void {
    const { state, log } = this;
    state.startOffset = purge.startOffset;
    state.epochs.replace(this.epochsWith(purge).entries);
    // What came back has not been cleaned with what was written since.
    if (state.cleanedTo !== null) {
      state.cleanedTo = Math.min(state.cleanedTo, purge.cleanedTo ?? purge.startOffset);
    }
    log.forgetPlaces();
    this.list = this.list.filter((other) => other !== purge);
  }
}
