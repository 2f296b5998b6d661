/**
 * A data directory: the logs of partitions of one broker, and what they share.
 *
 *     .lock                              held by flock while a process has the directory open
 *     meta.properties                    whose it is
 *     .kafka_cleanshutdown               only there while it is closed in good order
 *     recovery-point-offset-checkpoint   up to where each log need not be read at the next start
 *     log-start-offset-checkpoint        where each log starts, if not at its first segment
 *     cleaner-offset-checkpoint          up to where each compacted log has been cleaned
 *     replication-offset-checkpoint      high watermarks of logs that are replicated
 *     <topic>-<partition>/               one log
 *     <topic>-<partition>.<id>-delete/   a deleted one, which goes soon
 *     .probe                             written and removed to see whether it can be
 *     .trash/                            deleted ones that can come back (`trash.ts`)
 *     <topic>-<partition>/future-replica says that the log is still on its way here
 */
import { BufferPool } from "../core/buffer-pool.ts";
import type { DiskLock, Timer } from "../core/io.ts";
import { DiskError } from "../core/io.ts";
import type { Histogram } from "../core/histogram.ts";
import type { Logger } from "../core/logger.ts";
import { OperatorError } from "../core/operator-error.ts";
import { Checkpoints } from "./checkpoints.ts";
import { DEFAULT_CLEANER_CONFIG, LogCleaner } from "./cleaner/log-cleaner.ts";
import { cleanShutdownEpoch, cleanShutdownText } from "./clean-shutdown.ts";
import { CommitScheduler } from "./commit-scheduler.ts";
import {
  type DataDirLimits,
  type DataDirOptions,
  DEFAULT_DATA_DIR_LIMITS,
} from "./data-dir-options.ts";
import { parsePartitionMetadata, randomDeletedDirName } from "./log-files.ts";
import type { LogConfig } from "./log-config.ts";
import type { LogContext, StorageIo } from "./log-context.ts";
import { loadMetaProperties, type MetaProperties, readMetaProperties } from "./meta-properties.ts";
import {
  CLEAN_SHUTDOWN_FILE,
  DELETED_DIR_SUFFIX,
  FUTURE_FILE,
  LOCK_FILE,
  META_PROPERTIES_FILE,
  parsePartitionDirName,
  PARTITION_METADATA_FILE,
  partitionDirName,
  PROBE_FILE,
  TRASH_DIR,
} from "./names.ts";
import { KeyIndexing } from "./keys/key-indexing.ts";
import { OpenFiles } from "./open-files.ts";
import { type LogIdentity, PartitionLog } from "./partition-log.ts";
import { recoverLog } from "./recovery.ts";
import { Removals } from "./removals.ts";
import { makeDurableDir, readSmallText, writeSmallText } from "./small-files.ts";
import { inStep, type SyncSteps } from "./sync-steps.ts";
import { readTrashedLog, trashedPartitions, trashFolder, writeTrashedLogs } from "./trash.ts";

export type { DataDirLimits, DataDirOptions } from "./data-dir-options.ts";

/** Bytes of read buffers that are kept for later: some fifteen of a consumer's default fetch. */
const READ_BYTES_KEPT = 16 * 1024 * 1024;
/** What is written to see whether anything can be: a block of most file systems. */
const PROBE_BYTES = 4096;
/** How many logs are looked after before the event loop gets a turn. */
const LOGS_PER_TURN = 100;
/** A log whose only segment has expired rolls, syncs, and can give it up then. */
const MAINTENANCE_PASSES = 3;
/** The device itself refuses. */
const DEVICE_ERRORS: readonly string[] = ["EIO", "EROFS", "ENXIO", "ENODEV", "EUCLEAN"];
const NO_ROOM_ERRORS: readonly string[] = ["ENOSPC", "EDQUOT"];
/** What has to be free before a directory that was full counts as one that is not. */
const ROOM_BYTES = 16 * 1024 * 1024;
const ROOM_CHECK_MS = 1000;
/** How long `maintainFully` waits for syncs that do not come to an end. */
const IDLE_WAIT_MS = 5_000;

