/**
 * Tasks over those who take them, as evenly as what each can take allows and with the fewest moves:
 * each has a quota, keeps of its own what is within it, and what is left goes where room is.
 */
import { compareTasks, subtopologyOf, type TaskId } from "./task-assignment.ts";

/** One that takes tasks: a process, or a member of one. */
export interface Taker {
  readonly capacity: number;
}

/** Somebody has something of a task already. */
export interface Offer {
  readonly task: TaskId;
  readonly taker: number;
}

export interface Spread {
  readonly tasks: readonly TaskId[];
  readonly takers: readonly Taker[];
  /** What each of them has besides. */
  readonly loads: readonly number[];
  /** By task: who has it now. */
  readonly owners: ReadonlyMap<TaskId, number>;
  /** Who would be good for a task that its owner has to give up, the best first. */
  readonly offers: readonly Offer[];
}

/**
 * How many of `count` tasks each is to have: they are given out one by one to who would have the least
 * of what it can take. Of equals the one first that has more than it was given: it keeps one then.
 */
export function quotasOf(
  count: number,
  takers: readonly Taker[],
  loads: readonly number[],
  owned: readonly number[],
): number[] {
  const quotas = takers.map(() => 0);
  for (let left = count; left > 0; left--) {
    let best = 0;
    let bestFill = Infinity;
    for (let i = 0; i < takers.length; i++) {
      const fill = (loads[i]! + quotas[i]! + 1) / takers[i]!.capacity;
      const isBetter = fill < bestFill ||
        (fill === bestFill && owned[i]! > quotas[i]! && owned[best]! <= quotas[best]!);
      if (isBetter) [best, bestFill] = [i, fill];
    }
    quotas[best]!++;
  }
  return quotas;
}

/** By task: the index of who is to have it. */
export function spreadTasks(spread: Spread): Map<TaskId, number> {
  const { tasks, takers, loads, owners, offers } = spread;
  if (takers.length === 0) return new Map();
  const owned: TaskId[][] = takers.map(() => []);
  const target = new Map<TaskId, number>();
  const orphans = new Set<TaskId>();
  for (const task of tasks) {
    const owner = owners.get(task);
    if (owner === undefined) orphans.add(task);
    else {
      owned[owner]!.push(task);
      target.set(task, owner);
    }
  }
  const quotas = quotasOf(tasks.length, takers, loads, owned.map(({ length }) => length));
  const room = quotas.map((quota, i) => quota - owned[i]!.length);
  const moved = new Set<TaskId>();
  const take = ({ task, taker }: Offer): void => {
    const owner = target.get(task);
    if (owner !== undefined) room[owner]!++;
    room[taker]!--;
    target.set(task, taker);
    moved.add(task);
  };
  // A task that nobody has comes first: without it nothing is processed.
  for (const offer of offers) {
    if (orphans.has(offer.task) && !moved.has(offer.task) && room[offer.taker]! > 0) take(offer);
  }
  for (const offer of offers) {
    const owner = owners.get(offer.task);
    if (owner === undefined || moved.has(offer.task) || owner === offer.taker) continue;
    if (room[owner]! < 0 && room[offer.taker]! > 0) take(offer);
  }
  const free = [...orphans].filter((task) => !moved.has(task));
  for (const [i, tasksOfIt] of owned.entries()) {
    const kept = tasksOfIt.filter((task) => !moved.has(task));
    free.push(...mostOfSubtopology(kept).slice(0, Math.max(0, -room[i]!)));
  }
  for (const task of free.sort(compareTasks)) take({ task, taker: roomiest(room) });
  return target;
}

function roomiest(room: readonly number[]): number {
  let best = 0;
  for (let i = 1; i < room.length; i++) if (room[i]! > room[best]!) best = i;
  return best;
}

/**
 * In the order in which to give them up: each time one of the subtopology that most are of, since tasks
 * of one do the same work and are better apart.
 */
function mostOfSubtopology(tasks: readonly TaskId[]): TaskId[] {
  const groups = new Map<string, TaskId[]>();
  for (const task of [...tasks].sort(compareTasks)) {
    const group = groups.get(subtopologyOf(task));
    if (group === undefined) groups.set(subtopologyOf(task), [task]);
    else group.push(task);
  }
  const ranked = [...groups.values()].flatMap((group) =>
    group.map((task, i) => ({ task, left: i }))
  );
  return ranked.sort((a, b) => b.left - a.left || -compareTasks(a.task, b.task))
    .map(({ task }) => task);
}
