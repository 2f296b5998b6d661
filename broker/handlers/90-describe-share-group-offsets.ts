/**
 * DescribeShareGroupOffsets, versions 0 to 1: how far share groups are (KIP-932).
 *
 * - Needs DESCRIBE on each group and on each topic; where all topics are asked for (null), those that
 *   the sender may not see are left out. INVALID_GROUP_ID for an empty id.
 * - A start offset of −1 where nothing is known: no such group, topic or partition.
 * - 1: lag, the records from the start offset on that are not done yet (KIP-1226); −1 if not known.
 */
import { type ErrorCode, errorName, Errors } from "../../core/errors.ts";
import { describeShareGroupOffsets } from "../../core/protocol/90-describe-share-group-offsets.ts";
import { type EncodableResponse, type RequestOf, ZERO_UUID } from "../../core/protocol/schema.ts";
import type { Broker } from "../broker.ts";
import type { Handler } from "../handler.ts";
import type { RequestContext } from "../request-context.ts";

type WantedGroup = RequestOf<typeof describeShareGroupOffsets>["groups"][number];
type Group = NonNullable<EncodableResponse<typeof describeShareGroupOffsets>["groups"]>[number];
type Topic = NonNullable<Group["topics"]>[number];
type Partition = NonNullable<Topic["partitions"]>[number];

export const describeShareGroupOffsetsHandler: Handler<typeof describeShareGroupOffsets> = {
  api: describeShareGroupOffsets,
  authorize: { kind: "items", operations: ["DESCRIBE GROUP", "DESCRIBE TOPIC"] },
  async handle(context, request, broker) {
    return {
      groups: await Promise.all(request.groups.map((wanted) => describe(context, wanted, broker))),
    };
  },
  failure: (request, error) => ({
    groups: request.groups.map(({ groupId }) => refuse(groupId, error)),
  }),
};

async function describe(
  context: RequestContext,
  { groupId, topics }: WantedGroup,
  broker: Broker,
): Promise<Group> {
  if (!context.authorized("DESCRIBE", "GROUP", groupId)) {
    return refuse(groupId, Errors.GROUP_AUTHORIZATION_FAILED);
  }
  if (groupId === "") return refuse(groupId, Errors.INVALID_GROUP_ID);
  const mayDescribe = (name: string) => context.authorized("DESCRIBE", "TOPIC", name);
  let wanted = topics;
  if (wanted === null) {
    const known = await broker.shareGroups.initialized(groupId);
    if (!known.ok) return refuse(groupId, known.error);
    wanted = known.value.filter(({ topic }) => mayDescribe(topic.name))
      .map(({ topic, partitions }) => ({ topicName: topic.name, partitions: [...partitions] }));
  }
  return {
    groupId,
    topics: await Promise.all(wanted.map(async ({ topicName, partitions }): Promise<Topic> => {
      const topicId = broker.metadata.topic(topicName)?.id;
      const isVisible = mayDescribe(topicName);
      return {
        topicName,
        topicId: isVisible ? topicId ?? ZERO_UUID : ZERO_UUID,
        partitions: await Promise.all(partitions.map((partitionIndex) => {
          if (!isVisible) return failed(partitionIndex, Errors.TOPIC_AUTHORIZATION_FAILED);
          if (topicId === undefined) return failed(partitionIndex, Errors.NONE);
          return describeOne(broker, groupId, topicId, partitionIndex);
        })),
      };
    })),
  };
}

async function describeOne(
  broker: Broker,
  groupId: string,
  topicId: string,
  partitionIndex: number,
): Promise<Partition> {
  const summary = await broker.shareGroups.summary({ groupId, topicId, partition: partitionIndex });
  if (summary.errorCode !== Errors.NONE) return failed(partitionIndex, summary.errorCode);
  const { startOffset, leaderEpoch, deliveryCompleteCount } = summary;
  const partition = broker.partitions.findById(topicId, partitionIndex);
  const isKnown = startOffset >= 0 && deliveryCompleteCount >= 0 && typeof partition !== "number";
  const lag = isKnown
    ? Math.max(0, partition.highWatermark - startOffset - deliveryCompleteCount)
    : -1;
  return {
    partitionIndex,
    startOffset: BigInt(startOffset),
    leaderEpoch,
    lag: BigInt(lag),
    errorCode: Errors.NONE,
    errorMessage: null,
  };
}

function failed(partitionIndex: number, errorCode: ErrorCode): Partition {
  return {
    partitionIndex,
    startOffset: -1n,
    leaderEpoch: 0,
    lag: -1n,
    errorCode,
    errorMessage: errorCode === Errors.NONE ? null : errorName(errorCode),
  };
}

function refuse(groupId: string, errorCode: ErrorCode): Group {
  return { groupId, topics: [], errorCode, errorMessage: errorName(errorCode) };
}
