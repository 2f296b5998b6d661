/**
 * BrokerRegistration, versions 0 to 4: a broker becomes a member (KIP-631). Served in a cluster only.
 *
 * - Needs CLUSTER_ACTION on the cluster (CLUSTER_AUTHORIZATION_FAILED).
 * - NOT_CONTROLLER; INCONSISTENT_CLUSTER_ID; DUPLICATE_BROKER_REGISTRATION while another process of the
 *   same id was heard of within its session; UNSUPPORTED_VERSION where it lacks a finalized feature;
 *   INVALID_REQUEST for addresses that others cannot reach; KAFKA_STORAGE_ERROR where the metadata log
 *   cannot be written. A tagged field of the response says it in a sentence (`registration-tags.ts`).
 * - The same process again keeps its epoch.
 * - 2: the ids of its data directories (KIP-858).
 * - 3: the epoch under which it last stopped in good order (KIP-966); without it its replicas count as
 *   ones that may have lost their ends.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { brokerRegistration } from "../../core/protocol/62-broker-registration.ts";
import type { EncodableResponse } from "../../core/protocol/schema.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import { HOST_TAG, MESSAGE_TAG, taggedText, textOfTag } from "../cluster/registration-tags.ts";
import type { Handler } from "../handler.ts";

export const brokerRegistrationHandler: Handler<typeof brokerRegistration> = {
  api: brokerRegistration,
  authorize: {
    kind: "request",
    wants: () => [{ operation: "CLUSTER_ACTION", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => refused(Errors.CLUSTER_AUTHORIZATION_FAILED, "It may not act for the cluster."),
  },
  async handle(_context, request, broker) {
    const brokers = broker.cluster?.role.brokers ?? null;
    if (brokers === null) {
      return refused(Errors.NOT_CONTROLLER, "This node is not the controller.");
    }
    const { brokerId, clusterId, incarnationId, rack, listeners, features } = request;
    const outcome = await brokers.register({
      ...{ brokerId, clusterId, incarnationId, rack },
      host: textOfTag(request, HOST_TAG) ?? "",
      endpoints: listeners.map(({ name, host, port, securityProtocol }) => ({
        ...{ name, host, port, securityProtocol },
      })),
      features: features.map(({ name, minSupportedVersion, maxSupportedVersion }) => ({
        name,
        minLevel: minSupportedVersion,
        maxLevel: maxSupportedVersion,
      })),
      previousEpoch: Number(request.previousBrokerEpoch),
      logDirs: request.logDirs,
    });
    return outcome.ok
      ? { errorCode: Errors.NONE, brokerEpoch: BigInt(outcome.value) }
      : refused(outcome.error, outcome.message);
  },
};

function refused(error: ErrorCode, message: string): EncodableResponse<typeof brokerRegistration> {
  return { errorCode: error, unknownTags: [taggedText(MESSAGE_TAG, message)] };
}
