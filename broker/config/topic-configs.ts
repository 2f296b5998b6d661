/**
 * Every topic config that Kafka 4.4 documents, and our own `kstream.*`; each but a few has a broker
 * config as its default (Kafka's `ServerTopicConfigSynonyms`).
 */
import {
  atLeast,
  between,
  booleanConfig,
  type ConfigDefinition,
  doubleConfig,
  gzipLevel,
  intConfig,
  listConfig,
  listOf,
  longConfig,
  oneOf,
  stringConfig,
  throttledReplicas,
} from "./definitions.ts";
import type { BrokerConfigName } from "./broker-configs.ts";

// Kafka accepts a repeated policy here, and drops the repetition.
const cleanupPolicies = listOf({
  words: ["compact", "delete"],
  mayBeEmpty: true,
  mayRepeat: true,
});

/** Kafka's topic configs by name. */
export const KAFKA_TOPIC_CONFIGS = {
  "segment.bytes": intConfig("1073741824", atLeast(1048576), "MEDIUM"),
  "segment.ms": longConfig("604800000", atLeast(1), "MEDIUM"),
  "segment.jitter.ms": longConfig("0", atLeast(0), "MEDIUM"),
  "segment.index.bytes": intConfig("10485760", atLeast(4), "MEDIUM"),
  "flush.messages": longConfig("9223372036854775807", atLeast(1), "MEDIUM"),
  "flush.ms": longConfig("9223372036854775807", atLeast(0), "MEDIUM"),
  "retention.bytes": longConfig("-1", null, "MEDIUM"),
  "retention.ms": longConfig("604800000", atLeast(-1), "MEDIUM"),
  "max.message.bytes": intConfig("1048588", atLeast(0), "MEDIUM"),
  "index.interval.bytes": intConfig("4096", atLeast(0), "MEDIUM"),
  "delete.retention.ms": longConfig("86400000", atLeast(0), "MEDIUM"),
  "min.compaction.lag.ms": longConfig("0", atLeast(0), "MEDIUM"),
  "max.compaction.lag.ms": longConfig("9223372036854775807", atLeast(1), "MEDIUM"),
  "file.delete.delay.ms": longConfig("60000", atLeast(0), "MEDIUM"),
  "min.cleanable.dirty.ratio": doubleConfig("0.5", between(0, 1), "MEDIUM"),
  "cleanup.policy": listConfig("delete", cleanupPolicies, "MEDIUM"),
  "unclean.leader.election.enable": booleanConfig("false", null, "MEDIUM"),
  "min.insync.replicas": intConfig("1", atLeast(1), "MEDIUM"),
  "compression.type": stringConfig(
    "producer",
    oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
    "MEDIUM",
  ),
  "compression.gzip.level": intConfig("-1", gzipLevel, "MEDIUM"),
  "compression.lz4.level": intConfig("9", between(1, 17), "MEDIUM"),
  "compression.zstd.level": intConfig("3", between(-131072, 22), "MEDIUM"),
  "preallocate": booleanConfig("false", null, "MEDIUM"),
  "message.timestamp.type": stringConfig(
    "CreateTime",
    oneOf("CreateTime", "LogAppendTime"),
    "MEDIUM",
  ),
  "message.timestamp.before.max.ms": longConfig("9223372036854775807", atLeast(0), "MEDIUM"),
  "message.timestamp.after.max.ms": longConfig("3600000", atLeast(0), "MEDIUM"),
  "leader.replication.throttled.replicas": listConfig("", throttledReplicas, "MEDIUM"),
  "follower.replication.throttled.replicas": listConfig("", throttledReplicas, "MEDIUM"),
  "remote.storage.enable": booleanConfig("false", null, "MEDIUM"),
  "local.retention.ms": longConfig("-2", atLeast(-2), "MEDIUM"),
  "local.retention.bytes": longConfig("-2", atLeast(-2), "MEDIUM"),
  "remote.log.copy.disable": booleanConfig("false", null, "MEDIUM"),
  "remote.log.delete.on.disable": booleanConfig("false", null, "MEDIUM"),
} as const satisfies Record<string, ConfigDefinition>;

/** Topic configs that Kafka does not have. */
export const KSTREAM_TOPIC_CONFIGS = {
  // What an acknowledgement of a record in this topic means.
  "kstream.durability": stringConfig("fsync", oneOf("fsync", "os"), "HIGH"),
} as const satisfies Record<string, ConfigDefinition>;

/** All topic configs by name. */
export const TOPIC_CONFIGS = { ...KAFKA_TOPIC_CONFIGS, ...KSTREAM_TOPIC_CONFIGS };

/** The name of a topic config. */
export type TopicConfigName = keyof typeof TOPIC_CONFIGS;

/** Whether a topic config of this name exists. */
export function isTopicConfig(name: string): name is TopicConfigName {
  return Object.hasOwn(TOPIC_CONFIGS, name);
}

/** A broker config that gives a topic config its default; `factor` turns its unit into ours. */
export interface TopicSynonym {
  readonly name: BrokerConfigName;
  readonly factor: number;
}

function same(...names: BrokerConfigName[]): TopicSynonym[] {
  return names.map((name) => ({ name, factor: 1 }));
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** The broker configs behind each topic config; the first that is set wins. */
export const TOPIC_SYNONYMS: Readonly<Partial<Record<TopicConfigName, readonly TopicSynonym[]>>> = {
  "segment.bytes": same("log.segment.bytes"),
  "segment.ms": [...same("log.roll.ms"), { name: "log.roll.hours", factor: HOUR_MS }],
  "segment.jitter.ms": [...same("log.roll.jitter.ms"), {
    name: "log.roll.jitter.hours",
    factor: HOUR_MS,
  }],
  "segment.index.bytes": same("log.index.size.max.bytes"),
  "flush.messages": same("log.flush.interval.messages"),
  "flush.ms": same("log.flush.interval.ms", "log.flush.scheduler.interval.ms"),
  "retention.bytes": same("log.retention.bytes"),
  "retention.ms": [...same("log.retention.ms"), {
    name: "log.retention.minutes",
    factor: MINUTE_MS,
  }, { name: "log.retention.hours", factor: HOUR_MS }],
  "max.message.bytes": same("message.max.bytes"),
  "index.interval.bytes": same("log.index.interval.bytes"),
  "delete.retention.ms": same("log.cleaner.delete.retention.ms"),
  "min.compaction.lag.ms": same("log.cleaner.min.compaction.lag.ms"),
  "max.compaction.lag.ms": same("log.cleaner.max.compaction.lag.ms"),
  "file.delete.delay.ms": same("log.segment.delete.delay.ms"),
  "min.cleanable.dirty.ratio": same("log.cleaner.min.cleanable.ratio"),
  "cleanup.policy": same("log.cleanup.policy"),
  "unclean.leader.election.enable": same("unclean.leader.election.enable"),
  "min.insync.replicas": same("min.insync.replicas"),
  "compression.type": same("compression.type"),
  "compression.gzip.level": same("compression.gzip.level"),
  "compression.lz4.level": same("compression.lz4.level"),
  "compression.zstd.level": same("compression.zstd.level"),
  "preallocate": same("log.preallocate"),
  "message.timestamp.type": same("log.message.timestamp.type"),
  "message.timestamp.before.max.ms": same("log.message.timestamp.before.max.ms"),
  "message.timestamp.after.max.ms": same("log.message.timestamp.after.max.ms"),
  "local.retention.ms": same("log.local.retention.ms"),
  "local.retention.bytes": same("log.local.retention.bytes"),
  "kstream.durability": same("kstream.durability"),
};
