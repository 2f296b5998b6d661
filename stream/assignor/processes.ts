/** Members of a group by the process that they run in, which is what has copies of tasks. */
import type { AssignableTask, StreamMember, TaskId } from "./task-assignment.ts";

/** A process with its members, in a fixed order. */
export interface StreamProcess {
  readonly members: readonly StreamMember[];
  /** Threads of all its members. */
  readonly capacity: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly ownedStandby: ReadonlySet<TaskId>;
  readonly lags: ReadonlyMap<TaskId, number>;
}

/** Static members by their instance, then the others by their member id. */
export function processesOf(members: readonly StreamMember[]): StreamProcess[] {
  const groups = new Map<string, StreamMember[]>();
  for (const member of [...members].sort(compareMembers)) {
    const group = groups.get(member.processId);
    if (group === undefined) groups.set(member.processId, [member]);
    else group.push(member);
  }
  return [...groups.values()].map((group) => ({
    members: group,
    capacity: group.reduce((sum, { threads }) => sum + Math.max(1, threads), 0),
    tags: group[0]!.tags,
    ownedStandby: new Set(group.flatMap(({ ownedStandby }) => ownedStandby)),
    lags: lagsOf(group),
  }));
}

function compareMembers(one: StreamMember, other: StreamMember): number {
  const [a, b] = [one, other].map(({ instanceId, memberId }) =>
    instanceId === null ? `1${memberId}` : `0${instanceId}`
  ) as [string, string];
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What any of them has, all have. */
function lagsOf(members: readonly StreamMember[]): Map<TaskId, number> {
  const lags = new Map<TaskId, number>();
  for (const { lagByTask } of members) {
    for (const [task, lag] of lagByTask) lags.set(task, Math.min(lag, lags.get(task) ?? Infinity));
  }
  return lags;
}

/** What the assignor looks up over and over. */
export class Holdings {
  readonly processes: readonly StreamProcess[];
  /** Who has a task as active: the index of its process. Of several, that of the latest generation. */
  readonly owners: ReadonlyMap<TaskId, number>;
  /** By task: the indexes of processes that have standbys or warm-ups of it. */
  readonly standbys: ReadonlyMap<TaskId, readonly number[]>;
  /** By task: the indexes of processes that have anything of it. */
  readonly copies: ReadonlyMap<TaskId, readonly number[]>;

  constructor(
    tasks: readonly AssignableTask[],
    members: readonly StreamMember[],
    private readonly acceptableRecoveryLag: number,
  ) {
    const known = new Set(tasks.map(({ id }) => id));
    const processes = this.processes = processesOf(members);
    this.owners = ownersOf(processes.map(({ members: group }) => group), known);
    this.standbys = indexOf(processes.map(({ ownedStandby }) => ownedStandby), known);
    this.copies = indexOf(processes.map(({ lags }) => lags.keys()), known);
  }

  /** Infinity: the process has nothing of the task. */
  lag(process: number, task: TaskId): number {
    return this.processes[process]!.lags.get(task) ?? Infinity;
  }

  isCaughtUp(process: number, task: TaskId): boolean {
    return this.lag(process, task) <= this.acceptableRecoveryLag;
  }

  hasStandby(process: number, task: TaskId): boolean {
    return this.processes[process]!.ownedStandby.has(task);
  }

  /**
   * Orders processes by how soon they could take up a task: who is caught up, then who is being built
   * up (so that it is finished), then by what is missing.
   */
  compare(task: TaskId, one: number, otherTask: TaskId, other: number): number {
    return this.#rank(one, task) - this.#rank(other, otherTask) ||
      compareLags(this.lag(one, task), this.lag(other, otherTask));
  }

  #rank(process: number, task: TaskId): number {
    if (this.isCaughtUp(process, task)) return 0;
    return this.hasStandby(process, task) ? 1 : 2;
  }
}

function compareLags(one: number, other: number): number {
  return one === other ? 0 : one - other;
}

/**
 * The owner of each task, of these groups of members: who has it, or who was to get it when nobody has
 * it any more. Of several it is that of the latest generation; of equals, nobody.
 */
export function ownersOf(
  groups: readonly (readonly StreamMember[])[],
  known: ReadonlySet<TaskId>,
): Map<TaskId, number> {
  const awaiting = claimsOf(groups, known, ({ awaited }) => awaited);
  return new Map([...awaiting, ...claimsOf(groups, known, ({ ownedActive }) => ownedActive)]);
}

function claimsOf(
  groups: readonly (readonly StreamMember[])[],
  known: ReadonlySet<TaskId>,
  claimed: (member: StreamMember) => readonly TaskId[],
): Map<TaskId, number> {
  const claims = new Map<TaskId, { readonly group: number; readonly generation: number }>();
  const disputed = new Map<TaskId, number>();
  for (const [group, members] of groups.entries()) {
    for (const member of members) {
      const { generation } = member;
      for (const task of claimed(member)) {
        if (!known.has(task)) continue;
        const claim = claims.get(task);
        if (claim === undefined || claim.generation < generation) {
          claims.set(task, { group, generation });
        } else if (claim.generation === generation && claim.group !== group) {
          disputed.set(task, generation);
        }
      }
    }
  }
  const settled = [...claims].filter(([task, { generation }]) => {
    return disputed.get(task) !== generation;
  });
  return new Map(settled.map(([task, { group }]) => [task, group]));
}

function indexOf(
  tasksOf: readonly Iterable<TaskId>[],
  known: ReadonlySet<TaskId>,
): Map<TaskId, number[]> {
  const index = new Map<TaskId, number[]>();
  for (const [process, tasks] of tasksOf.entries()) {
    for (const task of tasks) {
      if (!known.has(task)) continue;
      const list = index.get(task);
      if (list === undefined) index.set(task, [process]);
      else list.push(process);
    }
  }
  return index;
}
