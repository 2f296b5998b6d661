/**
 * Up to where a log is on stable storage, and what an acknowledgement may therefore cover. Appends
 * are noted here; the commit scheduler then syncs, and who waits is told.
 */
import { DiskError } from "../core/io.ts";
import type { Committable } from "./commit-scheduler.ts";
import type { LogConfig } from "./log-config.ts";
import type { LogContext } from "./log-context.ts";
import type { LogFiles } from "./log-files.ts";
import type { LogState } from "./log-state.ts";
import type { PlaceHints } from "./place-hints.ts";

/** See the head of this file. */
export class LogDurability implements Committable {
  private readonly listeners = new Set<() => void>();
  private waiters: (() => void)[] = [];
  private syncedEndOffset: number;
  /** What was acknowledged before the durability became `fsync` is not taken back. */
  private acknowledgedUnderOs = 0;
  private unsyncedRecords = 0;
  private unsyncedSinceMs = 0;

  constructor(
    private readonly context: LogContext,
    private readonly state: LogState,
    private readonly files: LogFiles,
    private readonly hints: PlaceHints,
  ) {
    this.syncedEndOffset = state.endOffset;
  }

  /** Up to where an acknowledgement may go: the synced end under `fsync`, the log end under `os`. */
  get durableEndOffset(): number {
    if (!this.acknowledgesSynced) return this.state.endOffset;
    return Math.max(this.syncedEndOffset, this.acknowledgedUnderOs);
  }

  /** Calls back when `durableEndOffset` has moved, or the log failed. Returns how to unsubscribe. */
  onDurable(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** Tells the listeners to look again. */
  notify(): void {
    for (const listener of [...this.listeners]) listener();
  }

  /** So many records have been written into the page cache. */
  noteAppended(records: number): void {
    if (this.unsyncedRecords === 0) this.unsyncedSinceMs = this.context.io.clock.monotonicMs();
    this.unsyncedRecords += records;
    if (this.acknowledgesSynced || this.unsyncedRecords >= this.state.config.flushMessages) {
      this.requestCommit();
    }
    if (!this.acknowledgesSynced) this.notify();
  }

  /** The log now ends at `offset`. */
  noteCut(offset: number): void {
    this.syncedEndOffset = Math.min(this.syncedEndOffset, offset);
    this.acknowledgedUnderOs = Math.min(this.acknowledgedUnderOs, offset);
  }

  /** Takes a changed configuration, also for the rest of the log. */
  changeConfig(config: LogConfig): void {
    if (!this.acknowledgesSynced) this.acknowledgedUnderOs = this.state.endOffset;
    this.state.config = config;
    if (this.unsyncedRecords > 0 && this.acknowledgesSynced) this.requestCommit();
  }

  /** Asks for a commit that begins after this call. */
  requestCommit(): void {
    this.context.scheduler.request(this);
  }

  /** Syncs if `flush.ms` has passed since the oldest record that is not synced. */
  flushIfDue(): void {
    if (this.unsyncedRecords === 0) return;
    const waitedMs = this.context.io.clock.monotonicMs() - this.unsyncedSinceMs;
    if (waitedMs >= this.state.config.flushMs) this.requestCommit();
  }

  /** Resolves when everything appended so far is on stable storage, or the directory has failed. */
  async flush(): Promise<void> {
    const { state } = this;
    const target = state.endOffset;
    while (!state.isClosed && this.syncedEndOffset < Math.min(target, state.endOffset)) {
      if (this.context.failure() !== null) return;
      this.requestCommit();
      await new Promise<void>((resolve) => this.waiters.push(resolve));
    }
  }

  /** Resolves when a commit is through, perhaps one that began before. */
  commitOnce(): Promise<void> {
    this.requestCommit();
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  /** The commit scheduler calls this: syncs what has been written before. */
  async commit(): Promise<void> {
    if (!this.state.isClosed && this.context.failure() === null) await this.sync();
    const waiters = this.waiters;
    this.waiters = [];
    for (const waiter of waiters) waiter();
    this.notify();
  }

  private async sync(): Promise<void> {
    const { state } = this;
    const { generation, endOffset: target } = state;
    const { active } = state.segments;
    const endPosition = active?.sizeBytes ?? 0;
    this.unsyncedRecords = 0;
    try {
      const moved = await this.files.sync(state.epochs);
      if (generation === state.generation) {
        this.syncedEndOffset = Math.max(this.syncedEndOffset, target);
        // Consumers read up to here: they find the place without a look at the index.
        if (active !== null) this.hints.note(target, active.baseOffset, endPosition);
      }
      if (moved) this.context.checkpointLater();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (state.phase !== "removed") this.context.fail(error);
    }
  }

  private get acknowledgesSynced(): boolean {
    const { config } = this.state;
    return config.durability === "fsync" || config.flushMessages <= 1;
  }
}
