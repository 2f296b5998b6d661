/**
 * RemoveRaftVoter, version 0 (KIP-853): the voters of the metadata log are fixed: UNSUPPORTED_VERSION, as
 * in Kafka while `kraft.version` is 0. Another cluster's id is INCONSISTENT_CLUSTER_ID.
 */
import { CLUSTER_NAME } from "../../core/acl.ts";
import { Errors } from "../../core/errors.ts";
import { removeRaftVoter } from "../../core/protocol/81-remove-raft-voter.ts";
import type { Handler } from "../handler.ts";

export const removeRaftVoterHandler: Handler<typeof removeRaftVoter> = {
  api: removeRaftVoter,
  authorize: {
    kind: "request",
    wants: () => [{ operation: "ALTER", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => ({ errorCode: Errors.CLUSTER_AUTHORIZATION_FAILED }),
  },
  handle(_context, { clusterId }, broker) {
    if (clusterId !== null && clusterId !== broker.clusterId) {
      return {
        errorCode: Errors.INCONSISTENT_CLUSTER_ID,
        errorMessage: `The given id "${clusterId}" doesn't match the cluster id ` +
          `"${broker.clusterId}"`,
      };
    }
    return {
      errorCode: Errors.UNSUPPORTED_VERSION,
      errorMessage: "Cluster doesn't support removing voter because the kraft.version feature is 0",
    };
  },
};
