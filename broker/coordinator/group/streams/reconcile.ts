/**
 * Moves a member from the tasks that it has towards its target (KIP-1071, Kafka's
 * `CurrentAssignmentBuilder`). No task is active twice, and no process has a task twice, for its
 * members share a directory: a member gives up first, in its old epoch, and moves to the epoch of
 * the target when it has; tasks that others still have come as they become free.
 *
 *     STABLE ──target takes some──▶ UNREVOKED ──given up──▶ STABLE, or UNRELEASED until all are free
 */
import type { Assignment, EpochedAssignment } from "../modern/topic-partitions.ts";
import { inEpoch } from "../modern/modern-group.ts";
import { MemberStates, type StreamsMember } from "./streams-member.ts";
import type { TaskOwners } from "./task-owners.ts";
import { haveCommonTask, type MemberTasks, NO_TASKS, type Role, type Tasks } from "./tasks.ts";

/** What decides where a member goes. */
export interface ReconcileInput {
  readonly member: StreamsMember;
  readonly targetEpoch: number;
  readonly target: Tasks;
  /** What the member says that it has; null if it does not say. */
  readonly owned: Tasks | null;
  readonly owners: TaskOwners;
}

/** The member afterwards, or null if it is in a state that is not known and must join afresh. */
export function reconcile(input: ReconcileInput): StreamsMember | null {
  const { member, targetEpoch, owned } = input;
  switch (member.state) {
    case MemberStates.STABLE:
      return member.memberEpoch === targetEpoch
        ? member
        : nextAssignment(input, member.memberEpoch);
    case MemberStates.UNREVOKED_TASKS:
      return stillHas(owned, member.pendingRevocation)
        ? member
        : nextAssignment(input, member.memberEpoch + 1);
    case MemberStates.UNRELEASED_TASKS:
      return nextAssignment(input, member.memberEpoch);
    default:
      if (owned === null || hasAny(owned)) return null;
      return nextAssignment(input, targetEpoch);
  }
}

/** Whether the member still has one of the tasks, as far as it says. */
function stillHas(owned: Tasks | null, tasks: MemberTasks): boolean {
  return owned === null || haveCommonTask(owned, tasks);
}

function hasAny({ active, standby, warmup }: Tasks | MemberTasks): boolean {
  return active.size > 0 || standby.size > 0 || warmup.size > 0;
}

/** The tasks of one role that the member keeps, has to give up, and can get now. */
interface Difference {
  readonly kept: Map<string, Map<number, number>>;
  readonly revoked: Map<string, Map<number, number>>;
  readonly free: Map<string, number[]>;
  readonly waits: boolean;
}

function difference(
  assigned: EpochedAssignment,
  target: Assignment,
  isFree: (subtopologyId: string, task: number) => boolean,
): Difference {
  const kept = new Map<string, Map<number, number>>();
  const revoked = new Map<string, Map<number, number>>();
  const free = new Map<string, number[]>();
  let waits = false;
  for (const id of new Set([...target.keys(), ...assigned.keys()])) {
    const wanted = target.get(id);
    const own = assigned.get(id) ?? new Map<number, number>();
    for (const [task, epoch] of own) {
      const side = wanted?.has(task) === true ? kept : revoked;
      const epochs = side.get(id) ?? new Map<number, number>();
      side.set(id, epochs.set(task, epoch));
    }
    for (const task of wanted ?? []) {
      if (own.has(task)) continue;
      if (isFree(id, task)) free.set(id, [...free.get(id) ?? [], task]);
      else waits = true;
    }
  }
  return { kept, revoked, free, waits };
}

/**
 * An active task is free when nobody runs it and no other member of the process keeps it; any other
 * when no other member of the process has it. What the member itself gives up is gone by then.
 */
function isFree({ member, owners }: ReconcileInput, role: Role) {
  return (id: string, task: number) => {
    const held = (by: Role, processId: string | null) =>
      owners.isHeldBesides(member, by, id, task, processId);
    const { processId } = member;
    return !held("active", role === "active" ? null : processId) &&
      !held("standby", processId) && !held("warmup", processId);
  };
}

/** With an epoch that nobody looks at, so that all roles go one way. */
function withoutEpochs(tasks: Assignment): EpochedAssignment {
  return new Map(
    [...tasks].map(([id, partitions]) => [id, new Map([...partitions].map((task) => [task, 0]))]),
  );
}

function tasksOf(pick: (role: Role) => EpochedAssignment): MemberTasks {
  const plain = (tasks: EpochedAssignment): Assignment =>
    new Map([...tasks].map(([id, epochs]) => [id, new Set(epochs.keys())]));
  return {
    active: pick("active"),
    standby: plain(pick("standby")),
    warmup: plain(pick("warmup")),
  };
}

function nextAssignment(input: ReconcileInput, memberEpoch: number): StreamsMember {
  const { member, target, targetEpoch, owned } = input;
  const { active, standby, warmup } = member.tasks;
  const differences: Readonly<Record<Role, Difference>> = {
    active: difference(active, target.active, isFree(input, "active")),
    standby: difference(withoutEpochs(standby), target.standby, isFree(input, "standby")),
    warmup: difference(withoutEpochs(warmup), target.warmup, isFree(input, "warmup")),
  };
  const kept = tasksOf((role) => differences[role].kept);
  const revoked = tasksOf((role) => differences[role].revoked);
  if (hasAny(revoked) && stillHas(owned, revoked)) {
    return inEpoch(member, memberEpoch, {
      state: MemberStates.UNREVOKED_TASKS,
      tasks: kept,
      pendingRevocation: revoked,
    });
  }
  const waits = Object.values(differences).some((each) => each.waits);
  return inEpoch(member, targetEpoch, {
    state: waits ? MemberStates.UNRELEASED_TASKS : MemberStates.STABLE,
    tasks: tasksOf((role) => withFree(differences[role], targetEpoch)),
    pendingRevocation: NO_TASKS,
  });
}

function withFree({ kept, free }: Difference, epoch: number): EpochedAssignment {
  const all = new Map<string, ReadonlyMap<number, number>>(kept);
  for (const [id, tasks] of free) {
    all.set(id, new Map([...kept.get(id) ?? [], ...tasks.map((task) => [task, epoch] as const)]));
  }
  return all;
}
