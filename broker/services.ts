import {
  LocalMetadataLog,
  METADATA_LOG_CONFIG,
  METADATA_LOG_ID,
} from "../cluster/local-metadata-log.ts";
import type { Codecs } from "../core/compression/codec.ts";
import type { Clock, Io } from "../core/io.ts";
import type { Logger } from "../core/logger.ts";
import { OperatorError } from "../core/operator-error.ts";
import { DataDirs } from "../storage/data-dirs.ts";
import type { PartitionLog } from "../storage/partition-log.ts";
import type { BrokerConfig } from "./config/broker-config.ts";
import { TopicConfig } from "./config/topic-config.ts";
import { Controller } from "./controller.ts";
import type { GroupCoordinator } from "./coordinator/group/group-coordinator.ts";
import type { TimerKind } from "./coordinator/shard.ts";
import { startGroupCoordinator } from "./coordinator/group/start.ts";
import { startTransactions, type Transactions } from "./coordinator/transaction/start.ts";
import { FetchSessions } from "./fetch-session.ts";
import { cleanerConfigOf, logConfigOf, partitionConfigOf } from "./log-config.ts";
import { MetadataCache } from "./metadata-cache.ts";
import type { MetadataChanges } from "./metadata-changes.ts";
import { PartitionSet } from "./partition-set.ts";
import { ProducerIds } from "./producer-ids.ts";
import { ReplicaMover } from "./replica-mover.ts";
import { TopicTrash } from "./topic-trash.ts";
import { type ShareServices, startShareGroups } from "./share/start.ts";

/** What the services are opened with. */
export interface ServicesOptions {
  readonly io: Io;
  readonly logger: Logger;
  readonly config: BrokerConfig;
  /** Paths of the data directories, at least one. */
  readonly dataDirs: readonly string[];
  readonly codecs: Codecs;
  /** The clocks of the coordinators' timers, where they are not that of `io`. */
  readonly timerClocks?: Readonly<Record<TimerKind, Clock>> | undefined;
  /** Retention counts from the time of the append, not from the records' timestamps. */
  readonly retentionByAppendTime?: boolean;
  /** Called once when the data directories have failed: nothing can be acknowledged any more. */
  readonly onStorageFailure?: (error: Error) => void;
}

/** The services over the data directories: their logs, the metadata in them, partitions and groups. */
export interface Services extends ShareServices, Transactions {
  readonly dataDirs: DataDirs;
  readonly metadata: MetadataCache;
  readonly controller: Controller;
  readonly changes: MetadataChanges;
  readonly producerIds: ProducerIds;
  readonly partitions: PartitionSet;
  readonly replicaMover: ReplicaMover;
  readonly trash: TopicTrash;
  readonly fetchSessions: FetchSessions;
  readonly groups: GroupCoordinator;
  /** Ends all waiting, then flushes and leaves the mark of a clean end. */
  close(): Promise<void>;
}

/**
 * Opens the services of a one-node broker: the data directories are recovered, the metadata read to
 * its end, and every partition hosted. Throws an `OperatorError` if the directory cannot be opened.
 */
export async function openServices(options: ServicesOptions): Promise<Services> {
  const { io, logger, config } = options;
  const dataDirs = await openDataDirs(options);
  const metadata = new MetadataCache(config, dataDirs.nodeId);
  const partitions = new PartitionSet(
    {
      clock: io.clock,
      nodeId: dataDirs.nodeId,
      replicaLagTimeMaxMs: () => config.get("replica.lag.time.max.ms"),
      // A cluster of one node has nobody else.
      mayBeInIsr: () => false,
      alterIsr: () => {},
    },
    logger,
    dataDirs,
    (topic) => partitionConfigOf(metadata.topicConfig(topic)),
  );
  metadata.onChange((delta) => partitions.apply(delta));
  const trash = new TopicTrash({ io, logger, config, dataDirs, metadata, partitions });
  const controller = await openController(options, dataDirs, metadata, trash);
  await trash.start(controller);
  partitions.adoptLogs();
  const replicaMover = new ReplicaMover(io.clock, logger, dataDirs, partitions);
  replicaMover.resume();
  const coordinatorServices = {
    io,
    logger,
    codecs: options.codecs,
    timerClocks: options.timerClocks,
    config,
    metadata,
    changes: controller,
    partition: (topic: string, index: number) => {
      const found = partitions.find(topic, index);
      return typeof found === "number" ? null : found;
    },
  };
  const groups = startGroupCoordinator(coordinatorServices);
  const producerIds = new ProducerIds(controller);
  const txnServices = { ...coordinatorServices, producerIds, partitions, groups };
  const transactions = startTransactions(txnServices);
  const share = startShareGroups({ ...coordinatorServices, partitions, groups });
  return {
    dataDirs,
    metadata,
    controller,
    changes: controller,
    producerIds,
    partitions,
    replicaMover,
    trash,
    fetchSessions: new FetchSessions(io.clock, io.random, {
      slots: config.get("max.incremental.fetch.session.cache.slots"),
    }),
    groups,
    ...transactions,
    ...share,
    close: async () => {
      transactions.transactions.close();
      groups.close();
      share.shares.close();
      share.shareStates.close();
      await trash.close();
      await replicaMover.close();
      await controller.close();
      await partitions.close();
      await dataDirs.close();
    },
  };
}

function openController(
  { io, logger, config }: ServicesOptions,
  dataDirs: DataDirs,
  metadata: MetadataCache,
  trash: TopicTrash,
): Promise<Controller> {
  const log = dataDirs.getOrCreate(METADATA_LOG_ID, METADATA_LOG_CONFIG);
  refuseOrphans(dataDirs, log);
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
function refuseOrphans(dataDirs: DataDirs, metadataLog: PartitionLog): void {
  if (metadataLog.logEndOffset > 0) return;
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

function openDataDirs({ io, logger, config, ...options }: ServicesOptions): Promise<DataDirs> {
  // Until the metadata says what a topic has of its own; retention does not run before that.
  const byDefault = logConfigOf(new TopicConfig(config, new Map()));
  return DataDirs.open(io, logger, {
    paths: options.dataDirs,
    vitalTopic: METADATA_LOG_ID.topic,
    nodeId: config.get("node.id"),
    logConfig: (topic) => topic === METADATA_LOG_ID.topic ? METADATA_LOG_CONFIG : byDefault,
    codecs: options.codecs,
    cleaner: config.get("log.cleaner.enable") ? () => cleanerConfigOf(config) : undefined,
    onFailure: options.onStorageFailure,
    retentionByAppendTime: options.retentionByAppendTime === true,
    limits: {
      producerIdExpirationMs: config.get("producer.id.expiration.ms"),
      retentionCheckMs: config.get("log.retention.check.interval.ms"),
    },
  });
}
