/**
 * What members of an application tell one another in JoinGroup and SyncGroup, in the user data of
 * Kafka's consumer protocol (there: `SubscriptionInfo`, `AssignmentInfo`). The format is our own, so
 * the protocol has a name of our own: a coordinator lets no Java member into a group of ours.
 */
import { decodeVersioned, encodeVersioned, ProtocolError } from "../../core/protocol/codec.ts";
import {
  array,
  bool,
  data,
  int16,
  int32,
  int64,
  string,
  uint32,
} from "../../core/protocol/schema.ts";
import { type MemberTasks, partsOf, type StreamMember, type TaskId } from "./task-assignment.ts";

/** The protocol that members agree on. */
export const ASSIGNOR_NAME = "kstream-stream";

/** The position of a task that is being processed: what it has is all there is (Kafka's `LATEST_OFFSET`). */
export const RUNNING = -2n;

const VERSION = 3;

/** Tasks of one subtopology. */
const partitions = { subtopology: int32("0+"), partitions: array("0+", "int32") };

const subscription = data({
  name: "StreamSubscription",
  versions: "3",
  flexible: "1+",
  fields: {
    processId: string("0+"),
    shape: uint32("0+"),
    threads: int32("0+"),
    endpoint: string("0+"),
    tags: array("0+", { key: string("0+"), value: string("0+") }),
    wantsShutdown: bool("0+"),
    active: array("0+", partitions),
    standby: array("0+", partitions),
    awaited: array("0+", partitions),
    positions: array("0+", {
      subtopology: int32("0+"),
      partition: int32("0+"),
      position: int64("0+"),
    }),
  },
});

const assignment = data({
  name: "StreamAssignment",
  versions: "3",
  flexible: "1+",
  fields: {
    error: int16("0+"),
    shape: uint32("0+"),
    probeAfterMs: int32("0+"),
    active: array("0+", partitions),
    standby: array("0+", partitions),
    warmup: array("0+", partitions),
    awaited: array("0+", partitions),
    hosts: array("0+", {
      endpoint: string("0+"),
      active: array("0+", partitions),
      standby: array("0+", partitions),
    }),
  },
});

/** Who can be asked for the stores of which tasks (Kafka's `StreamsMetadata`). */
export interface QueryableHost {
  /** `HOST:PORT`. */
  readonly endpoint: string;
  readonly active: readonly TaskId[];
  /** Standbys and warm-ups. */
  readonly standby: readonly TaskId[];
}

/** What a member says when it joins, besides what it subscribes to. */
export interface SaidSubscription extends
  Pick<
    StreamMember,
    "processId" | "threads" | "tags" | "ownedActive" | "ownedStandby" | "awaited"
  > {
  /** What its tasks are: those of another shape are others (`topologyShape`). */
  readonly shape: number;
  /** Its application asked for all members to end. */
  readonly wantsShutdown: boolean;
  /** Where its stores can be asked (`application.server`); null: nowhere. */
  readonly endpoint: string | null;
  /**
   * By task that it has something of: the sum of the offsets up to which its changelogs are in its
   * stores; `RUNNING` of one that it processes. The leader, who knows their ends, makes lags of them.
   */
  readonly positions: ReadonlyMap<TaskId, bigint>;
}

/** Why members get no tasks; the order is that of their codes, from 1 on. */
const ERRORS = ["missing-source-topics", "assignment-failed", "shutdown-requested"] as const;

/** What the leader tells a member. */
export interface SaidAssignment extends MemberTasks {
  readonly error: typeof ERRORS[number] | null;
  /** Of the tasks that the group shares out: who processes others gets none. */
  readonly shape: number;
  /** When this member is to join again to see whether tasks can move; null: it is not. */
  readonly probeAfterMs: number | null;
  /** All members that can be asked. */
  readonly hosts: readonly QueryableHost[];
}

