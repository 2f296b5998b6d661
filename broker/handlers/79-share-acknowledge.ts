/**
 * ShareAcknowledge, versions 1 to 2: what a member of a share group says about records that it has
 * acquired (KIP-932); answered when that is persisted.
 *
 * - Needs READ on the group and on each topic. INVALID_REQUEST without a group and a member.
 * - The session's epoch has to fit: SHARE_SESSION_NOT_FOUND, INVALID_SHARE_SESSION_EPOCH, the latter
 *   for the initial epoch too. The final epoch closes the session: what is left goes to others.
 * - For each partition: UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED;
 *   INVALID_REQUEST for batches that make no sense; INVALID_RECORD_STATE for records that the member
 *   has not acquired, or not any more. All or nothing within a partition.
 * - 2: renewals (KIP-1222), in requests that say so and where the group allows them.
 */
import { errorName, Errors } from "../../core/errors.ts";
import { shareAcknowledge } from "../../core/protocol/79-share-acknowledge.ts";
import type { Handler } from "../handler.ts";
import { LeaderHints } from "../leader-hints.ts";
import { acknowledgeAll, byTopic, leaderNews, senderProblem } from "../share/share-requests.ts";
import { FINAL_EPOCH, INITIAL_EPOCH } from "../share/share-sessions.ts";

export const shareAcknowledgeHandler: Handler<typeof shareAcknowledge> = {
  api: shareAcknowledge,
  authorize: { kind: "items", operations: ["READ GROUP", "READ TOPIC"] },
  async handle(context, request, broker) {
    const { shareSessionEpoch, isRenewAck, topics } = request;
    const groupId = request.groupId ?? "";
    const memberId = request.memberId ?? "";
    if (request.groupId !== null && !context.authorized("READ", "GROUP", groupId)) {
      return { errorCode: Errors.GROUP_AUTHORIZATION_FAILED };
    }
    const problem = senderProblem(request.groupId, request.memberId);
    if (problem !== null) return { errorCode: Errors.INVALID_REQUEST, errorMessage: problem };
    const session = shareSessionEpoch === INITIAL_EPOCH
      ? Errors.INVALID_SHARE_SESSION_EPOCH
      : broker.shares.sessions.use(groupId, memberId, shareSessionEpoch);
    if (typeof session === "number") {
      return { errorCode: session, errorMessage: errorName(session) };
    }
    const results = await acknowledgeAll(
      context,
      broker,
      { groupId, memberId, isRenewAck },
      topics,
    );
    if (shareSessionEpoch === FINAL_EPOCH) await broker.shares.closeSession(session);
    const hints = new LeaderHints(context, broker);
    const responses = byTopic(results, ({ topicId, partition, error }) => ({
      partitionIndex: partition,
      errorCode: error,
      errorMessage: error === Errors.NONE ? null : errorName(error),
      ...leaderNews(hints, topicId, partition, error),
    }));
    return {
      acquisitionLockTimeoutMs: broker.shares.config(groupId).recordLockDurationMs,
      responses,
      nodeEndpoints: hints.nodeEndpoints,
    };
  },
};
