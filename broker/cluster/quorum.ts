/**
 * What decides for a cluster who its controller is, and keeps its metadata: etcd, with one of the members
 * as controller, or a controller that is a process of its own (`controller-node.ts`).
 */
import type { ControllerElection, ElectedController } from "../../cluster/controller-election.ts";
import type { EtcdTimes } from "../../cluster/etcd/etcd-session.ts";
import type { EtcdStore } from "../../cluster/etcd/etcd-store.ts";
import {
  etcdControllerElection,
  type EtcdWorld,
  openEtcdMetadataLog,
} from "../../cluster/etcd/open-etcd.ts";
import { FixedElection, LogElsewhere } from "../../cluster/fixed-controller.ts";
import type { MetadataLog } from "../../cluster/metadata-log.ts";
import type { Clock, Random } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { randomId } from "../../storage/meta-properties.ts";

/** Where the cluster's metadata are, and who may be controller. */
export type QuorumOptions = EtcdQuorum | FixedQuorum;

/** Every member is a candidate; the log is in etcd, under the cluster's name. */
export interface EtcdQuorum {
  readonly kind: "etcd";
  readonly store: EtcdStore;
  readonly times?: EtcdTimes;
  /** Of the lease that makes a node the controller. */
  readonly leaseTtlMs?: number;
}

/** The controller is this process, which no broker can be; it has the log. */
export interface FixedQuorum {
  readonly kind: "fixed";
  readonly clusterId: string;
  readonly controller: ElectedController;
}

/** Who opens it. */
export interface QuorumMember {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly nodeId: number;
  /** The cluster's name. */
  readonly cluster: string;
  /** The id that this node knows from before, if it does. */
  readonly clusterId: string | undefined;
}

/** What a member has of it. */
export interface Quorum {
  readonly clusterId: string;
  readonly log: MetadataLog;
  readonly election: ControllerElection;
  close(): void;
}

/** Throws an `OperatorError` where it cannot be asked, or is another cluster's. */
export async function openQuorum(options: QuorumOptions, member: QuorumMember): Promise<Quorum> {
  if (options.kind === "fixed") {
    const { clusterId, controller } = options;
    const election = new FixedElection(controller);
    return { clusterId, log: new LogElsewhere(), election, close: () => {} };
  }
  const { clock, random, logger, nodeId, cluster, clusterId } = member;
  const { store, times, leaseTtlMs } = options;
  const world: EtcdWorld = {
    ...{ clock, random, logger, store },
    ...(times !== undefined && { times }),
  };
  const election = etcdControllerElection(world, cluster, nodeId, leaseTtlMs);
  const opened = await openEtcdMetadataLog(world, {
    cluster,
    newClusterId: randomId(random),
    ...(clusterId !== undefined && { clusterId }),
  }, election);
  return { ...opened, election, close: () => opened.log.close() };
}
