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
import { offlineReplicas, reachableLeader } from "../nodes.ts";
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
    if (cursor !== null && !isValid(cursor, request.topics)) {
      return { topics: request.topics.map(({ name }) => refused(Errors.INVALID_REQUEST, name)) };
    }
    const largest = broker.config.get("max.request.partition.size.limit");
    const limit = Math.max(1, Math.min(largest, request.responsePartitionLimit));
    return page(context, broker, namesOf(context, request, broker), cursor, limit);
  },
  failure: (request, code) => ({
    topics: request.topics.map(({ name }) => refused(code, name)),
  }),
};

/** A cursor stands on a topic of the list, if there is one. */
function isValid(cursor: NonNullable<Request["cursor"]>, topics: Request["topics"]): boolean {
  const isListed = topics.length === 0 || topics.some(({ name }) => name === cursor.topicName);
  return isListed && cursor.partitionIndex >= 0;
}

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
    if (!context.authorized("DESCRIBE", "TOPIC", name)) {
      topics.push(refused(Errors.TOPIC_AUTHORIZATION_FAILED, name));
      continue;
    }
    if (left === 0) return { topics, nextCursor: { topicName: name, partitionIndex: 0 } };
    const topic = broker.metadata.topic(name);
    if (topic === undefined) {
      topics.push(missing(context, name));
      continue;
    }
    const first = cursor?.topicName === name ? cursor.partitionIndex : 0;
    const end = Math.min(first + left, topic.partitions.length);
    topics.push(described(context, broker, topic, first, end));
    left -= Math.max(0, end - first);
    if (end < topic.partitions.length) {
      return { topics, nextCursor: { topicName: name, partitionIndex: end } };
    }
  }
  return { topics, nextCursor: null };
}

/** As in Kafka, what may be done with a topic is said of one that is not there, too. */
function missing(context: RequestContext, name: string): TopicAnswer {
  return {
    errorCode: topicNameProblem(name) === null
      ? Errors.UNKNOWN_TOPIC_OR_PARTITION
      : Errors.INVALID_TOPIC_EXCEPTION,
    name,
    isInternal: isInternalTopic(name),
    partitions: [],
    topicAuthorizedOperations: context.authorizedOperations("TOPIC", name),
  };
}

function refused(errorCode: number, name: string): TopicAnswer {
  return { errorCode, name, isInternal: false, partitions: [] };
}

function described(
  context: RequestContext,
  broker: Broker,
  topic: TopicImage,
  first: number,
  end: number,
): TopicAnswer {
  const { image } = broker.metadata;
  return {
    errorCode: Errors.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: topic.partitions.slice(first, end).map((partition, index) => ({
      ...reachableLeader(context, broker, partition.leader),
      partitionIndex: first + index,
      leaderEpoch: partition.leaderEpoch,
      replicaNodes: partition.replicas,
      isrNodes: partition.isr,
      eligibleLeaderReplicas: partition.elr ?? [],
      lastKnownElr: partition.lastKnownElr ?? [],
      offlineReplicas: offlineReplicas(image, partition),
    })),
    topicAuthorizedOperations: context.authorizedOperations("TOPIC", topic.name),
  };
}
