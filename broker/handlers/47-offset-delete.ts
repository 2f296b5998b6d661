/**
 * OffsetDelete, version 0: removes committed offsets of topics that no member reads (KIP-496).
 *
 * - Needs DELETE on the group and READ on each topic.
 * - GROUP_ID_NOT_FOUND, or NON_EMPTY_GROUP for a live group that is none of consumers; by partition
 *   GROUP_SUBSCRIBED_TO_TOPIC and UNKNOWN_TOPIC_OR_PARTITION.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { offsetDelete } from "../../core/protocol/47-offset-delete.ts";
import type { RequestOf } from "../../core/protocol/schema.ts";
import type { Broker } from "../broker.ts";
import type { Handler } from "../handler.ts";
import type { RequestContext } from "../request-context.ts";
import { gatherTopics } from "./offset-commits.ts";

type RequestTopic = RequestOf<typeof offsetDelete>["topics"][number];

export const offsetDeleteHandler: Handler<typeof offsetDelete> = {
  api: offsetDelete,
  authorize: { kind: "items", operations: ["DELETE GROUP", "READ TOPIC"] },
  async handle(context, request, broker) {
    if (!context.authorized("DELETE", "GROUP", request.groupId)) {
      return { errorCode: Errors.GROUP_AUTHORIZATION_FAILED };
    }
    const checked = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        error: problem(context, name, partitionIndex, broker),
      })),
    }));
    const outcome = await broker.groups.deleteOffsets(
      request.groupId,
      checked.map(({ name, partitions }) => ({
        name,
        partitions: partitions.filter((each) => each.error === Errors.NONE)
          .map((each) => each.partitionIndex),
      })),
    );
    if (!outcome.ok) return { errorCode: outcome.error };
    const topics = checked.map(({ name, partitions }, index) => {
      const deleted = outcome.topics[index]!.partitions.values();
      return {
        name,
        partitions: partitions.map(({ partitionIndex, error }) => ({
          partitionIndex,
          errorCode: error !== Errors.NONE ? error : deleted.next().value?.error ?? Errors.NONE,
        })),
      };
    });
    const isRefused = checked.some(({ partitions }) =>
      partitions.some(({ error }) => error !== Errors.NONE)
    );
    return { topics: isRefused ? gatherTopics(topics) : topics };
  },
};

function problem(
  context: RequestContext,
  topic: RequestTopic["name"],
  partition: number,
  broker: Broker,
): ErrorCode {
  if (!context.authorized("READ", "TOPIC", topic)) return Errors.TOPIC_AUTHORIZATION_FAILED;
  const known = broker.metadata.topic(topic)?.partitions[partition] !== undefined;
  return known ? Errors.NONE : Errors.UNKNOWN_TOPIC_OR_PARTITION;
}