/** See the head of this file. */
export class DataDir {
  private readonly byName = new Map<string, PartitionLog>();
  /** Logs that are on their way here, by name. */
  private readonly futures = new Map<string, PartitionLog>();
  /** Logs that were on their way here when an earlier process ended: that is to begin anew. */
  readonly interruptedMoves: { readonly topic: string; readonly partition: number }[] = [];
  private readonly context: LogContext;
  private readonly checkpoints: Checkpoints;
  private readonly removals: Removals;
  private readonly cleaner: LogCleaner;
  private readonly timers = new Set<Timer>();
  private failed: Error | null = null;
  private hasNoRoom = false;
  private isClosed = false;
  /** Whether every log could be completed when the directory was closed. */
  private isClean = true;
  private cleanEpoch = -1;
  private readonly limits: DataDirLimits;

  private constructor(
    private readonly io: StorageIo,
    private readonly logger: Logger,
    private readonly options: DataDirOptions,
    private readonly meta: MetaProperties,
    private readonly lock: DiskLock,
    /** Whether it was nobody's before this was opened. */
    readonly wasFresh: boolean,
  ) {
    this.limits = { ...DEFAULT_DATA_DIR_LIMITS, ...options.limits };
    const files = new OpenFiles(io.disk, this.limits.openFiles);
    this.removals = new Removals(io.clock, io.disk, logger, files);
    this.checkpoints = new Checkpoints(io, logger, files, {
      path: options.path,
      intervalMs: this.limits.checkpointMs,
      logs: () => [...this.byName.values(), ...this.futures.values()],
      hasFailed: () => this.failed !== null,
    });
    const cleanerConfig = options.cleaner ?? (() => DEFAULT_CLEANER_CONFIG);
    this.cleaner = new LogCleaner(io.clock, logger, () => this.byName.values(), cleanerConfig);
    this.context = {
      io,
      logger,
      codecs: options.codecs,
      files,
      buffers: new BufferPool(READ_BYTES_KEPT),
      scheduler: new CommitScheduler(io.clock, this.limits.syncsInFlight),
      keyIndexing: new KeyIndexing(io.clock, this.limits.keyIndex),
      retentionByAppendTime: options.retentionByAppendTime === true,
      cutsDamage: options.cutsDamage === true,
      producerIdExpirationMs: this.limits.producerIdExpirationMs,
      path: options.path,
      failure: () => this.failed,
      fail: (error) => this.fail(error),
      refused: (error) => this.noteRefusal(error),
      removeLater: (paths, delayMs) => this.removals.add(paths, delayMs),
      checkpointLater: () => this.checkpoints.saveLater(),
      forgetCheckpoints: (name, andCleaned) => this.checkpoints.forget(name, andCleaned),
      checkpointNow: () => this.checkpoints.saveNow(),
    };
  }

  /**
   * Locks the directory, recovers every log in it and begins to look after them. Throws an
   * `OperatorError` if the directory is locked, unreadable or of a newer format.
   */
  static async open(io: StorageIo, logger: Logger, options: DataDirOptions): Promise<DataDir> {
    const { disk } = io;
    const { path } = options;
    let lock: DiskLock | null = null;
    try {
      await makeDurableDir(disk, path);
      lock = disk.lock(`${path}/${LOCK_FILE}`);
      if (lock === null) {
        throw new OperatorError(
          `cannot open the data directory ${path}`,
          "another process has it open",
          "stop that process, or use another --data directory",
        );
      }
      const wasFresh = readMetaProperties(disk, path) === null;
      const meta = await loadMetaProperties(io, options);
      const dir = new DataDir(io, logger, options, meta, lock, wasFresh);
      await dir.recover();
      return dir;
    } catch (error) {
      lock?.release();
      if (!(error instanceof DiskError)) throw error;
      throw new OperatorError(
        `cannot open the data directory ${path}`,
        `${error.path}: ${error.message}`,
        "check its permissions and its disk, or use another --data directory",
      );
    }
  }

  get clusterId(): string {
    return this.meta.clusterId;
  }

  get nodeId(): number {
    return this.meta.nodeId;
  }

  get directoryId(): string {
    return this.meta.directoryId;
  }

