/**
 * Who may do what. One `Authorizer` decides for every handler; how a request is cut into resources
 * and operations is said by the handler (`Handler.authorize`).
 */
import { type AclOperation, AclOperations, type ResourceType } from "../core/acl.ts";
import type { HostPort } from "../core/io.ts";

export { CLUSTER_NAME } from "../core/acl.ts";
export type { AclOperation, ResourceType } from "../core/acl.ts";

/** A resource and what is to be done with it. */
export interface ResourceOperation {
  readonly operation: AclOperation;
  readonly resourceType: ResourceType;
  readonly name: string;
}

/** Who sends requests on a connection. */
export interface Principal {
  readonly type: string;
  readonly name: string;
}

/** As ACLs and `super.users` write it: `User:alice`. */
export function principalName({ type, name }: Principal): string {
  return `${type}:${name}`;
}

/** The principal of every connection that has not authenticated. */
export const ANONYMOUS: Principal = { type: "User", name: "ANONYMOUS" };

/** Decides; asked for each resource of each request, so it must answer from memory. */
export interface Authorizer {
  authorize(principal: Principal, peer: HostPort, wanted: ResourceOperation): boolean;
  /**
   * Whether this is allowed on some resource of the type, whatever its name (Kafka's
   * `authorizeByResourceType`). Without it, what holds for a name that nobody has.
   */
  authorizeAny?(
    principal: Principal,
    peer: HostPort,
    operation: AclOperation,
    resourceType: ResourceType,
  ): boolean;
}

/** Lets everybody do everything: a broker without security. */
export const allowAll: Authorizer = { authorize: () => true };

/** The operations that make sense for a resource type (Kafka's `AclEntry.supportedOperations`). */
const SUPPORTED: Readonly<Record<ResourceType, readonly AclOperation[]>> = {
  TOPIC: [
    "READ",
    "WRITE",
    "CREATE",
    "DESCRIBE",
    "DELETE",
    "ALTER",
    "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS",
  ],
  GROUP: ["READ", "DESCRIBE", "DELETE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"],
  CLUSTER: [
    "CREATE",
    "CLUSTER_ACTION",
    "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS",
    "IDEMPOTENT_WRITE",
    "ALTER",
    "DESCRIBE",
  ],
  TRANSACTIONAL_ID: ["DESCRIBE", "WRITE", "TWO_PHASE_COMMIT"],
  DELEGATION_TOKEN: ["DESCRIBE"],
  USER: ["CREATE_TOKENS", "DESCRIBE_TOKENS"],
};

/** The value of an `authorizedOperations` field that was not asked for. */
export const AUTHORIZED_OPERATIONS_OMITTED = -2147483648;

/**
 * The `authorizedOperations` bit field of a resource (KIP-430): bit `n` for operation `n`. A
 * delegation token's and a user's operations are never asked for on the wire.
 */
export function authorizedOperations(
  authorizer: Authorizer,
  principal: Principal,
  peer: HostPort,
  resourceType: ResourceType,
  name: string,
): number {
  return authorizedOperationNames(authorizer, principal, peer, resourceType, name)
    .reduce((bits, operation) => bits | 1 << AclOperations[operation], 0);
}

/** The same by name. */
export function authorizedOperationNames(
  authorizer: Authorizer,
  principal: Principal,
  peer: HostPort,
  resourceType: ResourceType,
  name: string,
): AclOperation[] {
  return SUPPORTED[resourceType].filter((operation) =>
    authorizer.authorize(principal, peer, { operation, resourceType, name })
  );
}
