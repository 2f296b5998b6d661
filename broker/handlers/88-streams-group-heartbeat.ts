/**
 * StreamsGroupHeartbeat, versions 0 to 1: a member of a streams group joins, stays or leaves, brings
 * its topology and hears which tasks it is to run (KIP-1071).
 *
 * - Needs READ on the group and DESCRIBE on the topics of the topology. Internal topics that are
 *   missing are created if the sender may CREATE them; the status says what is still missing.
 * - UNSUPPORTED_VERSION where the protocol is off; INVALID_REQUEST for what a join must say and does
 *   not, and for what Kafka refuses as well: static members, offsets of tasks, warm-ups, regular
 *   expressions, another topology than the group's; STREAMS_INVALID_TOPOLOGY;
 *   GROUP_MAX_SIZE_REACHED; GROUP_ID_NOT_FOUND, UNKNOWN_MEMBER_ID and FENCED_MEMBER_EPOCH for who is
 *   not, or not any more, who it says.
 * - 1: may ask for a description of the topology (KIP-1331), which this broker never does.
 */
import { Errors } from "../../core/errors.ts";
import { streamsGroupHeartbeat } from "../../core/protocol/88-streams-group-heartbeat.ts";
import type { EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Broker } from "../broker.ts";
import {
  JOIN_EPOCH,
  LEAVE_EPOCH,
  STATIC_LEAVE_EPOCH,
} from "../coordinator/group/modern/modern-group.ts";
import { type Status, StatusCodes } from "../coordinator/group/streams/configured-topology.ts";
import type { StreamsHeartbeatResponse } from "../coordinator/group/streams/parts.ts";
import { taskIds, type Tasks, taskSet } from "../coordinator/group/streams/tasks.ts";
import {
  type TopicInfo,
  topicNamesOf,
  topologyProblem,
} from "../coordinator/group/streams/topology.ts";
import type { Handler } from "../handler.ts";
import { type Refusal, refuse } from "../outcome.ts";
import type { RequestContext } from "../request-context.ts";
import { isInternalTopic, topicNameProblem } from "../topic-names.ts";

type Request = RequestOf<typeof streamsGroupHeartbeat>;
type Response = EncodableResponse<typeof streamsGroupHeartbeat>;

/** How long a heartbeat waits for the topics that it has made necessary. */
const CREATE_TIMEOUT_MS = 5_000;

const DISABLED = refuse(Errors.UNSUPPORTED_VERSION, "The streams protocol is not enabled.");

export const streamsGroupHeartbeatHandler: Handler<typeof streamsGroupHeartbeat> = {
  api: streamsGroupHeartbeat,
  authorize: {
    kind: "items",
    operations: ["READ GROUP", "DESCRIBE TOPIC", "CREATE CLUSTER", "CREATE TOPIC"],
  },
  async handle(context, request, broker) {
    if (!broker.groups.streamsConfig.isEnabled) return failure(DISABLED);
    const problem = denied(context, request) ?? unsupported(request) ??
      malformed(request);
    return problem === null ? await heartbeat(context, request, broker) : failure(problem);
  },
};

function denied(context: RequestContext, { groupId, topology }: Request): Refusal | null {
  if (!context.authorized("READ", "GROUP", groupId)) {
    return refuse(Errors.GROUP_AUTHORIZATION_FAILED, "Group authorization failed.");
  }
  if (topology === null) return null;
  const names = [...topicNamesOf(topology)];
  const internal = names.filter(isInternalTopic);
  if (internal.length > 0) {
    const why = `Use of Kafka internal topics ${internal.join(",")} in a Kafka Streams topology ` +
      "is prohibited.";
    return refuse(Errors.STREAMS_INVALID_TOPOLOGY, why);
  }
  const invalid = names.filter((name) => topicNameProblem(name) !== null);
  if (invalid.length > 0) {
    const why = `Topic names ${invalid.join(",")} are not valid topic names.`;
    return refuse(Errors.STREAMS_INVALID_TOPOLOGY, why);
  }
  return names.every((name) => context.authorized("DESCRIBE", "TOPIC", name))
    ? null
    : refuse(Errors.TOPIC_AUTHORIZATION_FAILED, "Topic authorization failed.");
}

/** What the protocol has and Kafka does not do either. */
function unsupported(request: Request): Refusal | null {
  if (request.instanceId !== null) return invalid("Static membership is not yet supported.");
  if (request.taskOffsets !== null) return invalid("TaskOffsets are not supported yet.");
  if (request.taskEndOffsets !== null) return invalid("TaskEndOffsets are not supported yet.");
  if ((request.warmupTasks ?? []).length > 0) return invalid("WarmupTasks are not supported yet.");
  const subtopologies = request.topology?.subtopologies ?? [];
  return subtopologies.every((each) => each.sourceTopicRegex.length === 0)
    ? null
    : invalid("Regular expressions for source topics are not supported yet.");
}

