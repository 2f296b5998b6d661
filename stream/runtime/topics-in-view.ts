/** The topics of an application as they were seen last: partitions, and with them tasks, can be added. */
import type { TaskId } from "../assignor/index.ts";
import { partsOf } from "./task-partitions.ts";
import type { TopicPlan } from "./topic-plan.ts";

/** See the head of the file. */
export class TopicsInView {
  #plan: TopicPlan | null = null;

  constructor(private readonly lookAt: (signal: AbortSignal) => Promise<TopicPlan>) {}

  /** Null: nobody has looked yet. */
  get seen(): TopicPlan | null {
    return this.#plan;
  }

  /** As `seen`, for whoever comes after the first look. */
  get plan(): TopicPlan {
    return this.#plan!;
  }

  /** Looks again. Throws what keeps topics from being as they have to be. */
  async look(signal: AbortSignal): Promise<TopicPlan> {
    return this.#plan = await this.lookAt(signal);
  }

  /** Looks again where there are tasks of which nothing is known. */
  async cover(tasks: readonly TaskId[], signal: AbortSignal): Promise<void> {
    if (!tasks.every((task) => this.#has(task))) await this.look(signal);
  }

  #has(task: TaskId): boolean {
    const [subtopology, partition] = partsOf(task);
    return partition < (this.#plan?.subtopologies[subtopology]?.tasks ?? 0);
  }
}
