/**
 * What the services of a broker stand on: data directories, the cluster's metadata as this broker has
 * them, and the partitions that it hosts.
 */
import {
  LocalMetadataLog,
  METADATA_LOG_CONFIG,
  METADATA_LOG_ID,
  MOVED_SUFFIX,
} from "../cluster/local-metadata-log.ts";
import type { Codecs } from "../core/compression/codec.ts";
import type { Disk, Io } from "../core/io.ts";
import type { Logger } from "../core/logger.ts";
import { OperatorError } from "../core/operator-error.ts";
import type { DataDir } from "../storage/data-dir.ts";
import { DataDirs } from "../storage/data-dirs.ts";
import type { PartitionLog } from "../storage/partition-log.ts";
import type { BrokerConfig } from "./config/broker-config.ts";
import { TopicConfig } from "./config/topic-config.ts";
import { Controller } from "./controller.ts";
import { cleanerConfigOf, logConfigOf, partitionConfigOf } from "./log-config.ts";
import { MetadataCache } from "./metadata-cache.ts";
import type { MetadataChanges } from "./metadata-changes.ts";
import type { PartitionSurroundings } from "./partition.ts";
import { type HostMode, PartitionSet } from "./partition-set.ts";
import { TopicTrash } from "./topic-trash.ts";

/** What it is opened with. */
export interface FoundationOptions {
  readonly io: Io;
  readonly logger: Logger;
  readonly config: BrokerConfig;
  /** Paths of the data directories, at least one. */
  readonly dataDirs: readonly string[];
  readonly codecs: Codecs;
  /** Retention counts from the time of the append, not from the records' timestamps. */
  readonly retentionByAppendTime?: boolean;
  /** Called once when the data directories have failed: nothing can be acknowledged any more. */
  readonly onStorageFailure?: (error: Error) => void;
  /** One of the directories has failed, is full, or has room again; said to members alone. */
  readonly onDirChange?: () => void;
}

/** See the head of the file. */
export interface Foundation {
  readonly dataDirs: DataDirs;
  readonly metadata: MetadataCache;
  readonly controller: Controller;
  readonly changes: MetadataChanges;
  readonly partitions: PartitionSet;
  readonly trash: TopicTrash;
}

/**
 * Of a broker that is a cluster by itself: the directories are recovered, the metadata read to their
 * end from the local log, and every partition hosted. Throws an `OperatorError` if the directory cannot
 * be opened.
 */
export async function openAlone(options: FoundationOptions): Promise<Foundation> {
  const { io, logger, config } = options;
  const dataDirs = await openDataDirs(options, METADATA_LOG_ID.topic);
  const metadata = new MetadataCache(config, dataDirs.nodeId);
  const partitions = hostPartitions(options, dataDirs, metadata, {
    clock: io.clock,
    nodeId: dataDirs.nodeId,
    replicaLagTimeMaxMs: () => config.get("replica.lag.time.max.ms"),
    // There is nobody else.
    mayBeInIsr: () => false,
    alterIsr: () => {},
  });
  const trash = new TopicTrash({ io, logger, config, dataDirs, metadata, partitions });
  const controller = await openController(options, dataDirs, metadata, trash);
  await trash.start(controller);
  partitions.adoptLogs();
  return { dataDirs, metadata, controller, changes: controller, partitions, trash };
}

/** The partitions that the metadata give this broker. */
export function hostPartitions(
  { logger }: FoundationOptions,
  dataDirs: DataDirs,
  metadata: MetadataCache,
  surroundings: PartitionSurroundings,
  mode: HostMode = "alone",
): PartitionSet {
  const partitions = new PartitionSet(
    surroundings,
    logger,
    dataDirs,
    (topic) => partitionConfigOf(metadata.topicConfig(topic)),
    mode,
  );
  metadata.onChange((delta) => partitions.apply(delta));
  return partitions;
}

function openController(
  { io, logger, config }: FoundationOptions,
  dataDirs: DataDirs,
  metadata: MetadataCache,
  trash: TopicTrash,
): Promise<Controller> {
  const log = dataDirs.getOrCreate(METADATA_LOG_ID, METADATA_LOG_CONFIG);
  refuseOrphans(io.disk, dataDirs, log);
  const folder = `${dataDirs.dirOf(log)?.path}/${log.name}`;
  return Controller.open({
    clock: io.clock,
    random: io.random,
    logger,
    log: new LocalMetadataLog(io.clock, io.disk, log, folder),
    metadata,
    beforeDeletion: (topics) => trash.keep(topics),
  }, config.get("broker.rack"));
}

/** Logs of topics that no metadata tell of would be taken for those of deleted ones, and go. */
function refuseOrphans(disk: Disk, dataDirs: DataDirs, metadataLog: PartitionLog): void {
  if (metadataLog.logEndOffset > 0) return;
  const isMoved = ({ path }: DataDir) =>
    disk.stat(`${path}/${metadataLog.name}${MOVED_SUFFIX}`) !== null;
  if (dataDirs.all.some(isMoved)) {
    throw new OperatorError(
      "cannot start as a cluster of one node",
      "its metadata were moved to etcd",
      "start it with --cluster and --metadata",
    );
  }
  for (const log of dataDirs.logs()) {
    if (log === metadataLog) continue;
    throw new OperatorError(
      "cannot start as a cluster of one node",
      `the data directory has ${log.name}, but no metadata that tell of it`,
      "if it belongs to a cluster, start it with --cluster and --metadata; " +
        "if its __cluster_metadata-0 is gone, restore that from a backup",
    );
  }
}

/**
 * Opens the data directories. Without `vitalTopic`, the failure of one of several takes only what lies in
 * it; `clusterId`: whose fresh ones are to be.
 */
export function openDataDirs(
  { io, logger, config, ...options }: FoundationOptions,
  vitalTopic: string | null,
  clusterId?: string,
): Promise<DataDirs> {
  // Until the metadata says what a topic has of its own; retention does not run before that.
  const byDefault = logConfigOf(new TopicConfig(config, new Map()));
  return DataDirs.open(io, logger, {
    paths: options.dataDirs,
    vitalTopic,
    // A member's replicas get again what they have lost.
    ...(clusterId !== undefined && { clusterId, cutsDamage: true, isReplicated: true }),
    nodeId: config.get("node.id"),
    logConfig: (topic) => topic === METADATA_LOG_ID.topic ? METADATA_LOG_CONFIG : byDefault,
    codecs: options.codecs,
    cleaner: config.get("log.cleaner.enable") ? () => cleanerConfigOf(config) : undefined,
    onFailure: options.onStorageFailure,
    onDirChange: options.onDirChange,
    retentionByAppendTime: options.retentionByAppendTime === true,
    limits: {
      producerIdExpirationMs: config.get("producer.id.expiration.ms"),
      retentionCheckMs: config.get("log.retention.check.interval.ms"),
    },
  });
}
