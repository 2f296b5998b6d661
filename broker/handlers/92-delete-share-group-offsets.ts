/**
 * DeleteShareGroupOffsets, version 0: an empty share group forgets topics (KIP-932).
 *
 * - Needs DELETE on the group and READ on each topic (TOPIC_AUTHORIZATION_FAILED).
 * - INVALID_GROUP_ID; GROUP_ID_NOT_FOUND, also for a group of another kind; NON_EMPTY_GROUP while
 *   there are members; UNKNOWN_TOPIC_OR_PARTITION for a topic that is not there, or that the group has
 *   no offsets of.
 */
import { type ErrorCode, errorName, Errors } from "../../core/errors.ts";
import { deleteShareGroupOffsets } from "../../core/protocol/92-delete-share-group-offsets.ts";
import { ZERO_UUID } from "../../core/protocol/schema.ts";
import type { TopicView } from "../coordinator/group/group.ts";
import type { Handler } from "../handler.ts";

export const deleteShareGroupOffsetsHandler: Handler<typeof deleteShareGroupOffsets> = {
  api: deleteShareGroupOffsets,
  authorize: { kind: "items", operations: ["DELETE GROUP", "READ TOPIC"] },
  async handle(context, request, broker) {
    const { groupId } = request;
    if (!context.authorized("DELETE", "GROUP", groupId)) {
      return refuse(Errors.GROUP_AUTHORIZATION_FAILED);
    }
    if (groupId === "") return refuse(Errors.INVALID_GROUP_ID);
    const wanted: TopicView[] = [];
    const responses = [];
    for (const { topicName } of request.topics) {
      const topic = broker.metadata.topic(topicName);
      if (!context.authorized("READ", "TOPIC", topicName)) {
        const refused = refuse(Errors.TOPIC_AUTHORIZATION_FAILED);
        responses.push({ topicName, topicId: ZERO_UUID, ...refused });
      } else if (topic === undefined) {
        const refused = refuse(Errors.UNKNOWN_TOPIC_OR_PARTITION);
        responses.push({ topicName, topicId: ZERO_UUID, ...refused });
      } else wanted.push(topic);
    }
    const outcome = await broker.shareGroups.deleteOffsets(groupId, wanted);
    if (!outcome.ok) return refuse(outcome.error, outcome.message);
    for (const { id: topicId, name: topicName } of wanted) {
      const deleted = outcome.value.get(topicId) ?? refuse(Errors.UNKNOWN_TOPIC_OR_PARTITION);
      responses.push({ topicName, topicId, ...deleted });
    }
    return { responses };
  },
};

function refuse(errorCode: ErrorCode, message?: string) {
  return { errorCode, errorMessage: message ?? errorName(errorCode) };
}
