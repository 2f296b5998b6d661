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
import type { CommitPartition, CommitTopic } from "../coordinator/group/offsets/offsets.ts";
import type { Handler } from "../handler.ts";
import type { RequestContext } from "../request-context.ts";

type Request = RequestOf<typeof offsetCommit>;
type Response = EncodableResponse<typeof offsetCommit>;
type RequestTopic = Request["topics"][number];

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
  const checked = request.topics.map((topic) => checkTopic(context, topic, broker));
  const topics = checked.flatMap((each) => each.commit === null ? [] : [each.commit]);
  if (request.topics.length > 0 && topics.length === 0) return answer(request, checked, []);
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
  if (!outcome.ok) {
    return answer(
      request,
      checked,
      topics.map(({ partitions }) => partitions.map(() => outcome.error)),
    );
  }
  return answer(
    request,
    checked,
    outcome.topics.map(({ partitions }) => partitions.map((each) => each.error)),
  );
}

/** A topic of the request: what is refused right away, by position, and the rest to commit. */
interface CheckedTopic {
  readonly errors: readonly ErrorCode[];
  readonly commit: CommitTopic | null;
}

function checkTopic(context: RequestContext, topic: RequestTopic, broker: Broker): CheckedTopic {
  const byId = context.apiVersion >= TOPIC_ID_VERSION;
  const image = byId ? broker.metadata.topicById(topic.topicId) : broker.metadata.topic(topic.name);
  const refuse = (error: ErrorCode) => ({
    errors: topic.partitions.map(() => error),
    commit: null,
  });
  if (byId && image === undefined) return refuse(Errors.UNKNOWN_TOPIC_ID);
  const name = image?.name ?? topic.name;
  if (!context.authorized("READ", "TOPIC", name)) return refuse(Errors.TOPIC_AUTHORIZATION_FAILED);
  if (image === undefined) return refuse(Errors.UNKNOWN_TOPIC_OR_PARTITION);
  const partitions: CommitPartition[] = [];
  const errors = topic.partitions.map((each) => {
    const partition = each.partitionIndex;
    if (image.partitions[partition] === undefined) return Errors.UNKNOWN_TOPIC_OR_PARTITION;
    partitions.push({
      partition,
      offset: each.committedOffset,
      leaderEpoch: each.committedLeaderEpoch,
      metadata: each.committedMetadata,
    });
    return Errors.NONE;
  });
  return {
    errors,
    commit: partitions.length === 0 ? null : { name, topicId: image.id, partitions },
  };
}

/** The response in the order of the request; `committed` are the errors of what was let through. */
function answer(
  request: Request,
  checked: readonly CheckedTopic[],
  committed: readonly (readonly ErrorCode[])[],
): Response {
  const remaining = committed.values();
  return {
    topics: request.topics.map(({ name, topicId, partitions }, index) => {
      const { errors, commit } = checked[index]!;
      const results = (commit === null ? [] : remaining.next().value ?? []).values();
      return {
        name,
        topicId,
        partitions: partitions.map(({ partitionIndex }, position) => ({
          partitionIndex,
          errorCode: errors[position] || (results.next().value ?? Errors.NONE),
        })),
      };
    }),
  };
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
