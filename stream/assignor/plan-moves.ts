/**
 * A task with state goes to a process that has nearly all of it, so that nobody waits for what it
 * writes; where it is meant for another one, a copy is built up there first (KIP-441). So do standbys
 * that others are to have.
 */
import type { Holdings } from "./processes.ts";
import { compareTasks, type TaskId } from "./task-assignment.ts";

/** Of a task with state, in indexes of processes. */
export interface PlacedTask {
  active: number;
  standbys: readonly number[];
  readonly warmups: number[];
}

export interface Moves {
  readonly placed: ReadonlyMap<TaskId, PlacedTask>;
  /** Something is not yet where it is meant to be. */
  readonly isUnfinished: boolean;
}

/** `targets` and `replicas`: whom tasks and their standbys are meant for. */
export function planMoves(
  holdings: Holdings,
  targets: ReadonlyMap<TaskId, number>,
  replicas: ReadonlyMap<TaskId, readonly number[]>,
  maxWarmupReplicas: number,
): Moves {
  const placed = new Map<TaskId, PlacedTask>();
  const wanted: { readonly task: TaskId; readonly process: number }[] = [];
  const loads = holdings.processes.map(() => 0);
  let isUnfinished = false;
  for (const [task, target] of targets) {
    const active = holderOf(holdings, task, target, loads);
    loads[active]!++;
    const standbys = [...replicas.get(task) ?? []];
    if (active !== target) {
      isUnfinished = true;
      // Whoever stands in for the target has no standby, so the target's copy is one.
      const at = standbys.indexOf(active);
      if (at === -1) wanted.push({ task, process: target });
      else standbys[at] = target;
    }
    const kept = keepUntilCaughtUp(holdings, task, active, standbys);
    if (kept.early.length > 0) isUnfinished = true;
    for (const process of kept.early) wanted.push({ task, process });
    placed.set(task, { active, standbys: kept.standbys, warmups: [] });
  }
  // Those that are being built up already come first, so that they are finished.
  wanted.sort((a, b) =>
    holdings.compare(a.task, a.process, b.task, b.process) || compareTasks(a.task, b.task)
  );
  for (const { task, process } of wanted.slice(0, maxWarmupReplicas)) {
    placed.get(task)!.warmups.push(process);
  }
  return { placed, isUnfinished };
}

/** Who has the task until its target is caught up. */
function holderOf(
  holdings: Holdings,
  task: TaskId,
  target: number,
  loads: readonly number[],
): number {
  if (holdings.isCaughtUp(target, task)) return target;
  const owner = holdings.owners.get(task);
  const caughtUp = (holdings.copies.get(task) ?? [])
    .filter((process) => holdings.isCaughtUp(process, task));
  if (caughtUp.length > 0) {
    if (owner !== undefined && caughtUp.includes(owner)) return owner;
    const fill = (process: number) => loads[process]! / holdings.processes[process]!.capacity;
    return caughtUp.reduce((one, other) => fill(other) < fill(one) ? other : one);
  }
  // While nobody is caught up, moving it from who restores it would begin that anew.
  if (owner !== undefined) return owner;
  return (holdings.copies.get(task) ?? []).reduce(
    (one, other) => holdings.lag(other, task) < holdings.lag(one, task) ? other : one,
    target,
  );
}

/** Leaves standbys where they are caught up for as long as those that are to have them are not. */
function keepUntilCaughtUp(
  holdings: Holdings,
  task: TaskId,
  active: number,
  standbys: readonly number[],
): { readonly standbys: number[]; readonly early: number[] } {
  const old = (holdings.standbys.get(task) ?? []).filter((process) =>
    process !== active && !standbys.includes(process) && holdings.isCaughtUp(process, task)
  );
  const early: number[] = [];
  const kept = standbys.map((process) => {
    if (old.length === 0 || holdings.isCaughtUp(process, task)) return process;
    early.push(process);
    return old.shift()!;
  });
  return { standbys: kept, early };
}
