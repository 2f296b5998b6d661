/** Administration of ACLs (KIP-140, KIP-290). Any broker passes the requests on. */
import {
  ACL_ANY,
  ACL_PATTERN_MATCH,
  type AclEntry,
  type AclFilter,
  aclName,
  AclOperations,
  AclPatternTypes,
  AclPermissions,
  AclResourceTypes,
} from "../../core/acl.ts";
import { Errors } from "../../core/errors.ts";
import { createAcls } from "../../core/protocol/30-create-acls.ts";
import { deleteAcls } from "../../core/protocol/31-delete-acls.ts";
import { describeAcls } from "../../core/protocol/29-describe-acls.ts";
import type { Cluster } from "../cluster.ts";
import { KafkaError } from "../errors.ts";
import type { OperationOptions } from "../options.ts";

/** What came of one ACL that was to be created. */
export interface CreatedAcl {
  readonly entry: AclEntry;
  readonly error: KafkaError | null;
}

/** ACL operations of an `Admin`. */
export class AclAdmin {
  constructor(private readonly cluster: Cluster) {}

  /** The ACLs that the filter selects. Those with numbers that are not known here are left out. */
  async describe(filter: AclFilter, options: OperationOptions = {}): Promise<AclEntry[]> {
    return await this.cluster.retry("list ACLs", async ({ timeoutMs }) => {
      const connection = await this.cluster.any(options.signal);
      const response = await connection.request(describeAcls, wireFilter(filter), { timeoutMs });
      if (response.errorCode !== Errors.NONE) {
        throw new KafkaError(response.errorCode, "list ACLs", response.errorMessage);
      }
      return response.resources.flatMap((resource) =>
        resource.acls.flatMap((acl) => entryOf({ ...resource, ...acl }) ?? [])
      );
    }, options);
  }

  /** Creates ACLs; one that is there already is no error. */
  async create(
    entries: readonly AclEntry[],
    options: OperationOptions = {},
  ): Promise<CreatedAcl[]> {
    return await this.cluster.retry("create ACLs", async ({ timeoutMs }) => {
      const connection = await this.cluster.any(options.signal);
      const response = await connection.request(createAcls, {
        creations: entries.map((entry) => ({
          resourceType: AclResourceTypes[entry.resourceType],
          resourceName: entry.resourceName,
          resourcePatternType: AclPatternTypes[entry.patternType],
          principal: entry.principal,
          host: entry.host,
          operation: AclOperations[entry.operation],
          permissionType: AclPermissions[entry.permission],
        })),
      }, { timeoutMs });
      return entries.map((entry, index) => {
        const { errorCode = Errors.UNKNOWN_SERVER_ERROR, errorMessage = null } =
          response.results[index] ?? {};
        const error = errorCode === Errors.NONE
          ? null
          : new KafkaError(errorCode, "create an ACL", errorMessage);
        return { entry, error };
      });
    }, options);
  }

  /** Deletes the ACLs that the filter selects, and gives them. */
  async delete(filter: AclFilter, options: OperationOptions = {}): Promise<AclEntry[]> {
    return await this.cluster.retry("delete ACLs", async ({ timeoutMs }) => {
      const connection = await this.cluster.any(options.signal);
      const request = { filters: [wireFilter(filter)] };
      const response = await connection.request(deleteAcls, request, { timeoutMs });
      const [result] = response.filterResults;
      const errorCode = result?.errorCode ?? Errors.UNKNOWN_SERVER_ERROR;
      if (errorCode !== Errors.NONE) {
        throw new KafkaError(errorCode, "delete ACLs", result?.errorMessage ?? null);
      }
      return (result?.matchingAcls ?? []).flatMap((acl) => entryOf(acl) ?? []);
    }, options);
  }
}

function wireFilter(filter: AclFilter) {
  const code = <K extends string>(table: Readonly<Record<K, number>>, name: K | null) =>
    name === null ? ACL_ANY : table[name];
  return {
    resourceTypeFilter: code(AclResourceTypes, filter.resourceType),
    resourceNameFilter: filter.resourceName,
    patternTypeFilter: filter.patternType === "MATCH"
      ? ACL_PATTERN_MATCH
      : code(AclPatternTypes, filter.patternType),
    principalFilter: filter.principal,
    hostFilter: filter.host,
    operation: code(AclOperations, filter.operation),
    permissionType: code(AclPermissions, filter.permission),
  };
}

function entryOf(wire: {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly patternType: number;
  readonly principal: string;
  readonly host: string;
  readonly operation: number;
  readonly permissionType: number;
}): AclEntry | null {
  const resourceType = aclName(AclResourceTypes, wire.resourceType);
  const patternType = aclName(AclPatternTypes, wire.patternType);
  const operation = aclName(AclOperations, wire.operation);
  const permission = aclName(AclPermissions, wire.permissionType);
  if (resourceType === null || patternType === null || operation === null || permission === null) {
    return null;
  }
  const { resourceName, principal, host } = wire;
  return { resourceType, resourceName, patternType, principal, host, operation, permission };
}
