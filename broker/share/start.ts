/** Puts share groups' fetching into a broker. */
import type { Io } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { BrokerConfig } from "../config/broker-config.ts";
import type { SharePersister } from "../coordinator/share/share-coordinator.ts";
import type { MetadataCache } from "../metadata-cache.ts";
import type { PartitionSet } from "../partition-set.ts";
import { shareConfigOf } from "./share-config.ts";
import { SharePartitions } from "./share-partitions.ts";
import { ShareService } from "./share-service.ts";
import { ShareSessions } from "./share-sessions.ts";

/** What of a broker it needs. */
export interface ShareServices {
  readonly io: Pick<Io, "clock">;
  readonly logger: Logger;
  readonly config: BrokerConfig;
  readonly metadata: MetadataCache;
  readonly partitions: PartitionSet;
  readonly persister: SharePersister;
}

/** The partitions have to follow the image before this does. `close` of the service ends it. */
export function startShareService(services: ShareServices): ShareService {
  const { io, logger, config, metadata, persister, partitions: hosted } = services;
  const configOf = (groupId: string) =>
    shareConfigOf(config, metadata.image.configs("group", groupId));
  const partition = (topicId: string, index: number) => hosted.findById(topicId, index);
  const partitions = new SharePartitions({
    clock: io.clock,
    logger,
    persister,
    config: configOf,
    partition,
  });
  metadata.onChange((delta) => {
    if (delta.deletedTopics.length > 0) partitions.dropClosed();
  });
  return new ShareService({
    clock: io.clock,
    sessions: new ShareSessions(() => config.get("group.share.max.share.sessions")),
    partitions,
    config: configOf,
    partition,
  });
}
