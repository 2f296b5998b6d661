/**
 * OffsetCommit, versions 2 to 10: stores how far a group has read.
 *
 * - Needs READ on the group, and on each topic.
 * - A partition that does not exist is refused on its own (UNKNOWN_TOPIC_OR_PARTITION, from
 *   version 10 UNKNOWN_TOPIC_ID); metadata longer than offset.metadata.max.bytes likewise.
 * - Without a generation (−1) a consumer that is in no group may commit to an empty group.
 * - 2–4: a retention time of its own. 6: leader epochs (KIP-320). 7: static members (KIP-345).
 *   9: GROUP_ID_NOT_FOUND. 10: topic ids (KIP-848).
 * - Answered when the offsets are committed in `__consumer_offsets`.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { offsetCommit } from "../../core/protocol/08-offset-commit.ts";
import type { EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import type { Broker } from "../broker.ts";
import type { Handler } from "../handler.ts";
import type { RequestContext } from "../request-context.ts";
import { answerCommit, checkTopic } from "./offset-commits.ts";

type Request = RequestOf<typeof offsetCommit>;
type Response = EncodableResponse<typeof offsetCommit>;

/** First version that names topics by id. */
const TOPIC_ID_VERSION = 10;

export const offsetCommitHandler: Handler<typeof offsetCommit> = {
  api: offsetCommit,
  authorize: { kind: "items", operations: ["READ GROUP", "READ TOPIC"] },
  // Everything up to the append happens before the first await, so commits stay in order.
  pipelined: true,
  handle(context, request, broker) {
    if (!context.authorized("READ", "GROUP", request.groupId)) {
      return refuseAll(request, Errors.GROUP_AUTHORIZATION_FAILED);
    }
    return commit(context, request, broker);
  },
  failure: refuseAll,
};

async function commit(
  context: RequestContext,
  request: Request,
  broker: Broker,
): Promise<Response> {
  const byId = context.apiVersion >= TOPIC_ID_VERSION;
  const checked = request.topics.map((topic) => checkTopic(context, topic, byId, broker));
  const topics = checked.flatMap((each) => each.commit === null ? [] : [each.commit]);
  if (request.topics.length > 0 && topics.length === 0) {
    return { topics: answerCommit(request.topics, checked, { ok: true, topics: [] }) };
  }
  const { retentionTimeMs } = request;
  const outcome = await broker.groups.commitOffsets({
    groupId: request.groupId,
    memberId: request.memberId,
    groupInstanceId: request.groupInstanceId,
    generationId: request.generationIdOrMemberEpoch,
    retentionMs: retentionTimeMs === -1n ? null : Number(retentionTimeMs),
    knowsGroupIdNotFound: context.apiVersion >= 9,
    knowsStaleMemberEpoch: context.apiVersion >= 9,
    isTransactional: false,
    topics,
  });
  return { topics: answerCommit(request.topics, checked, outcome) };
}

function refuseAll(request: Request, error: ErrorCode): Response {
  return {
    topics: request.topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: error })),
    })),
  };
}