export function encodeTaskSubscription(said: SaidSubscription): Uint8Array {
  return encodeVersioned(subscription, VERSION, {
    processId: said.processId,
    shape: said.shape,
    threads: said.threads,
    endpoint: said.endpoint ?? "",
    tags: Object.entries(said.tags).map(([key, value]) => ({ key, value })),
    wantsShutdown: said.wantsShutdown,
    active: bySubtopology(said.ownedActive),
    standby: bySubtopology(said.ownedStandby),
    awaited: bySubtopology(said.awaited),
    positions: [...said.positions].map(([task, position]) => {
      const [subtopology, partition] = partsOf(task);
      return { subtopology, partition, position };
    }),
  });
}

/** Null: it is not of this version of ours. */
export function decodeTaskSubscription(bytes: Uint8Array | null): SaidSubscription | null {
  return read(bytes, () => {
    const said = decodeVersioned(subscription, bytes!);
    if (said.threads < 1) return null;
    const positions = said.positions.map(({ subtopology, partition, position }) =>
      [taskId(subtopology, partition), position] as const
    );
    if (positions.some(([, position]) => position < 0n && position !== RUNNING)) return null;
    return {
      processId: said.processId,
      shape: said.shape,
      threads: said.threads,
      endpoint: said.endpoint === "" ? null : said.endpoint,
      tags: Object.fromEntries(said.tags.map(({ key, value }) => [key, value])),
      wantsShutdown: said.wantsShutdown,
      ownedActive: tasksOf(said.active),
      ownedStandby: tasksOf(said.standby),
      awaited: tasksOf(said.awaited),
      positions: new Map(positions),
    };
  });
}

export function encodeTaskAssignment(said: SaidAssignment): Uint8Array {
  return encodeVersioned(assignment, VERSION, {
    error: said.error === null ? 0 : ERRORS.indexOf(said.error) + 1,
    shape: said.shape,
    probeAfterMs: said.probeAfterMs ?? -1,
    active: bySubtopology(said.active),
    standby: bySubtopology(said.standby),
    warmup: bySubtopology(said.warmup),
    awaited: bySubtopology(said.awaited),
    hosts: said.hosts.map(({ endpoint, active, standby }) => ({
      endpoint,
      active: bySubtopology(active),
      standby: bySubtopology(standby),
    })),
  });
}

/** Null: it is not of this version of ours. */
export function decodeTaskAssignment(bytes: Uint8Array | null): SaidAssignment | null {
  return read(bytes, () => {
    const said = decodeVersioned(assignment, bytes!);
    const error = said.error === 0 ? null : ERRORS[said.error - 1];
    if (error === undefined || said.probeAfterMs < -1) return null;
    return {
      error,
      shape: said.shape,
      probeAfterMs: said.probeAfterMs === -1 ? null : said.probeAfterMs,
      active: tasksOf(said.active),
      standby: tasksOf(said.standby),
      warmup: tasksOf(said.warmup),
      awaited: tasksOf(said.awaited),
      hosts: said.hosts.map(({ endpoint, active, standby }) => ({
        endpoint,
        active: tasksOf(active),
        standby: tasksOf(standby),
      })),
    };
  });
}

/** Bytes come from other members: what is wrong with them is no error of ours. */
function read<T>(bytes: Uint8Array | null, decode: () => T | null): T | null {
  if (bytes === null) return null;
  try {
    return decode();
  } catch (error) {
    if (error instanceof ProtocolError || error instanceof MalformedTask) return null;
    throw error;
  }
}

class MalformedTask extends Error {}

function taskId(subtopology: number, partition: number): TaskId {
  if (subtopology < 0 || partition < 0) throw new MalformedTask();
  return `${subtopology}_${partition}`;
}

interface SubtopologyTasks {
  readonly subtopology: number;
  readonly partitions: readonly number[];
}

function bySubtopology(tasks: readonly TaskId[]): SubtopologyTasks[] {
  const groups = new Map<number, number[]>();
  for (const task of tasks) {
    const [subtopology, partition] = partsOf(task);
    const group = groups.get(subtopology);
    if (group === undefined) groups.set(subtopology, [partition]);
    else group.push(partition);
  }
  return [...groups].map(([subtopology, ofIt]) => ({ subtopology, partitions: ofIt }));
}

function tasksOf(groups: readonly SubtopologyTasks[]): TaskId[] {
  return groups.flatMap(({ subtopology, partitions: ofIt }) =>
    ofIt.map((partition) => taskId(subtopology, partition))
  );
}