  get path(): string {
    return this.options.path;
  }

  /** Why the directory has failed; null while all is well. */
  get failure(): Error | null {
    return this.failed;
  }

  /** Whether there is no room for records; seen only where `isReplicated`. */
  get isFull(): boolean {
    return this.hasNoRoom;
  }

  /** Why no file can be made and written here, or null: it is looked at and tried. */
  writeProblem(): string | null {
    const { disk } = this.io;
    const path = `${this.path}/${PROBE_FILE}`;
    try {
      // As after an unmount: what is written there now would never be found again.
      if (disk.stat(`${this.path}/${META_PROPERTIES_FILE}`) === null) return "its files are gone";
      disk.remove(path);
      const file = disk.open(path, "create");
      try {
        file.writeSync(new Uint8Array(PROBE_BYTES), 0);
      } finally {
        file.close();
        disk.remove(path);
      }
      return null;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return error.message;
    }
  }

  /** All logs. */
  logs(): Iterable<PartitionLog> {
    return this.byName.values();
  }

  /** How long its syncs take, milliseconds. */
  get syncTimes(): Histogram {
    return this.context.scheduler.times;
  }

  /** How many logs there are. */
  get logCount(): number {
    return this.byName.size;
  }

  /** Whether a log of the topic is here. */
  holds(topic: string): boolean {
    return this.byName.values().some((log) => log.topic === topic);
  }

  /** The log of a partition, if there is one. */
  log(topic: string, partition: number): PartitionLog | undefined {
    return this.byName.get(partitionDirName(topic, partition));
  }

  /**
   * The log of a partition; one that was found on disk takes the configuration given. One of an
   * earlier topic of that name, whose deletion a crash has cut short, makes room. Throws a
   * `DiskError`.
   */
  getOrCreate(id: LogIdentity, config: LogConfig): PartitionLog {
    const name = partitionDirName(id.topic, id.partition);
    const existing = this.byName.get(name);
    if (existing !== undefined) {
      if (existing.topicId === "") existing.adopt(id.topicId);
      if (existing.topicId === id.topicId) {
        existing.updateConfig(config);
        return existing;
      }
      existing.remove();
    }
    const log = new PartitionLog(this.context, id, config, null);
    this.byName.set(name, log);
    return log;
  }

  /**
   * Renames the log's folder away at once; its files go after `file.delete.delay.ms`. Settles when
   * neither the folder nor what the checkpoints say of it can come back: a new log of that name
   * would be taken for the old one.
   */
  async delete(log: PartitionLog): Promise<void> {
    if (this.byName.get(log.name) === log) this.byName.delete(log.name);
    log.remove();
    await this.io.disk.syncDir(this.path);
    await this.checkpoints.saveNow();
  }

  /**
   * Throws the log away and begins it anew, empty, at `offset`: what its leader has begins there. A crash
   * leaves either. Throws a `DiskError`, and the directory has failed then.
   */
  restart(log: PartitionLog, offset: number): PartitionLog {
    const { topic, topicId, partition } = log;
    try {
      log.remove();
      const fresh = new PartitionLog(this.context, { topic, topicId, partition }, log.config, null);
      fresh.beginAt(offset, log.cleanedTo === null ? null : offset);
      this.byName.set(log.name, fresh);
      return fresh;
    } catch (error) {
      if (error instanceof DiskError) this.fail(error);
      throw error;
    }
  }

  /** Writes down the high watermarks of logs that are replicated. */
  saveHighWatermarks(): Promise<void> {
    return this.checkpoints.saveHighWatermarks();
  }

  /** Has what is known of the logs of a topic kept for `trash` and `restore`. Throws a `DiskError`. */
  async beforeTrash(topicId: string): Promise<void> {
    const logs = this.byName.values().filter((log) => log.topicId === topicId)
      .map(({ partition, recoveryPoint, logStartOffset, cleanedTo }) =>
        [partition, { recoveryPoint, logStartOffset, cleanedTo }] as const
      );
    const known = new Map(logs);
    if (known.size > 0) await writeTrashedLogs(this.io.disk, this.path, topicId, known);
  }

