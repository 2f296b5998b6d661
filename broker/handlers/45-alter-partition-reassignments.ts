/**
 * AlterPartitionReassignments, versions 0 to 1 (KIP-455): partitions begin to move to other brokers, or
 * give that up (null replicas); `planReassignments` judges. Answers when the move has begun.
 *
 * - 1: the replication factor may be protected against changes (KIP-860).
 */
import { CLUSTER_NAME } from "../../core/acl.ts";
import { assert } from "../../core/assert.ts";
import { Errors } from "../../core/errors.ts";
import { alterPartitionReassignments } from "../../core/protocol/45-alter-partition-reassignments.ts";
import type { Handler } from "../handler.ts";
import { planReassignments } from "../plan-reassignments.ts";

export const alterPartitionReassignmentsHandler: Handler<typeof alterPartitionReassignments> = {
  api: alterPartitionReassignments,
  forwards: "change",
  authorize: {
    kind: "request",
    wants: () => [{ operation: "ALTER", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => ({ errorCode: Errors.CLUSTER_AUTHORIZATION_FAILED }),
  },
  async handle(_context, request, broker) {
    const { allowReplicationFactorChange, timeoutMs } = request;
    const wanted = request.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, replicas }) => ({
        topic: name,
        partition: partitionIndex,
        replicas,
      }))
    );
    const outcomes = await broker.controller.change<null>(
      wanted.length,
      (context) => planReassignments(context, wanted, allowReplicationFactorChange),
      { timeoutMs },
    );
    let next = 0;
    return {
      errorCode: Errors.NONE,
      errorMessage: null,
      allowReplicationFactorChange,
      responses: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => {
          const outcome = outcomes[next++];
          assert(outcome !== undefined, "one outcome for each partition");
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
