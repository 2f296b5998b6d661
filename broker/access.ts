/** Who may do what at a node, and how its peers prove that they are peers. */
import type { Io } from "../core/io.ts";
import { AclAuthorizer, hasAcls } from "./acl-authorizer.ts";
import { allowAll, type Authorizer } from "./authorizer.ts";
import { PeerAuthentication, peersOnly } from "./cluster/cluster-secret.ts";
import type { BrokerConfig } from "./config/broker-config.ts";
import type { MetadataCache } from "./metadata-cache.ts";

/**
 * Who may do what: `given`, else what `authorizer.class.name` says, without it everybody everything. Where
 * nodes of the cluster are told from others there are things that they alone may do.
 */
export function authorizerOf(
  given: Authorizer | undefined,
  config: BrokerConfig,
  metadata: MetadataCache,
  areNodesKnown: boolean,
): Authorizer {
  const ofClients = given ?? (hasAcls(config) ? new AclAuthorizer(metadata) : allowAll);
  return areNodesKnown ? peersOnly(ofClients) : ofClients;
}

/** Lets in who knows one of the cluster's secrets; null if nodes are not told from others. */
export function peerAuthenticationOf(
  io: Pick<Io, "clock" | "random">,
  config: BrokerConfig,
  secrets: readonly string[],
  areNodesKnown: boolean,
): PeerAuthentication | null {
  if (!areNodesKnown) return null;
  const delayMs = () => config.get("connection.failed.authentication.delay.ms");
  return new PeerAuthentication(io, secrets, delayMs);
}
