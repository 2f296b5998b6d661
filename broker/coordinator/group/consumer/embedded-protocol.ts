/**
 * What members of the classic protocol carry in their bytes: subscriptions and assignments with
 * topics by name (Kafka's `ConsumerProtocol`).
 */
import {
  decodePrefix,
  decodeVersioned,
  encodeVersioned,
  ProtocolError,
} from "../../../../core/protocol/codec.ts";
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from "../../../../core/protocol/records/consumer-protocol.ts";
import type { DataOf } from "../../../../core/protocol/schema.ts";
import type { Topics } from "../group.ts";
import { type Assignment, assignmentOf, NO_PARTITIONS } from "../modern/topic-partitions.ts";

/** The last version of an assignment. */
const ASSIGNMENT_VERSION_MAX = 3;

/** A subscription as it is decoded. */
export type Subscription = DataOf<typeof consumerProtocolSubscription>;

/** The subscription, or null if the bytes are none. */
export function subscriptionOf(metadata: Uint8Array): Subscription | null {
  try {
    return decodeVersioned(consumerProtocolSubscription, metadata, "latest");
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}

/** Partitions by topic name as partitions by topic id; topics that do not exist are left out. */
export function byTopicId(
  topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
  existing: Topics,
): Assignment {
  return assignmentOf(topics.flatMap(({ topic, partitions }) => {
    const known = existing.byName(topic);
    return known === undefined ? [] : [{ topicId: known.id, partitions }];
  }));
}

/** The partitions of an assignment; null if the bytes are none, or carry more than partitions. */
export function assignedPartitions(assignment: Uint8Array, existing: Topics): Assignment | null {
  if (assignment.length === 0) return NO_PARTITIONS;
  try {
    const decoded = decodeVersioned(consumerProtocolAssignment, assignment, "latest");
    const carriesMore = decoded.userData !== null && decoded.userData.length > 0;
    return carriesMore ? null : byTopicId(decoded.assignedPartitions, existing);
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}

/** An assignment in the version of the member's subscription. */
export function encodeAssignment(
  partitions: ReadonlyMap<string, { keys(): Iterable<number> }>,
  subscription: Uint8Array,
  existing: Topics,
): Uint8Array {
  const version = Math.max(0, Math.min(decodePrefix(subscription), ASSIGNMENT_VERSION_MAX));
  return encodeVersioned(consumerProtocolAssignment, version, {
    assignedPartitions: [...partitions].flatMap(([topicId, own]) => {
      const topic = existing.byId(topicId);
      if (topic === undefined) return [];
      return [{ topic: topic.name, partitions: [...own.keys()].toSorted((a, b) => a - b) }];
    }),
  });
}
