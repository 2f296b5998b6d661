/**
 * Random histories of one partition: brokers come and go, lose what they had, ISRs shrink and grow, the
 * replicas move and move back. Whoever is elected cleanly has all that was acknowledged.
 */
import { expect, test } from "bun:test";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { changePartition, type PartitionChange, type PartitionState } from "./partition-change.ts";
import { givenUp, isReassigning, targetOf, towards } from "./reassignment.ts";

const BROKERS = [0, 1, 2, 3, 4, 5];
const STEPS = 300;

class History {
  state: PartitionState;
  acknowledged = 0;
  completed = 0;
  givenUp = 0;
  elections = 0;
  /** Where the log of each broker ends. */
  readonly #ends = new Map(BROKERS.map((id) => [id, 0]));
  readonly #alive = new Set(BROKERS);
  readonly #random: SimRandom;
  readonly #minInsync: number;

  constructor(seed: number) {
    this.#random = new SimRandom(seed);
    this.#minInsync = this.#random.between(1, 3);
    const replicas = this.#some(this.#random.between(1, 4));
    this.state = {
      ...{ replicas, isr: replicas, leader: replicas[0] ?? -1, leaderEpoch: 0, partitionEpoch: 0 },
      ...{ elr: [], lastKnownElr: [], isRecovering: false, adding: [], removing: [], offline: [] },
    };
  }

  step(): void {
    const { state } = this;
    const id = this.#random.pick(BROKERS);
    switch (this.#random.below(10)) {
      case 0:
      case 1:
        return this.#append();
      case 2:
      case 3:
        return this.#proposeIsr();
      case 4:
        this.#alive.delete(id);
        return this.#change({ leaving: [id] });
      case 5:
      case 6:
        return this.#comeBack(id);
      case 7: {
        const target = this.#some(this.#random.between(1, 4));
        return this.#change({ assignment: towards(state, target) });
      }
      case 8:
        return this.#giveUp();
      case 9:
        return this.#failDisk(id);
    }
  }

  /** What is acknowledged is on all of an ISR that is large enough. */
  #append(): void {
    const { isr, leader, replicas } = this.state;
    if (leader < 0) return;
    const end = this.#end(leader) + 1;
    this.#ends.set(leader, end);
    if (isr.length < Math.min(this.#minInsync, replicas.length)) return;
    if (!isr.every((each) => this.#alive.has(each))) return;
    for (const each of isr) this.#ends.set(each, end);
    this.acknowledged = end;
  }

  #proposeIsr(): void {
    const { leader, replicas } = this.state;
    if (leader < 0) return;
    const isr = replicas.filter((each) =>
      each === leader || (this.#alive.has(each) && !this.state.offline.includes(each) &&
        this.#random.below(3) > 0)
    );
    for (const each of isr) this.#ends.set(each, this.#end(leader));
    this.#change({ isr, isRecovered: true });
  }

  /**
   * A replica's directory is full for a while, or fails; its broker goes on without, and comes back
   * with it or an empty one.
   */
  #failDisk(id: number): void {
    if (!this.#alive.has(id) || !this.state.replicas.includes(id)) return;
    const isFull = this.#random.below(2) === 0;
    this.#change({ ...(isFull ? { leaving: [id] } : { unclean: [id] }), offline: [id] });
    if (this.state.replicas.includes(id)) expect(this.state.offline).toContain(id);
    if (isFull) return this.#random.below(2) === 0 ? this.#change({ online: [id] }) : undefined;
    this.#alive.delete(id);
    this.#change({ unclean: [id], online: [id] });
    if (this.#random.below(2) === 0) {
      this.#ends.set(id, 0);
      this.#change({ lost: [id] });
    }
    this.#alive.add(id);
    this.#change({});
  }

  /** One of two has not stopped in good order, and lacks the end of what it had. */
  #comeBack(id: number): void {
    if (this.#alive.has(id)) return;
    if (this.#random.below(2) === 0) {
      this.#ends.set(id, this.#random.between(0, this.#end(id)));
      this.#change({ unclean: [id] });
    }
    this.#change({ online: [id] });
    this.#alive.add(id);
    this.#change({});
  }

  #giveUp(): void {
    if (!isReassigning(this.state)) return;
    const assignment = givenUp(this.state);
    const { elr, isr } = this.state;
    // Else it is refused.
    if (!assignment.replicas.some((id) => isr.includes(id) || elr.includes(id))) return;
    this.givenUp++;
    this.#change({ assignment });
  }

  #change(change: Partial<PartitionChange>): void {
    const before = this.state;
    const next = changePartition(before, {
      ...{ election: "online", minInsync: this.#minInsync },
      isAlive: (id) => this.#alive.has(id),
      ...change,
    });
    if (next === null) return;
    this.state = next;
    if (isReassigning(before) && !isReassigning(next)) this.completed++;
    this.#check(before, next);
    if (next.leader === before.leader || next.leader < 0) return;
    this.elections++;
    const end = this.#end(next.leader);
    if (next.isRecovering && !next.elr.includes(next.leader) && end < this.acknowledged) {
      // The last of all has lost something, and nobody else has more.
      this.acknowledged = end;
    }
    expect(end).toBeGreaterThanOrEqual(this.acknowledged);
    for (const id of next.replicas) this.#ends.set(id, Math.min(end, this.#end(id)));
  }

  #check(before: PartitionState, next: PartitionState): void {
    const { adding, elr, isr, lastKnownElr, leader, offline, removing, replicas } = next;
    expect(next.partitionEpoch).toBe(before.partitionEpoch + 1);
    const isOther = leader !== before.leader ||
      !before.replicas.every((id) => replicas.includes(id));
    expect(next.leaderEpoch).toBe(before.leaderEpoch + (isOther ? 1 : 0));
    for (const list of [adding, elr, isr, lastKnownElr, offline, removing, replicas]) {
      expect(new Set(list).size).toBe(list.length);
      for (const id of list) expect(replicas).toContain(id);
    }
    for (const id of elr) expect(isr).not.toContain(id);
    for (const id of offline) expect(isr).not.toContain(id);
    for (const id of adding) expect(removing).not.toContain(id);
    if (leader >= 0) expect(isr).toContain(leader);
    expect(targetOf(next).length).toBeGreaterThan(0);
    if (isReassigning(next)) expect(targetOf(next).every((id) => isr.includes(id))).toBe(false);
  }

  #end(id: number): number {
    return this.#ends.get(id) ?? 0;
  }

  #some(count: number): number[] {
    const left = [...BROKERS];
    return Array.from(
      { length: count },
      () => left.splice(this.#random.below(left.length), 1)[0] ?? 0,
    );
  }
}

test("whoever is elected cleanly has all that was acknowledged, wherever the replicas go", () => {
  const sums = { acknowledged: 0, completed: 0, givenUp: 0, elections: 0 };
  const seeds = Number(process.env["SEEDS"] ?? 300);
  for (let seed = 1; seed <= seeds; seed++) {
    const history = new History(seed);
    try {
      for (let step = 0; step < STEPS; step++) history.step();
    } catch (error) {
      throw new Error(`seed ${seed}: ${JSON.stringify(history.state)}`, { cause: error });
    }
    for (const name of ["acknowledged", "completed", "givenUp", "elections"] as const) {
      sums[name] += history[name];
    }
  }
  // Enough has happened for this to mean something.
  for (const sum of Object.values(sums)) expect(sum / seeds).toBeGreaterThan(2);
});
