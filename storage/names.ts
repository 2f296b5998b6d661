/** Names of files and folders in a data directory: Kafka's (`UnifiedLog`, `LogFileUtils`). */

export const LOG_SUFFIX = ".log";
export const INDEX_SUFFIX = ".index";
export const TIME_INDEX_SUFFIX = ".timeindex";
export const ABORTED_INDEX_SUFFIX = ".txnindex";
/** Not Kafka's, which leaves such files alone. */
export const KEY_INDEX_SUFFIX = ".keyindex";
export const SNAPSHOT_SUFFIX = ".snapshot";
/** On a file that waits for its removal. */
export const DELETED_SUFFIX = ".deleted";
/** On a file that is being written and takes its name when it is whole. */
export const TEMPORARY_SUFFIX = ".tmp";
/** On the files of a cleaned segment that is being written. */
export const CLEANED_SUFFIX = ".cleaned";
/** On the files of a cleaned segment that is complete and takes the place of what it replaces. */
export const SWAP_SUFFIX = ".swap";
/** On the files of segments that were purged and can come back (`purges.ts`). */
export const PURGED_SUFFIX = ".purged";
/** What is written down of a purge. */
export const PURGE_NOTE_SUFFIX = ".purge";
/** On the folder of a deleted partition. */
export const DELETED_DIR_SUFFIX = "-delete";

/** In the folder of a log that is on its way here from another directory: it does not count yet. */
export const FUTURE_FILE = "future-replica";
/** Where deleted topics wait for their end (`trash.ts`); the name is no partition's. */
export const TRASH_DIR = ".trash";
export const LEADER_EPOCH_FILE = "leader-epoch-checkpoint";
export const PARTITION_METADATA_FILE = "partition.metadata";
export const HIGH_WATERMARK_FILE = "replication-offset-checkpoint";
export const RECOVERY_POINT_FILE = "recovery-point-offset-checkpoint";
/** Up to where each compacted log has been cleaned. */
export const CLEANER_OFFSET_FILE = "cleaner-offset-checkpoint";
export const LOG_START_OFFSET_FILE = "log-start-offset-checkpoint";
export const META_PROPERTIES_FILE = "meta.properties";
export const CLEAN_SHUTDOWN_FILE = ".kafka_cleanshutdown";
export const LOCK_FILE = ".lock";
/** Is there for a moment, to see whether the directory can be written. */
export const PROBE_FILE = ".probe";

const OFFSET_DIGITS = 20;
const MAX_NAME_BYTES = 255;

/** A file name of a segment: the base offset with 20 digits, then the suffix. */
export function segmentFileName(baseOffset: number, suffix: string): string {
  return String(baseOffset).padStart(OFFSET_DIGITS, "0") + suffix;
}

/** The offset in a name that `segmentFileName` made with this suffix; null for any other name. */
export function offsetOfFileName(name: string, suffix: string): number | null {
  if (!name.endsWith(suffix) || name.length !== OFFSET_DIGITS + suffix.length) return null;
  const digits = name.slice(0, OFFSET_DIGITS);
  if (!/^\d+$/.test(digits)) return null;
  const offset = Number(digits);
  return Number.isSafeInteger(offset) ? offset : null;
}

/** The folder of a partition. */
export function partitionDirName(topic: string, partition: number): string {
  return `${topic}-${partition}`;
}

/** The topic and partition of a folder; null if it is no partition's. */
export function parsePartitionDirName(name: string): { topic: string; partition: number } | null {
  const match = /^([a-zA-Z0-9._-]{1,249})-(0|[1-9]\d{0,8})$/.exec(name);
  return match === null ? null : { topic: match[1]!, partition: Number(match[2]) };
}

/** The folder of a deleted partition; `unique` tells apart several that had the same name. */
export function deletedDirName(topic: string, partition: number, unique: string): string {
  const suffix = `-${partition}.${unique}${DELETED_DIR_SUFFIX}`;
  return topic.slice(0, MAX_NAME_BYTES - suffix.length) + suffix;
}
