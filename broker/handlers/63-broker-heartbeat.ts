/**
 * BrokerHeartbeat, versions 0 to 2: a broker says that it is there, how much of the metadata it has, and
 * whether it wants to be fenced or to stop (KIP-631). Served in a cluster only.
 *
 * - Needs CLUSTER_ACTION on the cluster (CLUSTER_AUTHORIZATION_FAILED).
 * - NOT_CONTROLLER; STALE_BROKER_EPOCH for another registration than the present one;
 *   KAFKA_STORAGE_ERROR where what it changes cannot be written.
 * - 1: which of its data directories have failed (KIP-858); which replicas were there it tells by
 *   AssignReplicasToDirs.
 * - A broker that wants to stop is told to go on until it leads nothing and all others know.
 */
import { Errors } from "../../core/errors.ts";
import { brokerHeartbeat } from "../../core/protocol/63-broker-heartbeat.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Handler } from "../handler.ts";

export const brokerHeartbeatHandler: Handler<typeof brokerHeartbeat> = {
  api: brokerHeartbeat,
  authorize: {
    kind: "request",
    wants: () => [{ operation: "CLUSTER_ACTION", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => ({ errorCode: Errors.CLUSTER_AUTHORIZATION_FAILED }),
  },
  // A broker is heard also while a change that it wants waits for the metadata log.
  pipelined: true,
  async handle(context, request, broker) {
    const brokers = broker.cluster?.role.brokers ?? null;
    if (brokers === null) return { errorCode: Errors.NOT_CONTROLLER };
    const outcome = await brokers.heartbeat({
      brokerId: request.brokerId,
      brokerEpoch: Number(request.brokerEpoch),
      metadataOffset: Number(request.currentMetadataOffset),
      wantsFence: request.wantFence,
      wantsShutdown: request.wantShutDown,
      offlineDirs: request.offlineLogDirs,
    }, context.signal);
    return outcome.ok ? { errorCode: Errors.NONE, ...outcome.value } : { errorCode: outcome.error };
  },
};
