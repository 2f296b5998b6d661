import {
  LocalMetadataLog,
  METADATA_LOG_CONFIG,
  METADATA_LOG_ID,
} from "../cluster/local-metadata-log.ts";
import type { Codecs } from "../core/compression/codec.ts";
import type { Io } from "../core/io.ts";
import type { Logger } from "../core/logger.ts";
import { DataDir } from "../storage/data-dir.ts";
import type { BrokerConfig } from "./config/broker-config.ts";
import { TopicConfig } from "./config/topic-config.ts";
import { Controller } from "./controller.ts";
import type { GroupCoordinator } from "./coordinator/group/group-coordinator.ts";
import { startGroupCoordinator } from "./coordinator/group/start.ts";
import { startTransactions, type Transactions } from "./coordinator/transaction/start.ts";
import { FetchSessions } from "./fetch-session.ts";
import { cleanerConfigOf, logConfigOf } from "./log-config.ts";
import { MetadataCache } from "./metadata-cache.ts";
import { PartitionSet } from "./partition-set.ts";
import { ProducerIds } from "./producer-ids.ts";
import { type ShareServices, startShareGroups } from "./share/start.ts";

/** What the services are opened with. */
export interface ServicesOptions {
  readonly io: Io;
  readonly logger: Logger;
  readonly config: BrokerConfig;
  /** Path of the data directory. */
  readonly dataDir: string;
  readonly codecs: Codecs;
  /** Called once when the data directory has failed: nothing can be acknowledged any more. */
  readonly onStorageFailure?: (error: Error) => void;
}

/** The services over one data directory: its logs, the metadata in them, partitions and groups. */
export interface Services extends ShareServices, Transactions {
  readonly dataDir: DataDir;
  readonly metadata: MetadataCache;
  readonly controller: Controller;
  readonly producerIds: ProducerIds;
  readonly partitions: PartitionSet;
  readonly fetchSessions: FetchSessions;
  readonly groups: GroupCoordinator;
  /** Ends all waiting, then flushes and leaves the mark of a clean end. */
  close(): Promise<void>;
}

/**
 * Opens the services of a one-node broker: the data directory is recovered, the metadata read to
 * its end, and every partition hosted. Throws an `OperatorError` if the directory cannot be opened.
 */
export async function openServices(options: ServicesOptions): Promise<Services> {
  const { io, logger, config } = options;
  const dataDir = await openDataDir(options);
  const metadata = new MetadataCache(config, dataDir.nodeId);
  const partitions = new PartitionSet(
    io.clock,
    logger,
    dataDir.nodeId,
    dataDir,
    (topic) => logConfigOf(metadata.topicConfig(topic)),
  );
  metadata.onChange((delta) => partitions.apply(delta));
  const controller = await openController(options, dataDir, metadata);
  partitions.adoptLogs();
  const coordinatorServices = {
    io,
    logger,
    codecs: options.codecs,
    config,
    metadata,
    controller,
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
    dataDir,
    metadata,
    controller,
    producerIds,
    partitions,
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
      await controller.close();
      await partitions.close();
      await dataDir.close();
    },
  };
}

function openController(
  { io, logger, config, ...options }: ServicesOptions,
  dataDir: DataDir,
  metadata: MetadataCache,
): Promise<Controller> {
  const log = dataDir.getOrCreate(METADATA_LOG_ID, METADATA_LOG_CONFIG);
  return Controller.open({
    clock: io.clock,
    random: io.random,
    logger,
    log: new LocalMetadataLog(io.clock, io.disk, log, `${options.dataDir}/${log.name}`),
    metadata,
    rack: config.get("broker.rack"),
  });
}

function openDataDir({ io, logger, config, ...options }: ServicesOptions): Promise<DataDir> {
  // Until the metadata says what a topic has of its own; retention does not run before that.
  const byDefault = logConfigOf(new TopicConfig(config, new Map()));
  return DataDir.open(io, logger, {
    path: options.dataDir,
    nodeId: config.get("node.id"),
    logConfig: (topic) => topic === METADATA_LOG_ID.topic ? METADATA_LOG_CONFIG : byDefault,
    codecs: options.codecs,
    cleaner: config.get("log.cleaner.enable") ? () => cleanerConfigOf(config) : undefined,
    onFailure: options.onStorageFailure,
    limits: {
      producerIdExpirationMs: config.get("producer.id.expiration.ms"),
      retentionCheckMs: config.get("log.retention.check.interval.ms"),
    },
  });
}
