import type { CleanerConfig } from "../storage/cleaner/log-cleaner.ts";
import type { LogConfig } from "../storage/log-config.ts";
import type { BrokerConfig } from "./config/broker-config.ts";
import type { TargetCompression } from "../core/records/recompress.ts";
import type { TopicConfig } from "./config/topic-config.ts";
import type { PartitionConfig } from "./partition.ts";

/** What a partition has to know of its topic's configuration. */
export function partitionConfigOf(config: TopicConfig): PartitionConfig {
  return { log: logConfigOf(config), minInsyncReplicas: config.get("min.insync.replicas") };
}

/** What the log engine has to know of it. */
export function logConfigOf(config: TopicConfig): LogConfig {
  const policies = config.get("cleanup.policy");
  return {
    durability: config.get("kstream.durability") === "os" ? "os" : "fsync",
    flushMessages: config.get("flush.messages"),
    flushMs: config.get("flush.ms"),
    segmentBytes: config.get("segment.bytes"),
    segmentMs: config.get("segment.ms"),
    segmentJitterMs: config.get("segment.jitter.ms"),
    segmentIndexBytes: config.get("segment.index.bytes"),
    indexIntervalBytes: config.get("index.interval.bytes"),
    retentionMs: config.get("retention.ms"),
    retentionBytes: config.get("retention.bytes"),
    cleanupPolicy: {
      delete: policies.includes("delete"),
      compact: policies.includes("compact"),
    },
    deleteRetentionMs: config.get("delete.retention.ms"),
    minCompactionLagMs: config.get("min.compaction.lag.ms"),
    maxCompactionLagMs: config.get("max.compaction.lag.ms"),
    minCleanableDirtyRatio: config.get("min.cleanable.dirty.ratio"),
    maxMessageBytes: config.get("max.message.bytes"),
    compression: compressionOf(config),
    messageTimestampType: config.get("message.timestamp.type") === "LogAppendTime"
      ? "LogAppendTime"
      : "CreateTime",
    messageTimestampBeforeMaxMs: config.get("message.timestamp.before.max.ms"),
    messageTimestampAfterMaxMs: config.get("message.timestamp.after.max.ms"),
    fileDeleteDelayMs: config.get("file.delete.delay.ms"),
    preallocate: config.get("preallocate"),
  };
}

/** A codec's level is its own config; snappy has none. */
function compressionOf(config: TopicConfig): TargetCompression {
  const type = config.get("compression.type");
  switch (type) {
    case "uncompressed":
      return { type: "none", level: undefined };
    case "gzip":
      return { type, level: config.get("compression.gzip.level") };
    case "lz4":
      return { type, level: config.get("compression.lz4.level") };
    case "zstd":
      return { type, level: config.get("compression.zstd.level") };
    case "snappy":
      return { type, level: undefined };
    default:
      return { type: "producer", level: undefined };
  }
}

/** How the broker's configuration wants logs to be cleaned; brokers that share a host share that, too. */
export function cleanerConfigOf(config: BrokerConfig): CleanerConfig {
  const shards = config.get("kstream.shards");
  return {
    threads: config.get("log.cleaner.threads"),
    dedupeBufferBytes: Math.ceil(config.get("log.cleaner.dedupe.buffer.size") / shards),
    bufferLoad: config.get("log.cleaner.io.buffer.load.factor"),
    ioBufferBytes: config.get("log.cleaner.io.buffer.size"),
    ioBytesPerSecond: config.get("log.cleaner.io.max.bytes.per.second") / shards,
    backoffMs: config.get("log.cleaner.backoff.ms"),
  };
}
