/**
 * Shares the tasks of an application among its members, in the steps of KIP-441, in a way of our own:
 *
 * 1. Processes are meant for tasks: those with state evenly, those without so that all are even, the
 *    rest (standbys) as evenly as that allows. What somebody has stays unless the balance wants it.
 * 2. Tasks that their process is not caught up with stay where they are, and a copy is built up there.
 * 3. What a process has is shared among its members.
 * 4. What a member has to give up for another one is given to nobody this time (KIP-429).
 *
 * All is drawn from the input alone: the same input gives the same answer, and who carries it out and
 * asks again, with members that have caught up, comes to an end, after which nothing moves.
 */
import { Holdings } from "./processes.ts";
import { placeStandbys } from "./place-standbys.ts";
import { type PlacedTask, planMoves } from "./plan-moves.ts";
import { ProcessShare, shareOut } from "./share-out.ts";
import { type Offer, spreadTasks } from "./spread-tasks.ts";
import {
  type AssignmentInput,
  compareTasks,
  type MemberTasks,
  type StreamMember,
  type TaskAssignment,
  type TaskId,
} from "./task-assignment.ts";

/** See the head of the file. */
export function assignTasks(input: AssignmentInput): TaskAssignment {
  const { members, acceptableRecoveryLag, maxWarmupReplicas } = input;
  const tasks = [...input.tasks].sort((a, b) => compareTasks(a.id, b.id));
  if (members.length === 0) {
    return { members: new Map(), isHandingOver: false, isProbingWanted: false };
  }
  const holdings = new Holdings(tasks, members, acceptableRecoveryLag);
  const { processes } = holdings;
  const stateful = tasks.filter(({ isStateful }) => isStateful).map(({ id }) => id);
  const stateless = tasks.filter(({ isStateful }) => !isStateful).map(({ id }) => id);
  const owners = ownersAmong(holdings.owners, new Set(stateful));
  const loads = processes.map(() => 0);
  const targets = spreadTasks({
    ...{ tasks: stateful, takers: processes, loads, owners },
    offers: offersOf(holdings, stateful),
  });
  for (const process of targets.values()) loads[process]!++;
  const others = spreadTasks({
    ...{ tasks: stateless, takers: processes, loads, offers: [] },
    owners: ownersAmong(holdings.owners, new Set(stateless)),
  });
  for (const process of others.values()) loads[process]!++;
  const replicas = placeStandbys(input, holdings, targets, loads);
  const { placed, isUnfinished } = planMoves(holdings, targets, replicas, maxWarmupReplicas);
  const assigned = shareOutAll(holdings, placed, others);
  const isHandingOver = handOver(members, assigned);
  return { members: assigned, isHandingOver, isProbingWanted: isUnfinished };
}

function ownersAmong(
  owners: ReadonlyMap<TaskId, number>,
  tasks: ReadonlySet<TaskId>,
): Map<TaskId, number> {
  return new Map([...owners].filter(([task]) => tasks.has(task)));
}

function offersOf(holdings: Holdings, tasks: readonly TaskId[]): Offer[] {
  const offers = tasks.flatMap((task) => {
    return (holdings.copies.get(task) ?? []).map((taker) => ({ task, taker }));
  });
  return offers.sort((a, b) =>
    holdings.compare(a.task, a.taker, b.task, b.taker) || compareTasks(a.task, b.task) ||
    a.taker - b.taker
  );
}

function shareOutAll(
  { processes }: Holdings,
  placed: ReadonlyMap<TaskId, PlacedTask>,
  stateless: ReadonlyMap<TaskId, number>,
): Map<string, MemberTasks> {
  const shares = processes.map(() => new ProcessShare());
  for (const [task, { active, standbys, warmups }] of placed) {
    shares[active]!.stateful.push(task);
    for (const process of standbys) shares[process]!.standby.push(task);
    for (const process of warmups) shares[process]!.warmup.push(task);
  }
  for (const [task, process] of stateless) shares[process]!.stateless.push(task);
  return new Map(processes.flatMap((process, i) => shareOut(process, shares[i]!)));
}

/**
 * Takes out of `assigned` what others still have. Who is to have it keeps its standby meanwhile, whose
 * contents it goes on with.
 */
function handOver(
  members: readonly StreamMember[],
  assigned: Map<string, MemberTasks>,
): boolean {
  const claims = new Map<TaskId, string[]>();
  for (const { memberId, ownedActive } of members) {
    for (const task of ownedActive) claims.set(task, [...claims.get(task) ?? [], memberId]);
  }
  let isHandingOver = false;
  for (const { memberId, ownedStandby } of members) {
    const { active, standby, warmup } = assigned.get(memberId)!;
    const isOthers = (task: TaskId) => claims.get(task)?.some((id) => id !== memberId) === true;
    const waiting = active.filter(isOthers);
    if (waiting.length === 0) continue;
    isHandingOver = true;
    const kept = waiting.filter((task) => ownedStandby.includes(task));
    assigned.set(memberId, {
      active: active.filter((task) => !isOthers(task)),
      standby: [...standby, ...kept].sort(compareTasks),
      warmup,
      awaited: waiting,
    });
  }
  return isHandingOver;
}
