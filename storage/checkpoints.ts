/**
 * The checkpoint files of a data directory: up to where each log need not be read at the next start,
 * where each log starts if not at its first segment, up to where it has been cleaned, which also says
 * that its offsets may have gaps, and the high watermarks of those that are replicated. They are written
 * some time after something has moved, and at a shutdown.
 */
import type { OffsetEntry } from "./checkpoint-file.ts";
import type { Clock, Disk, Timer } from "../core/io.ts";
import { DiskError } from "../core/io.ts";
import type { Logger } from "../core/logger.ts";
import {
  CLEANER_OFFSET_FILE,
  HIGH_WATERMARK_FILE,
  LOG_START_OFFSET_FILE,
  RECOVERY_POINT_FILE,
} from "./names.ts";
import { OffsetCheckpoint } from "./offset-checkpoint.ts";
import type { OpenFiles } from "./open-files.ts";
import type { LogCheckpoints } from "./recovery.ts";

/** What is written of a log. */
export interface CheckpointedLog {
  readonly topic: string;
  readonly partition: number;
  readonly recoveryPoint: number;
  readonly logStartOffset: number;
  /** Null if it was never cleaned. */
  readonly cleanedTo: number | null;
  /** Null if it is not replicated. */
  readonly highWatermark: number | null;
}

/** What is known of a log by its name; null where nothing is. */
export interface KnownLog extends Omit<LogCheckpoints, "wasClean"> {
  readonly highWatermark: number | null;
}

type OffsetOf = (log: CheckpointedLog) => number | null;

/** Settings of the checkpoints of one data directory. */
export interface CheckpointsOptions {
  /** Path of the data directory. */
  readonly path: string;
  /** How long a checkpoint may lag behind. */
  readonly intervalMs: number;
  /** All logs as they are now. */
  readonly logs: () => Iterable<CheckpointedLog>;
  /** Whether the directory has failed: nothing is written any more then. */
  readonly hasFailed: () => boolean;
}

/** See the head of this file. */
export class Checkpoints {
  private readonly recoveryPoints: OffsetCheckpoint;
  private readonly startOffsets: OffsetCheckpoint;
  private readonly cleanedTo: OffsetCheckpoint;
  private readonly highWatermarks: OffsetCheckpoint;
  private timer: Timer | null = null;
  private isStopped = false;
  /** Settles with the last write that has been asked for. */
  private saving: Promise<void> = Promise.resolve();
  /** A write that has not begun yet. */
  private queued: Promise<void> | null = null;

  /** Reads the files. Throws a `DiskError`. */
  constructor(
    private readonly io: { readonly clock: Clock; readonly disk: Disk },
    private readonly logger: Logger,
    private readonly files: OpenFiles,
    private readonly options: CheckpointsOptions,
  ) {
    const { path } = options;
    this.recoveryPoints = new OffsetCheckpoint(io.disk, `${path}/${RECOVERY_POINT_FILE}`);
    this.startOffsets = new OffsetCheckpoint(io.disk, `${path}/${LOG_START_OFFSET_FILE}`);
    this.cleanedTo = new OffsetCheckpoint(io.disk, `${path}/${CLEANER_OFFSET_FILE}`);
    this.highWatermarks = new OffsetCheckpoint(io.disk, `${path}/${HIGH_WATERMARK_FILE}`);
  }

  /** What the files say of a log, by the name of its folder; null where they say nothing. */
  of(name: string): KnownLog {
    return {
      recoveryPoint: this.recoveryPoints.get(name),
      logStartOffset: this.startOffsets.get(name),
      cleanedTo: this.cleanedTo.get(name),
      highWatermark: this.highWatermarks.get(name),
    };
  }

  /** As `LogContext.forgetCheckpoints`. */
  forget(name: string, andCleaned = false): string[] {
    const files = [this.recoveryPoints, this.startOffsets, this.highWatermarks];
    if (andCleaned) files.push(this.cleanedTo);
    const changed = files.filter((file) => file.forget(name));
    const paths = changed.map((file) => file.path);
    // A handle that is still open is of the file that has been replaced.
    for (const path of paths) this.files.close(path);
    return paths;
  }

  /** Something has moved: writes within the interval. */
  saveLater(): void {
    if (this.timer !== null || this.isStopped) return;
    this.timer = this.io.clock.setTimer(this.options.intervalMs, () => {
      this.timer = null;
      void this.saveNow();
    });
  }

  /**
   * Writes what is true now, or later again if the disk refuses. Whoever asks while a write is under
   * way shares the one behind it.
   */
  saveNow(): Promise<void> {
    if (this.isStopped) return this.saving;
    return this.queued ??= this.saving = this.saving.then(() => {
      this.queued = null;
      return this.orLater(() => this.save());
    });
  }

  private async orLater(save: () => Promise<void>): Promise<void> {
    try {
      await save();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.logger.warn("cannot write a checkpoint", { why: error.message });
      this.saveLater();
    }
  }

  /** Writes the high watermarks alone, which move all the time, or later if the disk refuses. */
  saveHighWatermarks(): Promise<void> {
    if (this.isStopped) return this.saving;
    return this.saving = this.saving.then(() => this.orLater(() => this.saveReplicated()));
  }

  /** Nothing is written any more but by `saveLast`. */
  stop(): void {
    this.isStopped = true;
    this.timer?.cancel();
  }

  /** Writes once more after the stop. Throws a `DiskError`. */
  async saveLast(): Promise<void> {
    await this.saving;
    await this.save();
  }

  private async save(): Promise<void> {
    if (this.options.hasFailed()) return;
    await this.startOffsets.save(this.entries((log) => log.logStartOffset || null));
    await this.recoveryPoints.save(this.entries((log) => log.recoveryPoint || null));
    await this.saveIfAny(this.cleanedTo, (log) => log.cleanedTo);
    await this.saveReplicated();
  }

  private async saveReplicated(): Promise<void> {
    if (this.options.hasFailed()) return;
    await this.saveIfAny(this.highWatermarks, (log) => log.highWatermark || null);
  }

  /** Most brokers have nothing to say there: then there is no file either. */
  private async saveIfAny(file: OffsetCheckpoint, offsetOf: OffsetOf): Promise<void> {
    const entries = this.entries(offsetOf);
    const present = entries();
    const isNeeded = (!file.isEmpty || present.length > 0) && !file.says(present);
    if (isNeeded) await file.save(entries);
  }

  private entries(offsetOf: OffsetOf): () => OffsetEntry[] {
    return () =>
      [...this.options.logs()].flatMap((log) => {
        const offset = offsetOf(log);
        return offset === null ? [] : [{ topic: log.topic, partition: log.partition, offset }];
      });
  }
}
