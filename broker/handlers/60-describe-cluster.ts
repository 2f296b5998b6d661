/**
 * DescribeCluster, versions 0 to 2 (KIP-700): the brokers, each at its address for the listener
 * that the request came in on.
 *
 * - 1: who asks a broker for controllers gets MISMATCHED_ENDPOINT_TYPE, for anything else
 *   UNSUPPORTED_ENDPOINT_TYPE (KIP-919).
 * - 2: fenced brokers on demand.
 */
import { Errors } from "../../core/errors.ts";
import { describeCluster } from "../../core/protocol/60-describe-cluster.ts";
import { AUTHORIZED_OPERATIONS_OMITTED, CLUSTER_NAME } from "../authorizer.ts";
import type { Handler } from "../handler.ts";
import { allNodes, liveNodes } from "../nodes.ts";

/** Kafka's `EndpointType`. */
const BROKERS = 1;
const CONTROLLERS = 2;

export const describeClusterHandler: Handler<typeof describeCluster> = {
  api: describeCluster,
  authorize: { kind: "items", operations: ["DESCRIBE CLUSTER"] },
  handle(context, request, broker) {
    if (request.endpointType === CONTROLLERS) {
      return {
        errorCode: Errors.MISMATCHED_ENDPOINT_TYPE,
        errorMessage: "The request was sent to an endpoint of type BROKER, but we wanted an " +
          "endpoint of type CONTROLLER",
        endpointType: BROKERS,
      };
    }
    if (request.endpointType !== BROKERS) {
      return {
        errorCode: Errors.UNSUPPORTED_ENDPOINT_TYPE,
        errorMessage: `Unsupported endpoint type ${request.endpointType}`,
        endpointType: BROKERS,
      };
    }
    const nodes = request.includeFencedBrokers ? allNodes : liveNodes;
    const wantsOperations = request.includeClusterAuthorizedOperations;
    const mayDescribe = context.authorized("DESCRIBE", "CLUSTER", CLUSTER_NAME);
    return {
      errorCode: Errors.NONE,
      endpointType: BROKERS,
      clusterId: broker.clusterId,
      controllerId: broker.controllerId,
      brokers: nodes(context, broker).map(({ nodeId, ...node }) => ({ brokerId: nodeId, ...node })),
      clusterAuthorizedOperations: !wantsOperations
        ? AUTHORIZED_OPERATIONS_OMITTED
        : mayDescribe
        ? context.authorizedOperations("CLUSTER", CLUSTER_NAME)
        : 0,
    };
  },
};
