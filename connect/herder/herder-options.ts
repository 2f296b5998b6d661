/** What a herder is made of. */
import type { Clock } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { MembershipEvents, Peer, WorkerMembership } from "../group/membership.ts";
import type { StatusListener } from "../worker/status.ts";
import type { Worker } from "../worker/worker.ts";
import type { ConfigStore } from "./config-store.ts";
import type { LeaderLink } from "./leader-link.ts";
import type { LogLevels } from "./log-levels.ts";
import type { PluginCatalog } from "./plugin-catalog.ts";
import type { RestartPolicy } from "./restarts.ts";
import type { SessionKeys } from "./session-keys.ts";
import type { StatusStore } from "./status-store.ts";

export interface HerderOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly configs: ConfigStore;
  readonly statuses: StatusStore;
  readonly plugins: PluginCatalog;
  readonly levels: LogLevels;
  /** This worker, as others know it. */
  readonly self: Peer;
  readonly makeWorker: (listener: StatusListener) => Worker;
  readonly makeMembership: (events: MembershipEvents) => WorkerMembership;
  /** How the leader is asked, if that is another worker. */
  readonly link: LeaderLink;
  readonly sessionKeys: SessionKeys;
  readonly restarts: RestartPolicy;
  readonly clusterId: () => Promise<string | null>;
  readonly fenceProducers: (transactionalIds: readonly string[]) => Promise<void>;
  readonly transactionalId: (connector: string, task: number) => string;
  /** The membership has ended for good: the worker is of no use any more. */
  readonly onFatal: (error: Error) => void;
}