  /** As `delete`, but the log is kept in the trash, durably. Throws a `DiskError`. */
  async trash(log: PartitionLog): Promise<void> {
    const { disk } = this.io;
    if (this.byName.get(log.name) === log) this.byName.delete(log.name);
    const topic = trashFolder(this.path, log.topicId);
    const folder = `${topic}/${log.partition}`;
    log.removeTo(folder);
    if (disk.stat(folder) !== null) {
      for (const path of [topic, `${this.path}/${TRASH_DIR}`]) await disk.syncDir(path);
    }
    await disk.syncDir(this.path);
    await this.checkpoints.saveNow();
  }

  /**
   * Opens the logs of a topic that was deleted, under the name `topic`, which nobody else may have.
   * Throws a `DiskError`; what is back by then is among `logs`.
   */
  async restore(topicId: string, topic: string): Promise<void> {
    const { disk } = this.io;
    const trash = trashFolder(this.path, topicId);
    const partitions = trashedPartitions(disk, this.path, topicId);
    const names: { topic: string; partition: number; name: string }[] = [];
    for (const partition of partitions) {
      const name = partitionDirName(topic, partition);
      // What an earlier topic of that name has left is none of this one's.
      this.checkpoints.forget(name, true);
      disk.rename(`${trash}/${partition}`, `${this.path}/${name}`);
      names.push({ topic, partition, name });
    }
    await this.inStep(names.map((each) => this.recoverOne(each, false)));
    if (partitions.length === 0) return;
    for (const path of [this.path, trash]) await disk.syncDir(path);
    await this.checkpoints.saveNow();
  }

  /** Gives up what is kept of a topic. Throws a `DiskError`. */
  async emptyTrash(topicId: string): Promise<void> {
    const { disk, random } = this.io;
    const folder = trashFolder(this.path, topicId);
    if (disk.stat(folder) === null) return;
    const path = `${this.path}/${randomDeletedDirName(random, { topic: topicId, partition: 0 })}`;
    disk.rename(folder, path);
    await disk.syncDir(this.path);
    this.removals.add([path], 0);
  }

  /** The logs that are on their way here. */
  futureLogs(): Iterable<PartitionLog> {
    return this.futures.values();
  }

  /**
   * Begins a log that is to take the place of one in another directory: it starts at `offset`, and
   * counts for nothing until `confirmFuture`. Throws a `DiskError`.
   */
  async createFuture(
    source: PartitionLog,
    offset: number,
  ): Promise<PartitionLog> {
    const { disk } = this.io;
    const { name, topic, topicId, partition } = source;
    const folder = `${this.path}/${name}`;
    // Left by a move that the disk has refused.
    if (disk.stat(folder) !== null) this.discardFolder(source);
    disk.makeDir(folder);
    await writeSmallText(disk, `${folder}/${FUTURE_FILE}`, "");
    await disk.syncDir(this.path);
    const log = new PartitionLog(this.context, { topic, topicId, partition }, source.config, null);
    log.beginAt(offset, source.cleanedTo);
    this.futures.set(name, log);
    return log;
  }

  /** Makes durable that the log counts, with all that is in it. Throws a `DiskError`. */
  async confirmFuture(log: PartitionLog): Promise<void> {
    await this.checkpoints.saveNow();
    await log.flush();
    const folder = `${this.path}/${log.name}`;
    this.io.disk.remove(`${folder}/${FUTURE_FILE}`);
    await this.io.disk.syncDir(folder);
  }

  /** The log is one like all others from now on. */
  admitFuture(log: PartitionLog): void {
    this.futures.delete(log.name);
    this.byName.set(log.name, log);
  }

  /** Throws the log away. Throws a `DiskError`. */
  async dropFuture(log: PartitionLog): Promise<void> {
    this.futures.delete(log.name);
    await this.delete(log);
  }

  /** Bytes that can still be written; null: the directory is gone, or its disk does not answer. */
  freeBytes(): number | null {
    try {
      return this.io.disk.freeBytes(this.path);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return null;
    }
  }

  /** Runs retention and the like on all logs now, a few at a time. */
  async maintain(): Promise<void> {
    let count = 0;
    for (const log of [...this.byName.values()]) {
      if (this.isClosed) return;
      log.maintain();
      if (++count % LOGS_PER_TURN === 0) await this.turn();
    }
  }

