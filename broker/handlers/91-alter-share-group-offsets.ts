/**
 * AlterShareGroupOffsets, version 0: where an empty share group goes on (KIP-932); a group that is
 * not there is made.
 *
 * - Needs READ on the group and on each topic (TOPIC_AUTHORIZATION_FAILED for its partitions).
 * - INVALID_GROUP_ID; NON_EMPTY_GROUP while there are members; GROUP_ID_NOT_FOUND for a group of
 *   another kind; UNKNOWN_TOPIC_OR_PARTITION for each partition that is not there.
 */
import { type ErrorCode, errorName, Errors } from "../../core/errors.ts";
import { alterShareGroupOffsets } from "../../core/protocol/91-alter-share-group-offsets.ts";
import { type RequestOf, ZERO_UUID } from "../../core/protocol/schema.ts";
import type { Broker } from "../broker.ts";
import type { Handler } from "../handler.ts";
import type { RequestContext } from "../request-context.ts";
import { toOffset } from "../share/state-requests.ts";

type Topic = RequestOf<typeof alterShareGroupOffsets>["topics"][number];

export const alterShareGroupOffsetsHandler: Handler<typeof alterShareGroupOffsets> = {
  api: alterShareGroupOffsets,
  authorize: { kind: "items", operations: ["READ GROUP", "READ TOPIC"] },
  async handle(context, request, broker) {
    const { groupId } = request;
    if (!context.authorized("READ", "GROUP", groupId)) {
      return refuse(Errors.GROUP_AUTHORIZATION_FAILED);
    }
    if (groupId === "") return refuse(Errors.INVALID_GROUP_ID);
    const offsets = new Map<string, { partition: number; startOffset: number }[]>();
    const responses = request.topics.map((topic) => {
      const topicId = broker.metadata.topic(topic.topicName)?.id ?? ZERO_UUID;
      const partitions = topic.partitions.map(({ partitionIndex, startOffset }) => {
        const errorCode = problem(context, broker, topic, partitionIndex);
        if (errorCode === Errors.NONE) {
          const ofTopic = offsets.get(topicId) ?? [];
          ofTopic.push({ partition: partitionIndex, startOffset: toOffset(startOffset) });
          offsets.set(topicId, ofTopic);
        }
        return { partitionIndex, errorCode, errorMessage: messageOf(errorCode) };
      });
      return { topicName: topic.topicName, topicId, partitions };
    });
    if (offsets.size === 0) return { responses };
    const outcome = await broker.shareGroups.alterOffsets(groupId, offsets);
    if (!outcome.ok) return refuse(outcome.error, outcome.message);
    return {
      responses: responses.map((topic) => ({
        ...topic,
        partitions: topic.partitions.map((partition) => ({
          ...partition,
          ...outcome.value.get(topic.topicId)?.find((each) =>
            partition.errorCode === Errors.NONE && each.partition === partition.partitionIndex
          ),
        })),
      })),
    };
  },
};

function problem(
  context: RequestContext,
  broker: Broker,
  { topicName }: Topic,
  partition: number,
): ErrorCode {
  if (!context.authorized("READ", "TOPIC", topicName)) return Errors.TOPIC_AUTHORIZATION_FAILED;
  return broker.metadata.topic(topicName)?.partitions[partition] === undefined
    ? Errors.UNKNOWN_TOPIC_OR_PARTITION
    : Errors.NONE;
}

function messageOf(error: ErrorCode): string | null {
  return error === Errors.NONE ? null : errorName(error);
}

function refuse(errorCode: ErrorCode, message?: string) {
  return { errorCode, errorMessage: message ?? errorName(errorCode) };
}
