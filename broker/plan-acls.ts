/**
 * What the controller would write to create and delete ACLs: pure functions of the image and the
 * request, with Kafka's codes and words (`AclApis`, `AclControlManager`).
 */
import {
  ACL_ANY,
  ACL_PATTERN_MATCH,
  type AclEntry,
  type AclFilter,
  aclKey,
  aclMatches,
  aclName,
  AclOperations,
  AclPatternTypes,
  AclPermissions,
  AclResourceTypes,
  CLUSTER_NAME,
} from "../core/acl.ts";
import { Errors } from "../core/errors.ts";
import type { MetadataImage } from "../cluster/metadata-image.ts";
import type { MetadataRecord } from "../cluster/metadata-records.ts";
import { accept, type Outcome, refuse } from "./outcome.ts";
import type { Plan } from "./plan-topics.ts";

/** Most ACLs that one request may delete (Kafka's `MAX_RECORDS_PER_USER_OP`). */
const DELETIONS_MAX = 10_000;

/** An ACL as it is on the wire, by numbers. */
export interface WireAcl {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly resourcePatternType: number;
  readonly principal: string;
  readonly host: string;
  readonly operation: number;
  readonly permissionType: number;
}

/** A filter as it is on the wire: null and 1 (ANY) are anything. */
export interface WireAclFilter {
  readonly resourceTypeFilter: number;
  readonly resourceNameFilter: string | null;
  readonly patternTypeFilter: number;
  readonly principalFilter: string | null;
  readonly hostFilter: string | null;
  readonly operation: number;
  readonly permissionType: number;
}

/** Reads an ACL that is to be created. All that is wrong is INVALID_REQUEST. */
export function parseAcl(wire: WireAcl): Outcome<AclEntry> {
  const invalid = (message: string) => refuse(Errors.INVALID_REQUEST, message);
  const { resourceName, principal, host } = wire;
  const resourceType = aclName(AclResourceTypes, wire.resourceType);
  if (resourceType === "CLUSTER" && resourceName !== CLUSTER_NAME) {
    return invalid(`The only valid name for the CLUSTER resource is ${CLUSTER_NAME}`);
  }
  if (resourceName === "") return invalid("Invalid empty resource name");
  if (resourceType === null) {
    return invalid(`Invalid resourceType ${filterWord(wire.resourceType)}`);
  }
  const patternType = aclName(AclPatternTypes, wire.resourcePatternType);
  if (patternType === null) {
    const isMatch = wire.resourcePatternType === ACL_PATTERN_MATCH;
    return invalid(
      `Invalid patternType ${isMatch ? "MATCH" : filterWord(wire.resourcePatternType)}`,
    );
  }
  const operation = aclName(AclOperations, wire.operation);
  if (operation === null) return invalid(`Invalid operation ${filterWord(wire.operation)}`);
  const permission = aclName(AclPermissions, wire.permissionType);
  if (permission === null) {
    return invalid(`Invalid permissionType ${filterWord(wire.permissionType)}`);
  }
  if (!principal.includes(":")) {
    return invalid(
      `Could not parse principal from \`${principal}\` (no colon is present separating the ` +
        "principal type from the principal name)",
    );
  }
  return accept({
    resourceType,
    resourceName,
    patternType,
    principal,
    host,
    operation,
    permission,
  });
}

function filterWord(code: number): string {
  return code === ACL_ANY ? "ANY" : "UNKNOWN";
}

/** Reads a filter; INVALID_REQUEST if it has a number that is not known. */
export function parseAclFilter(wire: WireAclFilter): Outcome<AclFilter> {
  const part = <K extends string>(table: Readonly<Record<K, number>>, code: number) =>
    code === ACL_ANY ? null : aclName(table, code) ?? undefined;
  const resourceType = part(AclResourceTypes, wire.resourceTypeFilter);
  const patternType = wire.patternTypeFilter === ACL_PATTERN_MATCH
    ? "MATCH"
    : part(AclPatternTypes, wire.patternTypeFilter);
  const operation = part(AclOperations, wire.operation);
  const permission = part(AclPermissions, wire.permissionType);
  if (
    resourceType === undefined || patternType === undefined || operation === undefined ||
    permission === undefined
  ) {
    return refuse(Errors.INVALID_REQUEST, "Filters contain UNKNOWN elements.");
  }
  return accept({
    resourceType,
    resourceName: wire.resourceNameFilter,
    patternType,
    principal: wire.principalFilter,
    host: wire.hostFilter,
    operation,
    permission,
  });
}

/** The ACLs that a filter selects. */
export function findAcls(image: MetadataImage, filter: AclFilter): AclEntry[] {
  return [...image.acls].filter((entry) => aclMatches(filter, entry));
}

/** Plans the creation of ACLs; one that is there already is no error. */
export function planCreateAcls(
  image: MetadataImage,
  acls: readonly Outcome<AclEntry>[],
): Plan<null> {
  const created = new Map<string, AclEntry>();
  const outcomes = acls.map((acl): Outcome<null> => {
    if (!acl.ok) return acl;
    if (!image.hasAcl(acl.value)) created.set(aclKey(acl.value), acl.value);
    return accept(null);
  });
  const records = [...created.values()].map((entry): MetadataRecord => ({
    type: "acl",
    version: 1,
    ...entry,
  }));
  return { records, outcomes };
}

/** Plans the deletion of all ACLs that any of the filters selects. The value is what it selected. */
export function planDeleteAcls(
  image: MetadataImage,
  filters: readonly Outcome<AclFilter>[],
): Plan<readonly AclEntry[]> {
  const deleted = new Map<string, AclEntry>();
  const outcomes = filters.map((filter): Outcome<readonly AclEntry[]> => {
    if (!filter.ok) return filter;
    const found = findAcls(image, filter.value);
    if (deleted.size + found.length > DELETIONS_MAX) {
      return refuse(
        Errors.INVALID_REQUEST,
        `Cannot remove more than ${DELETIONS_MAX} acls in a single delete operation.`,
      );
    }
    for (const entry of found) deleted.set(aclKey(entry), entry);
    return accept(found);
  });
  const records = [...deleted.values()].map((entry): MetadataRecord => ({
    type: "remove-acl",
    version: 1,
    ...entry,
  }));
  return { records, outcomes };
}
