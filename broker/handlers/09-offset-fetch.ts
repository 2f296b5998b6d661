/**
 * OffsetFetch, versions 1 to 10: how far groups have read.
 *
 * - Needs DESCRIBE on each group and each topic. Where all topics are asked for (no list, from
 *   version 2), those that the sender may not describe are left out.
 * - A group or partition without an offset answers −1, not an error.
 * - Who says that it is a member has to be one, in its present epoch (UNKNOWN_MEMBER_ID,
 *   STALE_MEMBER_EPOCH; KIP-848).
 * - 1: errors of the group stand at each partition. 7: `requireStable`: an offset that an open
 *   transaction may still change is UNSTABLE_OFFSET_COMMIT (KIP-447); every
 *   offsets yet, and every answer waits until what it says is committed. 8: several groups
 *   (KIP-709). 9: member id and epoch. 10: topic ids.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { offsetFetch } from "../../core/protocol/09-offset-fetch.ts";
import type { EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import { ZERO_UUID } from "../../core/protocol/schema.ts";
import type { Broker } from "../broker.ts";
import type { CommittedOffset } from "../coordinator/group/offsets/offset-records.ts";
import type { GroupShard } from "../coordinator/group/group-shard.ts";
import type { Handler } from "../handler.ts";
import type { RequestContext } from "../request-context.ts";

type Request = RequestOf<typeof offsetFetch>;
type Response = EncodableResponse<typeof offsetFetch>;

/** First versions with: an error of the whole group, several groups, topic ids. */
const GROUP_ERROR_VERSION = 2;
const GROUPS_VERSION = 8;
const TOPIC_ID_VERSION = 10;

/** A topic that is asked for; the name is undefined if the id is unknown. */
interface WantedTopic {
  readonly name: string | undefined;
  readonly topicId: string;
  readonly partitionIndexes: readonly number[];
}

interface WantedGroup {
  readonly groupId: string;
  readonly memberId: string | null;
  readonly memberEpoch: number;
  /** Null asks for all. */
  readonly topics: readonly WantedTopic[] | null;
}

interface PartitionAnswer {
  readonly partitionIndex: number;
  readonly committedOffset: bigint;
  readonly committedLeaderEpoch: number;
  readonly metadata: string;
  readonly errorCode: ErrorCode;
}

interface TopicAnswer {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: readonly PartitionAnswer[];
}

interface GroupAnswer {
  readonly groupId: string;
  readonly topics: readonly TopicAnswer[];
  readonly errorCode: ErrorCode;
}

export const offsetFetchHandler: Handler<typeof offsetFetch> = {
  api: offsetFetch,
  authorize: { kind: "items", operations: ["DESCRIBE GROUP", "DESCRIBE TOPIC"] },
  async handle(context, request, broker) {
    const groups = wantedGroups(context, request, broker);
    const answers = await Promise.all(
      groups.map((group) => fetchGroup(context, group, request.requireStable, broker)),
    );
    return context.apiVersion >= GROUPS_VERSION
      ? { groups: answers.map((each) => each.errorCode === 0 ? each : { ...each, topics: [] }) }
      : singleGroup(context, answers[0]!);
  },
  failure: (request, error) => ({
    errorCode: error,
    groups: request.groups.map(({ groupId }) => ({ groupId, errorCode: error })),
  }),
};

function wantedGroups(context: RequestContext, request: Request, broker: Broker): WantedGroup[] {
  if (context.apiVersion < GROUPS_VERSION) {
    const topics = request.topics?.map(({ name, partitionIndexes }) => ({
      name,
      topicId: ZERO_UUID,
      partitionIndexes,
    }));
    const nobody = { memberId: null, memberEpoch: -1 };
    return [{ groupId: request.groupId, ...nobody, topics: topics ?? null }];
  }
  const byId = context.apiVersion >= TOPIC_ID_VERSION;
  return request.groups.map(({ groupId, memberId, memberEpoch, topics }) => ({
    groupId,
    memberId,
    memberEpoch,
    topics: topics?.map(({ name, topicId, partitionIndexes }) => ({
      name: byId ? broker.metadata.topicById(topicId)?.name : name,
      topicId,
      partitionIndexes,
    })) ?? null,
  }));
}

