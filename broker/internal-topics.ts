import type { BrokerConfig } from "./config/broker-config.ts";
import {
  GROUP_METADATA_TOPIC,
  SHARE_GROUP_STATE_TOPIC,
  TRANSACTION_STATE_TOPIC,
} from "./topic-names.ts";
import type { NewTopic } from "./plan-topics.ts";

/**
 * How a topic is created that nobody asked for by CreateTopics: the coordinators' topics with the
 * configs that their records need (Kafka's `AutoTopicCreationManager`), all others by default.
 */
export function automaticTopic(name: string, config: BrokerConfig): NewTopic {
  const bare = { name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] };
  switch (name) {
    case GROUP_METADATA_TOPIC:
      return {
        ...bare,
        numPartitions: config.get("offsets.topic.num.partitions"),
        replicationFactor: config.get("offsets.topic.replication.factor"),
        configs: [
          { name: "cleanup.policy", value: "compact" },
          { name: "segment.bytes", value: segmentBytes(config.get("offsets.topic.segment.bytes")) },
          { name: "compression.type", value: "producer" },
        ],
      };
    case TRANSACTION_STATE_TOPIC:
      return {
        ...bare,
        numPartitions: config.get("transaction.state.log.num.partitions"),
        replicationFactor: config.get("transaction.state.log.replication.factor"),
        configs: [
          { name: "cleanup.policy", value: "compact" },
          {
            name: "segment.bytes",
            value: segmentBytes(config.get("transaction.state.log.segment.bytes")),
          },
          { name: "compression.type", value: "uncompressed" },
          { name: "unclean.leader.election.enable", value: "false" },
          {
            name: "min.insync.replicas",
            value: String(config.get("transaction.state.log.min.isr")),
          },
        ],
      };
    case SHARE_GROUP_STATE_TOPIC:
      return {
        ...bare,
        numPartitions: config.get("share.coordinator.state.topic.num.partitions"),
        replicationFactor: config.get("share.coordinator.state.topic.replication.factor"),
        configs: [
          { name: "cleanup.policy", value: "delete" },
          { name: "retention.ms", value: "-1" },
          {
            name: "segment.bytes",
            value: segmentBytes(config.get("share.coordinator.state.topic.segment.bytes")),
          },
          { name: "compression.type", value: "uncompressed" },
          {
            name: "min.insync.replicas",
            value: String(config.get("share.coordinator.state.topic.min.isr")),
          },
        ],
      };
    default:
      return bare;
  }
}

/** The broker config may be any positive number; a topic's segment is never below 1 MiB. */
function segmentBytes(configured: number): string {
  return String(Math.max(configured, 1_048_576));
}
