/**
 * Gives tasks to the members of a streams group (KIP-1071; Kafka's `StickyTaskAssignor` has the
 * same aims). Every task gets one active member, and as many standbys on other processes as there
 * are processes for it. In the order of weight:
 *
 * 1. Balance: active tasks differ by at most one between members, and a process has its share by
 *    the number of its members (threads).
 * 2. Stickiness: within its share a member keeps its active tasks, then becomes active where it was
 *    standby, for there it has the state.
 * 3. Spread: what is left goes, subtopology by subtopology, to whoever has the most room.
 *
 * Standbys follow the same order, with all tasks of a member counted.
 */
import type { Assignment } from "../modern/topic-partitions.ts";
import { NO_PARTITIONS } from "../modern/topic-partitions.ts";
import type { Tasks } from "./tasks.ts";

/** A member as the assignor sees it. */
export interface StreamsAssignorMember {
  readonly memberId: string;
  /** Members of one process share what is on its disk. */
  readonly processId: string;
  /** Its present target. */
  readonly target: Tasks;
}

/** What is to be assigned to whom. */
export interface StreamsAssignorInput {
  readonly members: readonly StreamsAssignorMember[];
  readonly subtopologies: readonly {
    readonly id: string;
    readonly taskCount: number;
    readonly isStateful: boolean;
  }[];
  readonly standbyReplicas: number;
}

interface Task {
  readonly subtopologyId: string;
  readonly partition: number;
}

interface Worker {
  readonly memberId: string;
  readonly process: Process;
  readonly active: Task[];
  readonly standby: Task[];
}

interface Process {
  readonly id: string;
  readonly workers: Worker[];
  /** Keys of all tasks on it: a task is never twice on one process. */
  readonly tasks: Set<string>;
}

/** New targets by member id. Nothing but the input decides. */
export function assignTasks(input: StreamsAssignorInput): ReadonlyMap<string, Tasks> {
  if (input.members.length === 0) return new Map();
  const assignment = new TaskAssignment(input);
  assignment.assignActive();
  assignment.assignStandbys();
  return assignment.targets();
}

const keyOf = ({ subtopologyId, partition }: Task) => `${partition} ${subtopologyId}`;
const load = (worker: Worker) => worker.active.length + worker.standby.length;
const processLoad = (process: Process) => process.tasks.size / process.workers.length;

/** The item with the least measure; the first of several. */
function least<T>(items: Iterable<T>, measure: (item: T) => number): T | undefined {
  let best: T | undefined;
  let lowest = Infinity;
  for (const item of items) {
    const value = measure(item);
    if (value < lowest) [best, lowest] = [item, value];
  }
  return best;
}

class TaskAssignment {
  readonly #workers: readonly Worker[];
  readonly #processes: readonly Process[];
  readonly #tasks: readonly Task[];
  readonly #wasActive = new Map<string, Worker>();
  readonly #wasStandby = new Map<string, Worker[]>();

