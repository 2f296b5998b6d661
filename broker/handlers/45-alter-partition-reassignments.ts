/**
 * AlterPartitionReassignments, versions 0 to 1 (KIP-455): with one node a partition can only stay
 * where it is, which is granted; any other assignment is INVALID_REPLICA_ASSIGNMENT, and there never
 * is a reassignment to cancel (NO_REASSIGNMENT_IN_PROGRESS).
 *
 * - 1: the replication factor may be protected against changes (KIP-860).
 */
import { CLUSTER_NAME } from "../../core/acl.ts";
import { Errors } from "../../core/errors.ts";
import { alterPartitionReassignments } from "../../core/protocol/45-alter-partition-reassignments.ts";
import type { Broker } from "../broker.ts";
import type { Handler } from "../handler.ts";
import { accept, type Outcome, refuse } from "../outcome.ts";
import { checkAssignment } from "../plan-topics.ts";

export const alterPartitionReassignmentsHandler: Handler<typeof alterPartitionReassignments> = {
  api: alterPartitionReassignments,
  authorize: {
    kind: "request",
    wants: () => [{ operation: "ALTER", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => ({ errorCode: Errors.CLUSTER_AUTHORIZATION_FAILED }),
  },
  handle(_context, request, broker) {
    return {
      errorCode: Errors.NONE,
      errorMessage: null,
      allowReplicationFactorChange: request.allowReplicationFactorChange,
      responses: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, replicas }) => {
          const outcome = reassign(broker, name, partitionIndex, replicas);
          return {
            partitionIndex,
            errorCode: outcome.ok ? Errors.NONE : outcome.error,
            errorMessage: outcome.ok ? null : outcome.message,
          };
        }),
      })),
    };
  },
};

function reassign(
  broker: Broker,
  name: string,
  index: number,
  replicas: readonly number[] | null,
): Outcome<null> {
  const topic = broker.metadata.topic(name);
  if (topic === undefined) {
    return refuse(Errors.UNKNOWN_TOPIC_OR_PARTITION, `Unable to find a topic named ${name}.`);
  }
  if (topic.partitions[index] === undefined) {
    return refuse(Errors.UNKNOWN_TOPIC_OR_PARTITION, `Unable to find partition ${name}:${index}.`);
  }
  if (replicas === null) {
    return refuse(Errors.NO_REASSIGNMENT_IN_PROGRESS, "No partition reassignment is in progress.");
  }
  const checked = checkAssignment(broker.metadata.image, [replicas], replicas.length);
  return checked.ok ? accept(null) : checked;
}
