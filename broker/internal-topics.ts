/**
 * Topics that nobody asked for by name: the coordinators' own, and those that are created because
 * somebody uses them.
 */
import { activeHosts } from "../cluster/controller/placement.ts";
import type { MetadataImage } from "../cluster/metadata-image.ts";
import type { BrokerConfig } from "./config/broker-config.ts";
import type { BrokerConfigName } from "./config/broker-configs.ts";
import {
  GROUP_METADATA_TOPIC,
  SHARE_GROUP_STATE_TOPIC,
  TRANSACTION_STATE_TOPIC,
} from "./topic-names.ts";
import type { NewTopic } from "./plan-topics.ts";

/** So many replicas a coordinator's topic is to have, on as many machines. */
const REPLICAS = 3;
/** So many have to have a record, once there are so many replicas as that. */
const MIN_INSYNC = 2;

/** A coordinator's own topic, and the configs that say how it is kept. */
interface InternalTopic {
  readonly name: string;
  readonly partitions: BrokerConfigName & `${string}.num.partitions`;
  readonly replicationFactor: BrokerConfigName & `${string}.replication.factor`;
  readonly segmentBytes: BrokerConfigName & `${string}.segment.bytes`;
  /** Null: Kafka has no config for it, and the broker's `min.insync.replicas` counts. */
  readonly minInsync: BrokerConfigName & `${string}.min.isr` | null;
  readonly configs: Readonly<Record<string, string>>;
}

/** The topics with the configs that their records need (Kafka's `AutoTopicCreationManager`). */
export const INTERNAL_TOPICS: readonly InternalTopic[] = [
  {
    name: GROUP_METADATA_TOPIC,
    partitions: "offsets.topic.num.partitions",
    replicationFactor: "offsets.topic.replication.factor",
    segmentBytes: "offsets.topic.segment.bytes",
    minInsync: null,
    configs: { "cleanup.policy": "compact", "compression.type": "producer" },
  },
  {
    name: TRANSACTION_STATE_TOPIC,
    partitions: "transaction.state.log.num.partitions",
    replicationFactor: "transaction.state.log.replication.factor",
    segmentBytes: "transaction.state.log.segment.bytes",
    minInsync: "transaction.state.log.min.isr",
    configs: {
      "cleanup.policy": "compact",
      "compression.type": "uncompressed",
      "unclean.leader.election.enable": "false",
    },
  },
  {
    name: SHARE_GROUP_STATE_TOPIC,
    partitions: "share.coordinator.state.topic.num.partitions",
    replicationFactor: "share.coordinator.state.topic.replication.factor",
    segmentBytes: "share.coordinator.state.topic.segment.bytes",
    minInsync: "share.coordinator.state.topic.min.isr",
    configs: {
      "cleanup.policy": "delete",
      "retention.ms": "-1",
      "compression.type": "uncompressed",
    },
  },
];

/** How a topic is created that nobody asked for by CreateTopics; all but the internal ones by default. */
export function automaticTopic(
  name: string,
  config: BrokerConfig,
  image: MetadataImage,
): NewTopic {
  const topic = INTERNAL_TOPICS.find((each) => each.name === name);
  if (topic === undefined) {
    return { name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] };
  }
  const replicationFactor = wantedReplicas(topic, config, image);
  const minInsync = wantedMinInsync(topic, config, replicationFactor);
  const configs = {
    ...topic.configs,
    "segment.bytes": segmentBytes(config.get(topic.segmentBytes)),
    ...(minInsync !== null && { "min.insync.replicas": String(minInsync) }),
  };
  return {
    name,
    numPartitions: config.get(topic.partitions),
    replicationFactor,
    assignments: [],
    configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
  };
}

/** How many replicas the topic is to have now: what somebody has set, or 3, as far as hosts are there. */
export function wantedReplicas(
  { replicationFactor }: InternalTopic,
  config: BrokerConfig,
  image: MetadataImage,
): number {
  if (config.isSet(replicationFactor)) return config.get(replicationFactor);
  return Math.max(1, Math.min(REPLICAS, activeHosts(image)));
}

/** Its `min.insync.replicas` with so many replicas; null: the broker's. */
export function wantedMinInsync(
  { minInsync }: InternalTopic,
  config: BrokerConfig,
  replicas: number,
): number | null {
  if (minInsync !== null && config.isSet(minInsync)) return config.get(minInsync);
  if (replicas >= REPLICAS) return MIN_INSYNC;
  return minInsync === null ? null : config.get(minInsync);
}

/** The broker config may be any positive number; a topic's segment is never below 1 MiB. */
function segmentBytes(configured: number): string {
  return String(Math.max(configured, 1_048_576));
}
