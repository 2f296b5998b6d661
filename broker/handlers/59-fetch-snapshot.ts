/**
 * FetchSnapshot, versions 0 to 1 (KIP-630): parts of a snapshot of the metadata that an answer to Fetch
 * has named. For brokers (CLUSTER_ACTION), from the controller.
 *
 * - 1: directory id of the replica (KIP-853).
 */
import { METADATA_LOG_ID } from "../../cluster/local-metadata-log.ts";
import { assert } from "../../core/assert.ts";
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { fetchSnapshot } from "../../core/protocol/59-fetch-snapshot.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Handler } from "../handler.ts";

/** Serves the API; see the head of this file. */
export const fetchSnapshotHandler: Handler<typeof fetchSnapshot> = {
  api: fetchSnapshot,
  authorize: {
    kind: "request",
    wants: () => [{ operation: "CLUSTER_ACTION", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => refuse(Errors.CLUSTER_AUTHORIZATION_FAILED),
  },
  async handle(_context, request, broker) {
    assert(broker.cluster !== null, "only members of clusters serve it");
    if (request.clusterId !== null && request.clusterId !== broker.clusterId) {
      return refuse(Errors.INCONSISTENT_CLUSTER_ID);
    }
    const [topic, ...others] = request.topics;
    const [wanted, ...more] = topic?.partitions ?? [];
    if (wanted === undefined || others.length > 0 || more.length > 0) {
      return refuse(Errors.INVALID_REQUEST);
    }
    const { partition: index, snapshotId, position } = wanted;
    const isKnown = topic?.name === METADATA_LOG_ID.topic && index === METADATA_LOG_ID.partition;
    const answer = isKnown
      ? await broker.cluster.metadataSource.snapshot({
        leaderEpoch: wanted.currentLeaderEpoch,
        id: { endOffset: Number(snapshotId.endOffset), epoch: snapshotId.epoch },
        position: Number(position),
        maxBytes: request.maxBytes,
      })
      : null;
    return {
      errorCode: Errors.NONE,
      topics: [{
        name: topic?.name ?? "",
        partitions: [{
          index,
          errorCode: answer?.error ?? Errors.UNKNOWN_TOPIC_OR_PARTITION,
          snapshotId,
          currentLeader: answer?.leader ?? { leaderId: -1, leaderEpoch: -1 },
          size: BigInt(answer?.sizeBytes ?? 0),
          position,
          unalignedRecords: answer?.bytes ?? new Uint8Array(0),
        }],
      }],
    };
  },
};

function refuse(errorCode: ErrorCode) {
  return { errorCode, topics: [] };
}
