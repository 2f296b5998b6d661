/**
 * ListConfigResources, versions 0 to 1 (KIP-1142): names everything that has or can have configs.
 * Version 0 asks for subscriptions to client metrics. An unknown type is UNSUPPORTED_VERSION.
 */
import { Errors } from "../../core/errors.ts";
import { listConfigResources } from "../../core/protocol/74-list-config-resources.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Broker } from "../broker.ts";
import type { Handler } from "../handler.ts";
import { ConfigResourceTypes } from "../plan-configs.ts";

const ALL_TYPES: readonly number[] = Object.values(ConfigResourceTypes);

export const listConfigResourcesHandler: Handler<typeof listConfigResources> = {
  api: listConfigResources,
  authorize: { kind: "items", operations: ["DESCRIBE_CONFIGS CLUSTER"] },
  handle(context, request, broker) {
    if (!context.authorized("DESCRIBE_CONFIGS", "CLUSTER", CLUSTER_NAME)) {
      return { errorCode: Errors.CLUSTER_AUTHORIZATION_FAILED };
    }
    const wanted = context.apiVersion === 0
      ? [ConfigResourceTypes.CLIENT_METRICS]
      : request.resourceTypes.length === 0
      ? ALL_TYPES
      : request.resourceTypes;
    if (!wanted.every((type) => ALL_TYPES.includes(type))) {
      return { errorCode: Errors.UNSUPPORTED_VERSION };
    }
    return {
      errorCode: Errors.NONE,
      configResources: [...new Set(wanted)].flatMap((resourceType) =>
        namesOf(broker, resourceType).map((resourceName) => ({ resourceType, resourceName }))
      ),
    };
  },
};

function namesOf(broker: Broker, resourceType: number): string[] {
  const { image } = broker.metadata;
  switch (resourceType) {
    case ConfigResourceTypes.TOPIC:
      return [...image.topics.keys()];
    case ConfigResourceTypes.BROKER:
    case ConfigResourceTypes.BROKER_LOGGER:
      return [...image.brokers.keys()].map(String);
    case ConfigResourceTypes.CLIENT_METRICS:
      return [...image.configured("client-metrics")];
    case ConfigResourceTypes.GROUP:
      return [...image.configured("group")];
    default:
      return [];
  }
}
