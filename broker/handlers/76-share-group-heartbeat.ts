/**
 * ShareGroupHeartbeat, version 1: a member of a share group joins, stays or leaves, and hears what it
 * is to read (KIP-932).
 *
 * - Needs READ on the group and DESCRIBE on each topic that it names.
 * - INVALID_REQUEST for what a join must say and does not; GROUP_ID_NOT_FOUND, also for groups of
 *   other kinds; UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH; GROUP_MAX_SIZE_REACHED.
 * - A member that joins is answered when its partitions are initialized, so it can read at once.
 */
import { type ErrorCode, errorName, Errors } from "../../core/errors.ts";
import { shareGroupHeartbeat } from "../../core/protocol/76-share-group-heartbeat.ts";
import { topicPartitionsOf } from "../coordinator/group/modern/topic-partitions.ts";
import type { Handler } from "../handler.ts";

export const shareGroupHeartbeatHandler: Handler<typeof shareGroupHeartbeat> = {
  api: shareGroupHeartbeat,
  authorize: { kind: "items", operations: ["READ GROUP", "DESCRIBE TOPIC"] },
  async handle(context, request, broker) {
    const { groupId, memberId, memberEpoch, rackId, subscribedTopicNames } = request;
    if (!context.authorized("READ", "GROUP", groupId)) {
      return refuse(Errors.GROUP_AUTHORIZATION_FAILED);
    }
    const names = subscribedTopicNames ?? [];
    if (!names.every((name) => context.authorized("DESCRIBE", "TOPIC", name))) {
      return refuse(Errors.TOPIC_AUTHORIZATION_FAILED);
    }
    const outcome = await broker.shareGroups.heartbeat({
      groupId,
      memberId,
      memberEpoch,
      rackId,
      subscribedTopicNames,
      clientId: context.clientId ?? "",
      clientHost: `/${context.peerAddress.host}`,
    });
    if (!outcome.ok) return refuse(outcome.error, outcome.message);
    const { assignment } = outcome.value;
    return {
      memberId: outcome.value.memberId,
      memberEpoch: outcome.value.memberEpoch,
      heartbeatIntervalMs: broker.shareGroups.heartbeatIntervalMs(groupId),
      assignment: assignment === null ? null : { topicPartitions: topicPartitionsOf(assignment) },
    };
  },
};

function refuse(errorCode: ErrorCode, message?: string) {
  return { errorCode, errorMessage: message ?? errorName(errorCode) };
}
