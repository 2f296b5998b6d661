/**
 * DescribeAcls, versions 1 to 3: the ACLs that a filter selects, by resource. A number that is
 * not known selects none, as in Kafka. SECURITY_DISABLED without an authorizer.
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
import { describeAcls } from "../../core/protocol/29-describe-acls.ts";
import { hasAcls } from "../acl-authorizer.ts";
import type { Handler } from "../handler.ts";
import { findAcls, parseAclFilter } from "../plan-acls.ts";

export const describeAclsHandler: Handler<typeof describeAcls> = {
  api: describeAcls,
  authorize: {
    kind: "request",
    wants: () => [{ operation: "DESCRIBE", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => ({ errorCode: Errors.CLUSTER_AUTHORIZATION_FAILED }),
  },
  handle(_context, request, broker) {
    if (!hasAcls(broker.config)) {
      return {
        errorCode: Errors.SECURITY_DISABLED,
        errorMessage: "No Authorizer is configured on the broker",
      };
    }
    const filter = parseAclFilter(request);
    if (!filter.ok) return { errorCode: Errors.NONE };
    const entries = findAcls(broker.metadata.image, filter.value);
    const byResource = Map.groupBy(
      entries,
      ({ resourceType, patternType, resourceName }) =>
        `${resourceType}:${patternType}:${resourceName}`,
    );
    return { errorCode: Errors.NONE, resources: [...byResource.values()].map(resourceOf) };
  },
};

function resourceOf(entries: readonly AclEntry[]) {
  const { resourceType, resourceName, patternType } = entries[0]!;
  return {
    resourceType: AclResourceTypes[resourceType],
    resourceName,
    patternType: AclPatternTypes[patternType],
    acls: entries.map(({ principal, host, operation, permission }) => ({
      principal,
      host,
      operation: AclOperations[operation],
      permissionType: AclPermissions[permission],
    })),
  };
}
