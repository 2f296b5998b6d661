/** The internal topic under a coordinator: how many partitions it has, and which are led here. */
import type { MetadataDelta } from "../../cluster/metadata-image.ts";
import { type ErrorCode, Errors } from "../../core/errors.ts";
import type { Clock } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { MetadataCache } from "../metadata-cache.ts";
import type { MetadataChanges } from "../metadata-changes.ts";
import type { CoordinatorLog } from "./coordinator-log.ts";
import { type LedPartition, partitionLog } from "./partition-log.ts";
import type { Outcome, TimerKind } from "./shard.ts";

/** The topic as the metadata image has it now. */
export interface CoordinatorTopic {
  /** How many partitions it has, or is going to have. */
  partitionCount(): number;
  /** Creates it if it is missing; NONE once it is there. */
  ensure(): Promise<ErrorCode>;
  /** The partitions that this broker leads, by index; none while there is no topic. */
  led(): ReadonlyMap<number, CoordinatorLog>;
  /** This broker. */
  readonly nodeId: number;
  /** The broker that leads a partition; −1: none does; undefined: there is no such partition. */
  leader(index: number): number | undefined;
}

/**
 * The broker that coordinates a key: the topic is created if it is missing, and where the key is this
 * broker's the state is loaded. `partitionOf` is asked once the topic is there. COORDINATOR_NOT_AVAILABLE
 * while there is none.
 */
export async function findCoordinator(
  topic: CoordinatorTopic,
  partitionOf: () => number,
  ready: (index: number) => Promise<boolean>,
): Promise<Outcome<number>> {
  const error = await topic.ensure();
  if (error !== Errors.NONE) return { ok: false, error };
  const index = partitionOf();
  const leader = topic.leader(index) ?? -1;
  // Loading may take longer than a client waits; it then gets its own error from the coordinator.
  const isThere = leader === topic.nodeId ? await ready(index) : leader >= 0;
  return isThere
    ? { ok: true, value: leader }
    : { ok: false, error: Errors.COORDINATOR_NOT_AVAILABLE };
}

/** What of a broker a coordinator's topic stands on. */
export interface CoordinatorTopicServices {
  /** The clocks of a coordinator's timers, where they are not the broker's. */
  readonly timerClocks?: Readonly<Record<TimerKind, Clock>> | undefined;
  readonly logger: Logger;
  readonly metadata: MetadataCache;
  readonly changes: Pick<MetadataChanges, "ensureTopic">;
  /** The hosted partition, or null if it is not there. */
  readonly partition: (topic: string, index: number) => LedPartition | null;
}

/** Whether a change of the metadata is one of the topic called `name`. */
export function isTouched(
  { createdTopics, deletedTopics, changedTopics }: MetadataDelta,
  name: string,
): boolean {
  const touched = [...createdTopics, ...deletedTopics, ...changedTopics.map((each) => each.after)];
  return touched.some((topic) => topic.name === name);
}

/** A partition's log under one leader epoch; another epoch is another log to the coordinator. */
interface LedLog {
  readonly partition: LedPartition;
  readonly leaderEpoch: number;
  readonly log: CoordinatorLog;
}

/** Follows the topic called `name`; `plannedPartitions` says how many it gets when it is created. */
export function coordinatorTopic(
  services: CoordinatorTopicServices,
  name: string,
  plannedPartitions: () => number,
): CoordinatorTopic {
  const { changes, logger, metadata, partition } = services;
  const logs = new Map<number, LedLog>();
  return {
    nodeId: metadata.nodeId,
    partitionCount: () => metadata.topic(name)?.partitions.length ?? plannedPartitions(),
    leader: (index) => metadata.topic(name)?.partitions[index]?.leader,
    ensure: async () => {
      const outcome = await changes.ensureTopic(name);
      if (outcome.ok) return Errors.NONE;
      logger.error(`${name} cannot be created`, { why: outcome.message });
      return Errors.COORDINATOR_NOT_AVAILABLE;
    },
    led: () => {
      const led = new Map<number, CoordinatorLog>();
      const topic = metadata.topic(name);
      topic?.partitions.forEach(({ leader, leaderEpoch }, index) => {
        const hosted = leader === metadata.nodeId ? partition(topic.name, index) : null;
        if (hosted === null) return;
        const known = logs.get(index);
        const same = known?.partition === hosted && known.leaderEpoch === leaderEpoch;
        const log = same ? known.log : partitionLog(hosted);
        logs.set(index, { partition: hosted, leaderEpoch, log });
        led.set(index, log);
      });
      return led;
    },
  };
}
