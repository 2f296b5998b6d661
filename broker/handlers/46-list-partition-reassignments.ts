/**
 * ListPartitionReassignments, version 0 (KIP-455): what is being moved, of the topics and partitions that
 * are asked for, or of all. Topics that are not there are left out, as are partitions that stay where
 * they are.
 */
import { CLUSTER_NAME } from "../../core/acl.ts";
import { Errors } from "../../core/errors.ts";
import { listPartitionReassignments } from "../../core/protocol/46-list-partition-reassignments.ts";
import type { EncodableResponse } from "../../core/protocol/schema.ts";
import { inTurns, type Steps } from "../../core/steps.ts";
import type { MetadataImage, TopicImage } from "../../cluster/metadata-image.ts";
import type { Handler } from "../handler.ts";
import { ongoingReassignments } from "../plan-reassignments.ts";

type Topics = NonNullable<EncodableResponse<typeof listPartitionReassignments>["topics"]>;
type Wanted = readonly { readonly name: string; readonly partitionIndexes: readonly number[] }[];

export const listPartitionReassignmentsHandler: Handler<typeof listPartitionReassignments> = {
  api: listPartitionReassignments,
  forwards: "question",
  authorize: {
    kind: "request",
    wants: () => [{ operation: "DESCRIBE", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => ({ errorCode: Errors.CLUSTER_AUTHORIZATION_FAILED }),
  },
  async handle(_context, request, broker) {
    const { image } = broker.metadata;
    const topics = await inTurns(broker.io.clock, listSteps(image, request.topics));
    return { errorCode: Errors.NONE, errorMessage: null, topics };
  },
};

function* listSteps(image: MetadataImage, wanted: Wanted | null): Steps<Topics> {
  const listed: Topics[number][] = [];
  for (const [topic, indexes] of wanted === null ? allOf(image) : namedIn(image, wanted)) {
    const partitions = ongoingReassignments(topic, indexes).map((each) => ({
      partitionIndex: each.partition,
      replicas: [...each.replicas],
      addingReplicas: [...each.adding],
      removingReplicas: [...each.removing],
    }));
    if (partitions.length > 0) listed.push({ name: topic.name, partitions });
    yield;
  }
  return listed;
}

function* allOf(image: MetadataImage): Generator<[TopicImage, null]> {
  for (const topic of image.topics.values()) yield [topic, null];
}

function* namedIn(
  image: MetadataImage,
  wanted: Wanted,
): Generator<[TopicImage, readonly number[]]> {
  for (const { name, partitionIndexes } of wanted) {
    const topic = image.topics.get(name);
    if (topic !== undefined) yield [topic, partitionIndexes];
  }
}
