/** Start offsets of share groups (KIP-932): what lies before them is done with. */
import { groupBy } from "../../core/group-by.ts";
import { alterShareGroupOffsets } from "../../core/protocol/91-alter-share-group-offsets.ts";
import { deleteShareGroupOffsets } from "../../core/protocol/92-delete-share-group-offsets.ts";
import { describeShareGroupOffsets } from "../../core/protocol/90-describe-share-group-offsets.ts";
import { Errors } from "../../core/errors.ts";
import type { Cluster } from "../cluster.ts";
import { KafkaError, throwOnError } from "../errors.ts";
import type { OperationOptions } from "../options.ts";
import { onCoordinator } from "./on-coordinator.ts";

/** Where a share group is in a partition. */
export interface ShareOffset {
  readonly topic: string;
  readonly partition: number;
  /** Null where the group has not begun to read. */
  readonly startOffset: bigint | null;
  /** Records that are not done with yet; null where the broker does not tell (KIP-1226). */
  readonly lag: bigint | null;
}

/** The start offsets of all partitions that the group has. */
export async function listShareOffsets(
  cluster: Cluster,
  groupId: string,
  options: OperationOptions = {},
): Promise<ShareOffset[]> {
  const subject = `offsets of share group "${groupId}"`;
  return await onCoordinator(
    cluster,
    "group",
    groupId,
    subject,
    options,
    async (connection, timeoutMs) => {
      const request = { groups: [{ groupId, topics: null }] };
      const response = await connection.request(describeShareGroupOffsets, request, { timeoutMs });
      const group = response.groups[0];
      throwOnError(group?.errorCode ?? -1, subject, group?.errorMessage ?? null);
      return (group?.topics ?? []).flatMap(({ topicName: topic, partitions }) =>
        partitions.map(({ partitionIndex: partition, ...at }) => {
          throwOnError(at.errorCode, `${subject}, ${topic}-${partition}`, at.errorMessage);
          return {
            topic,
            partition,
            startOffset: at.startOffset < 0n ? null : at.startOffset,
            lag: at.lag < 0n ? null : at.lag,
          };
        })
      );
    },
  );
}

/** Sets start offsets of a share group without members. Throws on the first that is refused. */
export async function alterShareOffsets(
  cluster: Cluster,
  groupId: string,
  offsets: readonly { topic: string; partition: number; offset: bigint }[],
  options: OperationOptions = {},
): Promise<void> {
  if (offsets.length === 0) return;
  const subject = `set offsets of share group "${groupId}"`;
  await onCoordinator(
    cluster,
    "group",
    groupId,
    subject,
    options,
    async (connection, timeoutMs) => {
      const response = await connection.request(alterShareGroupOffsets, {
        groupId,
        topics: [...groupBy(offsets, ({ topic }) => topic)].map(([topicName, list]) => ({
          topicName,
          partitions: list.map(({ partition, offset }) => ({
            partitionIndex: partition,
            startOffset: offset,
          })),
        })),
      }, { timeoutMs });
      throwOnError(response.errorCode, subject, response.errorMessage);
      for (const { topicName, partitions } of response.responses) {
        for (const { partitionIndex, errorCode, errorMessage } of partitions) {
          throwOnError(errorCode, `${subject}, ${topicName}-${partitionIndex}`, errorMessage);
        }
      }
    },
  );
}

/** Makes a share group without members forget these topics. Answers for each. */
export async function deleteShareOffsets(
  cluster: Cluster,
  groupId: string,
  topics: readonly string[],
  options: OperationOptions = {},
): Promise<{ topic: string; error: KafkaError | null }[]> {
  const subject = `delete offsets of share group "${groupId}"`;
  return await onCoordinator(
    cluster,
    "group",
    groupId,
    subject,
    options,
    async (connection, timeoutMs) => {
      const request = { groupId, topics: topics.map((topicName) => ({ topicName })) };
      const response = await connection.request(deleteShareGroupOffsets, request, { timeoutMs });
      throwOnError(response.errorCode, subject, response.errorMessage);
      return response.responses.map(({ topicName, errorCode, errorMessage }) => ({
        topic: topicName,
        error: errorCode === Errors.NONE
          ? null
          : new KafkaError(errorCode, `${subject}, topic "${topicName}"`, errorMessage),
      }));
    },
  );
}
