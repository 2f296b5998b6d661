/**
 * Data directories of brokers that fail or are lost (KIP-112, KIP-858), as records for the metadata log:
 * pure functions of the image.
 *
 * Unlike Kafka's, the metadata do not hold which replica is in which directory. A broker whose directory
 * fails says so in its heartbeat, and then names the replicas that are there, in Kafka's own request for
 * it (AssignReplicasToDirs). One that comes back without a directory that it had stays fenced until it has
 * named the replicas that it has lost. One whose directory is full names its replicas, too, and says
 * where they are once there is room again.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import type { Steps } from "../../core/steps.ts";
import { type MetadataImage, type PartitionImage, partitionRecord } from "../metadata-image.ts";
import type { MetadataRecord } from "../metadata-records.ts";
import type { ElectionContext } from "./broker-changes.ts";
import { changePartition, imageOf, type PartitionChange, stateOf } from "./partition-change.ts";

/** The directory of what is lost (Kafka's `DirectoryId.LOST`). */
export const LOST_DIR = "AAAAAAAAAAAAAAAAAAAAAQ";
/** The directory of what can be read and not written: of those that Kafka keeps for itself. */
export const FULL_DIR = "AAAAAAAAAAAAAAAAAAAAYw";
/** Partitions between two steps. */
const PARTITIONS_PER_STEP = 200;

/** A broker says in which of its data directories a replica is. */
export interface AssignedReplica {
  readonly topicId: string;
  readonly partition: number;
  readonly directoryId: string;
}

/** What to write, and the error of each replica. */
export interface AssignmentOutcome {
  readonly records: readonly MetadataRecord[];
  readonly errors: readonly ErrorCode[];
}

/** Directories of the broker have failed; those that are not its own do not count. */
export function* planOfflineDirs(
  image: MetadataImage,
  brokerId: number,
  dirs: readonly string[],
): Steps<MetadataRecord[]> {
  const broker = image.brokers.get(brokerId);
  const { logDirs = [], offlineDirs = [] } = broker ?? {};
  const failed = logDirs.filter((id) => dirs.includes(id) || offlineDirs.includes(id));
  yield;
  return broker === undefined || failed.length === offlineDirs.length
    ? []
    : [{ type: "broker", version: 1, ...broker, offlineDirs: failed }];
}

/**
 * What is in a directory that has failed goes offline: it leaves ISR and ELR, and others are elected. What
 * is lost leaves them as well, and is not taken for the last that has it. What is in a full one goes offline
 * as long as others can lead, and stays eligible. What is in a healthy directory is offline no more.
 */
export function* planAssignments(
  image: MetadataImage,
  brokerId: number,
  replicas: readonly AssignedReplica[],
  context: ElectionContext,
): Steps<AssignmentOutcome> {
  const { logDirs = [], offlineDirs = [] } = image.brokers.get(brokerId) ?? {};
  const changed = new Map<string, MetadataRecord & { readonly type: "partition" }>();
  const errors: ErrorCode[] = [];
  for (const [count, { topicId, partition: index, directoryId }] of replicas.entries()) {
    if (count % PARTITIONS_PER_STEP === PARTITIONS_PER_STEP - 1) yield;
    const topic = image.topicsById.get(topicId);
    const key = `${topicId}:${index}`;
    const partition: PartitionImage | undefined = changed.get(key) ?? topic?.partitions[index];
    const error = errorOf(topic === undefined, partition, brokerId);
    errors.push(error);
    if (error !== Errors.NONE || topic === undefined || partition === undefined) continue;
    const what = changeOf(directoryId, brokerId, { logDirs, offlineDirs });
    if (what === null) continue;
    const next = changePartition(stateOf(partition), {
      election: context.electsUncleanly(topic) ? "unclean" : "online",
      minInsync: context.minInsync(topic),
      isAlive: (id) => context.isAlive(id),
      ...what,
    });
    const isReadOnly = directoryId === FULL_DIR && partition.leader === brokerId &&
      next !== null && next.leader < 0;
    if (next !== null && !isReadOnly) {
      changed.set(key, partitionRecord(topicId, index, imageOf(next)));
    }
  }
  return { records: [...changed.values()], errors };
}

function changeOf(
  directoryId: string,
  brokerId: number,
  { logDirs, offlineDirs }: { readonly logDirs: readonly string[]; offlineDirs: readonly string[] },
): Partial<PartitionChange> | null {
  const ids = [brokerId];
  if (directoryId === LOST_DIR) return { lost: ids };
  if (directoryId === FULL_DIR) return { leaving: ids, offline: ids };
  if (offlineDirs.includes(directoryId)) return { unclean: ids, offline: ids };
  return logDirs.includes(directoryId) ? { online: ids } : null;
}

function errorOf(
  isUnknown: boolean,
  partition: PartitionImage | undefined,
  brokerId: number,
): ErrorCode {
  if (isUnknown) return Errors.UNKNOWN_TOPIC_ID;
  if (partition === undefined) return Errors.UNKNOWN_TOPIC_OR_PARTITION;
  return partition.replicas.includes(brokerId) ? Errors.NONE : Errors.NOT_LEADER_OR_FOLLOWER;
}
