/** Which partitions a task is of. */
import type { TopicPartition } from "../../client/group-protocol.ts";
import type { TaskId } from "../assignor/index.ts";
import type { TopicPlan } from "./topic-plan.ts";

/** Subtopology and partition. */
export function partsOf(task: TaskId): readonly [subtopology: number, partition: number] {
  const at = task.indexOf("_");
  return [Number(task.slice(0, at)), Number(task.slice(at + 1))];
}

/** What a task reads. */
export function partitionsOf(
  task: TaskId,
  { subtopologies, partitionCounts }: TopicPlan,
): TopicPartition[] {
  const [subtopology, partition] = partsOf(task);
  return (subtopologies[subtopology]?.sourceTopics ?? []).flatMap((topic) =>
    partition < (partitionCounts.get(topic) ?? 0) ? [{ topic, partition }] : []
  );
}
