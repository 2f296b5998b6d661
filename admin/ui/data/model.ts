/** What the API answers, as far as the pages show it; `/openapi.json` describes all of it. */

/** An item of `GET /v1/topics`. */
export interface TopicItem {
  readonly name: string;
  readonly topicId: string;
  readonly internal: boolean;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly underReplicated: number;
  readonly leaderless: number;
}

/** `GET /v1/topics`. */
export interface TopicList {
  readonly topics: readonly TopicItem[];
  readonly total: number;
  readonly nextCursor: string | null;
}

/** A partition of a topic. */
export interface PartitionView {
  readonly partition: number;
  readonly leader: number | null;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
  readonly offlineReplicas: readonly number[];
  readonly startOffset: number | null;
  readonly stableOffset: number | null;
  readonly endOffset: number | null;
  readonly sizeBytes: number | null;
}

/** `GET /v1/topics/{topic}`. */
export interface TopicView {
  readonly name: string;
  readonly topicId: string | null;
  readonly internal: boolean;
  readonly records: number | null;
  readonly sizeBytes: number | null;
  readonly partitions: readonly PartitionView[];
}

/** An item of `GET /v1/groups`. */
export interface GroupItem {
  readonly group: string;
  readonly state: string;
  readonly type: string;
}

/** A member of a group. */
export interface GroupMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly assignment: readonly {
    readonly topic: string;
    readonly partitions: readonly number[];
  }[];
}

/** Where a group is in a partition. */
export interface GroupPartition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number | null;
  readonly endOffset: number | null;
  readonly lag: number | null;
  readonly memberId: string | null;
}

/** `GET /v1/groups/{group}`. */
export interface GroupView extends GroupItem {
  readonly protocol: string;
  readonly coordinator: number;
  readonly lag: number | null;
  readonly members: readonly GroupMember[];
  readonly partitions: readonly GroupPartition[];
}

/** A move of a group in a partition: `POST /v1/groups/{group}/seek`. */
export interface SeekMove {
  readonly topic: string;
  readonly partition: number;
  readonly currentOffset: number | null;
  readonly newOffset: number;
  readonly note: string | null;
}

/** A config of a topic or a broker. */
export interface ConfigView {
  readonly name: string;
  readonly value: string | null;
  readonly source: string;
  readonly readOnly: boolean;
  readonly sensitive: boolean;
  readonly documentation: string | null;
}

/** A broker. */
export interface BrokerView {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
  readonly fenced: boolean;
}

/** `GET /v1/cluster`. */
export interface ClusterView {
  readonly clusterId: string | null;
  readonly controllerId: number;
  readonly nodeId: number;
  readonly version: string;
  readonly brokers: readonly BrokerView[];
}
