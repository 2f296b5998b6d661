/**
 * The APIs that brokers of a cluster have for each other: served by its members beside those of
 * `index.ts`. All need CLUSTER_ACTION on CLUSTER.
 */
import type { AnyHandler } from "../handler.ts";
import { alterPartitionHandler } from "./56-alter-partition.ts";
import { envelopeHandler } from "./58-envelope.ts";
import { fetchSnapshotHandler } from "./59-fetch-snapshot.ts";
import { brokerRegistrationHandler } from "./62-broker-registration.ts";
import { brokerHeartbeatHandler } from "./63-broker-heartbeat.ts";
import { allocateProducerIdsHandler } from "./67-allocate-producer-ids.ts";
import { assignReplicasToDirsHandler } from "./73-assign-replicas-to-dirs.ts";

export const clusterHandlers: readonly AnyHandler[] = [
  alterPartitionHandler,
  envelopeHandler,
  fetchSnapshotHandler,
  brokerRegistrationHandler,
  brokerHeartbeatHandler,
  allocateProducerIdsHandler,
  assignReplicasToDirsHandler,
];
