/**
 * Metadata, versions 0 to 13. The broker's address is that of the listener which the request came
 * in on. For each topic that is named:
 * 1. a bad name is INVALID_TOPIC_EXCEPTION;
 * 2. the sender may describe it (TOPIC_AUTHORIZATION_FAILED; nothing is said of an id);
 * 3. it exists, or may be created: `allowAutoTopicCreation`, `auto.create.topics.enable`, and
 *    CREATE on the cluster or the topic; else UNKNOWN_TOPIC_OR_PARTITION or UNKNOWN_TOPIC_ID.
 *
 * A created topic is answered once its partitions can be written: no client sees a transient
 * LEADER_NOT_AVAILABLE.
 *
 * - 0: an empty list asks for all topics; from 1 on null does, and an empty list for none.
 * - 10, 11: ids are answered but not taken: INVALID_REQUEST for the whole request.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { metadata } from "../../core/protocol/03-metadata.ts";
import { type EncodableResponse, type RequestOf, ZERO_UUID } from "../../core/protocol/schema.ts";
import type { TopicImage } from "../../cluster/metadata-image.ts";
import { AUTHORIZED_OPERATIONS_OMITTED, CLUSTER_NAME } from "../authorizer.ts";
import type { Broker } from "../broker.ts";
import type { Handler } from "../handler.ts";
import { liveNodes, offlineReplicas, reachableLeader } from "../nodes.ts";
import { operationsIfAsked, type RequestContext } from "../request-context.ts";
import { isInternalTopic, topicNameProblem } from "../topic-names.ts";

type Request = RequestOf<typeof metadata>;
type TopicAnswer = NonNullable<EncodableResponse<typeof metadata>["topics"]>[number];

/** Versions below take a topic by name only. */
const TOPIC_IDS_VERSION = 12;

export const metadataHandler: Handler<typeof metadata> = {
  api: metadata,
  authorize: {
    kind: "items",
    operations: ["DESCRIBE TOPIC", "CREATE TOPIC", "CREATE CLUSTER", "DESCRIBE CLUSTER"],
  },
  async handle(context, request, broker) {
    const topics = wantsAll(context, request)
      ? allTopics(context, request, broker)
      : await namedTopics(context, request, broker);
    const describesCluster = request.includeClusterAuthorizedOperations &&
      context.authorized("DESCRIBE", "CLUSTER", CLUSTER_NAME);
    return {
      brokers: liveNodes(context, broker),
      clusterId: broker.clusterId,
      controllerId: broker.controllerId,
      topics,
      clusterAuthorizedOperations: describesCluster
        ? context.authorizedOperations("CLUSTER", CLUSTER_NAME)
        : request.includeClusterAuthorizedOperations
        ? 0
        : AUTHORIZED_OPERATIONS_OMITTED,
    };
  },
  failure: (request, code) => ({
    errorCode: code,
    topics: (request.topics ?? []).map(({ name, topicId }) => refused(code, name ?? "", topicId)),
  }),
};

function wantsAll(context: RequestContext, request: Request): boolean {
  return request.topics === null || (context.apiVersion === 0 && request.topics.length === 0);
}

function allTopics(context: RequestContext, request: Request, broker: Broker): TopicAnswer[] {
  const answers: TopicAnswer[] = [];
  for (const topic of broker.metadata.image.topics.values()) {
    if (context.authorized("DESCRIBE", "TOPIC", topic.name)) {
      answers.push(described(context, request, broker, topic));
    }
  }
  return answers;
}

