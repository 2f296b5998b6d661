/** A group whose members come and go, restore and fall behind, and whose leader is the assignor. */
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { assignTasks } from "./assign-tasks.ts";
import type { AssignableTask, StreamMember, TaskAssignment, TaskId } from "./task-assignment.ts";

/** What the group is set to. */
export interface GroupOptions {
  readonly standbyReplicas: number;
  readonly maxWarmupReplicas: number;
  readonly rackTags: readonly string[];
}

interface Member {
  readonly memberId: string;
  readonly processId: string;
  readonly threads: number;
  readonly tags: Readonly<Record<string, string>>;
  active: Set<TaskId>;
  standby: Set<TaskId>;
  awaited: readonly TaskId[];
}

const ACCEPTABLE_LAG = 100;

/** See the head of the file. */
export class SimGroup {
  readonly random: SimRandom;
  readonly members = new Map<string, Member>();
  readonly tasks: AssignableTask[] = [];
  /** By process, by task: what is missing from its copy. */
  readonly lags = new Map<string, Map<TaskId, number>>();
  /** How often an active task went from one process to another, both of which are there. */
  moves = 0;
  #count = 0;
  readonly #lastProcess = new Map<TaskId, string>();

  constructor(seed: number, readonly options: GroupOptions) {
    this.random = new SimRandom(seed);
  }

  addTasks(subtopology: number, partitions: number, isStateful: boolean): void {
    for (let i = 0; i < partitions; i++) this.tasks.push({ id: `${subtopology}_${i}`, isStateful });
  }

  join(processId: string, threads = 1, tags: Readonly<Record<string, string>> = {}): string {
    // Not in the order in which they came.
    const memberId = `m${this.random.below(1000)}-${this.#count++}`;
    const none = { active: new Set<TaskId>(), standby: new Set<TaskId>(), awaited: [] };
    this.members.set(memberId, { memberId, processId, threads, tags, ...none });
    if (!this.lags.has(processId)) this.lags.set(processId, new Map());
    return memberId;
  }

  /** `losesState`: its disk as well, where no other member of its process is left. */
  leave(memberId: string, losesState = false): void {
    const { processId } = this.members.get(memberId)!;
    this.members.delete(memberId);
    const isLast = [...this.members.values()].every((other) => other.processId !== processId);
    if (losesState && isLast) this.lags.get(processId)!.clear();
  }

  /** What the members say when they join. */
  said(): StreamMember[] {
    return [...this.members.values()].map((member) => ({
      ...{ memberId: member.memberId, instanceId: null, generation: 1 },
      ...{ processId: member.processId, threads: member.threads, tags: member.tags },
      ownedActive: [...member.active],
      ownedStandby: [...member.standby],
      awaited: member.awaited,
      lagByTask: new Map(this.lags.get(member.processId)),
    }));
  }

  assign(): TaskAssignment {
    return assignTasks({
      ...{ tasks: this.tasks, members: this.said(), acceptableRecoveryLag: ACCEPTABLE_LAG },
      ...this.options,
    });
  }

  /** One rebalance, checked. */
  rebalance(): TaskAssignment {
    const assignment = this.assign();
    const problem = problemOf(this, assignment);
    if (problem !== null) throw new Error(problem);
    for (const [memberId, { active, standby, warmup, awaited }] of assignment.members) {
      const member = this.members.get(memberId)!;
      member.active = new Set(active);
      member.awaited = awaited;
      member.standby = new Set([...standby, ...warmup]);
      const lags = this.lags.get(member.processId)!;
      for (const task of [...standby, ...warmup]) {
        if (!lags.has(task)) lags.set(task, this.random.between(200, 2000));
      }
    }
    const processes = new Set([...this.members.values()].map(({ processId }) => processId));
    for (const [task, process] of this.processByActive()) {
      const last = this.#lastProcess.get(task) ?? process;
      if (last !== process && processes.has(last)) this.moves++;
      this.#lastProcess.set(task, process);
    }
    return assignment;
  }

