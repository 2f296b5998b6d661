/** What makes a broker a member of a cluster rather than a cluster of its own (`serve --cluster`). */
import type { TimingsName } from "../../cluster/gossip/timings.ts";
import type { HostPort, TlsOptions } from "../../core/io.ts";
import type { QuorumOptions } from "./quorum.ts";

/** How a broker gossips with the others of its cluster (`node-gossip.ts`). */
export interface ClusterGossip {
  /** Where UDP and TCP are bound: an IP address; port 0 for any. */
  readonly bind: HostPort;
  /** Where others reach it: an IP address; port 0: the bound one. */
  readonly advertise: HostPort;
  /** Where other members gossip; this one may be among them. */
  readonly join: readonly HostPort[];
  /** Of this software. */
  readonly version: string;
  /** How busy this process is, in percent of one processor. */
  readonly loadPercent: () => number;
  /** How fast it is. Default: `default`. */
  readonly timings?: TimingsName;
}

/** See the head of the file. Names of configs are Kafka's. */
export interface ClusterOptions {
  /** Its keys in etcd have it; see `etcdSession` for what it may be. */
  readonly name: string;
  readonly quorum: QuorumOptions;
  /** The machine that this broker is on, for the placement of replicas. */
  readonly host: string;
  /** The name of the listener that brokers use among themselves. Default: the first. */
  readonly interBrokerListener?: string;
  /**
   * With what brokers prove to one another that they belong to the cluster (`cluster-secret.ts`): the
   * first is used to prove, each lets in. None: whoever reaches a listener is believed.
   */
  readonly secrets: readonly string[];
  /** Null: it does not gossip. */
  readonly gossip: ClusterGossip | null;
  /** Whether the listener between brokers takes some clients for brokers by their certificates. */
  readonly believesCertificates?: boolean;
  /** The TLS of that listener, for connections to others, as it is at the moment. */
  readonly tls?: () => TlsOptions;
}

/** Whether nodes can tell one another from clients. Where they cannot, whoever reaches them is believed. */
export function areNodesKnownIn(
  { secrets, believesCertificates = false }: ClusterOptions,
): boolean {
  return secrets.length > 0 || believesCertificates;
}
