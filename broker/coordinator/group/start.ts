/** Puts the group coordinator into a broker: config, metadata and partitions that it stands on. */
import type { Codecs } from "../../../core/compression/codec.ts";
import { Errors } from "../../../core/errors.ts";
import type { MetadataDelta } from "../../../cluster/metadata-image.ts";
import type { Io } from "../../../core/io.ts";
import type { Logger } from "../../../core/logger.ts";
import type { BrokerConfig } from "../../config/broker-config.ts";
import type { Controller } from "../../controller.ts";
import type { MetadataCache } from "../../metadata-cache.ts";
import { GROUP_METADATA_TOPIC } from "../../topic-names.ts";
import type { CoordinatorLog } from "../coordinator-log.ts";
import { type LedPartition, partitionLog } from "../partition-log.ts";
import { groupConfig } from "./config-in-force.ts";
import { GroupCoordinator, type GroupTopic } from "./group-coordinator.ts";

/** What of a broker the coordinator needs. */
export interface GroupCoordinatorServices {
  readonly io: Pick<Io, "clock" | "random">;
  readonly logger: Logger;
  readonly codecs: Codecs;
  readonly config: BrokerConfig;
  readonly metadata: MetadataCache;
  readonly controller: Pick<Controller, "ensureTopic">;
  /** The hosted partition, or null if it is not there. */
  readonly partition: (topic: string, index: number) => LedPartition | null;
}

/**
 * Starts coordinating what the image says that this broker leads, and follows the image. The
 * partitions have to follow it before this does. `close` of the coordinator ends it.
 */
export function startGroupCoordinator(services: GroupCoordinatorServices): GroupCoordinator {
  const { io, logger, codecs, config, metadata } = services;
  const coordinator = new GroupCoordinator({
    clock: io.clock,
    random: io.random,
    logger,
    codecs,
    config: groupConfig(config, metadata),
    commitTimeoutMs: config.get("offsets.commit.timeout.ms"),
    topic: groupTopic(services),
    topics: {
      byName: (name) => metadata.topic(name),
      byId: (id) => metadata.topicById(id),
      all: () => metadata.image.topics.values(),
      version: () => metadata.image.position,
    },
  });
  metadata.onChange((delta) => {
    const touched = [
      ...delta.createdTopics,
      ...delta.deletedTopics,
      ...delta.changedTopics.map((each) => each.after),
    ];
    if (touched.some((topic) => topic.name === GROUP_METADATA_TOPIC)) coordinator.follow();
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

/** A partition's log under one leader epoch; another epoch is another log to the coordinator. */
interface LedLog {
  readonly partition: LedPartition;
  readonly leaderEpoch: number;
  readonly log: CoordinatorLog;
}

function groupTopic(services: GroupCoordinatorServices): GroupTopic {
  const { config, controller, logger, metadata, partition } = services;
  const logs = new Map<number, LedLog>();
  return {
    partitionCount: () =>
      metadata.topic(GROUP_METADATA_TOPIC)?.partitions.length ??
        config.get("offsets.topic.num.partitions"),
    ensure: async () => {
      const outcome = await controller.ensureTopic(GROUP_METADATA_TOPIC);
      if (outcome.ok) return Errors.NONE;
      logger.error(`${GROUP_METADATA_TOPIC} cannot be created`, { why: outcome.message });
      return Errors.COORDINATOR_NOT_AVAILABLE;
    },
    led: () => {
      const led = new Map<number, CoordinatorLog>();
      const topic = metadata.topic(GROUP_METADATA_TOPIC);
      topic?.partitions.forEach(({ leader, leaderEpoch }, index) => {
        const hosted = leader === metadata.nodeId ? partition(topic.name, index) : null;
        if (hosted === null) return;
        const known = logs.get(index);
        const same = known?.partition === hosted && known.leaderEpoch === leaderEpoch;
        const log = same ? known.log : partitionLog(hosted);
        logs.set(index, { partition: hosted, leaderEpoch, log });
        led.set(index, log);
      });
      return led;
    },
  };
}
