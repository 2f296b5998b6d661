/**
 * The data directories of one broker, each with its own lock, checkpoints and scheduler of syncs
 * (Kafka's `LogManager`, KIP-112). A log lies in one of them; a new one goes to the directory with
 * the fewest. One that fails takes only its own logs with it.
 *
 * All have to open at the start, for it is known nowhere else which logs a missing one holds: a
 * fresh log in their place would pass for a log that has lost everything.
 */
import type { Disk } from "../core/io.ts";
import { assert } from "../core/assert.ts";
import type { Logger } from "../core/logger.ts";
import { OperatorError } from "../core/operator-error.ts";
import { DataDir } from "./data-dir.ts";
import type { DataDirOptions } from "./data-dir-options.ts";
import type { LogConfig } from "./log-config.ts";
import type { StorageIo } from "./log-context.ts";
import { readMetaProperties } from "./meta-properties.ts";
import type { LogIdentity, PartitionLog } from "./partition-log.ts";
import { readTrashNote, trashedTopics, writeTrashNote } from "./trash.ts";

/** How the data directories are opened. */
export interface DataDirsOptions extends Omit<DataDirOptions, "path"> {
  /** At least one. */
  readonly paths: readonly string[];
  /**
   * The topic without which nothing goes on: the failure of its directory is that of all. Null: there is
   * none.
   */
  readonly vitalTopic: string | null;
  /** A directory has failed (`onFailure` comes after it), is full, or has room again. */
  readonly onDirChange?: () => void;
}

/** The cluster that these directories belong to; undefined if they are fresh. Throws an `OperatorError`. */
export function knownClusterId(disk: Disk, paths: readonly string[]): string | undefined {
  return paths.map((path) => readMetaProperties(disk, path)?.clusterId)
    .find((id) => id !== undefined);
}

/** See the head of this file. */
export class DataDirs {
  /** Ids of topics whose logs go to the trash when they are deleted. */
  private readonly kept = new Set<string>();

  private constructor(private readonly io: StorageIo, readonly all: readonly DataDir[]) {
    for (const { path } of all) {
      for (const topicId of trashedTopics(io.disk, path)) this.kept.add(topicId);
    }
  }

  /** Opens all directories. Throws an `OperatorError` if one of them cannot be opened. */
  static async open(io: StorageIo, logger: Logger, options: DataDirsOptions): Promise<DataDirs> {
    const opened: DataDir[] = [];
    let isDown = false;
    const onFailure = (error: Error) => {
      const { vitalTopic } = options;
      const holdsVital = vitalTopic !== null &&
        opened.some((dir) => dir.failure !== null && dir.holds(vitalTopic));
      if (isDown || !(holdsVital || opened.every((dir) => dir.failure !== null))) return;
      isDown = true;
      options.onFailure?.(error);
    };
    try {
      let clusterId = options.clusterId ?? knownClusterId(io.disk, options.paths);
      for (const path of options.paths) {
        const identity = clusterId === undefined ? {} : { clusterId };
        const dir = await DataDir.open(io, logger, {
          ...{ ...options, ...identity, path },
          onRoomChange: options.onDirChange,
          onFailure: (error) => {
            options.onDirChange?.();
            onFailure(error);
          },
        });
        opened.push(dir);
        refuseCopies(opened);
        clusterId = dir.clusterId;
      }
      const dirs = new DataDirs(io, opened);
      await dirs.dropDuplicates(logger);
      return dirs;
    } catch (error) {
      for (const dir of opened) await dir.close(dir.previousBrokerEpoch);
      throw error;
    }
  }

  get clusterId(): string {
    return this.all[0]!.clusterId;
  }

  get nodeId(): number {
    return this.all[0]!.nodeId;
  }

  /** As that of each directory, if they agree; else −1. Those that were fresh say nothing. */
  get previousBrokerEpoch(): number {
    const known = this.all.filter((dir) => !dir.wasFresh);
    const [first, ...others] = known.map((dir) => dir.previousBrokerEpoch);
    return first !== undefined && others.every((epoch) => epoch === first) ? first : -1;
  }

  /** Ids of all directories, and of those that have failed. */
  get ids(): readonly string[] {
    return this.all.map((dir) => dir.directoryId);
  }

  get failedIds(): readonly string[] {
    return this.all.filter((dir) => dir.failure !== null).map((dir) => dir.directoryId);
  }

  /** All logs. */
  *logs(): Iterable<PartitionLog> {
    for (const dir of this.all) yield* dir.logs();
  }

  /** The directory with this path. */
  byPath(path: string): DataDir | undefined {
    return this.all.find((dir) => dir.path === path);
  }

  /** The directory that the log lies in. */
  dirOf(log: PartitionLog): DataDir | undefined {
    return this.all.find((dir) => dir.log(log.topic, log.partition) === log);
  }

