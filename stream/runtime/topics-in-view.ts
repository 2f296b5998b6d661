/**
 * The topics of an application as they were seen last: partitions can be added, and with them tasks, and
 * topics that sources read by a pattern can come and go.
 */
import { partitionKey, type TopicPartition } from "../../client/group-protocol.ts";
import { type Clock, sleep } from "../../core/io.ts";
import { partsOf, type TaskId } from "../assignor/index.ts";
import { partitionsOf } from "./task-partitions.ts";
import type { TopicPlan } from "./topic-plan.ts";

/** How sources by pattern are followed. */
export interface PatternWatch {
  readonly clock: Clock;
  /** How often is looked whether others match. */
  readonly everyMs: number;
  /** Topics that match, in order. */
  matching(signal: AbortSignal): Promise<readonly string[]>;
}

/** What another member has seen already may take so long to be seen here. */
const LOOKS = 10;
const LOOK_AGAIN_MS = 200;

/** See the head of the file. */
export class TopicsInView {
  #plan: TopicPlan | null = null;
  #watchedMs = -Infinity;
  #isDoubtful = false;

  /** `watch` null: no source is by pattern. */
  constructor(
    private readonly lookAt: (signal: AbortSignal) => Promise<TopicPlan>,
    private readonly watch: PatternWatch | null = null,
  ) {}

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
    this.#plan = await this.lookAt(signal);
    this.#isDoubtful = false;
    return this.#plan;
  }

  /** They may be others by now: `cover` looks again. */
  doubt(): void {
    this.#isDoubtful = true;
  }

  /** Looks again where there are tasks of which nothing is known, or there is doubt. */
  async cover(tasks: readonly TaskId[], signal: AbortSignal): Promise<void> {
    if (tasks.length === 0) return;
    if (this.#isDoubtful || !tasks.every((task) => this.#has(task))) await this.look(signal);
  }

  /**
   * Where sources are by pattern: has these tasks read here what the leader has said that they read.
   * False: it is not seen as the leader sees it.
   */
  async agree(
    active: readonly TaskId[],
    assigned: readonly TopicPartition[],
    signal: AbortSignal,
  ): Promise<boolean> {
    if (this.watch === null) return true;
    const wanted = namesOf(assigned);
    for (let look = 0; look < LOOKS; look++) {
      const reads = active.flatMap((task) => partitionsOf(task, this.plan));
      if (namesOf(reads) === wanted) return true;
      if (look > 0) await sleep(this.watch.clock, LOOK_AGAIN_MS, signal);
      await this.look(signal);
    }
    return false;
  }

  /** Whether other topics match than when it was looked, which is asked every so often. */
  async hasOthers(signal: AbortSignal): Promise<boolean> {
    const { watch } = this;
    if (watch === null) return false;
    const nowMs = watch.clock.monotonicMs();
    if (nowMs - this.#watchedMs < watch.everyMs) return false;
    this.#watchedMs = nowMs;
    return (await watch.matching(signal)).join() !== this.plan.matching.join();
  }

  #has(task: TaskId): boolean {
    const [subtopology, partition] = partsOf(task);
    return partition < (this.#plan?.subtopologies[subtopology]?.tasks ?? 0);
  }
}

function namesOf(partitions: readonly TopicPartition[]): string {
  return partitions.map(({ topic, partition }) => partitionKey(topic, partition)).sort().join();
}
