/** Opens the keys of a cluster in etcd: makes them at the first start, refuses what is not ours. */
import type { Clock, Random } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { EtcdControllerElection } from "./etcd-controller-election.ts";
import {
  decodeIdentity,
  encodeHead,
  encodeIdentity,
  EtcdKeys,
  type Identity,
} from "./etcd-layout.ts";
import { EtcdMetadataLog, type Fencing } from "./etcd-metadata-log.ts";
import { DEFAULT_ETCD_TIMES, entryAt, EtcdSession, type EtcdTimes } from "./etcd-session.ts";
import { type EtcdEntry, type EtcdStore, prefixEnd } from "./etcd-store.ts";

const CLUSTER_NAME = /^[a-zA-Z0-9._-]{1,100}$/;

/** What it takes to work on a cluster's keys. */
export interface EtcdWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly store: EtcdStore;
  /** Default: `DEFAULT_ETCD_TIMES`. */
  readonly times?: EtcdTimes;
}

/** Whose keys they are to be. */
export interface ExpectedCluster {
  /** The name: 1 to 100 letters, digits, dots, underscores and dashes. */
  readonly cluster: string;
  /** The id that the cluster gets if it is new, in Kafka's base64url form of a UUID. */
  readonly newClusterId: string;
  /** The id that this node knows from before: keys of another one are refused, and missing ones. */
  readonly clusterId?: string;
}

/** A cluster's log, and its id. */
export interface OpenEtcdLog {
  readonly log: EtcdMetadataLog;
  readonly clusterId: string;
}

/**
 * The election of a cluster's controller, to campaign in once the cluster's log has been opened: that
 * makes its keys at the first start. `ttlMs`: of the lease, see `DEFAULT_LEASE_TTL_MS`.
 */
export function etcdControllerElection(
  world: EtcdWorld,
  cluster: string,
  nodeId: number,
  ttlMs?: number,
): EtcdControllerElection {
  return new EtcdControllerElection(etcdSession(world, cluster), world.logger, nodeId, ttlMs);
}

/** A session on the keys of a cluster; throws an `OperatorError` for a name that cannot be one. */
export function etcdSession(world: EtcdWorld, cluster: string): EtcdSession {
  if (!CLUSTER_NAME.test(cluster)) {
    throw new OperatorError(
      `cannot use the cluster name ${JSON.stringify(cluster)}`,
      "it is part of the keys in etcd",
      "take 1 to 100 letters, digits, dots, underscores and dashes",
      2,
    );
  }
  const { clock, random, store, times = DEFAULT_ETCD_TIMES } = world;
  return new EtcdSession(clock, random, store, new EtcdKeys(cluster), times);
}

/**
 * Opens the log of a cluster and follows it until it is closed. With `fencing`, it appends only while
 * this process is the elected controller. Throws an `OperatorError` if etcd cannot be asked (exit
 * code 3) or holds keys that are not this cluster's.
 */
export async function openEtcdMetadataLog(
  world: EtcdWorld,
  expected: ExpectedCluster,
  fencing: Fencing | null = null,
): Promise<OpenEtcdLog> {
  const session = etcdSession(world, expected.cluster);
  const { identity, head } = await openKeys(session, expected);
  const log = new EtcdMetadataLog(session, world.logger, head, fencing);
  void log.follow().catch((error: unknown) => {
    world.logger.error("the metadata in etcd is followed no more", { error: String(error) });
  });
  return { log, clusterId: identity.clusterId };
}

async function openKeys(
  session: EtcdSession,
  expected: ExpectedCluster,
): Promise<{ identity: Identity; head: EtcdEntry }> {
  const { keys } = session;
  if (expected.clusterId === undefined) await makeKeys(session, expected);
  const found = await session.repeated({
    compare: [],
    then: [{ type: "range", key: keys.identity }, { type: "range", key: keys.head }],
    otherwise: [],
  });
  if (!found.ok) throw noAnswer(expected.cluster, found.failure.message);
  return checked(keys.prefix, expected, entryAt(found.value, 0), entryAt(found.value, 1));
}

/** Makes a new cluster where there are no keys at all. */
async function makeKeys(session: EtcdSession, expected: ExpectedCluster): Promise<void> {
  const { keys } = session;
  const { cluster, newClusterId: clusterId } = expected;
  // Done once at most, however often it is asked for: afterwards there are keys.
  const made = await session.repeated({
    compare: [{ target: "absent", key: keys.prefix, rangeEnd: prefixEnd(keys.prefix) }],
    then: [
      { type: "put", key: keys.identity, value: encodeIdentity({ cluster, clusterId }) },
      { type: "put", key: keys.head, value: encodeHead({ position: 0, id: "", term: 0 }) },
    ],
    otherwise: [],
  });
  if (!made.ok) throw noAnswer(cluster, made.failure.message);
}

function checked(
  prefix: string,
  expected: ExpectedCluster,
  entry: EtcdEntry | null,
  head: EtcdEntry | null,
): { identity: Identity; head: EtcdEntry } {
  const refuse = (why: string, whatToDo: string) =>
    new OperatorError(`cannot use the keys under ${prefix} in etcd`, why, whatToDo);
  if (entry === null && head === null && expected.clusterId !== undefined) {
    throw refuse(
      `there are none, but this node belongs to the cluster of the id ${expected.clusterId}`,
      "check the addresses of etcd and the cluster's name, or restore the keys from a backup",
    );
  }
  const identity = entry === null ? null : decodeIdentity(entry.value);
  if (identity === null || head === null) {
    throw refuse(
      "they are not kstream's, or of a version that this one does not know",
      "give the cluster another name, or use a newer kstream",
    );
  }
  if (identity.cluster !== expected.cluster) {
    throw refuse(
      `they say that they belong to the cluster ${identity.cluster}`,
      "restore the right backup, or give the cluster another name",
    );
  }
  if (expected.clusterId !== undefined && identity.clusterId !== expected.clusterId) {
    throw refuse(
      `they belong to a cluster of the id ${identity.clusterId}, this node to ${expected.clusterId}`,
      "check the addresses of etcd and the data directory",
    );
  }
  return { identity, head };
}

function noAnswer(cluster: string, message: string): OperatorError {
  return new OperatorError(
    `cannot open the metadata of the cluster ${cluster} in etcd`,
    message,
    "check that etcd runs and that its addresses, user and certificates are right",
    3,
  );
}
