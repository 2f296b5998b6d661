import type { Io } from "../core/io.ts";
import type { Logger } from "../core/logger.ts";
import type { DataDirs } from "../storage/data-dirs.ts";
import type { Authorizer } from "./authorizer.ts";
import type { ApiTable } from "./api-table.ts";
import type { ClusterServices } from "./cluster/cluster-services.ts";
import type { BrokerConfig } from "./config/broker-config.ts";
import type { GroupCoordinator } from "./coordinator/group/group-coordinator.ts";
import type { ShareGroupCoordinator } from "./coordinator/group/share/share-group-coordinator.ts";
import type { ShareCoordinator } from "./coordinator/share/share-coordinator.ts";
import type { Transactions } from "./coordinator/transaction/start.ts";
import type { Controller } from "./controller.ts";
import type { DevServices } from "./dev/dev-services.ts";
import type { FetchSessions } from "./fetch-session.ts";
import type { MetadataCache } from "./metadata-cache.ts";
import type { BrokerMetrics } from "./metrics/broker-metrics.ts";
import type { MetadataChanges } from "./metadata-changes.ts";
import type { PartitionSet } from "./partition-set.ts";
import type { FinalizedFeature } from "./features.ts";
import type { ClientTelemetry } from "./client-telemetry.ts";
import type { PeerAuthentication } from "./cluster/cluster-secret.ts";
import type { ClientQuotaManager } from "./quotas/client-quota-manager.ts";
import type { ProducerIds } from "./producer-ids.ts";
import type { ReplicaMover } from "./replica-mover.ts";
import type { TopicTrash } from "./topic-trash.ts";
import type { ShareService } from "./share/share-service.ts";
import type { Tracing } from "./tracing/tracing.ts";

/**
 * The services of a running broker, as its handlers see them. `start-broker.ts` builds it; a part
 * that gives handlers a service adds its field here and its construction there.
 */
export interface Broker extends Transactions {
  readonly io: Io;
  readonly logger: Logger;
  readonly config: BrokerConfig;
  readonly authorizer: Authorizer;
  /** Lets peers in that know the cluster's secret; null where there is none. */
  readonly peerAuthentication: PeerAuthentication | null;
  readonly clusterId: string;
  readonly nodeId: number;
  /** The node that is controller, as far as this one knows; −1: none. */
  readonly controllerId: number;
  /** What this broker serves. */
  readonly apis: ApiTable;
  /** The cluster as this broker knows it. */
  readonly metadata: MetadataCache;
  /** Changes the metadata, where this broker is the controller. */
  readonly controller: Controller;
  /** Changes of the metadata that any broker asks for. */
  readonly changes: MetadataChanges;
  readonly producerIds: ProducerIds;
  readonly dataDirs: DataDirs;
  /** The partitions that this broker hosts. */
  readonly partitions: PartitionSet;
  /** Moves logs between data directories. */
  readonly replicaMover: ReplicaMover;
  /** Deleted topics that can come back. */
  readonly trash: TopicTrash;
  /** Slows down who goes beyond a quota. */
  readonly quotas: ClientQuotaManager;
  /** The incremental fetch sessions of all clients. */
  readonly fetchSessions: FetchSessions;
  /** Aborted when the broker begins to stop: long polls answer at once with what they have. */
  readonly stopping: AbortSignal;
  /** Groups and committed offsets. */
  readonly groups: GroupCoordinator;
  /** Share groups, with what is persisted of them. */
  readonly shareGroups: ShareGroupCoordinator;
  /** What is persisted of share partitions. */
  readonly shareStates: ShareCoordinator;
  /** Sessions of share consumers, and what they have in hand. */
  readonly shares: ShareService;
  /** What it counts. */
  readonly metrics: BrokerMetrics;
  /** What clients tell of themselves. */
  readonly telemetry: ClientTelemetry;
  /** What it tells of traces; null: nothing. */
  readonly tracing: Tracing | null;
  /** The features of this cluster (KIP-584) and the levels in force, in the order of their names. */
  readonly features: readonly FinalizedFeature[];
  /** What a member of a cluster has; null: the broker is a cluster by itself. */
  readonly cluster: ClusterServices | null;
  /** What only a broker for development has (`serve --dev`); null for others. */
  readonly dev: DevServices | null;
  /** Reports a broken invariant: the process has to end, because its state can't be trusted. */
  onBug(error: Error): void;
}
