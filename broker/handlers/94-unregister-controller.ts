/**
 * UnregisterController, version 0: forgets a controller that is gone. One that is not registered is
 * CONTROLLER_ID_NOT_REGISTERED; this one is not gone (INVALID_REQUEST).
 */
import { CLUSTER_NAME } from "../../core/acl.ts";
import { Errors } from "../../core/errors.ts";
import { unregisterController } from "../../core/protocol/94-unregister-controller.ts";
import type { Handler } from "../handler.ts";

export const unregisterControllerHandler: Handler<typeof unregisterController> = {
  api: unregisterController,
  authorize: {
    kind: "request",
    wants: () => [{ operation: "ALTER", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => ({ errorCode: Errors.CLUSTER_AUTHORIZATION_FAILED }),
  },
  handle(_context, { controllerId }, broker) {
    return controllerId === broker.nodeId
      ? {
        errorCode: Errors.INVALID_REQUEST,
        errorMessage: `Controller ID ${controllerId} is the controller that answers this`,
      }
      : {
        errorCode: Errors.CONTROLLER_ID_NOT_REGISTERED,
        errorMessage: `Controller ID ${controllerId} is not currently registered`,
      };
  },
};