function namedTopics(
  context: RequestContext,
  request: Request,
  broker: Broker,
): Promise<TopicAnswer[]> {
  const wanted = request.topics ?? [];
  const malformed = context.apiVersion < TOPIC_IDS_VERSION &&
    wanted.some(({ name, topicId }) => name === null || topicId !== ZERO_UUID);
  if (malformed) {
    return Promise.resolve(
      wanted.map(({ name, topicId }) => refused(Errors.INVALID_REQUEST, name ?? "", topicId)),
    );
  }
  const names = new Set<string>();
  const ids = new Set<string>();
  // As Kafka: names count only where no id is given. Java's clients send the empty name with an id.
  const byIds = wanted.some(({ topicId }) => topicId !== ZERO_UUID);
  for (const { name, topicId } of wanted) {
    if (!byIds && name !== null) names.add(name);
    else if (name === null || topicId !== ZERO_UUID) ids.add(topicId);
  }
  return Promise.all([
    ...[...names].map((name) => byName(context, request, broker, name)),
    ...[...ids].map((id) => Promise.resolve(byId(context, request, broker, id))),
  ]);
}

function byId(
  context: RequestContext,
  request: Request,
  broker: Broker,
  topicId: string,
): TopicAnswer {
  const topic = broker.metadata.topicById(topicId);
  if (topic === undefined) return refused(Errors.UNKNOWN_TOPIC_ID, null, topicId);
  return context.authorized("DESCRIBE", "TOPIC", topic.name)
    ? described(context, request, broker, topic)
    : refused(Errors.TOPIC_AUTHORIZATION_FAILED, null, topicId);
}

async function byName(
  context: RequestContext,
  request: Request,
  broker: Broker,
  name: string,
): Promise<TopicAnswer> {
  if (!context.authorized("DESCRIBE", "TOPIC", name)) {
    return refused(Errors.TOPIC_AUTHORIZATION_FAILED, name, ZERO_UUID);
  }
  const present = broker.metadata.topic(name);
  if (present !== undefined) return described(context, request, broker, present);
  if (topicNameProblem(name) !== null) {
    return absent(context, request, Errors.INVALID_TOPIC_EXCEPTION, name);
  }
  if (!request.allowAutoTopicCreation || !broker.config.get("auto.create.topics.enable")) {
    return absent(context, request, Errors.UNKNOWN_TOPIC_OR_PARTITION, name);
  }
  const mayCreate = context.authorized("CREATE", "CLUSTER", CLUSTER_NAME) ||
    context.authorized("CREATE", "TOPIC", name);
  if (!mayCreate) return refused(Errors.TOPIC_AUTHORIZATION_FAILED, name, ZERO_UUID);
  const created = await broker.changes.ensureTopic(name);
  if (created.ok) return described(context, request, broker, created.value);
  // What the client cannot mend by asking again it is told; Kafka says the same in these cases.
  const code = created.error === Errors.INVALID_TOPIC_EXCEPTION ||
      created.error === Errors.INVALID_REPLICATION_FACTOR
    ? created.error
    : Errors.UNKNOWN_TOPIC_OR_PARTITION;
  return absent(context, request, code, name);
}

/** As in Kafka, what may be done with a topic is said of one that is not there, too. */
function absent(
  context: RequestContext,
  request: Request,
  code: ErrorCode,
  name: string,
): TopicAnswer {
  return {
    ...refused(code, name, ZERO_UUID),
    topicAuthorizedOperations: authorizedOperations(context, request, name),
  };
}

function authorizedOperations(context: RequestContext, request: Request, name: string): number {
  return operationsIfAsked(context, request.includeTopicAuthorizedOperations, "TOPIC", name);
}

function refused(errorCode: ErrorCode, name: string | null, topicId: string): TopicAnswer {
  return {
    errorCode,
    name,
    topicId,
    isInternal: name !== null && isInternalTopic(name),
    partitions: [],
  };
}

function described(
  context: RequestContext,
  request: Request,
  broker: Broker,
  topic: TopicImage,
): TopicAnswer {
  const { image } = broker.metadata;
  return {
    errorCode: Errors.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: topic.partitions.map((partition, partitionIndex) => ({
      ...reachableLeader(context, broker, partition.leader),
      partitionIndex,
      leaderEpoch: partition.leaderEpoch,
      replicaNodes: partition.replicas,
      isrNodes: partition.isr,
      offlineReplicas: offlineReplicas(image, partition),
    })),
    topicAuthorizedOperations: authorizedOperations(context, request, topic.name),
  };
}
