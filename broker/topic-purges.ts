/**
 * Topics whose records were purged and can come back: what `storage/log-purges.ts` does with one
 * log, for the partitions of a topic at once. `TopicTrash` says when they are given up.
 */
import { Errors } from "../core/errors.ts";
import { DiskError, type Io } from "../core/io.ts";
import type { TopicImage } from "../cluster/metadata-image.ts";
import type { DataDirs } from "../storage/data-dirs.ts";
import type { PartitionLog } from "../storage/partition-log.ts";
import { kafkaUuid } from "./coordinator/group/uuid.ts";
import { accept, type Outcome, refuse } from "./outcome.ts";
import type { Partition } from "./partition.ts";
import type { PartitionSet } from "./partition-set.ts";
import { isInternalTopic } from "./topic-names.ts";

/** What was purged of a partition. */
export interface PurgedPartition {
  readonly partition: number;
  /** The records from here on … */
  readonly startOffset: number;
  /** … to here, where the partition begins since. */
  readonly endOffset: number;
}

/** What was purged of a topic at once. */
export interface PurgedTopic {
  readonly id: string;
  readonly name: string;
  readonly topicId: string;
  readonly purgedMs: number;
  /** Of its records. */
  readonly sizeBytes: number;
  readonly partitions: readonly PurgedPartition[];
}

/** What the purges stand on. */
export interface TopicPurgesOptions {
  readonly io: Pick<Io, "clock" | "random">;
  readonly dataDirs: DataDirs;
  readonly partitions: PartitionSet;
}

/** See the head of this file. One call at a time. */
export class TopicPurges {
  readonly #options: TopicPurgesOptions;

  constructor(options: TopicPurgesOptions) {
    this.#options = options;
  }

  /** What can come back, in no order. */
  list(): PurgedTopic[] {
    const found = new Map<string, PurgedTopic>();
    for (const log of this.#options.dataDirs.logs()) {
      if (log.purges.all.length === 0 || log.failed) continue;
      for (const { id, purgedMs, startOffset, endOffset, sizeBytes } of log.purges.all) {
        const before = found.get(id);
        const partition = { partition: log.partition, startOffset, endOffset };
        found.set(id, {
          id,
          name: log.topic,
          topicId: log.topicId,
          purgedMs,
          sizeBytes: (before?.sizeBytes ?? 0) + sizeBytes,
          partitions: [...before?.partitions ?? [], partition]
            .sort((a, b) => a.partition - b.partition),
        });
      }
    }
    return [...found.values()];
  }

  /** Purges these partitions of a topic, or all. What was purged; of empty ones, nothing. */
  async purge(
    topic: TopicImage,
    indexes: readonly number[] | null,
  ): Promise<Outcome<readonly PurgedPartition[]>> {
    const { clock, random } = this.#options.io;
    const id = kafkaUuid(random);
    const purgedMs = clock.wallMs();
    const found: Partition[] = [];
    for (const index of new Set(indexes ?? topic.partitions.keys())) {
      const partition = this.#find(topic, index);
      if (!partition.ok) return partition;
      found.push(partition.value);
    }
    const purged: PurgedPartition[] = [];
    for (const { log, index } of found) {
      const result = await orWhy(log.purges.purge(id, purgedMs));
      if (typeof result === "string" || !result.ok) {
        const why = typeof result === "string" ? result : result.why;
        const done = purged.length === 0 ? "" : `; ${purged.length} of ${found.length} are purged`;
        const message = `partition ${index} of topic "${topic.name}" is not purged: ${why}${done}`;
        return refuse(Errors.KAFKA_STORAGE_ERROR, message);
      }
      if (result.purge === null) continue;
      const { startOffset, endOffset } = result.purge;
      purged.push({ partition: index, startOffset, endOffset });
    }
    return accept(purged);
  }

  /** Puts the records back, of all partitions or of none, unless a disk fails. */
  async restore(id: string): Promise<Outcome<PurgedTopic>> {
    const purged = this.list().find((one) => one.id === id);
    if (purged === undefined) {
      return refuse(Errors.UNKNOWN_TOPIC_ID, `The purge ${id} is not in the trash.`);
    }
    const logs = this.#logsOf(id);
    const refused = (log: PartitionLog, why: string) =>
      refuse(
        Errors.POLICY_VIOLATION,
        `The records of partition ${log.partition} cannot come back: ${why}.`,
      );
    for (const log of logs) {
      const why = log.purges.problem(id);
      if (why !== null) return refused(log, why);
    }
    for (const log of logs) {
      const why = await orWhy(log.purges.undo(id));
      if (why !== null) return refused(log, why);
    }
    return accept(purged);
  }

  /** Gives up a purge, and those before it. Throws a `DiskError`. */
  async drop(id: string): Promise<void> {
    for (const log of this.#logsOf(id)) await log.purges.drop(id);
  }

  #logsOf(id: string): PartitionLog[] {
    return [...this.#options.dataDirs.logs()]
      .filter((log) => !log.failed && log.purges.all.some((purge) => purge.id === id));
  }

  /** As DeleteRecords looks at it. */
  #find(topic: TopicImage, index: number): Outcome<Partition> {
    const partition = this.#options.partitions.findById(topic.id, index);
    if (typeof partition === "number") {
      return refuse(partition, `topic "${topic.name}" has no partition ${index}`);
    }
    if (isInternalTopic(topic.name)) {
      return refuse(Errors.INVALID_TOPIC_EXCEPTION, `topic "${topic.name}" is internal`);
    }
    if (partition.isCompactOnly) {
      const why = "its cleanup.policy is compact, so records go only by their keys";
      return refuse(Errors.POLICY_VIOLATION, `topic "${topic.name}" is not purged: ${why}`);
    }
    return accept(partition);
  }
}

/** What comes of it, or why the disk refuses. */
async function orWhy<T>(work: Promise<T>): Promise<T | string> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return error.message;
  }
}
