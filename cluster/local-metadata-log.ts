/**
 * The metadata log of a single node: a partition log of its own in the data directory, always
 * synced. A change is one record batch, so a crash leaves it whole or not at all. The position is
 * the offset. Beside the segments lies `metadata.checkpoint`, the last snapshot.
 */
import { assert } from "../core/assert.ts";
import { errorName, Errors } from "../core/errors.ts";
import type { Clock, Disk } from "../core/io.ts";
import { inTurns } from "../core/steps.ts";
import type { DataDir } from "../storage/data-dir.ts";
import type { LogConfig } from "../storage/log-config.ts";
import { DEFAULT_LOG_CONFIG } from "../storage/log-config.ts";
import type { PartitionLog } from "../storage/partition-log.ts";
import { readSmallFile, writeSmallFile } from "../storage/small-files.ts";
import {
  decodeChanges,
  decodeSnapshot,
  encodeChangeSteps,
  encodeSnapshotSteps,
} from "./metadata-batches.ts";
import type {
  MetadataAppendResult,
  MetadataLog,
  MetadataReadResult,
  MetadataSnapshot,
} from "./metadata-log.ts";
import { MetadataFormatError, type MetadataRecord } from "./metadata-records.ts";

/** Kafka's name and id for the log of its metadata. */
export const METADATA_LOG_ID = {
  topic: "__cluster_metadata",
  topicId: "AAAAAAAAAAAAAAAAAAAAAQ",
  partition: 0,
};

/** On the folder of a log that counts no more, since its cluster's metadata are in etcd. No partition's. */
export const MOVED_SUFFIX = ".moved-to-etcd";

/** Whatever the broker's defaults are: synced, never cut by age or size. */
export const METADATA_LOG_CONFIG: LogConfig = {
  ...DEFAULT_LOG_CONFIG,
  durability: "fsync",
  // Small, so that what a snapshot has made useless goes soon; a change must fit one segment.
  segmentBytes: 64 * 1024 * 1024,
  retentionMs: -1,
  retentionBytes: -1,
  cleanupPolicy: { delete: true, compact: false },
};

const READ_BYTES = 1024 * 1024;
const SNAPSHOT_BYTES_MAX = 1 << 30;
const LEADER_EPOCH = 0;

/** What of a partition log is used. */
type Log = Pick<
  PartitionLog,
  | "append"
  | "deleteRecordsBefore"
  | "durableEndOffset"
  | "flush"
  | "logEndOffset"
  | "logStartOffset"
  | "onDurable"
  | "read"
>;

/** The metadata log in this data directory. */
export function openLocalMetadataLog(clock: Clock, disk: Disk, dataDir: DataDir): LocalMetadataLog {
  const log = dataDir.getOrCreate(METADATA_LOG_ID, METADATA_LOG_CONFIG);
  return new LocalMetadataLog(clock, disk, log, `${dataDir.path}/${log.name}`);
}

/** See the head of the file. `directory` is that of the partition log. */
export class LocalMetadataLog implements MetadataLog {
  readonly #clock: Clock;
  readonly #disk: Disk;
  readonly #log: Log;
  readonly #snapshotPath: string;

  constructor(clock: Clock, disk: Disk, log: Log, directory: string) {
    this.#clock = clock;
    this.#disk = disk;
    this.#log = log;
    this.#snapshotPath = `${directory}/metadata.checkpoint`;
  }

  get endPosition(): number {
    return this.#log.logEndOffset;
  }

  async append(
    expectedPosition: number,
    records: readonly MetadataRecord[],
  ): Promise<MetadataAppendResult> {
    assert(records.length > 0, "a change has records");
    if (expectedPosition !== this.endPosition) {
      return { ok: false, reason: "conflict", endPosition: this.endPosition };
    }
    const steps = encodeChangeSteps(records, this.#clock.wallMs());
    const batch = await inTurns(this.#clock, steps);
    if (expectedPosition !== this.endPosition) {
      return { ok: false, reason: "conflict", endPosition: this.endPosition };
    }
    const appended = this.#log.append(batch, { leaderEpoch: LEADER_EPOCH, origin: "coordinator" });
    if (!appended.ok) {
      const message = `${errorName(appended.error)}: ${appended.message}`;
      return { ok: false, reason: "unavailable", message };
    }
    const position = appended.lastOffset + 1;
    await this.#log.flush();
    return this.#log.durableEndOffset >= position
      ? { ok: true, position }
      : { ok: false, reason: "unavailable", message: "The metadata could not be synced." };
  }

  async read(position: number): Promise<MetadataReadResult> {
    if (position < this.#log.logStartOffset) return { kind: "gone" };
    const end = this.#log.durableEndOffset;
    if (position >= end) return { kind: "changes", changes: [] };
    const read = await this.#log.read(position, READ_BYTES, end, true);
    if (!read.ok) {
      throw new MetadataFormatError(
        `the metadata at ${position} cannot be read: ${errorName(read.error)}`,
      );
    }
    return { kind: "changes", changes: decodeChanges(read.records) };
  }

  onAppend(listener: () => void): () => void {
    return this.#log.onDurable(listener);
  }

  readSnapshot(): Promise<MetadataSnapshot | null> {
    const bytes = readSmallFile(this.#disk, this.#snapshotPath, SNAPSHOT_BYTES_MAX);
    if (bytes === null) return Promise.resolve(null);
    try {
      const snapshot = decodeSnapshot(bytes);
      if (snapshot.position <= this.endPosition) return Promise.resolve(snapshot);
      throw new MetadataFormatError("the metadata log ends before its own snapshot");
    } catch (error) {
      // The whole log is still there: it says the same.
      if (error instanceof MetadataFormatError && this.#log.logStartOffset === 0) {
        return Promise.resolve(null);
      }
      throw error;
    }
  }

  async writeSnapshot(snapshot: MetadataSnapshot): Promise<void> {
    const { position, records } = snapshot;
    assert(position <= this.#log.durableEndOffset, "a snapshot holds only what is durable");
    const steps = encodeSnapshotSteps(position, records, this.#clock.wallMs());
    const bytes = await inTurns(this.#clock, steps);
    await writeSmallFile(this.#disk, this.#snapshotPath, bytes);
    const error = this.#log.deleteRecordsBefore(position);
    if (error !== Errors.NONE) throw new Error(`${errorName(error)}: old metadata stays`);
  }
}