  /** As `DataDir.getOrCreate`, in the directory that has the log, or has the fewest. */
  getOrCreate(id: LogIdentity, config: LogConfig): PartitionLog {
    const holders = this.all.filter((dir) => dir.log(id.topic, id.partition) !== undefined);
    const isThis = (dir: DataDir) => dir.log(id.topic, id.partition)?.topicId === id.topicId;
    const home = holders.find(isThis) ?? holders[0] ?? this.emptiest();
    return home.getOrCreate(id, config);
  }

  /** As `DataDir.delete`, or as `DataDir.trash` if the topic is to be kept. */
  async delete(log: PartitionLog): Promise<void> {
    const dir = this.dirOf(log);
    if (this.kept.has(log.topicId)) await dir?.trash(log);
    else await dir?.delete(log);
  }

  /** As `DataDir.restart`. */
  restart(log: PartitionLog, offset: number): PartitionLog {
    const dir = this.dirOf(log);
    assert(dir !== undefined, "what is restarted is there");
    return dir.restart(log, offset);
  }

  /** As `DataDir.saveHighWatermarks`. */
  async saveHighWatermarks(): Promise<void> {
    await Promise.all(this.all.map((dir) => dir.saveHighWatermarks()));
  }

  /** What was written down of the topics in the trash, by id. Throws a `DiskError`. */
  trashNotes(): Map<string, string> {
    const notes = new Map<string, string>();
    for (const topicId of this.kept) {
      const note = readTrashNote(this.io.disk, this.all[0]!.path, topicId);
      notes.set(topicId, note ?? "");
    }
    return notes;
  }

  /** Has the topic's logs kept when they are deleted; durable. Throws a `DiskError`. */
  async keep(topicId: string, note: string): Promise<void> {
    for (const dir of this.all) await dir.beforeTrash(topicId);
    await writeTrashNote(this.io.disk, this.all[0]!.path, topicId, note);
    this.kept.add(topicId);
  }

  /** Bytes of the records of topics, by id, with those that were purged and can come back. */
  sizes(topicIds: ReadonlySet<string>): Map<string, number> {
    const sizes = new Map<string, number>();
    for (const { topicId, sizeBytes, purges } of this.logs()) {
      if (!topicIds.has(topicId)) continue;
      sizes.set(topicId, (sizes.get(topicId) ?? 0) + sizeBytes + purges.sizeBytes);
    }
    return sizes;
  }

  /** As `DataDir.restore`; the topic counts as kept until `emptyTrash`. */
  async restore(topicId: string, topic: string): Promise<void> {
    for (const dir of this.all) await dir.restore(topicId, topic);
  }

  /** As `DataDir.emptyTrash`. Throws a `DiskError`. */
  async emptyTrash(topicId: string): Promise<void> {
    this.kept.delete(topicId);
    // The note goes last: without it nobody would know what the rest is.
    for (const dir of [...this.all].reverse()) await dir.emptyTrash(topicId);
  }

  /**
   * Closes all; what one of them could not write does not keep the others from it. `brokerEpoch` is what
   * they tell as `previousBrokerEpoch` next time.
   */
  async close(brokerEpoch = 0): Promise<void> {
    await Promise.all(this.all.map((dir) => dir.close(brokerEpoch)));
  }

  private emptiest(): DataDir {
    const healthy = this.all.filter((dir) => dir.failure === null);
    const candidates = healthy.length > 0 ? healthy : this.all;
    return candidates.reduce((best, dir) => dir.logCount < best.logCount ? dir : best);
  }

  /**
   * A crash while a log was moved can leave it in two directories: at that time one had all that the
   * other had, and perhaps more.
   */
  private async dropDuplicates(logger: Logger): Promise<void> {
    const seen = new Map<string, PartitionLog>();
    for (const log of Array.from(this.logs())) {
      const other = seen.get(log.name);
      const isSame = other !== undefined &&
        (other.topicId === log.topicId || other.topicId === "" || log.topicId === "");
      if (other === undefined || !isSame) {
        seen.set(log.name, log);
        continue;
      }
      const [kept, dropped] = log.logEndOffset > other.logEndOffset ? [log, other] : [other, log];
      logger.warn("a log was in two directories: the longer one is kept", { log: log.name });
      kept.deleteRecordsBefore(Math.min(dropped.logStartOffset, kept.logEndOffset));
      seen.set(log.name, kept);
      await this.dirOf(dropped)?.delete(dropped);
    }
  }
}

/** The same directory twice, or a copy of one, would give every log twice. */
function refuseCopies(opened: readonly DataDir[]): void {
  const [last, ...others] = [...opened].reverse();
  const same = others.find((dir) => dir.directoryId === last?.directoryId);
  if (last === undefined || same === undefined) return;
  throw new OperatorError(
    `cannot open the data directory ${last.path}`,
    `it is ${same.path} once more, or a copy of it`,
    "name each directory once in log.dirs, and give new ones empty",
  );
}
