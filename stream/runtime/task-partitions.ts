/** Which partitions a task is of. */
import type { TopicPartition } from "../../client/group-protocol.ts";
import { partsOf, type TaskId } from "../assignor/index.ts";
import type { TopicPlan } from "./topic-plan.ts";

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