  /** Time in which all active tasks are restored, and copies come nearer. */
  catchUp(records = 500): void {
    for (const { processId, active, standby } of this.members.values()) {
      const lags = this.lags.get(processId)!;
      for (const task of active) if (this.isStateful(task)) lags.set(task, 0);
      for (const task of standby) {
        lags.set(task, Math.max(this.random.below(20), (lags.get(task) ?? 2000) - records));
      }
    }
  }

  /** Copies that nobody keeps up fall behind. */
  fallBehind(): void {
    for (const [processId, lags] of this.lags) {
      const kept = new Set(
        [...this.members.values()].flatMap((member) =>
          member.processId === processId ? [...member.active, ...member.standby] : []
        ),
      );
      for (const [task, lag] of lags) {
        if (!kept.has(task)) lags.set(task, lag + this.random.below(200));
      }
    }
  }

  /** Rebalances until none is asked for any more; gives how many there were. */
  settle(max: number): number {
    for (let rounds = 1; rounds <= max; rounds++) {
      const { isHandingOver, isProbingWanted } = this.rebalance();
      if (!isHandingOver && !isProbingWanted) return rounds;
      if (!isHandingOver) {
        this.catchUp();
        this.fallBehind();
      }
    }
    throw new Error(`still not settled after ${max} rebalances`);
  }

  isStateful(task: TaskId): boolean {
    return this.tasks.some(({ id, isStateful }) => id === task && isStateful);
  }

  processByActive(): Map<TaskId, string> {
    return new Map(
      [...this.members.values()].flatMap(({ processId, active }) =>
        [...active].map((task) => [task, processId] as const)
      ),
    );
  }

  isCaughtUp(processId: string, task: TaskId): boolean {
    return (this.lags.get(processId)?.get(task) ?? Infinity) <= ACCEPTABLE_LAG;
  }
}

/** What is wrong with an assignment, whatever was before; null: nothing. */
function problemOf(group: SimGroup, assignment: TaskAssignment): string | null {
  const actives = new Map<TaskId, string>();
  const copies = new Map<TaskId, string[]>();
  const processes = new Set([...group.members.values()].map((member) => member.processId));
  const wanted = Math.min(group.options.standbyReplicas, processes.size - 1);
  let warmups = 0;
  if (assignment.members.size !== group.members.size) return "a member is forgotten";
  for (const [memberId, { active, standby, warmup }] of assignment.members) {
    const { processId } = group.members.get(memberId)!;
    warmups += warmup.length;
    for (const task of active) {
      if (actives.has(task)) return `two have ${task}`;
      actives.set(task, processId);
      const others = [...group.members.values()].filter((each) => each.memberId !== memberId);
      if (others.some((each) => each.active.has(task))) return `${task} was not given up`;
    }
    for (const task of [...standby, ...warmup]) {
      if (!group.isStateful(task)) return `${task} has no state, but a standby`;
      copies.set(task, [...copies.get(task) ?? [], processId]);
    }
  }
  if (warmups > group.options.maxWarmupReplicas) return `${warmups} warm-ups`;
  for (const { id: task, isStateful } of group.tasks) {
    const process = actives.get(task);
    const held = copies.get(task) ?? [];
    if (process === undefined) {
      const isHeld = [...group.members.values()].some(({ active }) => active.has(task));
      if (!isHeld || !assignment.isHandingOver) return `nobody has ${task}`;
      continue;
    }
    const ready = (names: Iterable<string>) =>
      [...new Set(names)].filter((name) => group.isCaughtUp(name, task)).length;
    const before = [...group.members.values()].filter(({ active, standby }) =>
      active.has(task) || standby.has(task)
    );
    const kept = ready([process, ...held]);
    if (isStateful && kept < Math.min(ready(before.map((each) => each.processId)), 1 + wanted)) {
      return `${task} has fewer copies that are caught up`;
    }
    if (held.includes(process)) return `${task} and its standby are on ${process}`;
    if (new Set(held).size < held.length) return `a process has two copies of ${task}`;
    if (isStateful && held.length < wanted) return `${task} has ${held.length} standbys`;
    const isUnready = isStateful && !group.isCaughtUp(process, task);
    if (isUnready && [...processes].some((other) => group.isCaughtUp(other, task))) {
      return `${task} went to ${process}, which is behind`;
    }
  }
  return null;
}
