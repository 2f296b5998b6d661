import type { Clock } from "../core/io.ts";
import type { Peers } from "./cluster/peers.ts";
import type { GroupCoordinator } from "./coordinator/group/group-coordinator.ts";
import { startGroupCoordinator } from "./coordinator/group/start.ts";
import type { TimerKind } from "./coordinator/shard.ts";
import { startTransactions, type Transactions } from "./coordinator/transaction/start.ts";
import { FetchSessions } from "./fetch-session.ts";
import { type Foundation, type FoundationOptions, openAlone } from "./foundation.ts";
import type { Member, MemberOptions } from "./cluster/member.ts";
import { ProducerIds } from "./producer-ids.ts";
import { ReplicaMover } from "./replica-mover.ts";
import { type ShareServices, startShareGroups } from "./share/start.ts";

/** What the services are opened with. */
export interface ServicesOptions extends FoundationOptions {
  /** Given if the broker is to be a member of a cluster. */
  readonly member?: Omit<MemberOptions, keyof FoundationOptions> | undefined;
  /** The clocks of the coordinators' timers, where they are not that of `io`. */
  readonly timerClocks?: Readonly<Record<TimerKind, Clock>> | undefined;
  /** The other brokers of the cluster; none: the broker is a cluster by itself. */
  readonly peers?: Peers | undefined;
}

/** The services over the data directories: their logs, the metadata in them, partitions and groups. */
export interface Services extends Foundation, ShareServices, Transactions {
  readonly producerIds: ProducerIds;
  readonly replicaMover: ReplicaMover;
  readonly fetchSessions: FetchSessions;
  readonly groups: GroupCoordinator;
  /** The broker as a member of its cluster; null if it is a cluster by itself. */
  readonly cluster: Member | null;
  /** Ends all waiting, then flushes and leaves the mark of a clean end. */
  close(): Promise<void>;
}

/**
 * Opens the services of a broker, as `openAlone` or `openMember` say. Throws an `OperatorError` if they
 * cannot be opened.
 */
export async function openServices(options: ServicesOptions): Promise<Services> {
  const { io, logger, config } = options;
  const { cluster, ...foundation } = await openFoundation(options);
  const { dataDirs, metadata, controller, changes, partitions, trash } = foundation;
  const replicaMover = new ReplicaMover(io.clock, logger, dataDirs, partitions);
  replicaMover.resume();
  const coordinatorServices = {
    io,
    logger,
    codecs: options.codecs,
    timerClocks: options.timerClocks,
    config,
    metadata,
    changes,
    peers: cluster?.peers ?? options.peers ?? null,
    partition: (topic: string, index: number) => {
      const found = partitions.find(topic, index);
      return typeof found === "number" ? null : found;
    },
  };
  const groups = startGroupCoordinator(coordinatorServices);
  const producerIds = new ProducerIds(changes);
  const txnServices = { ...coordinatorServices, producerIds, partitions, groups };
  const transactions = startTransactions(txnServices);
  const share = startShareGroups({ ...coordinatorServices, partitions, groups });
  return {
    ...foundation,
    producerIds,
    replicaMover,
    fetchSessions: new FetchSessions(io.clock, io.random, {
      slots: Math.ceil(
        config.get("max.incremental.fetch.session.cache.slots") / config.get("kstream.shards"),
      ),
    }),
    groups,
    ...transactions,
    ...share,
    cluster,
    close: async () => {
      await cluster?.close();
      transactions.transactions.close();
      groups.close();
      share.shares.close();
      share.shareStates.close();
      await trash.close();
      await replicaMover.close();
      await controller.close();
      await partitions.close();
      await dataDirs.close(cluster?.lifecycle.epochAtStop);
    },
  };
}

async function openFoundation(
  options: ServicesOptions,
): Promise<Foundation & { readonly cluster: Member | null }> {
  if (options.member === undefined) return { ...await openAlone(options), cluster: null };
  const { openMember } = await import("./cluster/member.ts");
  return await openMember({ ...options, ...options.member });
}
