/** Puts the group coordinator into a broker: config, metadata and partitions that it stands on. */
import type { Codecs } from "../../../core/compression/codec.ts";
import type { MetadataDelta } from "../../../cluster/metadata-image.ts";
import type { Io } from "../../../core/io.ts";
import type { BrokerConfig } from "../../config/broker-config.ts";
import { GROUP_METADATA_TOPIC } from "../../topic-names.ts";
import {
  coordinatorTopic,
  type CoordinatorTopicServices,
  isTouched,
} from "../coordinator-topic.ts";
import { groupConfig } from "./config-in-force.ts";
import { GroupCoordinator } from "./group-coordinator.ts";

/** What of a broker the coordinator needs. */
export interface GroupCoordinatorServices extends CoordinatorTopicServices {
  readonly io: Pick<Io, "clock" | "random">;
  readonly codecs: Codecs;
  readonly config: BrokerConfig;
}

/**
 * Starts coordinating what the image says that this broker leads, and follows the image. The
 * partitions have to follow it before this does. `close` of the coordinator ends it.
 */
export function startGroupCoordinator(services: GroupCoordinatorServices): GroupCoordinator {
  const { io, logger, codecs, config, metadata } = services;
  const coordinator = new GroupCoordinator({
    clock: io.clock,
    timerClocks: services.timerClocks,
    random: io.random,
    logger,
    codecs,
    config: groupConfig(config, metadata),
    commitTimeoutMs: config.get("offsets.commit.timeout.ms"),
    topic: coordinatorTopic(
      services,
      GROUP_METADATA_TOPIC,
      () => config.get("offsets.topic.num.partitions"),
    ),
    topics: {
      byName: (name) => metadata.topic(name),
      byId: (id) => metadata.topicById(id),
      all: () => metadata.image.topics.values(),
      version: () => metadata.image.position,
    },
  });
  metadata.onChange((delta) => {
    if (isTouched(delta, GROUP_METADATA_TOPIC)) coordinator.follow();
    const change = topicsChange(delta);
    if (change.names.length > 0) coordinator.onTopicsChanged(change);
  });
  coordinator.follow();
  return coordinator;
}

/** What groups have to know of a change: a topic whose configs alone changed is the same to them. */
function topicsChange({ createdTopics, deletedTopics, changedTopics }: MetadataDelta) {
  const grown = changedTopics.filter(({ before, after }) =>
    before.partitions.length !== after.partitions.length
  );
  return {
    names: [...createdTopics, ...deletedTopics, ...grown.map((each) => each.after)]
      .map((topic) => topic.name),
    created: createdTopics.length > 0,
    deleted: deletedTopics.length > 0,
  };
}
