/**
 * AssignReplicasToDirs, version 0: a broker says in which of its data directories replicas are (KIP-858).
 * Served in a cluster only.
 *
 * - Needs CLUSTER_ACTION on the cluster (CLUSTER_AUTHORIZATION_FAILED).
 * - NOT_CONTROLLER, STALE_BROKER_EPOCH or KAFKA_STORAGE_ERROR (the metadata log cannot be written) for
 *   all; INVALID_REQUEST for more than 2,000 replicas, as in Kafka. Each replica: UNKNOWN_TOPIC_ID,
 *   UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER where the broker has none.
 * - A directory that a heartbeat has said to have failed takes its replicas offline; `DirectoryId.LOST`
 *   takes them for replicas that have nothing. Nothing is kept of others.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { assignReplicasToDirs } from "../../core/protocol/73-assign-replicas-to-dirs.ts";
import type { EncodableResponse } from "../../core/protocol/schema.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Handler } from "../handler.ts";

/** Most replicas in one request (Kafka's `AssignmentsManager.MAX_ASSIGNMENTS_PER_REQUEST`). */
export const ASSIGNMENTS_MAX = 2000;

export const assignReplicasToDirsHandler: Handler<typeof assignReplicasToDirs> = {
  api: assignReplicasToDirs,
  authorize: {
    kind: "request",
    wants: () => [{ operation: "CLUSTER_ACTION", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => refused(Errors.CLUSTER_AUTHORIZATION_FAILED),
  },
  async handle(_context, { brokerId, brokerEpoch, directories }, broker) {
    const brokers = broker.cluster?.role.brokers ?? null;
    if (brokers === null) return refused(Errors.NOT_CONTROLLER);
    const replicas = directories.flatMap(({ id, topics }) =>
      topics.flatMap(({ topicId, partitions }) =>
        partitions.map(({ partitionIndex }) => ({
          directoryId: id,
          topicId,
          partition: partitionIndex,
        }))
      )
    );
    if (replicas.length > ASSIGNMENTS_MAX) return refused(Errors.INVALID_REQUEST);
    const outcome = await brokers.assignReplicas(brokerId, Number(brokerEpoch), replicas);
    if (!outcome.ok) return refused(outcome.error);
    const errors = outcome.value.values();
    return {
      errorCode: Errors.NONE,
      directories: directories.map(({ id, topics }) => ({
        id,
        topics: topics.map(({ topicId, partitions }) => ({
          topicId,
          partitions: partitions.map(({ partitionIndex }) => ({
            partitionIndex,
            errorCode: errors.next().value ?? Errors.UNKNOWN_SERVER_ERROR,
          })),
        })),
      })),
    };
  },
};

function refused(error: ErrorCode): EncodableResponse<typeof assignReplicasToDirs> {
  return { errorCode: error, directories: [] };
}
