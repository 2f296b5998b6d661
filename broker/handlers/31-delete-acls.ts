/**
 * DeleteAcls, versions 1 to 3: deletes what each filter selects and names it. INVALID_REQUEST for a
 * filter with an unknown element, or if more than 10,000 ACLs would go; SECURITY_DISABLED without an
 * authorizer.
 *
 * - 2: flexible. 3: users as resources (KIP-373).
 */
import {
  type AclEntry,
  AclOperations,
  AclPatternTypes,
  AclPermissions,
  AclResourceTypes,
  CLUSTER_NAME,
} from "../../core/acl.ts";
import { Errors } from "../../core/errors.ts";
import { deleteAcls } from "../../core/protocol/31-delete-acls.ts";
import type { RequestOf } from "../../core/protocol/schema.ts";
import { hasAcls } from "../acl-authorizer.ts";
import type { Handler } from "../handler.ts";
import { parseAclFilter, planDeleteAcls } from "../plan-acls.ts";

export const deleteAclsHandler: Handler<typeof deleteAcls> = {
  api: deleteAcls,
  forwards: "change",
  authorize: {
    kind: "request",
    wants: () => [{ operation: "ALTER", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: (request) => refuseAll(request, Errors.CLUSTER_AUTHORIZATION_FAILED),
  },
  async handle(_context, request, broker) {
    if (!hasAcls(broker.config)) {
      return refuseAll(request, Errors.SECURITY_DISABLED, "No Authorizer is configured.");
    }
    const filters = request.filters.map(parseAclFilter);
    const outcomes = await broker.controller.change(
      filters.length,
      ({ image }) => planDeleteAcls(image, filters),
    );
    return {
      filterResults: outcomes.map((outcome) =>
        outcome.ok
          ? { errorCode: Errors.NONE, matchingAcls: outcome.value.map(deletedAcl) }
          : { errorCode: outcome.error, errorMessage: outcome.message }
      ),
    };
  },
  failure: refuseAll,
};

function deletedAcl(entry: AclEntry) {
  return {
    errorCode: Errors.NONE,
    resourceType: AclResourceTypes[entry.resourceType],
    resourceName: entry.resourceName,
    patternType: AclPatternTypes[entry.patternType],
    principal: entry.principal,
    host: entry.host,
    operation: AclOperations[entry.operation],
    permissionType: AclPermissions[entry.permission],
  };
}

function refuseAll(
  request: RequestOf<typeof deleteAcls>,
  errorCode: number,
  errorMessage: string | null = null,
) {
  return { filterResults: request.filters.map(() => ({ errorCode, errorMessage })) };
}
