/** What the leader of a group knows when it says who has which tasks, and what it says. */

/** Subtopology and partition: `0_3`. */
export type TaskId = string;

/** A task that somebody has to have. */
export interface AssignableTask {
  readonly id: TaskId;
  /** It has stores, so whoever takes it up has to have their contents first. */
  readonly isStateful: boolean;
}

/** A member as the assignor sees it. */
export interface StreamMember {
  readonly memberId: string;
  /** `group.instance.id`: members are ordered by it, so that one that begins again has its place. */
  readonly instanceId: string | null;
  /** Members of the same process share a state directory: what one has on disk, all have. */
  readonly processId: string;
  /** How much it takes, compared with others: how many threads process its tasks. */
  readonly threads: number;
  /** Where it is (`client.tag.*`): `{ zone: "eu-1a" }`. */
  readonly tags: Readonly<Record<string, string>>;
  /** In which it got what it owns; the later one is right where two say that they own a task. */
  readonly generation: number;
  readonly ownedActive: readonly TaskId[];
  /** Standbys and warm-ups. */
  readonly ownedStandby: readonly TaskId[];
  /** As its last assignment had it. */
  readonly awaited: readonly TaskId[];
  /**
   * How many records of changelogs are missing from what it has of a task, whatever its part in it; 0
   * of one that it processes. Of a task without an entry it has nothing.
   */
  readonly lagByTask: ReadonlyMap<TaskId, number>;
}

/** How tasks are to be shared; each by Kafka's name in `StreamsConfig`. */
export interface AssignmentOptions {
  /** `num.standby.replicas` */
  readonly standbyReplicas: number;
  /** `acceptable.recovery.lag`: who misses no more records than this may take a task over at once. */
  readonly acceptableRecoveryLag: number;
  /** `max.warmup.replicas`: copies of all tasks together that may be built up besides standbys. */
  readonly maxWarmupReplicas: number;
  /** `rack.aware.assignment.tags`: a task and its standbys are to differ in these, if they can. */
  readonly rackTags: readonly string[];
}

export interface AssignmentInput extends AssignmentOptions {
  readonly tasks: readonly AssignableTask[];
  readonly members: readonly StreamMember[];
}

/** What a member is to have; a task is in one of the first three lists at most. */
export interface MemberTasks {
  readonly active: readonly TaskId[];
  /** Kept up with their changelogs. */
  readonly standby: readonly TaskId[];
  /** As standbys, until the task or a standby can move here. */
  readonly warmup: readonly TaskId[];
  /**
   * Meant for it as active, once the member that has it has given it up. It says so when it joins
   * next, so that it gets it then; nothing else comes of it.
   */
  readonly awaited: readonly TaskId[];
}

export interface TaskAssignment {
  /** By member id; every member is in it. */
  readonly members: ReadonlyMap<string, MemberTasks>;
  /**
   * A task goes from one member to another: nobody has it until its owner, which gives it up, has
   * joined again (KIP-429).
   */
  readonly isHandingOver: boolean;
  /** Copies are being built up: look again in `probing.rebalance.interval.ms` (KIP-441). */
  readonly isProbingWanted: boolean;
}

/** By subtopology, then by partition. */
export function compareTasks(one: TaskId, other: TaskId): number {
  const [subtopology, partition] = partsOf(one);
  const [otherSubtopology, otherPartition] = partsOf(other);
  return subtopology - otherSubtopology || partition - otherPartition;
}

export function subtopologyOf(task: TaskId): string {
  return task.slice(0, task.indexOf("_"));
}

export function partsOf(task: TaskId): readonly [subtopology: number, partition: number] {
  const at = task.indexOf("_");
  return [Number(task.slice(0, at)), Number(task.slice(at + 1))];
}