  constructor(readonly input: StreamsAssignorInput) {
    const processes = new Map<string, Process>();
    const members = input.members.toSorted((a, b) => a.memberId < b.memberId ? -1 : 1);
    this.#workers = members.map(({ memberId, processId, target }) => {
      const process = processes.get(processId) ?? { id: processId, workers: [], tasks: new Set() };
      processes.set(processId, process);
      const worker: Worker = { memberId, process, active: [], standby: [] };
      process.workers.push(worker);
      for (const key of keysOf(target.active)) this.#wasActive.set(key, worker);
      for (const key of keysOf(target.standby)) {
        this.#wasStandby.set(key, [...this.#wasStandby.get(key) ?? [], worker]);
      }
      return worker;
    });
    this.#processes = [...processes.values()];
    this.#tasks = input.subtopologies.flatMap(({ id, taskCount }) =>
      Array.from({ length: taskCount }, (_, partition) => ({ subtopologyId: id, partition }))
    );
  }

  assignActive(): void {
    const room = this.#activeRoom();
    const give = (task: Task, worker: Worker) => {
      worker.active.push(task);
      worker.process.tasks.add(keyOf(task));
      room.take(worker);
    };
    // Partition by partition, so that what is kept is a fair part of each subtopology.
    const ordered = this.#tasks.toSorted((a, b) => a.partition - b.partition);
    const rest = new Set(this.#tasks);
    for (const task of ordered) {
      const worker = this.#wasActive.get(keyOf(task));
      if (worker === undefined || !room.has(worker)) continue;
      give(task, worker);
      rest.delete(task);
    }
    for (const task of ordered) {
      if (!rest.has(task)) continue;
      const able = (this.#wasStandby.get(keyOf(task)) ?? []).filter((each) => room.has(each));
      const worker = least(able, load);
      if (worker === undefined) continue;
      give(task, worker);
      rest.delete(task);
    }
    for (const task of rest) {
      const process = least(this.#processes, (each) => room.hasAny(each) ? processLoad(each) : 2e9);
      const able = process?.workers.filter((each) => room.has(each)) ?? [];
      give(task, least(able, load)!);
    }
  }

  /** The share of each process, exact over all: those that keep most by it get what does not divide. */
  #activeRoom(): Room {
    const kept = new Map<Process, number>();
    for (const task of this.#tasks) {
      const process = this.#wasActive.get(keyOf(task))?.process;
      if (process !== undefined) kept.set(process, (kept.get(process) ?? 0) + 1);
    }
    const shares = new Map<Process, number>();
    const total = this.#tasks.length;
    const ideal = (process: Process) => total * process.workers.length / this.#workers.length;
    for (const process of this.#processes) shares.set(process, Math.floor(ideal(process)));
    let left = total - [...shares.values()].reduce((sum, share) => sum + share, 0);
    const takers = this.#processes.filter((each) => !Number.isInteger(ideal(each))).toSorted((
      a,
      b,
    ) => ((kept.get(b) ?? 0) - shares.get(b)!) - ((kept.get(a) ?? 0) - shares.get(a)!));
    for (const process of takers) {
      if (left-- <= 0) break;
      shares.set(process, shares.get(process)! + 1);
    }
    return new Room(shares);
  }

  assignStandbys(): void {
    const stateful = new Set(
      this.input.subtopologies.filter((each) => each.isStateful).map((each) => each.id),
    );
    const replicas = Math.min(this.input.standbyReplicas, this.#processes.length - 1);
    if (replicas <= 0) return;
    const tasks = this.#tasks.filter((task) => stateful.has(task.subtopologyId));
    const most = Math.ceil((this.#tasks.length + tasks.length * replicas) / this.#workers.length);
    const give = (task: Task, worker: Worker) => {
      worker.standby.push(task);
      worker.process.tasks.add(keyOf(task));
    };
    const open: Task[] = [];
    for (const task of tasks) {
      const key = keyOf(task);
      // Who was active has the newest state.
      const before = [this.#wasActive.get(key), ...this.#wasStandby.get(key) ?? []]
        .filter((each) => each !== undefined);
      let wanted = replicas;
      for (const worker of before) {
        if (wanted === 0) break;
        if (worker.process.tasks.has(key) || load(worker) >= most) continue;
        give(task, worker);
        wanted--;
      }
      for (; wanted > 0; wanted--) open.push(task);
    }
    for (const task of open) {
      const able = this.#processes.filter((each) => !each.tasks.has(keyOf(task)));
      const worker = least(least(able, processLoad)?.workers ?? [], load);
      if (worker !== undefined) give(task, worker);
    }
  }

  targets(): ReadonlyMap<string, Tasks> {
    return new Map(this.#workers.map(({ memberId, active, standby }) => [
      memberId,
      { active: grouped(active), standby: grouped(standby), warmup: NO_PARTITIONS },
    ]));
  }
}

/** How many more active tasks a member may get: its part of the share of its process. */
class Room {
  readonly #low = new Map<Process, number>();
  /** How many members of the process may have one more than the others. */
  readonly #extra = new Map<Process, number>();

  constructor(shares: ReadonlyMap<Process, number>) {
    for (const [process, share] of shares) {
      this.#low.set(process, Math.floor(share / process.workers.length));
      this.#extra.set(process, share % process.workers.length);
    }
  }

  has({ active, process }: Worker): boolean {
    const low = this.#low.get(process)!;
    return active.length < low || (active.length === low && this.#extra.get(process)! > 0);
  }

  hasAny(process: Process): boolean {
    return process.workers.some((worker) => this.has(worker));
  }

  /** The member has got one. */
  take({ active, process }: Worker): void {
    if (active.length > this.#low.get(process)!) {
      this.#extra.set(process, this.#extra.get(process)! - 1);
    }
  }
}

function keysOf(tasks: Assignment): string[] {
  return [...tasks].flatMap(([subtopologyId, partitions]) =>
    [...partitions].map((partition) => keyOf({ subtopologyId, partition }))
  );
}

function grouped(tasks: readonly Task[]): Assignment {
  const assignment = new Map<string, Set<number>>();
  for (const { subtopologyId, partition } of tasks) {
    const partitions = assignment.get(subtopologyId) ?? new Set();
    assignment.set(subtopologyId, partitions.add(partition));
  }
  return assignment;
}
