/** How a data directory is opened: whose it is, its bounds, and how often what is done to it. */
import type { Codecs } from "../core/compression/codec.ts";
import type { CleanerConfig } from "./cleaner/log-cleaner.ts";
import { DEFAULT_KEY_INDEX_LIMITS, type KeyIndexLimits } from "./keys/key-indexing.ts";
import type { LogConfig } from "./log-config.ts";

/** How a data directory is opened. */
export interface DataDirOptions {
  /** Path of the directory; it is made if it is not there. */
  readonly path: string;
  readonly nodeId: number;
  /** The cluster that a fresh directory joins; default a new random id. */
  readonly clusterId?: string;
  /** The configuration of a topic whose log is found on disk. */
  readonly logConfig: (topic: string) => LogConfig;
  /** Unpacks compressed records where a lookup or a rule needs them. */
  readonly codecs: Codecs;
  /** How compacted logs are cleaned; they are not if it is left out. */
  readonly cleaner?: () => CleanerConfig;
  /**
   * Retention by time counts from when a segment was last appended to, not from the timestamps in
   * it: under a clock that was moved, clients' timestamps say nothing.
   */
  readonly retentionByAppendTime?: boolean;
  /**
   * A log that recovery finds damaged is cut there, as Kafka does, and not kept around the hole: others
   * have what is lost. Default false.
   */
  readonly cutsDamage?: boolean;
  /**
   * What is here is on others, too, which are to go on with it: a write that the device refuses fails the
   * directory, and one for which there is no room makes it full until there is. Default false.
   */
  readonly isReplicated?: boolean;
  /** It is full, or has room again. */
  readonly onRoomChange?: () => void;
  /** Called once when a sync has failed: nothing can be acknowledged from then on. */
  readonly onFailure?: (error: Error) => void;
  readonly limits?: Partial<DataDirLimits>;
}

/** Bounds and intervals of a data directory. */
export interface DataDirLimits {
  readonly openFiles: number;
  readonly syncsInFlight: number;
  /** How many logs are opened, recovered or closed at a time. */
  readonly parallelLogs: number;
  readonly producerIdExpirationMs: number;
  /** `log.retention.check.interval.ms`. */
  readonly retentionCheckMs: number;
  /** How long a checkpoint may lag behind. */
  readonly checkpointMs: number;
  /** How often `flush.ms` is looked after. */
  readonly flushCheckMs: number;
  readonly keyIndex: KeyIndexLimits;
}

/** The defaults of `DataDirLimits`. */
export const DEFAULT_DATA_DIR_LIMITS: DataDirLimits = {
  openFiles: 2000,
  syncsInFlight: 16,
  parallelLogs: 8,
  producerIdExpirationMs: 86_400_000,
  retentionCheckMs: 300_000,
  checkpointMs: 5000,
  flushCheckMs: 1000,
  keyIndex: DEFAULT_KEY_INDEX_LIMITS,
};
