/** What OffsetCommit and TxnOffsetCommit share: which partitions may be committed, and the answer. */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import type { Broker } from "../broker.ts";
import type {
  CommitPartition,
  CommitTopic,
  PartitionErrors,
} from "../coordinator/group/offsets/offsets.ts";
import type { RequestContext } from "../request-context.ts";

/** A topic as both requests have it. */
export interface RequestedTopic {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: readonly {
    readonly partitionIndex: number;
    readonly committedOffset: bigint;
    readonly committedLeaderEpoch: number;
    readonly committedMetadata: string | null;
  }[];
}

/** A topic of the request: what is refused right away, by position, and the rest to commit. */
export interface CheckedTopic {
  readonly errors: readonly ErrorCode[];
  readonly commit: CommitTopic | null;
}

/** Whether the topic, named by its id or its name, exists and may be read. */
export function checkTopic(
  context: RequestContext,
  topic: RequestedTopic,
  byId: boolean,
  broker: Broker,
): CheckedTopic {
  const image = byId ? broker.metadata.topicById(topic.topicId) : broker.metadata.topic(topic.name);
  const refuse = (error: ErrorCode) => ({
    errors: topic.partitions.map(() => error),
    commit: null,
  });
  if (byId && image === undefined) return refuse(Errors.UNKNOWN_TOPIC_ID);
  const name = image?.name ?? topic.name;
  if (!context.authorized("READ", "TOPIC", name)) return refuse(Errors.TOPIC_AUTHORIZATION_FAILED);
  if (image === undefined) return refuse(Errors.UNKNOWN_TOPIC_OR_PARTITION);
  const partitions: CommitPartition[] = [];
  const errors = topic.partitions.map((each) => {
    const partition = each.partitionIndex;
    if (image.partitions[partition] === undefined) return Errors.UNKNOWN_TOPIC_OR_PARTITION;
    partitions.push({
      partition,
      offset: each.committedOffset,
      leaderEpoch: each.committedLeaderEpoch,
      metadata: each.committedMetadata,
    });
    return Errors.NONE;
  });
  return {
    errors,
    commit: partitions.length === 0 ? null : { name, topicId: image.id, partitions },
  };
}

/** The topics of the response, in the order of the request; `committed` is of what was let through. */
export function answerCommit(
  topics: readonly RequestedTopic[],
  checked: readonly CheckedTopic[],
  committed: PartitionErrors,
) {
  const remaining = (committed.ok ? committed.topics : []).values();
  const answers = topics.map(({ name, topicId, partitions }, index) => {
    const { errors, commit } = checked[index]!;
    const results = (commit === null ? [] : remaining.next().value?.partitions ?? []).values();
    return {
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }, position) => ({
        partitionIndex,
        errorCode: errors[position] ||
          (committed.ok ? results.next().value?.error ?? Errors.NONE : committed.error),
      })),
    };
  });
  const isRefused = checked.some(({ errors }) => errors.some((error) => error !== Errors.NONE));
  return isRefused ? gatherTopics(answers) : answers;
}

/**
 * One answer for each topic, though the request names it more than once. Kafka gathers them where
 * it refuses a partition before it asks the coordinator, else not (OffsetCommitResponse.Builder,
 * OffsetDeleteResponse.Builder).
 */
export function gatherTopics<
  P,
  T extends { readonly name: string; readonly topicId?: string; readonly partitions: P[] },
>(answers: readonly T[]): T[] {
  const gathered = new Map<string, T>();
  for (const answer of answers) {
    const key = `${answer.topicId ?? ""} ${answer.name}`;
    const first = gathered.get(key);
    const partitions = [...first?.partitions ?? [], ...answer.partitions];
    gathered.set(key, { ...(first ?? answer), partitions });
  }
  return [...gathered.values()];
}
