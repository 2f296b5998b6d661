/**
 * ListPartitionReassignments, version 0 (KIP-455): with one node there are none.
 */
import { CLUSTER_NAME } from "../../core/acl.ts";
import { Errors } from "../../core/errors.ts";
import { listPartitionReassignments } from "../../core/protocol/46-list-partition-reassignments.ts";
import type { Handler } from "../handler.ts";

export const listPartitionReassignmentsHandler: Handler<typeof listPartitionReassignments> = {
  api: listPartitionReassignments,
  authorize: {
    kind: "request",
    wants: () => [{ operation: "DESCRIBE", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => ({ errorCode: Errors.CLUSTER_AUTHORIZATION_FAILED }),
  },
  handle: () => ({ errorCode: Errors.NONE, errorMessage: null }),
};
