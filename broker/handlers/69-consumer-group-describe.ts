/**
 * ConsumerGroupDescribe, versions 0 to 1: consumer groups with their members, what these read and
 * what they are to read (KIP-848).
 *
 * - Needs DESCRIBE on each group, and on every topic that its members subscribe to or read.
 * - UNSUPPORTED_VERSION unless group.coordinator.rebalance.protocols names `consumer`.
 * - INVALID_GROUP_ID for an empty id; GROUP_ID_NOT_FOUND, also for groups of other kinds. 1: which
 *   protocol a member speaks (KIP-1099).
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { consumerGroupDescribe } from "../../core/protocol/69-consumer-group-describe.ts";
import type { EncodableResponse } from "../../core/protocol/schema.ts";
import type { Broker } from "../broker.ts";
import type { ConsumerGroupDescription } from "../coordinator/group/consumer/describe.ts";
import type { Handler } from "../handler.ts";
import { operationsIfAsked, type RequestContext } from "../request-context.ts";

type Described = NonNullable<EncodableResponse<typeof consumerGroupDescribe>["groups"]>[number];

export const consumerGroupDescribeHandler: Handler<typeof consumerGroupDescribe> = {
  api: consumerGroupDescribe,
  authorize: { kind: "items", operations: ["DESCRIBE GROUP", "DESCRIBE TOPIC"] },
  async handle(context, request, broker) {
    const wantOperations = request.includeAuthorizedOperations;
    const groups = request.groupIds.map((id) => describe(context, id, wantOperations, broker));
    return { groups: await Promise.all(groups) };
  },
  failure: (request, error) => ({ groups: request.groupIds.map((id) => refused(id, error)) }),
};

async function describe(
  context: RequestContext,
  groupId: string,
  wantOperations: boolean,
  broker: Broker,
): Promise<Described> {
  if (!broker.groups.consumerConfig.isEnabled) {
    return refused(groupId, Errors.UNSUPPORTED_VERSION);
  }
  if (!context.authorized("DESCRIBE", "GROUP", groupId)) {
    return refused(groupId, Errors.GROUP_AUTHORIZATION_FAILED);
  }
  if (groupId === "") return refused(groupId, Errors.INVALID_GROUP_ID);
  const outcome = await broker.groups.describeConsumerGroup(groupId);
  if (!outcome.ok) return refused(groupId, outcome.error, outcome.message);
  const group = outcome.value;
  const visible = topicsOf(group).every((name) => context.authorized("DESCRIBE", "TOPIC", name));
  if (!visible) {
    const why = "The group has described topic(s) that the client is not authorized to describe.";
    return refused(groupId, Errors.TOPIC_AUTHORIZATION_FAILED, why);
  }
  return {
    ...group,
    authorizedOperations: operationsIfAsked(context, wantOperations, "GROUP", groupId),
  };
}

/** The topics whose names the description would show. */
function topicsOf(group: ConsumerGroupDescription): string[] {
  const names = new Set<string>();
  for (const { subscribedTopicNames, assignment, targetAssignment } of group.members) {
    for (const name of subscribedTopicNames) names.add(name);
    for (const { topicName } of assignment.topicPartitions) names.add(topicName);
    for (const { topicName } of targetAssignment.topicPartitions) names.add(topicName);
  }
  return [...names];
}

function refused(
  groupId: string,
  errorCode: ErrorCode,
  errorMessage: string | null = null,
): Described {
  return { groupId, errorCode, errorMessage };
}
