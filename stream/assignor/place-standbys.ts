/**
 * Which processes have standbys of a task besides the one that has it: those that have one now, then
 * those that have something of it, then those with the least to do; in other racks, where there are
 * (KIP-708).
 */
import type { Holdings } from "./processes.ts";
import { quotasOf } from "./spread-tasks.ts";
import type { AssignmentOptions, TaskId } from "./task-assignment.ts";

/** By task: the indexes of processes. `actives`: those that tasks with state are meant for. */
export function placeStandbys(
  options: AssignmentOptions,
  holdings: Holdings,
  actives: ReadonlyMap<TaskId, number>,
  activeLoads: readonly number[],
): Map<TaskId, number[]> {
  const wanted = Math.min(options.standbyReplicas, holdings.processes.length - 1);
  if (wanted <= 0) return new Map();
  const placing = new Placing(options.rackTags, holdings, actives, activeLoads, wanted);
  placing.keep();
  placing.fillFromCopies();
  placing.fillUp();
  placing.balance();
  return placing.replicas;
}

class Placing {
  readonly replicas = new Map<TaskId, number[]>();
  readonly #loads: number[];
  readonly #quotas: readonly number[];
  /** By process. */
  readonly #standbys: Set<TaskId>[];

  constructor(
    private readonly rackTags: readonly string[],
    private readonly holdings: Holdings,
    private readonly actives: ReadonlyMap<TaskId, number>,
    activeLoads: readonly number[],
    private readonly wanted: number,
  ) {
    const { processes } = holdings;
    this.#loads = [...activeLoads];
    const owned = processes.map(({ ownedStandby }) => ownedStandby.size);
    this.#quotas = quotasOf(actives.size * wanted, processes, activeLoads, owned);
    this.#standbys = processes.map(() => new Set());
    for (const task of actives.keys()) this.replicas.set(task, []);
  }

  keep(): void {
    for (const task of this.actives.keys()) {
      const owners = [...this.holdings.standbys.get(task) ?? []];
      const compare = (one: number, other: number) =>
        this.#likeness(task, one) - this.#likeness(task, other) ||
        this.holdings.compare(task, one, task, other);
      // One by one: who is unlike the others depends on who is there already.
      while (owners.length > 0) this.#addIfGood(task, owners.sort(compare).shift()!);
    }
  }

  /** Copies that nobody keeps up any more, such as of a task that has just moved away. */
  fillFromCopies(): void {
    const offers = [...this.actives.keys()].flatMap((task) =>
      (this.holdings.copies.get(task) ?? []).map((process) => ({ task, process }))
    );
    offers.sort((a, b) => this.holdings.compare(a.task, a.process, b.task, b.process));
    for (const { task, process } of offers) {
      if (this.#standbys[process]!.size < this.#quotas[process]!) this.#addIfGood(task, process);
    }
  }

  fillUp(): void {
    for (const [task, replicas] of this.replicas) {
      while (replicas.length < this.wanted) this.#add(task, this.#best(task));
    }
  }

  /** Moves standbys from who has much to who has little, as long as that makes it more even. */
  balance(): void {
    const order = this.holdings.processes.map((_, i) => i);
    for (let isBetter = true; isBetter;) {
      order.sort((a, b) => this.#fill(b) - this.#fill(a) || a - b);
      isBetter = order.some((from) => this.#relieve(from, order));
    }
  }

  #relieve(from: number, order: readonly number[]): boolean {
    for (const to of order.toReversed()) {
      if (this.#fill(from) <= this.#fill(to, 1)) return false;
      const task = this.#movable(from, to);
      if (task === null) continue;
      const replicas = this.replicas.get(task)!;
      replicas.splice(replicas.indexOf(from), 1);
      this.#standbys[from]!.delete(task);
      this.#loads[from]!--;
      this.#add(task, to);
      return true;
    }
    return false;
  }

  /** Of the standbys there, the one that `to` could take up soonest. */
  #movable(from: number, to: number): TaskId | null {
    let best: TaskId | null = null;
    for (const task of this.#standbys[from]!) {
      if (!this.#mayHave(task, to)) continue;
      if (this.#likeness(task, to, from) > this.#likeness(task, from, from)) continue;
      if (best === null || this.holdings.compare(task, to, best, to) < 0) best = task;
    }
    return best;
  }

  #fill(process: number, more = 0): number {
    return (this.#loads[process]! + more) / this.holdings.processes[process]!.capacity;
  }

  #mayHave(task: TaskId, process: number): boolean {
    return this.actives.get(task) !== process && !this.replicas.get(task)!.includes(process);
  }

  /** In how many tags a process is like those that have the task, but for one of them. */
  #likeness(task: TaskId, process: number, but: number | null = null): number {
    if (this.rackTags.length === 0) return 0;
    const { processes } = this.holdings;
    const { tags } = processes[process]!;
    const others = [this.actives.get(task)!, ...this.replicas.get(task)!]
      .filter((other) => other !== but);
    let likeness = 0;
    for (const tag of this.rackTags) {
      for (const other of others) if (processes[other]!.tags[tag] === tags[tag]) likeness++;
    }
    return likeness;
  }

  /** As long as one is wanted, and nobody else would be further from the others. */
  #addIfGood(task: TaskId, process: number): void {
    if (this.replicas.get(task)!.length >= this.wanted || !this.#mayHave(task, process)) return;
    const likeness = this.#likeness(task, process);
    const isWorse = likeness > 0 &&
      this.holdings.processes.some((_, other) =>
        this.#mayHave(task, other) && this.#likeness(task, other) < likeness
      );
    if (!isWorse) this.#add(task, process);
  }

  #add(task: TaskId, process: number): void {
    this.replicas.get(task)!.push(process);
    this.#standbys[process]!.add(task);
    this.#loads[process]!++;
  }

  #best(task: TaskId): number {
    let best = -1;
    for (let process = 0; process < this.#loads.length; process++) {
      if (!this.#mayHave(task, process)) continue;
      if (best === -1 || this.#compare(task, process, best) < 0) best = process;
    }
    return best;
  }

  #compare(task: TaskId, one: number, other: number): number {
    return this.#likeness(task, one) - this.#likeness(task, other) ||
      this.#fill(one) - this.#fill(other) ||
      this.holdings.compare(task, one, task, other);
  }
}
