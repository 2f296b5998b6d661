/**
 * UnregisterBroker, version 0: forgets a broker that is gone. One that is not registered is
 * BROKER_ID_NOT_REGISTERED; this one is not gone (INVALID_REQUEST).
 */
import { CLUSTER_NAME } from "../../core/acl.ts";
import { Errors } from "../../core/errors.ts";
import { unregisterBroker } from "../../core/protocol/64-unregister-broker.ts";
import type { Handler } from "../handler.ts";

export const unregisterBrokerHandler: Handler<typeof unregisterBroker> = {
  api: unregisterBroker,
  authorize: {
    kind: "request",
    wants: () => [{ operation: "ALTER", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => ({ errorCode: Errors.CLUSTER_AUTHORIZATION_FAILED }),
  },
  handle(_context, { brokerId }, broker) {
    return broker.metadata.image.brokers.has(brokerId)
      ? {
        errorCode: Errors.INVALID_REQUEST,
        errorMessage: `Broker ID ${brokerId} is the broker that answers this`,
      }
      : {
        errorCode: Errors.BROKER_ID_NOT_REGISTERED,
        errorMessage: `Broker ID ${brokerId} is not currently registered`,
      };
  },
};
