/** Puts the share coordinator into a broker: config, metadata and partitions that it stands on. */
import type { Codecs } from "../../../core/compression/codec.ts";
import type { Io } from "../../../core/io.ts";
import type { BrokerConfig } from "../../config/broker-config.ts";
import { SHARE_GROUP_STATE_TOPIC } from "../../topic-names.ts";
import {
  coordinatorTopic,
  type CoordinatorTopicServices,
  isTouched,
} from "../coordinator-topic.ts";
import { ShareCoordinator } from "./share-coordinator.ts";

/** What of a broker the coordinator needs. */
export interface ShareCoordinatorServices extends CoordinatorTopicServices {
  readonly io: Pick<Io, "clock">;
  readonly codecs: Codecs;
  readonly config: BrokerConfig;
}

/**
 * Starts coordinating what the image says that this broker leads, and follows the image. The
 * partitions have to follow it before this does. `close` of the coordinator ends it.
 */
export function startShareCoordinator(services: ShareCoordinatorServices): ShareCoordinator {
  const { io, logger, codecs, config, metadata } = services;
  const coordinator = new ShareCoordinator({
    clock: io.clock,
    timerClocks: services.timerClocks,
    logger,
    codecs,
    writeTimeoutMs: config.get("share.coordinator.write.timeout.ms"),
    updatesPerSnapshot: () => config.get("share.coordinator.snapshot.update.records.per.snapshot"),
    topic: coordinatorTopic(
      services,
      SHARE_GROUP_STATE_TOPIC,
      () => config.get("share.coordinator.state.topic.num.partitions"),
    ),
    partitionCount: (topicId) => metadata.topicById(topicId)?.partitions.length,
  });
  metadata.onChange((delta) => {
    if (isTouched(delta, SHARE_GROUP_STATE_TOPIC)) coordinator.follow();
    if (delta.deletedTopics.length > 0) coordinator.onTopicsDeleted();
  });
  coordinator.follow();
  return coordinator;
}
