import type { LogConfig } from "../../storage/log-config.ts";
import type { TopicConfig } from "./topic-config.ts";

/** What a topic's partition logs need to know of its configuration. */
export function logConfigOf(topic: TopicConfig): LogConfig {
  const policy = topic.get("cleanup.policy");
  return {
    durability: topic.get("kstream.durability") === "os" ? "os" : "fsync",
    flushMessages: topic.get("flush.messages"),
    flushMs: topic.get("flush.ms"),
    segmentBytes: topic.get("segment.bytes"),
    segmentMs: topic.get("segment.ms"),
    segmentJitterMs: topic.get("segment.jitter.ms"),
    segmentIndexBytes: topic.get("segment.index.bytes"),
    indexIntervalBytes: topic.get("index.interval.bytes"),
    retentionMs: topic.get("retention.ms"),
    retentionBytes: topic.get("retention.bytes"),
    cleanupPolicy: { delete: policy.includes("delete"), compact: policy.includes("compact") },
    maxMessageBytes: topic.get("max.message.bytes"),
    messageTimestampType: topic.get("message.timestamp.type") === "LogAppendTime"
      ? "LogAppendTime"
      : "CreateTime",
    messageTimestampBeforeMaxMs: topic.get("message.timestamp.before.max.ms"),
    messageTimestampAfterMaxMs: topic.get("message.timestamp.after.max.ms"),
    fileDeleteDelayMs: topic.get("file.delete.delay.ms"),
    preallocate: topic.get("preallocate"),
  };
}
