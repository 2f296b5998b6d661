/** The configs of groups as they are now: a group's own within the broker's bounds, or the broker's. */
import { type BrokerConfig, CONSUMER_ASSIGNORS } from "../../config/broker-config.ts";
import { GroupConfigs } from "../../config/group-configs.ts";
import type { MetadataCache } from "../../metadata-cache.ts";
import type {
  ConsumerGroupConfig,
  GroupConfig,
  ShareGroupConfig,
  StreamsGroupConfig,
} from "./group-config.ts";

/** How often regular expressions are matched anew, as Kafka's internal config has it. */
const REGEX_REFRESH_INTERVAL_MS = 600_000;
/** Kafka's internal `group.share.initialize.retry.interval.ms`. */
const SHARE_INITIALIZE_RETRY_INTERVAL_MS = 30_000;

/** The value of `KIND.NAME` for a group; bounds of the broker may have come after its own. */
function inForce(
  config: BrokerConfig,
  metadata: MetadataCache,
  kind: "consumer" | "share" | "streams",
  name: "session.timeout.ms" | "heartbeat.interval.ms" | "assignment.interval.ms",
) {
  return (groupId: string): number => {
    const own = metadata.image.configs("group", groupId).get(`${kind}.${name}`);
    if (own === undefined) return config.get(`group.${kind}.${name}`);
    const min = config.get(`group.${kind}.min.${name}`);
    return Math.min(Math.max(Number(own), min), config.get(`group.${kind}.max.${name}`));
  };
}

function consumerGroupConfig(config: BrokerConfig, metadata: MetadataCache): ConsumerGroupConfig {
  const policy = () => config.get("group.consumer.migration.policy")?.toUpperCase();
  return {
    get isEnabled() {
      return config.get("group.coordinator.rebalance.protocols").includes("consumer") &&
        (metadata.image.features.get("group.version") ?? 1) >= 1;
    },
    get maxSize() {
      return config.get("group.consumer.max.size");
    },
    get assignors() {
      return config.get("group.consumer.assignors").map((each) =>
        CONSUMER_ASSIGNORS.get(each) ?? each
      );
    },
    get canUpgrade() {
      return policy() === "UPGRADE" || policy() === "BIDIRECTIONAL";
    },
    get canDowngrade() {
      return policy() === "DOWNGRADE" || policy() === "BIDIRECTIONAL";
    },
    regexRefreshIntervalMs: REGEX_REFRESH_INTERVAL_MS,
    sessionTimeoutMs: inForce(config, metadata, "consumer", "session.timeout.ms"),
    heartbeatIntervalMs: inForce(config, metadata, "consumer", "heartbeat.interval.ms"),
    assignmentIntervalMs: inForce(config, metadata, "consumer", "assignment.interval.ms"),
  };
}

function shareGroupConfig(config: BrokerConfig, metadata: MetadataCache): ShareGroupConfig {
  return {
    get maxSize() {
      return config.get("group.share.max.size");
    },
    initializeRetryIntervalMs: SHARE_INITIALIZE_RETRY_INTERVAL_MS,
    sessionTimeoutMs: inForce(config, metadata, "share", "session.timeout.ms"),
    heartbeatIntervalMs: inForce(config, metadata, "share", "heartbeat.interval.ms"),
  };
}

function streamsGroupConfig(config: BrokerConfig, metadata: MetadataCache): StreamsGroupConfig {
  const of = (groupId: string) =>
    new GroupConfigs(config, metadata.image.configs("group", groupId));
  return {
    get isEnabled() {
      return config.get("group.coordinator.rebalance.protocols").includes("streams") &&
        (metadata.image.features.get("streams.version") ?? 1) >= 1;
    },
    get maxSize() {
      return config.get("group.streams.max.size");
    },
    sessionTimeoutMs: inForce(config, metadata, "streams", "session.timeout.ms"),
    heartbeatIntervalMs: inForce(config, metadata, "streams", "heartbeat.interval.ms"),
    assignmentIntervalMs: inForce(config, metadata, "streams", "assignment.interval.ms"),
    initialRebalanceDelayMs: (groupId) => of(groupId).get("streams.initial.rebalance.delay.ms"),
    standbyReplicas: (groupId) => of(groupId).get("streams.num.standby.replicas"),
  };
}

/** See the header. */
export function groupConfig(config: BrokerConfig, metadata: MetadataCache): GroupConfig {
  return {
    consumer: consumerGroupConfig(config, metadata),
    share: shareGroupConfig(config, metadata),
    streams: streamsGroupConfig(config, metadata),
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
