/**
 * UnregisterBroker, version 0: forgets a broker that is gone (`planUnregister`). One that is not
 * registered is BROKER_ID_NOT_REGISTERED; one that is its own cluster is not gone (INVALID_REQUEST). One
 * that lives registers again.
 */
import { CLUSTER_NAME } from "../../core/acl.ts";
import { assert } from "../../core/assert.ts";
import { Errors } from "../../core/errors.ts";
import { unregisterBroker } from "../../core/protocol/64-unregister-broker.ts";
import type { Handler } from "../handler.ts";
import { planUnregister } from "../plan-brokers.ts";

export const unregisterBrokerHandler: Handler<typeof unregisterBroker> = {
  api: unregisterBroker,
  forwards: "change",
  authorize: {
    kind: "request",
    wants: () => [{ operation: "ALTER", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => ({ errorCode: Errors.CLUSTER_AUTHORIZATION_FAILED }),
  },
  async handle(_context, { brokerId }, broker) {
    const [outcome] = await broker.controller.change<null>(
      1,
      (context) => planUnregister(context, brokerId),
    );
    assert(outcome !== undefined, "one outcome for one broker");
    return outcome.ok
      ? { errorCode: Errors.NONE, errorMessage: null }
      : { errorCode: outcome.error, errorMessage: outcome.message };
  },
};