/** What the request lacks, in the order in which Kafka looks. */
function malformed(request: Request): Refusal | null {
  const { memberEpoch, topology } = request;
  if (isBlank(request.memberId)) return invalid("MemberId can't be empty.");
  if (isBlank(request.groupId)) return invalid("GroupId can't be empty.");
  if (isBlank(request.rackId)) return invalid("RackId can't be empty.");
  if (memberEpoch === JOIN_EPOCH) {
    const problem = malformedJoin(request);
    if (problem !== null) return problem;
  } else if (memberEpoch === STATIC_LEAVE_EPOCH) return invalid("InstanceId can't be null.");
  else if (memberEpoch < LEAVE_EPOCH) {
    return invalid(`MemberEpoch is ${memberEpoch}, but must be greater than or equal to -2.`);
  }
  const given = [request.activeTasks, request.standbyTasks, request.warmupTasks]
    .filter((tasks) => tasks !== null).length;
  if (given !== 0 && given !== 3) {
    return invalid("If one task-type is non-null, all must be non-null.");
  }
  return memberEpoch === JOIN_EPOCH || topology === null
    ? null
    : invalid("Topology can only be provided when (re-)joining.");
}

function malformedJoin(request: Request): Refusal | null {
  const some = (tasks: Request["activeTasks"]) => tasks !== null && tasks.length > 0;
  if (request.rebalanceTimeoutMs === -1) {
    return invalid("RebalanceTimeoutMs must be provided in first request.");
  }
  if (some(request.activeTasks)) return invalid("ActiveTasks must be empty when (re-)joining.");
  if (some(request.standbyTasks)) return invalid("StandbyTasks must be empty when (re-)joining.");
  if (some(request.warmupTasks)) return invalid("WarmupTasks must be empty when (re-)joining.");
  return request.topology === null
    ? invalid("Topology must be non-null when (re-)joining.")
    : topologyProblem(request.topology);
}

/** Whether the text is there and says nothing. */
function isBlank(text: string | null): boolean {
  return text !== null && text.trim() === "";
}

function invalid(message: string): Refusal {
  return refuse(Errors.INVALID_REQUEST, message);
}

function failure({ error, message }: Refusal): Response {
  return { errorCode: error, errorMessage: message, status: [] };
}

/** What the member says that it has; null if it does not say. */
function owned({ activeTasks, standbyTasks, warmupTasks }: Request): Tasks | null {
  if (activeTasks === null || standbyTasks === null || warmupTasks === null) return null;
  return {
    active: taskSet(activeTasks),
    standby: taskSet(standbyTasks),
    warmup: taskSet(warmupTasks),
  };
}

async function heartbeat(
  context: RequestContext,
  request: Request,
  broker: Broker,
): Promise<Response> {
  const { userEndpoint } = request;
  const outcome = await broker.groups.streamsHeartbeat({
    groupId: request.groupId,
    memberId: request.memberId,
    memberEpoch: request.memberEpoch,
    endpointInformationEpoch: request.endpointInformationEpoch,
    rackId: request.rackId,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    topology: request.topology,
    owned: owned(request),
    processId: request.processId,
    userEndpoint: userEndpoint === null
      ? null
      : { host: userEndpoint.host, port: userEndpoint.port },
    clientTags: request.clientTags,
    shutdownApplication: request.shutdownApplication,
    clientId: context.clientId ?? "",
    clientHost: `/${context.peerAddress.host}`,
  });
  if (!outcome.ok) return failure(outcome);
  const { topicsToCreate, status } = outcome.value;
  const detail = topicsToCreate.length === 0
    ? null
    : await createTopics(context, topicsToCreate, broker);
  return respond(outcome.value, detail === null ? status : withDetail(status, detail));
}

function respond(value: StreamsHeartbeatResponse, status: readonly Status[]): Response {
  const { tasks, partitionsByUserEndpoint } = value;
  return {
    memberId: value.memberId,
    memberEpoch: value.memberEpoch,
    heartbeatIntervalMs: value.heartbeatIntervalMs,
    status,
    activeTasks: tasks === null ? null : taskIds(tasks.active),
    standbyTasks: tasks === null ? null : taskIds(tasks.standby),
    warmupTasks: tasks === null ? null : taskIds(tasks.warmup),
    endpointInformationEpoch: value.endpointInformationEpoch,
    partitionsByUserEndpoint,
  };
}

/** Creates the topics, all or none; what has to be said about it, or null. */
async function createTopics(
  context: RequestContext,
  topics: readonly TopicInfo[],
  broker: Broker,
): Promise<string | null> {
  const createsAny = context.authorized("CREATE", "CLUSTER", CLUSTER_NAME);
  const refused = topics.map((topic) => topic.name)
    .filter((name) => !createsAny && !context.authorized("CREATE", "TOPIC", name));
  if (refused.length > 0) return `Unauthorized to CREATE on topics ${refused.join(", ")}.`;
  const outcomes = await broker.changes.createTopics(
    topics.map(({ name, partitions, replicationFactor, topicConfigs }) => ({
      name,
      numPartitions: partitions,
      replicationFactor: replicationFactor === 0 ? -1 : replicationFactor,
      assignments: [],
      configs: topicConfigs.map(({ key, value }) => ({ name: key, value })),
    })),
    { timeoutMs: CREATE_TIMEOUT_MS },
  );
  const failed = outcomes.flatMap((outcome, index) =>
    // Another member may have been first.
    outcome.ok || outcome.error === Errors.TOPIC_ALREADY_EXISTS
      ? []
      : [`${topics[index]!.name} (${outcome.message})`]
  );
  return failed.length === 0 ? null : `Creation failed: ${failed.slice(0, 3).join(", ")}.`;
}

function withDetail(status: readonly Status[], detail: string): Status[] {
  return status.map((each) =>
    each.statusCode === StatusCodes.MISSING_INTERNAL_TOPICS
      ? { ...each, statusDetail: `${each.statusDetail}; ${detail}` }
      : each
  );
}