async function fetchGroup(
  context: RequestContext,
  group: WantedGroup,
  requireStable: boolean,
  broker: Broker,
): Promise<GroupAnswer> {
  const { groupId } = group;
  if (!context.authorized("DESCRIBE", "GROUP", groupId)) {
    return refuse(group, Errors.GROUP_AUTHORIZATION_FAILED);
  }
  const outcome = await broker.groups.fetchOffsets(
    groupId,
    (shard) => {
      const error = shard.offsets.fetchProblem(groupId, group.memberId, group.memberEpoch);
      if (error !== Errors.NONE) return refuse(group, error);
      const answerOf = (topic: string, partition: number) =>
        requireStable && shard.offsets.isUnstable(groupId, topic, partition)
          ? partitionAnswer(partition, undefined, Errors.UNSTABLE_OFFSET_COMMIT)
          : partitionAnswer(partition, shard.offsets.get(groupId, topic, partition));
      const topics = group.topics === null
        ? allTopics(context, groupId, answerOf, shard, broker)
        : group.topics.map((topic) => oneTopic(context, topic, answerOf));
      return { groupId, topics, errorCode: Errors.NONE };
    },
  );
  return outcome.ok ? outcome.value : refuse(group, outcome.error);
}

/** What is answered for a partition whose topic may be seen. */
type AnswerOf = (topic: string, partition: number) => PartitionAnswer;

function oneTopic(context: RequestContext, topic: WantedTopic, answerOf: AnswerOf): TopicAnswer {
  const { name, topicId, partitionIndexes } = topic;
  const error = name === undefined
    ? Errors.UNKNOWN_TOPIC_ID
    : context.authorized("DESCRIBE", "TOPIC", name)
    ? Errors.NONE
    : Errors.TOPIC_AUTHORIZATION_FAILED;
  return {
    name: name ?? "",
    topicId,
    partitions: partitionIndexes.map((partition) =>
      name === undefined || error !== Errors.NONE
        ? partitionAnswer(partition, undefined, error)
        : answerOf(name, partition)
    ),
  };
}

function allTopics(
  context: RequestContext,
  groupId: string,
  answerOf: AnswerOf,
  shard: GroupShard,
  broker: Broker,
): TopicAnswer[] {
  const byId = context.apiVersion >= TOPIC_ID_VERSION;
  const topics: TopicAnswer[] = [];
  for (const [name, partitions] of shard.offsets.all(groupId)) {
    const topicId = broker.metadata.topic(name)?.id;
    if (!context.authorized("DESCRIBE", "TOPIC", name) || (byId && topicId === undefined)) continue;
    topics.push({
      name,
      topicId: topicId ?? ZERO_UUID,
      partitions: [...partitions.keys()].flatMap((partition) => {
        const offset = shard.offsets.get(groupId, name, partition);
        return offset === undefined ? [] : [answerOf(name, partition)];
      }),
    });
  }
  return topics;
}

function partitionAnswer(
  partitionIndex: number,
  offset: CommittedOffset | undefined,
  errorCode: ErrorCode = Errors.NONE,
): PartitionAnswer {
  return {
    partitionIndex,
    committedOffset: offset?.offset ?? -1n,
    committedLeaderEpoch: offset?.leaderEpoch ?? -1,
    metadata: offset?.metadata ?? "",
    errorCode,
  };
}

/** A group that cannot be answered; older clients read the error at each partition. */
function refuse(group: WantedGroup, error: ErrorCode): GroupAnswer {
  return {
    groupId: group.groupId,
    errorCode: error,
    topics: (group.topics ?? []).map(({ name, topicId, partitionIndexes }) => ({
      name: name ?? "",
      topicId,
      partitions: partitionIndexes.map((index) => partitionAnswer(index, undefined, error)),
    })),
  };
}

/** Up to version 7 the one group is the response itself. */
function singleGroup(context: RequestContext, group: GroupAnswer): Response {
  if (context.apiVersion < GROUP_ERROR_VERSION) return { topics: group.topics };
  return { errorCode: group.errorCode, topics: group.errorCode === 0 ? group.topics : [] };
}
