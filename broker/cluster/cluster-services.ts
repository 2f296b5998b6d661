/** What a broker has as a member of a cluster of several (`Broker.cluster`). */
import type { UserRoutes } from "./acting-for.ts";
import type { BrokerLifecycle } from "./broker-lifecycle.ts";
import type { ControllerRole } from "./controller-role.ts";
import type { MetadataSource } from "./metadata-source.ts";
import type { Peers } from "./peers.ts";
import type { Replication } from "./replication.ts";

/** See the head of the file. */
export interface ClusterServices {
  /** Requests to the others. */
  readonly peers: Peers;
  /** What this node gives to those who follow its metadata while it is controller. */
  readonly metadataSource: MetadataSource;
  /** Its part in being the controller. */
  readonly role: Pick<ControllerRole, "brokers">;
  /** Its membership. */
  readonly lifecycle: Pick<BrokerLifecycle, "trouble">;
  /** Its part in replication. */
  readonly replication: Pick<Replication, "throttleOf">;
  /** The ways of the admin server's users to the others. */
  readonly userRoutes: UserRoutes;
}
