/**
 * What handlers see of a controller that is no broker: who it is, the metadata and their changes. What only
 * a broker has is not there, and none of the handlers that it serves asks for it (`controller-node.ts`).
 */
import { BrokerMetrics } from "../metrics/broker-metrics.ts";
import { assert } from "../../core/assert.ts";
import { ConnectionError } from "../../core/connection-error.ts";
import type { Authorizer } from "../authorizer.ts";
import type { ApiTable } from "../api-table.ts";
import type { Broker } from "../broker.ts";
import type { BrokerConfig } from "../config/broker-config.ts";
import type { Controller } from "../controller.ts";
import { featuresInForce } from "../features.ts";
import type { MetadataCache } from "../metadata-cache.ts";
import type { ClientQuotaManager } from "../quotas/client-quota-manager.ts";
import type { ClusterServices } from "./cluster-services.ts";
import type { PeerAuthentication } from "./cluster-secret.ts";
import type { BrokerControl } from "./broker-control.ts";
import type { MetadataSource } from "./metadata-source.ts";
import type { Peers } from "./peers.ts";

/** What a controller has. */
export interface ControllerParts extends Pick<Broker, "io" | "logger" | "clusterId" | "onBug"> {
  readonly config: BrokerConfig;
  readonly nodeId: number;
  readonly metadata: MetadataCache;
  readonly controller: Controller;
  readonly metadataSource: MetadataSource;
  readonly brokers: BrokerControl;
  readonly authorizer: Authorizer;
  readonly peerAuthentication: PeerAuthentication | null;
  readonly apis: ApiTable;
  readonly quotas: ClientQuotaManager;
  readonly stopping: AbortSignal;
}

function absent(what: string): never {
  assert(false, `a controller that is no broker has no ${what}`);
}

/** It is the controller itself; while it stops, there is none. */
const NOBODY: Peers = {
  connect: () => Promise.reject(gone()),
  request: () => Promise.reject(gone()),
  requestController: () => Promise.reject(gone()),
  controllerServes: () => null,
  close: () => Promise.resolve(),
};

function gone(): ConnectionError {
  return new ConnectionError("closed", { host: "", port: 0 }, "the controller stops");
}

/** See the head of the file. */
export function controllerServices(parts: ControllerParts): Broker {
  const { controller, metadata, metadataSource, brokers, nodeId } = parts;
  const cluster: ClusterServices = {
    peers: NOBODY,
    metadataSource,
    role: { brokers },
    replication: { throttleOf: () => absent("replicas") },
    get lifecycle() {
      return absent("a membership");
    },
    get userRoutes() {
      return absent("an admin server");
    },
  };
  return {
    ...parts,
    cluster,
    changes: controller,
    controllerId: nodeId,
    metrics: new BrokerMetrics(),
    dev: null,
    tracing: null,
    get features() {
      return featuresInForce(metadata.image);
    },
    get dataDirs() {
      return absent("data directories of replicas");
    },
    get partitions() {
      return absent("partitions");
    },
    get producerIds() {
      return absent("producer ids of its own");
    },
    get replicaMover() {
      return absent("replicas to move");
    },
    get trash() {
      return absent("trash");
    },
    get fetchSessions() {
      return absent("fetch sessions");
    },
    get groups() {
      return absent("groups");
    },
    get shareGroups() {
      return absent("share groups");
    },
    get shareStates() {
      return absent("states of share groups");
    },
    get shares() {
      return absent("share sessions");
    },
    get telemetry() {
      return absent("telemetry");
    },
    get transactions() {
      return absent("transactions");
    },
    get transactionGate() {
      return absent("transactions");
    },
    get txnMarkers() {
      return absent("transactions");
    },
  };
}
