/**
 * WriteTxnMarkers, versions 1 and 2: writes the ends of transactions into partitions. Coordinators
 * on other brokers send it, and `kafka-transactions --abort` for a transaction that hangs.
 *
 * - Needs ALTER or CLUSTER_ACTION on the cluster (CLUSTER_AUTHORIZATION_FAILED).
 * - INVALID_REQUEST for all partitions of a marker that names no producer.
 * - For each partition: UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER; an epoch below the
 *   producer's is INVALID_PRODUCER_EPOCH, a coordinator's below that of the last marker is
 *   TRANSACTION_COORDINATOR_FENCED.
 * - Answered when every marker is committed.
 * - 2: with transaction version 2 the epoch has to be above the producer's (KIP-1228).
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { writeTxnMarkers } from "../../core/protocol/27-write-txn-markers.ts";
import type { RequestOf } from "../../core/protocol/schema.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Broker } from "../broker.ts";
import { txnPartitions } from "../coordinator/transaction/transaction-records.ts";
import type { Handler } from "../handler.ts";

type Marker = RequestOf<typeof writeTxnMarkers>["markers"][number];

export const writeTxnMarkersHandler: Handler<typeof writeTxnMarkers> = {
  api: writeTxnMarkers,
  authorize: { kind: "items", operations: ["ALTER CLUSTER", "CLUSTER_ACTION CLUSTER"] },
  async handle(context, request, broker) {
    const isAllowed = context.authorized("ALTER", "CLUSTER", CLUSTER_NAME) ||
      context.authorized("CLUSTER_ACTION", "CLUSTER", CLUSTER_NAME);
    if (!isAllowed) return refuse(request, Errors.CLUSTER_AUTHORIZATION_FAILED);
    return { markers: await Promise.all(request.markers.map((each) => write(each, broker))) };
  },
  failure: refuse,
};

async function write(marker: Marker, broker: Broker) {
  const isOfProducer = marker.producerId >= 0n && marker.producerEpoch >= 0 &&
    marker.producerId <= BigInt(Number.MAX_SAFE_INTEGER);
  if (!isOfProducer) return refuseMarker(marker, Errors.INVALID_REQUEST);
  const results = await broker.txnMarkers.append({
    producerId: Number(marker.producerId),
    producerEpoch: marker.producerEpoch,
    commit: marker.transactionResult,
    coordinatorEpoch: marker.coordinatorEpoch,
    transactionVersion: marker.transactionVersion,
    partitions: txnPartitions(marker.topics.map((each) => [each.name, each.partitionIndexes])),
  });
  const byTopic = Map.groupBy(results, ({ topic }) => topic);
  return {
    producerId: marker.producerId,
    topics: [...byTopic].map(([name, ofTopic]) => ({
      name,
      partitions: ofTopic.map(({ partition, error }) => ({
        partitionIndex: partition,
        errorCode: error,
      })),
    })),
  };
}

function refuse(request: RequestOf<typeof writeTxnMarkers>, error: ErrorCode) {
  return { markers: request.markers.map((marker) => refuseMarker(marker, error)) };
}

function refuseMarker({ producerId, topics }: Marker, errorCode: ErrorCode) {
  return {
    producerId,
    topics: topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex, errorCode })),
    })),
  };
}
