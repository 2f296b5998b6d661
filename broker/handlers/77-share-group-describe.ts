/**
 * ShareGroupDescribe, version 1: share groups with their members and what these read (KIP-932).
 *
 * - Needs DESCRIBE on each group, and on every topic that its members subscribe to or read.
 * - INVALID_GROUP_ID for an empty id; GROUP_ID_NOT_FOUND, also for groups of other kinds.
 */
import { type ErrorCode, errorName, Errors } from "../../core/errors.ts";
import { shareGroupDescribe } from "../../core/protocol/77-share-group-describe.ts";
import type { EncodableResponse } from "../../core/protocol/schema.ts";
import type { Broker } from "../broker.ts";
import { topicPartitionsOf } from "../coordinator/group/modern/topic-partitions.ts";
import { SHARE_ASSIGNOR, type ShareGroup } from "../coordinator/group/share/share-group.ts";
import type { Handler } from "../handler.ts";
import { operationsIfAsked, type RequestContext } from "../request-context.ts";

type Described = NonNullable<EncodableResponse<typeof shareGroupDescribe>["groups"]>[number];

export const shareGroupDescribeHandler: Handler<typeof shareGroupDescribe> = {
  api: shareGroupDescribe,
  authorize: { kind: "items", operations: ["DESCRIBE GROUP", "DESCRIBE TOPIC"] },
  async handle(context, request, broker) {
    const wantOperations = request.includeAuthorizedOperations;
    const groups = request.groupIds.map((id) => describe(context, id, wantOperations, broker));
    return { groups: await Promise.all(groups) };
  },
  failure: (request, error) => ({ groups: request.groupIds.map((id) => refuse(id, error)) }),
};

async function describe(
  context: RequestContext,
  groupId: string,
  wantOperations: boolean,
  broker: Broker,
): Promise<Described> {
  if (!context.authorized("DESCRIBE", "GROUP", groupId)) {
    return refuse(groupId, Errors.GROUP_AUTHORIZATION_FAILED);
  }
  if (groupId === "") return refuse(groupId, Errors.INVALID_GROUP_ID);
  const outcome = await broker.shareGroups.describe(groupId, (group) => encodable(group, broker));
  if (!outcome.ok) return refuse(groupId, outcome.error, outcome.message);
  const { group, topics } = outcome.value;
  if (![...topics].every((name) => context.authorized("DESCRIBE", "TOPIC", name))) {
    const why = "The group has described topic(s) that the client is not authorized to describe.";
    return refuse(groupId, Errors.TOPIC_AUTHORIZATION_FAILED, why);
  }
  return {
    ...group,
    authorizedOperations: operationsIfAsked(context, wantOperations, "GROUP", groupId),
  };
}

/** The group, and the names of the topics that it shows. Topics that are gone are left out. */
function encodable(
  group: ShareGroup,
  broker: Broker,
): { readonly group: Described; readonly topics: ReadonlySet<string> } {
  const topics = new Set(group.subscribedTopics);
  const members = [...group.members.values()].map((member) => ({
    memberId: member.memberId,
    rackId: member.rackId,
    memberEpoch: member.memberEpoch,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopicNames: [...member.subscribedTopicNames].toSorted(),
    assignment: {
      topicPartitions: topicPartitionsOf(member.assigned).flatMap(({ topicId, partitions }) => {
        const topicName = broker.metadata.topicById(topicId)?.name;
        if (topicName === undefined) return [];
        topics.add(topicName);
        return [{ topicId, topicName, partitions: [...partitions] }];
      }),
    },
  }));
  return {
    topics,
    group: {
      groupId: group.groupId,
      groupState: group.state,
      groupEpoch: group.groupEpoch,
      assignmentEpoch: group.assignmentEpoch,
      assignorName: SHARE_ASSIGNOR,
      members,
    },
  };
}

function refuse(groupId: string, errorCode: ErrorCode, message?: string): Described {
  return { groupId, errorCode, errorMessage: message ?? errorName(errorCode) };
}
