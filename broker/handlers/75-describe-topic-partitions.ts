/**
 * DescribeTopicPartitions, version 0 (KIP-966): topics in the order of their names, cut into pages
 * of at most `responsePartitionLimit` partitions (and at most
 * `max.request.partition.size.limit`). Without topics in the request: all that the sender may
 * describe. `nextCursor` is the first partition of the next page.
 */
import { Errors } from "../../core/errors.ts";
import { describeTopicPartitions } from "../../core/protocol/75-describe-topic-partitions.ts";
import type { EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import type { TopicImage } from "../../cluster/metadata-image.ts";
import type { Broker } from "../broker.ts";
import type { Handler } from "../handler.ts";
import type { RequestContext } from "../request-context.ts";
import { isInternalTopic, topicNameProblem } from "../topic-names.ts";

type Request = RequestOf<typeof describeTopicPartitions>;
type Response = EncodableResponse<typeof describeTopicPartitions>;
type TopicAnswer = NonNullable<Response["topics"]>[number];

export const describeTopicPartitionsHandler: Handler<typeof describeTopicPartitions> = {
  api: describeTopicPartitions,
  authorize: { kind: "items", operations: ["DESCRIBE TOPIC"] },
  handle(context, request, broker) {
    const { cursor } = request;
    if (cursor !== null && cursor.partitionIndex < 0) {
      return { topics: [refused(Errors.INVALID_REQUEST, cursor.topicName)] };
    }
    const largest = broker.config.get("max.request.partition.size.limit");
    const limit = Math.max(1, Math.min(largest, request.responsePartitionLimit));
    return page(context, broker, namesOf(context, request, broker), cursor, limit);
  },
  failure: (request, code) => ({
    topics: request.topics.map(({ name }) => refused(code, name)),
  }),
};

/** The topics from the cursor on, sorted. */
function namesOf(context: RequestContext, request: Request, broker: Broker): string[] {
  const { image } = broker.metadata;
  const named = new Set(request.topics.map(({ name }) => name));
  const names = named.size > 0 ? [...named] : [...image.topics.keys()]
    .filter((name) => context.authorized("DESCRIBE", "TOPIC", name));
  const first = request.cursor?.topicName ?? "";
  return names.filter((name) => name >= first).sort();
}

function page(
  context: RequestContext,
  broker: Broker,
  names: readonly string[],
  cursor: Request["cursor"],
  limit: number,
): Response {
  const topics: TopicAnswer[] = [];
  let left = limit;
  for (const name of names) {
    const topic = broker.metadata.topic(name);
    if (topic === undefined || !context.authorized("DESCRIBE", "TOPIC", name)) {
      topics.push(missing(context, name));
      continue;
    }
    const first = cursor?.topicName === name ? cursor.partitionIndex : 0;
    if (left === 0) return { topics, nextCursor: { topicName: name, partitionIndex: first } };
    const end = Math.min(first + left, topic.partitions.length);
    topics.push(described(context, topic, first, end));
    left -= Math.max(0, end - first);
    if (end < topic.partitions.length) {
      return { topics, nextCursor: { topicName: name, partitionIndex: end } };
    }
  }
  return { topics, nextCursor: null };
}

function missing(context: RequestContext, name: string): TopicAnswer {
  if (!context.authorized("DESCRIBE", "TOPIC", name)) {
    return refused(Errors.TOPIC_AUTHORIZATION_FAILED, name);
  }
  return topicNameProblem(name) === null
    ? refused(Errors.UNKNOWN_TOPIC_OR_PARTITION, name)
    : refused(Errors.INVALID_TOPIC_EXCEPTION, name);
}

function refused(errorCode: number, name: string): TopicAnswer {
  return { errorCode, name, isInternal: isInternalTopic(name), partitions: [] };
}

function described(
  context: RequestContext,
  topic: TopicImage,
  first: number,
  end: number,
): TopicAnswer {
  return {
    errorCode: Errors.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: topic.partitions.slice(first, end).map((partition, index) => ({
      errorCode: partition.leader < 0 ? Errors.LEADER_NOT_AVAILABLE : Errors.NONE,
      partitionIndex: first + index,
      leaderId: partition.leader,
      leaderEpoch: partition.leaderEpoch,
      replicaNodes: partition.replicas,
      isrNodes: partition.isr,
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
      offlineReplicas: [],
    })),
    topicAuthorizedOperations: context.authorizedOperations("TOPIC", topic.name),
  };
}