  /** As `maintain`, and what that has made ready for it: resolves when all of it is done. */
  async maintainFully(): Promise<void> {
    for (let pass = 0; pass < MAINTENANCE_PASSES; pass++) {
      await this.maintain();
      await this.syncsIdle();
    }
    while (!this.isClosed && await this.cleaner.cleanOne());
  }

  /** Resolves when no sync is under way, or they have gone on for long. */
  private syncsIdle(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.io.clock.setTimer(IDLE_WAIT_MS, resolve);
      void this.context.scheduler.idle().then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** Cleans the dirtiest compacted log that is due; false if there is none. */
  cleanOne(): Promise<boolean> {
    return this.cleaner.cleanOne();
  }

  /**
   * The epoch under which the broker has closed it before this was opened; −1: not in good order, or not
   * as a member of a cluster.
   */
  get previousBrokerEpoch(): number {
    return this.cleanEpoch;
  }

  /**
   * Syncs everything, writes the checkpoints and the clean shutdown marker with the epoch of the broker's
   * registration (0: it is a cluster by itself), lets go of the lock.
   */
  async close(brokerEpoch = 0): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const timer of this.timers) timer.cancel();
    this.checkpoints.stop();
    await this.removals.stop();
    await this.cleaner.stop();
    try {
      // A sync that is under way may fail, and a later one of the same file would not say so.
      await this.context.scheduler.idle();
      const logs = [...this.byName.values()];
      await this.inStep(logs.map((log) => this.closeLog(log)));
      await this.context.scheduler.idle();
      await this.checkpoints.saveLast();
      if (this.failed === null && this.isClean) {
        const marker = `${this.path}/${CLEAN_SHUTDOWN_FILE}`;
        await writeSmallText(this.io.disk, marker, cleanShutdownText(brokerEpoch));
      }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.logger.error("the data directory was not closed in good order", { why: error.message });
    } finally {
      this.context.files.closeAll();
      this.lock.release();
    }
  }

  /** A log that cannot be completed now is so at the next start. */
  private async *closeLog(log: PartitionLog): SyncSteps<void> {
    try {
      yield* log.close();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.logger.error("a log was not closed in good order", {
        log: log.name,
        why: error.message,
      });
      this.isClean = false;
    }
  }

  private async recover(): Promise<void> {
    const { disk } = this.io;
    const marker = `${this.path}/${CLEAN_SHUTDOWN_FILE}`;
    const cleanShutdown = readSmallText(disk, marker);
    const wasClean = cleanShutdown !== null;
    this.cleanEpoch = wasClean ? cleanShutdownEpoch(cleanShutdown) : -1;
    const found: { topic: string; partition: number; name: string }[] = [];
    for (const entry of disk.list(this.path)) {
      if (!entry.isDirectory) continue;
      if (entry.name.endsWith(DELETED_DIR_SUFFIX)) {
        this.removals.add([`${this.path}/${entry.name}`], 0);
        continue;
      }
      const id = parsePartitionDirName(entry.name);
      if (id === null) continue;
      if (disk.stat(`${this.path}/${entry.name}/${FUTURE_FILE}`) === null) {
        found.push({ ...id, name: entry.name });
      } else {
        this.interruptedMoves.push(id);
        this.discardFolder(id);
      }
    }
    // Gone before anything else is changed: what follows may crash half-way.
    if (wasClean) {
      disk.remove(marker);
      await disk.syncDir(this.path);
    }
    await this.inStep(found.map((id) => this.recoverOne(id, wasClean)));
    // The folders themselves, before any checkpoint speaks of what is in them.
    if (!wasClean && found.length > 0) await disk.syncDir(this.path);
    // What was just recovered has to count as such in the next crash: damage that was fenced and
    // kept would else be found again, and the producer snapshots behind it thrown away, when
    // retention may have taken the batches that they speak of.
    if (!wasClean && found.length > 0) await this.checkpoints.saveNow();
    if (this.options.cleaner !== undefined) this.cleaner.start();
    this.every(this.limits.retentionCheckMs, () => void this.maintain());
    this.every(this.limits.flushCheckMs, () => {
      for (const log of this.byName.values()) log.flushIfDue();
    });
  }

  /** Renames the folder of a partition away; it goes at once. Throws a `DiskError`. */
  private discardFolder(id: { readonly topic: string; readonly partition: number }): void {
    const path = `${this.path}/${randomDeletedDirName(this.io.random, id)}`;
    this.io.disk.rename(`${this.path}/${partitionDirName(id.topic, id.partition)}`, path);
    this.removals.add([path], 0);
  }

  private async *recoverOne(
    id: { topic: string; partition: number; name: string },
    wasClean: boolean,
  ): SyncSteps<void> {
    const dir = `${this.path}/${id.name}`;
    const config = this.options.logConfig(id.topic);
    const text = readSmallText(this.io.disk, `${dir}/${PARTITION_METADATA_FILE}`);
    const topicId = (text === null ? null : parsePartitionMetadata(text)) ?? "";
    const known = this.checkpoints.of(id.name);
    const trashed = readTrashedLog(this.io.disk, this.path, topicId, id.partition);
    const recovered = yield* recoverLog(this.context, dir, config, {
      recoveryPoint: known.recoveryPoint ?? trashed?.recoveryPoint ?? null,
      logStartOffset: known.logStartOffset ?? trashed?.logStartOffset ?? null,
      cleanedTo: known.cleanedTo ?? trashed?.cleanedTo ?? null,
      wasClean: wasClean && trashed === null,
    });
    if (recovered === null) return;
    if (topicId === "") this.logger.warn("a log does not know its topic's id", { log: id.name });
    const identity = { topic: id.topic, partition: id.partition, topicId };
    const log = new PartitionLog(this.context, identity, config, recovered);
    if (known.highWatermark !== null) log.restoreHighWatermark(known.highWatermark);
    this.byName.set(id.name, log);
  }

  private inStep(works: readonly SyncSteps<void>[]): Promise<void> {
    const { clock, disk } = this.io;
    return inStep({ clock, disk, path: this.path, parallelLogs: this.limits.parallelLogs }, works);
  }

  private fail(error: Error): void {
    if (this.failed !== null) return;
    this.failed = error;
    this.logger.error("the data directory has failed: nothing is written any more", {
      path: this.path,
      why: error.message,
    });
    for (const log of [...this.byName.values(), ...this.futures.values()]) log.notifyFailed();
    this.options.onFailure?.(error);
  }

  private noteRefusal(error: DiskError): void {
    if (this.options.isReplicated !== true || this.hasNoRoom || this.failed !== null) return;
    if (NO_ROOM_ERRORS.includes(error.code)) {
      this.hasNoRoom = true;
      this.logger.error("the data directory is full: others lead what is in it until it has room", {
        path: this.path,
      });
      this.lookForRoomLater();
      this.options.onRoomChange?.();
    } else if (DEVICE_ERRORS.includes(error.code)) {
      // Not within the append.
      void Promise.resolve().then(() => this.fail(error));
    }
  }

  private lookForRoomLater(): void {
    const timer = this.io.clock.setTimer(ROOM_CHECK_MS, () => {
      this.timers.delete(timer);
      if (this.isClosed || this.failed !== null) return;
      if (!this.hasRoom()) return this.lookForRoomLater();
      this.hasNoRoom = false;
      this.logger.info("the data directory has room again", { path: this.path });
      this.options.onRoomChange?.();
    });
    this.timers.add(timer);
  }

  private hasRoom(): boolean {
    try {
      return (this.freeBytes() ?? 0) >= ROOM_BYTES && this.writeProblem() === null;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return false;
    }
  }

  private every(intervalMs: number, action: () => void): void {
    const arm = () => {
      const timer = this.io.clock.setTimer(intervalMs, () => {
        this.timers.delete(timer);
        if (this.isClosed) return;
        arm();
        action();
      });
      this.timers.add(timer);
    };
    arm();
  }

  private turn(): Promise<void> {
    return new Promise((resolve) => this.io.clock.setTimer(0, resolve));
  }
}
