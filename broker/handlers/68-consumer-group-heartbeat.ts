/**
 * ConsumerGroupHeartbeat, versions 0 to 1: a member of a consumer group joins, stays or leaves, and
 * hears what it is to read (KIP-848).
 *
 * - Needs READ on the group and DESCRIBE on each topic that it names; expressions match only topics
 *   that the sender may describe.
 * - UNSUPPORTED_VERSION unless group.coordinator.rebalance.protocols names `consumer`.
 * - INVALID_REQUEST for what a join or leave must say and does not; UNSUPPORTED_ASSIGNOR,
 *   INVALID_REGULAR_EXPRESSION, GROUP_MAX_SIZE_REACHED; FENCED_MEMBER_EPOCH, UNKNOWN_MEMBER_ID,
 *   UNRELEASED_INSTANCE_ID and FENCED_INSTANCE_ID for who is not, or not any more, who it says.
 * - 1: topics by regular expression; the member makes its id (KIP-1082).
 */
import { Errors } from "../../core/errors.ts";
import { consumerGroupHeartbeat } from "../../core/protocol/68-consumer-group-heartbeat.ts";
import type { EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import type { Broker } from "../broker.ts";
import { assignmentOf, topicPartitionsOf } from "../coordinator/group/modern/topic-partitions.ts";
import {
  JOIN_EPOCH,
  LEAVE_EPOCH,
  STATIC_LEAVE_EPOCH,
} from "../coordinator/group/modern/modern-group.ts";
import type { Handler } from "../handler.ts";
import { type Refusal, refuse } from "../outcome.ts";
import type { RequestContext } from "../request-context.ts";

type Request = RequestOf<typeof consumerGroupHeartbeat>;
type Response = EncodableResponse<typeof consumerGroupHeartbeat>;

/** First version in which members make their ids. */
const OWN_MEMBER_ID_VERSION = 1;

export const consumerGroupHeartbeatHandler: Handler<typeof consumerGroupHeartbeat> = {
  api: consumerGroupHeartbeat,
  authorize: { kind: "items", operations: ["READ GROUP", "DESCRIBE TOPIC"] },
  async handle(context, request, broker) {
    if (!broker.groups.consumerConfig.isEnabled) return { errorCode: Errors.UNSUPPORTED_VERSION };
    const problem = denied(context, request) ?? malformed(context, request, broker);
    return problem === null ? await heartbeat(context, request, broker) : failure(problem);
  },
};

function denied(context: RequestContext, request: Request): Refusal | null {
  if (!context.authorized("READ", "GROUP", request.groupId)) {
    return refuse(Errors.GROUP_AUTHORIZATION_FAILED, "Group authorization failed.");
  }
  const names = request.subscribedTopicNames ?? [];
  return names.every((name) => context.authorized("DESCRIBE", "TOPIC", name))
    ? null
    : refuse(Errors.TOPIC_AUTHORIZATION_FAILED, "Topic authorization failed.");
}

/** What the request lacks, in the order in which Kafka looks. */
function malformed(context: RequestContext, request: Request, broker: Broker): Refusal | null {
  const { memberEpoch, serverAssignor } = request;
  const needsMemberId = context.apiVersion >= OWN_MEMBER_ID_VERSION || memberEpoch > 0 ||
    memberEpoch === LEAVE_EPOCH;
  if (needsMemberId && isBlank(request.memberId)) return invalid("MemberId can't be empty.");
  if (isBlank(request.groupId)) return invalid("GroupId can't be empty.");
  if (isBlank(request.instanceId)) return invalid("InstanceId can't be empty.");
  if (isBlank(request.rackId)) return invalid("RackId can't be empty.");
  if (memberEpoch === JOIN_EPOCH) {
    const problem = malformedJoin(request);
    if (problem !== null) return problem;
  } else if (memberEpoch === STATIC_LEAVE_EPOCH) {
    if (request.instanceId === null) return invalid("InstanceId can't be null.");
  } else if (memberEpoch < STATIC_LEAVE_EPOCH) return invalid("MemberEpoch is invalid.");
  const assignors = broker.groups.consumerConfig.assignors;
  if (serverAssignor === null || assignors.includes(serverAssignor)) return null;
  const why = `ServerAssignor ${serverAssignor} is not supported. Supported assignors: ` +
    `${assignors.join(", ")}.`;
  return refuse(Errors.UNSUPPORTED_ASSIGNOR, why);
}

function malformedJoin(request: Request): Refusal | null {
  if (request.rebalanceTimeoutMs === -1) {
    return invalid("RebalanceTimeoutMs must be provided in first request.");
  }
  if (request.topicPartitions === null || request.topicPartitions.length > 0) {
    return invalid("TopicPartitions must be empty when (re-)joining.");
  }
  if (request.subscribedTopicNames === null && request.subscribedTopicRegex === null) {
    const why = "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when " +
      "(re-)joining.";
    return invalid(why);
  }
  return null;
}

/** Whether the text is there and says nothing. */
function isBlank(text: string | null): boolean {
  return text !== null && text.trim() === "";
}

function invalid(message: string): Refusal {
  return refuse(Errors.INVALID_REQUEST, message);
}

function failure({ error, message }: Refusal): Response {
  return { errorCode: error, errorMessage: message };
}

async function heartbeat(
  context: RequestContext,
  request: Request,
  broker: Broker,
): Promise<Response> {
  const outcome = await broker.groups.consumerHeartbeat({
    groupId: request.groupId,
    memberId: request.memberId,
    memberEpoch: request.memberEpoch,
    instanceId: request.instanceId,
    rackId: request.rackId,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    subscribedTopicNames: request.subscribedTopicNames,
    subscribedTopicRegex: request.subscribedTopicRegex,
    serverAssignor: request.serverAssignor,
    owned: request.topicPartitions === null ? null : assignmentOf(request.topicPartitions),
    clientId: context.clientId ?? "",
    clientHost: `/${context.peerAddress.host}`,
    canDescribe: (topic) => context.authorized("DESCRIBE", "TOPIC", topic),
  });
  if (!outcome.ok) return failure(outcome);
  const { memberId, memberEpoch, heartbeatIntervalMs, assignment } = outcome.value;
  return {
    memberId,
    memberEpoch,
    heartbeatIntervalMs,
    assignment: assignment === null ? null : { topicPartitions: topicPartitionsOf(assignment) },
  };
}
