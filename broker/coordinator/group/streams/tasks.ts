/**
 * Tasks of a streams group: a subtopology run over one number of the partitions of its source
 * topics. Sets of tasks have the form of `Assignment`, with the id of the subtopology in the place
 * of the topic's.
 */
import {
  type Assignment,
  assignmentOf,
  type EpochedAssignment,
  epochedAssignmentOf,
  epochedTopicPartitionsOf,
  NO_PARTITIONS,
  sameAssignment,
  sameEpochedAssignment,
  topicPartitionsOf,
} from "../modern/topic-partitions.ts";

/** The ways to run a task. Warm-ups are read and kept, never given out, as in Kafka 4.4. */
export const ROLES = ["active", "standby", "warmup"] as const;
export type Role = (typeof ROLES)[number];

/** Tasks of a subtopology in a record or message. */
export interface TaskIds {
  readonly subtopologyId: string;
  readonly partitions: readonly number[];
}

/** As `TaskIds`, with epochs where they are known. */
export interface EpochedTaskIds extends TaskIds {
  readonly assignmentEpochs: readonly number[] | null;
}

/** Tasks by subtopology, with or without epochs. */
export type TaskSet = ReadonlyMap<string, { keys(): Iterable<number>; has(task: number): boolean }>;

/** What a member is to run, or says that it runs. */
export interface Tasks {
  readonly active: Assignment;
  readonly standby: Assignment;
  readonly warmup: Assignment;
}

/** What a member has: each active task with the epoch in which it was assigned (KIP-1251). */
export interface MemberTasks {
  readonly active: EpochedAssignment;
  readonly standby: Assignment;
  readonly warmup: Assignment;
}

/** No tasks at all, of either kind. */
export const NO_TASKS = {
  active: NO_PARTITIONS,
  standby: NO_PARTITIONS,
  warmup: NO_PARTITIONS,
} as const;

/** The tasks of a record or message. */
export function taskSet(tasks: readonly TaskIds[]): Assignment {
  return assignmentOf(
    tasks.map(({ subtopologyId, partitions }) => ({ topicId: subtopologyId, partitions })),
  );
}

/** As `taskSet`; where there are no epochs, all are of `defaultEpoch`. */
export function epochedTaskSet(
  tasks: readonly EpochedTaskIds[],
  defaultEpoch: number,
): EpochedAssignment {
  return epochedAssignmentOf(
    tasks.map(({ subtopologyId, ...rest }) => ({ topicId: subtopologyId, ...rest })),
    defaultEpoch,
  );
}

/** The form in records and messages, in the order of subtopologies and partitions. */
export function taskIds(tasks: TaskSet): TaskIds[] {
  return topicPartitionsOf(sorted(tasks))
    .map(({ topicId, partitions }) => ({ subtopologyId: topicId, partitions }));
}

/** As `taskIds`, with the epochs. */
export function epochedTaskIds(tasks: EpochedAssignment): EpochedTaskIds[] {
  return epochedTopicPartitionsOf(sorted(tasks))
    .map(({ topicId, ...rest }) => ({ subtopologyId: topicId, ...rest }));
}

function sorted<T>(tasks: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  return new Map([...tasks].toSorted(([a], [b]) => a < b ? -1 : 1));
}

/** Whether both have the same tasks in the same roles. */
export function sameTasks(a: Tasks, b: Tasks): boolean {
  return sameAssignment(a.active, b.active) && sameAssignment(a.standby, b.standby) &&
    sameAssignment(a.warmup, b.warmup);
}

/** As `sameTasks`, in the same epochs too. */
export function sameMemberTasks(a: MemberTasks, b: MemberTasks): boolean {
  return sameEpochedAssignment(a.active, b.active) && sameAssignment(a.standby, b.standby) &&
    sameAssignment(a.warmup, b.warmup);
}

/** Whether a task is in both, in the same role. */
export function haveCommonTask(
  a: Readonly<Record<Role, TaskSet>>,
  b: Readonly<Record<Role, TaskSet>>,
): boolean {
  return ROLES.some((role) => {
    for (const [subtopologyId, tasks] of a[role]) {
      const others = b[role].get(subtopologyId);
      if (others === undefined) continue;
      for (const task of tasks.keys()) if (others.has(task)) return true;
    }
    return false;
  });
}

/** Whether all tasks of the one are in the other, in the same role. */
export function areTasksWithin(
  part: Readonly<Record<Role, TaskSet>>,
  whole: Readonly<Record<Role, TaskSet>>,
): boolean {
  return ROLES.every((role) => {
    for (const [subtopologyId, tasks] of part[role]) {
      const others = whole[role].get(subtopologyId);
      for (const task of tasks.keys()) if (others?.has(task) !== true) return false;
    }
    return true;
  });
}
