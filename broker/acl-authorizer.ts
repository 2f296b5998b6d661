/**
 * The authorizer that decides by the ACLs in the metadata (Kafka's `StandardAuthorizer`). On by
 * `authorizer.class.name`; `super.users` may do everything, and what no ACL speaks of is denied
 * unless `allow.everyone.if.no.acl.found`.
 */
import { AclIndex, type AclOperation, type ResourceType } from "../core/acl.ts";
import type { HostPort } from "../core/io.ts";
import { javaHost } from "../core/ip-address.ts";
import {
  type Authorizer,
  type Principal,
  principalName,
  type ResourceOperation,
} from "./authorizer.ts";
import { superUsersOf } from "./config/access-configs.ts";
import type { BrokerConfig } from "./config/broker-config.ts";
import type { MetadataCache } from "./metadata-cache.ts";

/** Whether this broker decides by ACLs; without it the APIs of ACLs answer SECURITY_DISABLED. */
export function hasAcls(config: BrokerConfig): boolean {
  return config.get("authorizer.class.name") !== "";
}

/** See the head of the file. It follows the metadata; what is in force is in `index`. */
export class AclAuthorizer implements Authorizer {
  readonly #index: AclIndex;
  readonly #superUsers: ReadonlySet<string>;
  readonly #allowsByDefault: boolean;

  constructor(metadata: MetadataCache) {
    this.#index = new AclIndex(metadata.image.acls);
    this.#superUsers = new Set(superUsersOf(metadata.config.get("super.users")));
    this.#allowsByDefault = metadata.config.get("allow.everyone.if.no.acl.found");
    metadata.onChange(({ changedAcls }) => {
      for (const { entry, isRemoved } of changedAcls) {
        if (isRemoved) this.#index.remove(entry);
        else this.#index.add(entry);
      }
    });
  }

  authorize(principal: Principal, peer: HostPort, wanted: ResourceOperation): boolean {
    const name = principalName(principal);
    if (this.#superUsers.has(name)) return true;
    const decision = this.#index.decide({
      principal: name,
      host: javaHost(peer.host),
      operation: wanted.operation,
      resourceType: wanted.resourceType,
      resourceName: wanted.name,
    });
    switch (decision.kind) {
      case "entry":
        return decision.entry.permission === "ALLOW";
      case "none":
        return false;
      case "default":
        return this.#allowsByDefault;
    }
  }

  authorizeAny(
    principal: Principal,
    peer: HostPort,
    operation: AclOperation,
    resourceType: ResourceType,
  ): boolean {
    // A name that nobody has: super users and what holds for every name, as in Kafka.
    if (this.authorize(principal, peer, { operation, resourceType, name: "hardcode" })) return true;
    const host = javaHost(peer.host);
    return this.#index.allowsAny({
      principal: principalName(principal),
      host,
      operation,
      resourceType,
    });
  }
}
