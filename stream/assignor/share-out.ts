/** Shares what a process has among its members: each kind evenly, and what a member has stays with it. */
import { ownersOf, type StreamProcess } from "./processes.ts";
import { spreadTasks } from "./spread-tasks.ts";
import { compareTasks, type MemberTasks, type TaskId } from "./task-assignment.ts";

/** What is meant for a process. */
export class ProcessShare {
  readonly stateful: TaskId[] = [];
  readonly stateless: TaskId[] = [];
  readonly standby: TaskId[] = [];
  readonly warmup: TaskId[] = [];
}

/** By member id. */
export function shareOut(
  { members }: StreamProcess,
  share: ProcessShare,
): (readonly [memberId: string, tasks: MemberTasks])[] {
  const takers = members.map(({ threads }) => ({ capacity: Math.max(1, threads) }));
  const loads = members.map(() => 0);
  const groups = members.map((member) => [member]);
  const standbyOwners = new Map(
    members.flatMap(({ ownedStandby }, i) => ownedStandby.map((task) => [task, i] as const)),
  );
  const spread = (tasks: readonly TaskId[], isStandby: boolean): TaskId[][] => {
    const known = new Set(tasks);
    const active = ownersOf(groups, known);
    const standby = new Map([...standbyOwners].filter(([task]) => known.has(task)));
    const owners = isStandby ? new Map([...active, ...standby]) : active;
    const offers = [...standby].map(([task, taker]) => ({ task, taker }));
    const lists: TaskId[][] = members.map(() => []);
    for (const [task, i] of spreadTasks({ tasks, takers, loads, owners, offers })) {
      lists[i]!.push(task);
      loads[i]!++;
    }
    return lists;
  };
  const stateful = spread(share.stateful, false);
  const stateless = spread(share.stateless, false);
  const copies = spread([...share.standby, ...share.warmup], true);
  const warmups = new Set(share.warmup);
  return members.map(({ memberId }, i) => [memberId, {
    awaited: [],
    active: [...stateful[i]!, ...stateless[i]!].sort(compareTasks),
    standby: copies[i]!.filter((task) => !warmups.has(task)).sort(compareTasks),
    warmup: copies[i]!.filter((task) => warmups.has(task)).sort(compareTasks),
  }]);
}
