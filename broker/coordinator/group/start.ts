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
import type { ConsumerGroupConfig, GroupConfig, ShareGroupConfig } from "./group-config.ts";
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
    config: groupConfig(config, (groupId) => metadata.image.configs("group", groupId)),
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

/** How often regular expressions are matched anew, as Kafka's internal config has it. */
const REGEX_REFRESH_INTERVAL_MS = 600_000;

/** The configs of consumer groups: a group's own within the broker's bounds, or the broker's. */
function consumerGroupConfig(config: BrokerConfig, configsOf: GroupConfigsOf): ConsumerGroupConfig {
  const policy = () => config.get("group.consumer.migration.policy")?.toUpperCase();
  const own = (groupId: string, name: string, min: number, max: number) => {
    const text = configsOf(groupId).get(name);
    return text === undefined ? null : Math.min(Math.max(Number(text), min), max);
  };
  return {
    get maxSize() {
      return config.get("group.consumer.max.size");
    },
    get assignors() {
      return config.get("group.consumer.assignors").map(assignorName);
    },
    get canUpgrade() {
      return policy() === "UPGRADE" || policy() === "BIDIRECTIONAL";
    },
    get canDowngrade() {
      return policy() === "DOWNGRADE" || policy() === "BIDIRECTIONAL";
    },
    regexRefreshIntervalMs: REGEX_REFRESH_INTERVAL_MS,
    sessionTimeoutMs: (groupId) =>
      own(
        groupId,
        "consumer.session.timeout.ms",
        config.get("group.consumer.min.session.timeout.ms"),
        config.get("group.consumer.max.session.timeout.ms"),
      ) ?? config.get("group.consumer.session.timeout.ms"),
    heartbeatIntervalMs: (groupId) =>
      own(
        groupId,
        "consumer.heartbeat.interval.ms",
        config.get("group.consumer.min.heartbeat.interval.ms"),
        config.get("group.consumer.max.heartbeat.interval.ms"),
      ) ?? config.get("group.consumer.heartbeat.interval.ms"),
    assignmentIntervalMs: (groupId) =>
      own(
        groupId,
        "consumer.assignment.interval.ms",
        config.get("group.consumer.min.assignment.interval.ms"),
        config.get("group.consumer.max.assignment.interval.ms"),
      ) ?? config.get("group.consumer.assignment.interval.ms"),
  };
}

/** Kafka's internal `group.share.initialize.retry.interval.ms`. */
const SHARE_INITIALIZE_RETRY_INTERVAL_MS = 30_000;

/** The configs of share groups: a group's own within the broker's bounds, or the broker's. */
function shareGroupConfig(config: BrokerConfig, configsOf: GroupConfigsOf): ShareGroupConfig {
  const own = (groupId: string, name: string, min: number, max: number) => {
    const text = configsOf(groupId).get(name);
    return text === undefined ? null : Math.min(Math.max(Number(text), min), max);
  };
  return {
    get maxSize() {
      return config.get("group.share.max.size");
    },
    initializeRetryIntervalMs: SHARE_INITIALIZE_RETRY_INTERVAL_MS,
    sessionTimeoutMs: (groupId) =>
      own(
        groupId,
        "share.session.timeout.ms",
        config.get("group.share.min.session.timeout.ms"),
        config.get("group.share.max.session.timeout.ms"),
      ) ?? config.get("group.share.session.timeout.ms"),
    heartbeatIntervalMs: (groupId) =>
      own(
        groupId,
        "share.heartbeat.interval.ms",
        config.get("group.share.min.heartbeat.interval.ms"),
        config.get("group.share.max.heartbeat.interval.ms"),
      ) ?? config.get("group.share.heartbeat.interval.ms"),
  };
}

/** The name of an assignor that is configured by name or, as in Kafka, by its Java class. */
function assignorName(configured: string): string {
  return JAVA_ASSIGNORS.get(configured) ?? configured;
}

const JAVA_ASSIGNORS: ReadonlyMap<string, string> = new Map([
  ["org.apache.kafka.coordinator.group.assignor.UniformAssignor", "uniform"],
  ["org.apache.kafka.coordinator.group.assignor.RangeAssignor", "range"],
]);

/** The configs that were set for a group. */
type GroupConfigsOf = (groupId: string) => ReadonlyMap<string, string>;

/** The broker's configs that concern groups, always as they are now. */
export function groupConfig(config: BrokerConfig, configsOf: GroupConfigsOf): GroupConfig {
  return {
    consumer: consumerGroupConfig(config, configsOf),
    share: shareGroupConfig(config, configsOf),
    get minSessionTimeoutMs() {
      return config.get("group.min.session.timeout.ms");
    },
    get maxSessionTimeoutMs() {
      return config.get("group.max.session.timeout.ms");
    },
    get initialRebalanceDelayMs() {
      return config.get("group.initial.rebalance.delay.ms");
    },
    get maxSize() {
      return config.get("group.max.size");
    },
    get offsetMetadataMaxBytes() {
      return config.get("offset.metadata.max.bytes");
    },
    get offsetsRetentionMs() {
      return config.get("offsets.retention.minutes") * 60_000;
    },
    get offsetsRetentionCheckIntervalMs() {
      return config.get("offsets.retention.check.interval.ms");
    },
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
