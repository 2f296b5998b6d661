/** What the group coordinator can be told, and its own bounds. Names are those of Kafka's configs. */
export interface GroupConfig {
  /** group.min.session.timeout.ms and group.max.session.timeout.ms */
  readonly minSessionTimeoutMs: number;
  readonly maxSessionTimeoutMs: number;
  /** group.initial.rebalance.delay.ms: how long the first member of an empty group waits for more. */
  readonly initialRebalanceDelayMs: number;
  /** group.max.size: members of a group. */
  readonly maxSize: number;
  /** offset.metadata.max.bytes, counted in characters as Kafka does. */
  readonly offsetMetadataMaxBytes: number;
  /** offsets.retention.minutes, in milliseconds. */
  readonly offsetsRetentionMs: number;
  /** offsets.retention.check.interval.ms */
  readonly offsetsRetentionCheckIntervalMs: number;
  readonly consumer: ConsumerGroupConfig;
  readonly share: ShareGroupConfig;
  readonly streams: StreamsGroupConfig;
}

/** group.streams.* for all groups, or what the configs of a group say instead (KIP-1071). */
export interface StreamsGroupConfig {
  /** Whether group.coordinator.rebalance.protocols names this protocol. */
  readonly isEnabled: boolean;
  /** group.streams.max.size: members of a group. */
  readonly maxSize: number;
  sessionTimeoutMs(groupId: string): number;
  heartbeatIntervalMs(groupId: string): number;
  /** The least time between two targets of a group. */
  assignmentIntervalMs(groupId: string): number;
  /** How long the first member of an empty group waits for more. */
  initialRebalanceDelayMs(groupId: string): number;
  /** How many other processes keep a copy of the state of a task. */
  standbyReplicas(groupId: string): number;
}

/** group.share.* for all groups, or what the configs of a group say instead (KIP-932). */
export interface ShareGroupConfig {
  /** group.share.max.size: members of a group. */
  readonly maxSize: number;
  /** How long nobody asks the share coordinator again about partitions of which it said nothing. */
  readonly initializeRetryIntervalMs: number;
  sessionTimeoutMs(groupId: string): number;
  heartbeatIntervalMs(groupId: string): number;
}

/** group.consumer.* for all groups, or what the configs of a group say instead (KIP-848). */
export interface ConsumerGroupConfig {
  /** Whether group.coordinator.rebalance.protocols names this protocol. */
  readonly isEnabled: boolean;
  /** group.consumer.max.size: members of a group. */
  readonly maxSize: number;
  /** group.consumer.assignors, by name; the first is the default. */
  readonly assignors: readonly string[];
  /** group.consumer.migration.policy */
  readonly canUpgrade: boolean;
  readonly canDowngrade: boolean;
  /** group.consumer.regex.refresh.interval.ms */
  readonly regexRefreshIntervalMs: number;
  sessionTimeoutMs(groupId: string): number;
  heartbeatIntervalMs(groupId: string): number;
  /** The least time between two targets of a group. */
  assignmentIntervalMs(groupId: string): number;
}

/** How long a JoinGroup of a member that does not know its id is waited for (Kafka: 5 minutes). */
export const NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1000;

/** Member ids given out and not used yet, per group: they cost memory until their session ends. */
export const PENDING_MEMBERS_MAX = 10_000;

/** Groups in one shard. With 50 shards that is five million. */
export const GROUPS_PER_SHARD_MAX = 100_000;

/** Kafka's defaults. */
export const DEFAULT_GROUP_CONFIG: GroupConfig = {
  minSessionTimeoutMs: 6_000,
  maxSessionTimeoutMs: 1_800_000,
  initialRebalanceDelayMs: 3_000,
  maxSize: 2_147_483_647,
  offsetMetadataMaxBytes: 4_096,
  offsetsRetentionMs: 10_080 * 60_000,
  offsetsRetentionCheckIntervalMs: 600_000,
  consumer: {
    isEnabled: true,
    maxSize: 2_147_483_647,
    assignors: ["uniform", "range"],
    canUpgrade: true,
    canDowngrade: true,
    regexRefreshIntervalMs: 600_000,
    sessionTimeoutMs: () => 45_000,
    heartbeatIntervalMs: () => 5_000,
    assignmentIntervalMs: () => 1_000,
  },
  share: {
    maxSize: 200,
    initializeRetryIntervalMs: 30_000,
    sessionTimeoutMs: () => 45_000,
    heartbeatIntervalMs: () => 5_000,
  },
  streams: {
    isEnabled: true,
    maxSize: 2_147_483_647,
    sessionTimeoutMs: () => 45_000,
    heartbeatIntervalMs: () => 5_000,
    assignmentIntervalMs: () => 1_000,
    initialRebalanceDelayMs: () => 3_000,
    standbyReplicas: () => 0,
  },
};
