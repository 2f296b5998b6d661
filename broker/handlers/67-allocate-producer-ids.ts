/**
 * AllocateProducerIds, version 0: a block of producer ids that nobody else has (KIP-730). Served in a
 * cluster only.
 *
 * - Needs CLUSTER_ACTION on the cluster (CLUSTER_AUTHORIZATION_FAILED).
 * - NOT_CONTROLLER; STALE_BROKER_EPOCH for another registration than the present one;
 *   KAFKA_STORAGE_ERROR where it cannot be written.
 */
import { Errors } from "../../core/errors.ts";
import { allocateProducerIds } from "../../core/protocol/67-allocate-producer-ids.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Handler } from "../handler.ts";

export const allocateProducerIdsHandler: Handler<typeof allocateProducerIds> = {
  api: allocateProducerIds,
  authorize: {
    kind: "request",
    wants: () => [{ operation: "CLUSTER_ACTION", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => ({ errorCode: Errors.CLUSTER_AUTHORIZATION_FAILED }),
  },
  async handle(_context, request, broker) {
    const brokers = broker.cluster?.role.brokers ?? null;
    if (brokers === null) return { errorCode: Errors.NOT_CONTROLLER };
    const block = await brokers.allocateProducerIds(request.brokerId, Number(request.brokerEpoch));
    if (!block.ok) return { errorCode: block.error };
    return {
      errorCode: Errors.NONE,
      producerIdStart: BigInt(block.value.firstProducerId),
      producerIdLen: block.value.count,
    };
  },
};
