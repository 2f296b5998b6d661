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
