/**
 * What a partition log needs to know of its topic's configuration. Names are Kafka's, in camel
 * case, units as there. Values that Kafka writes as 2^63 − 1 ("never") may be any number that is at
 * least `Number.MAX_SAFE_INTEGER`.
 */
import type { TargetCompression } from "../core/records/recompress.ts";

/**
 * What an acknowledgement means. `fsync`: the record is on stable storage. `os`: it is in the page
 * cache, as in Kafka; it survives the process, not the machine.
 */
export type Durability = "fsync" | "os";

/** The configuration of one log; it may change while the log is open. */
export interface LogConfig {
  readonly durability: Durability;
  /** Syncs after so many records, or so long after the oldest unsynced one (durability `os`). */
  readonly flushMessages: number;
  readonly flushMs: number;
  readonly segmentBytes: number;
  readonly segmentMs: number;
  /** Each segment's `segmentMs` is cut by a random time below this, so that rolls spread out. */
  readonly segmentJitterMs: number;
  /** Size at which an index is full and the segment rolls. */
  readonly segmentIndexBytes: number;
  /** One index entry per so many bytes of log. */
  readonly indexIntervalBytes: number;
  /** −1: no limit. */
  readonly retentionMs: number;
  /** −1: no limit. */
  readonly retentionBytes: number;
  /** `delete`: retention applies. `compact`: records need keys, and the log is cleaned. */
  readonly cleanupPolicy: { readonly delete: boolean; readonly compact: boolean };
  /** How long a tombstone or a marker can be seen once cleaning has come upon it. */
  readonly deleteRetentionMs: number;
  /** Records are not cleaned before, and have to be cleaned after so long. */
  readonly minCompactionLagMs: number;
  readonly maxCompactionLagMs: number;
  /** Share of a log that has to be dirty before it is cleaned, 0 to 1. */
  readonly minCleanableDirtyRatio: number;
  /** Largest batch that a client may append. */
  readonly maxMessageBytes: number;
  /** What clients' batches are compressed with before they are stored. */
  readonly compression: TargetCompression;
  readonly messageTimestampType: "CreateTime" | "LogAppendTime";
  readonly messageTimestampBeforeMaxMs: number;
  readonly messageTimestampAfterMaxMs: number;
  /** How long a deleted file stays under another name. */
  readonly fileDeleteDelayMs: number;
  /** Whether a new segment asks for the room of `segmentBytes` at once. */
  readonly preallocate: boolean;
}

/** Kafka's defaults, and `fsync`. */
export const DEFAULT_LOG_CONFIG: LogConfig = {
  durability: "fsync",
  flushMessages: Number.MAX_SAFE_INTEGER,
  flushMs: Number.MAX_SAFE_INTEGER,
  segmentBytes: 1_073_741_824,
  segmentMs: 604_800_000,
  segmentJitterMs: 0,
  segmentIndexBytes: 10_485_760,
  indexIntervalBytes: 4096,
  retentionMs: 604_800_000,
  retentionBytes: -1,
  cleanupPolicy: { delete: true, compact: false },
  deleteRetentionMs: 86_400_000,
  minCompactionLagMs: 0,
  maxCompactionLagMs: Number.MAX_SAFE_INTEGER,
  minCleanableDirtyRatio: 0.5,
  maxMessageBytes: 1_048_588,
  compression: { type: "producer", level: undefined },
  messageTimestampType: "CreateTime",
  messageTimestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  messageTimestampAfterMaxMs: 3_600_000,
  fileDeleteDelayMs: 60_000,
  preallocate: false,
};
