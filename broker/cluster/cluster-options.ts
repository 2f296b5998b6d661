/** What makes a broker a member of a cluster rather than a cluster of its own (`serve --cluster`). */
import type { EtcdTimes } from "../../cluster/etcd/etcd-session.ts";
import type { EtcdStore } from "../../cluster/etcd/etcd-store.ts";
import type { TlsOptions } from "../../core/io.ts";

/** See the head of the file. Names of configs are Kafka's. */
export interface ClusterOptions {
  /** Its keys in etcd have it; see `etcdSession` for what it may be. */
  readonly name: string;
  readonly etcd: EtcdStore;
  readonly etcdTimes?: EtcdTimes;
  /** Of the lease that makes a node the controller. */
  readonly leaseTtlMs?: number;
  /** The machine that this broker is on, for the placement of replicas. */
  readonly host: string;
  /** The name of the listener that brokers use among themselves. Default: the first. */
  readonly interBrokerListener?: string;
  /**
   * With what brokers prove to one another that they belong to the cluster (`cluster-secret.ts`): the
   * first is used to prove, each lets in. None: whoever reaches a listener is believed.
   */
  readonly secrets: readonly string[];
  readonly tls?: TlsOptions;
}
